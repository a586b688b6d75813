"""Queries that are no radiological images: how many are said to be far from everything, and how many of the own are.

Usage: python -m benchmarks.out_of_domain COLLECTION ENCODER [COLLECTION ENCODER …] [--number 100] [--seed 1]

Draws noise, blank images, gradients, pages of text and colorful scenes of shapes that hide each other, and cuts pieces
out of the two photographs that come with scikit-learn. Asks a collection for the hits of each, as an upload would, and
prints, as a Markdown table, of how many it is said that nothing is close: by the two measures that RadCBIR goes by, and
by the similarity of the nearest image alone at the same share of false alarms. An image that the encoder can make
nothing of is refused, and counts as found. False alarms are images of the collection, each asked without its patient,
by thresholds of other patients. Regions of the collection's own images are asked too, below the table: RadCBIR does
not judge these, because whole images are what it measures by.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sklearn
from PIL import Image, ImageDraw

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import RadcbirError
from radcbir_core.evaluation.metrics.closeness import FALSE_ALARMS, OWN
from radcbir_core.evaluation.reports.scale import Scale, thresholds_in
from radcbir_core.search.queries.query import ChangedQuery, ImageQuery, RowQuery
from radcbir_core.search.queries.region import Box
from radcbir_core.search.retriever import Retriever

Pixels = npt.NDArray[np.uint8]
Random = np.random.Generator


def _bytes(values: npt.NDArray[np.floating]) -> Pixels:
    return np.clip(values, 0, 255).astype(np.uint8)


def cloud(random: Random, side: int, slope: float) -> npt.NDArray[np.float64]:
    """``(side, side)`` noise whose spectrum falls with the frequency, as in natural scenes; of deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    frequency[0, 0] = np.inf
    made = np.fft.ifft2(np.fft.fft2(random.standard_normal((side, side))) / frequency**slope).real
    return np.asarray(made / made.std(), dtype=np.float64)


def noise(random: Random) -> Pixels:
    """White, colored, weak, cloudy, or in blocks."""
    side, kind = int(random.integers(64, 400)), random.integers(5)
    if kind == 0:
        return random.integers(0, 256, (side, side), dtype=np.uint8)
    if kind == 1:
        return random.integers(0, 256, (side, side, 3), dtype=np.uint8)
    if kind == 2:
        return _bytes(random.uniform(60, 200) + random.uniform(5, 60) * random.standard_normal((side, side)))
    if kind == 3:
        return _bytes(128 + 50 * cloud(random, side, random.uniform(0.5, 1.5)))
    block = int(random.integers(2, 16))
    few = random.integers(0, 256, (side // block + 1, side // block + 1))
    return np.kron(few, np.ones((block, block))).astype(np.uint8)


def blank(random: Random) -> Pixels:
    """One gray, one color, or one gray with a trace of noise."""
    height, width = random.integers(32, 600, 2)
    kind = random.integers(3)
    if kind == 0:
        return np.full((height, width), random.integers(0, 256), dtype=np.uint8)
    if kind == 1:
        return np.broadcast_to(random.integers(0, 256, 3).astype(np.uint8), (height, width, 3)).copy()
    return _bytes(random.integers(0, 256) + random.uniform(0.3, 2) * random.standard_normal((height, width)))


def gradient(random: Random) -> Pixels:
    """From one gray or color to another, straight or round, or in waves."""
    side, kind = int(random.integers(64, 500)), random.integers(4)
    y, x = np.mgrid[0:side, 0:side] / side
    angle = random.uniform(0, 2 * np.pi)
    along = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)
    rising = (along - along.min()) / np.ptp(along)
    if kind == 0:
        return _bytes(255 * rising)
    if kind == 1:
        away = np.hypot(x - random.uniform(), y - random.uniform())
        return _bytes(255 * (away if random.uniform() < 0.5 else away.max() - away) / away.max())
    if kind == 2:
        first, last = random.integers(0, 256, (2, 3))
        return _bytes(first + (last - first) * rising[..., None])
    return _bytes(127.5 * (1 + np.sin(2 * np.pi * random.uniform(1, 12) * along)))


def page(random: Random) -> Pixels:
    """Lines of letters, dark on light or light on dark."""
    width, height = int(random.integers(300, 900)), int(random.integers(200, 600))
    dark = random.uniform() < 0.4
    ground = tuple(random.integers(0, 50, 3).tolist() if dark else random.integers(200, 256, 3).tolist())
    image = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(image)
    for y in range(10, height - 10, int(random.integers(14, 24))):
        letters = "".join(chr(code) for code in random.integers(97, 123, int(random.integers(5, width // 8))))
        draw.text((10, y), letters, fill=tuple(255 - value for value in ground))
    return np.asarray(image)


def scene(random: Random) -> Pixels:
    """Shapes of all sizes that hide each other, shaded and grained, some below a sky ("dead leaves").

    Scenes so made have the statistics of photographs (Lee, Mumford and Huang, *International Journal of Computer
    Vision* 41, 2001, pp. 35-59).
    """
    side = 256
    colors = random.integers(0, 256, (int(random.integers(3, 9)), 3))
    y, x = np.mgrid[0:side, 0:side]
    made = np.broadcast_to(colors[0].astype(np.float64), (side, side, 3)).copy()
    for _ in range(int(random.integers(150, 500))):
        size = float(np.clip(4 / (np.sqrt(random.uniform()) + 0.02), 2, 120))
        middle, flat = random.uniform(0, side, 2), random.uniform(0.2, 1)
        down, right = (y - middle[0]) / (size * flat), (x - middle[1]) / size
        inside = (np.hypot(down, right) < 1) if random.uniform() < 0.5 else (np.maximum(abs(down), abs(right)) < 1)
        shade = 1 + 0.3 * right[inside][:, None]
        made[inside] = (colors[random.integers(len(colors))] + random.normal(0, 18, 3)) * shade
    made = made * (1 + 0.12 * cloud(random, side, 1.0)[..., None]) + 6 * cloud(random, side, 0.6)[..., None]
    if random.uniform() < 0.6:
        horizon = int(random.uniform(0.2, 0.5) * side)
        top = np.array([90, 140, 220]) + random.normal(0, 20, 3)
        made[:horizon] = top + (235 - top) * np.linspace(0, 1, horizon)[:, None, None]
    return _bytes(made)


def photograph(random: Random) -> Pixels:
    """A piece of one of scikit-learn's photographs, a third of them in gray."""
    folder = Path(sklearn.__file__).parent / "datasets" / "images"
    image = Image.open(folder / ("china.jpg" if random.uniform() < 0.5 else "flower.jpg")).convert("RGB")
    side = int(random.integers(120, 420))
    left, top = (int(random.integers(0, length - side)) for length in image.size)
    piece = image.crop((left, top, left + side, top + side))
    return np.asarray(piece.convert("L") if random.uniform() < 1 / 3 else piece)


def region(random: Random, pixels: Pixels) -> Pixels:
    """A part of an image, of 35 to 80 % of each side."""
    width, height = (int(side) for side in random.integers(350, 800, 2))
    left, top = int(random.integers(0, 1000 - width)), int(random.integers(0, 1000 - height))
    return Box(left, top, left + width, top + height).cut(pixels)


KINDS: dict[str, Callable[[Random], Pixels]] = {
    "noise": noise,
    "blank": blank,
    "gradients": gradient,
    "pages of text": page,
    "scenes of shapes": scene,
    "pieces of photographs": photograph,
}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="+", help="Collections, each followed by an encoder")
    parser.add_argument("--number", type=int, default=100, help="Images of each kind")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"| collection, encoder | asked by | {' | '.join(KINDS)} | mean | false alarms |")
    print(f"|---|---|{'---|' * (len(KINDS) + 2)}")
    below = []
    for name, encoder_id in zip(options.what[::2], options.what[1::2], strict=True):
        store = open_collection(name).store(encoder_id)
        encoder = load_encoder(store.spec)
        retriever = Retriever(store.collection, encoder_id, encoder=lambda encoder=encoder: encoder)
        evaluation = Scale().suited(store)
        result = evaluation.run(store)
        thresholds = thresholds_in(result)
        if thresholds is None:
            raise SystemExit(f"{name} has too few images: {' '.join(result.notes)}")
        closeness = result.tables["closeness"]
        alone = float(np.interp(FALSE_ALARMS, closeness["quantile"], closeness["nearest"]))
        found: dict[str, list[tuple[bool, bool]]] = {kind: [] for kind in KINDS}
        for number, (kind, draw) in enumerate(KINDS.items()):
            for one in range(options.number):
                pixels = draw(np.random.default_rng([options.seed, number, one]))
                try:
                    answer = retriever.search(ImageQuery(pixels), k=OWN, exclude=evaluation.protocol.exclude)
                except RadcbirError:
                    found[kind].append((True, True))
                    continue
                measures = evaluation.measures(store, answer.hits)
                found[kind].append((bool(thresholds.far(*measures)[0]), bool(measures[0, 0] < alone)))
        asked = f"{result.facts['n_asked']:,}{' not seen in training' if result.facts['of_unseen'] else ''}"
        for place, by in enumerate(("both measures", "the nearest alone")):
            shares = [float(np.mean([pair[place] for pair in pairs])) for pairs in found.values()]
            alarms = f"{result.facts['false_alarms']:.3f} of {asked}" if place == 0 else f"{FALSE_ALARMS:g}"
            cells = " | ".join(f"{share:.2f}" for share in shares)
            print(f"| {name}, {encoder_id} | {by} | {cells} | {np.mean(shares):.3f} | {alarms} |", flush=True)
        regions = []
        for one in range(options.number):
            random = np.random.default_rng([options.seed, len(KINDS), one])
            row = int(random.integers(len(store.collection)))
            cut = ChangedQuery(region(random, store.collection.read_image(row).pixels), RowQuery((row,)))
            answer = retriever.search(cut, k=OWN, exclude=evaluation.protocol.exclude)
            regions.append(bool(thresholds.far(*evaluation.measures(store, answer.hits))[0]))
        below.append(
            f"Of {len(regions)} regions of images of {name}, {np.mean(regions):.2f} are that far ({encoder_id})."
        )
    print("", *below, sep="\n")


if __name__ == "__main__":
    main()
