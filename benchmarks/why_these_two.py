"""Which maps explain a similarity: hiding what they highlight, beside hiding as much of the same shape elsewhere.

Usage: python -m benchmarks.why_these_two NAME ENCODER [--pairs 50] [--sides 0.125 0.1875 0.3125] [--shares 0.1]

Draws queries of a built collection (seed 0, one a patient where patients are known), and for each one of its first
five hits under the collection's usual exclusions. Prints three Markdown tables. The first is of what may stand in the
place of what is hidden: how similar an image of which a random square is hidden stays to itself, and how much less
similar it is to its ten nearest images of the collection than it was; what is hidden well leaves an image that could
be one. The second is of the methods: for both images of all pairs the fall of the similarity when what is highlighted
is hidden, the mean of the medians of 99 places elsewhere, the share of places that are beaten, and the share of maps
that explain (of 100 places no more than 5 lower it as much), with 95 % intervals over pairs. The third counts maps by
what their checks in both ways of hiding say together, as a page says it.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, product

import numpy as np

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import clusters_of, default_exclusions
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.explanation.hiding import FILLS, Input, embeddings_of
from radcbir_core.explanation.hiding_check import HIGHLIGHTED, Check, Verdict, check_map, highlighted, verdict_of
from radcbir_core.explanation.occlusion import Squares, occlusion_map
from radcbir_core.explanation.patch_similarity import best_matches, patch_vectors, patches_of
from radcbir_core.search.neighbors.graph import known_hits
from radcbir_core.search.opening import vectors_of

SIDES = (16 / 128, 24 / 128, 40 / 128)
STRIDE = 8 / 128
NEAREST = 10
VERDICTS: tuple[Verdict, ...] = ("explains", "explains in part", "does not explain", "cannot tell")


def drawn_pairs(store: EncoderStore, count: int) -> Iterator[tuple[int, int]]:
    """Rows of queries and hits."""
    random = np.random.default_rng(0)
    order = random.permutation(np.flatnonzero(store.valid))
    _, first = np.unique(clusters_of(store)[order], return_index=True)
    queries = order[np.sort(first)]
    every = np.ones(len(store.collection), dtype=np.bool_)
    hits = known_hits(store, queries, k=5, gallery=every, exclude=default_exclusions(store))
    ranks = random.integers(0, 5, len(queries))
    there = [at for at in range(len(queries)) if hits.counts[at] > ranks[at]][:count]
    for at in there:
        yield int(queries[at]), int(hits.rows[at, ranks[at]])


def share_said(values: list[float]) -> str:
    """A mean over pairs of what is from 0 to 1, with its bounds."""
    table = np.asarray(values)[:, None]
    bounds = mean_intervals(table, np.zeros(len(table), int), clusters=np.arange(len(table)), n_labels=1).micro[0]
    return f"{table.mean():.2f} [{bounds[0]:.2f}, {bounds[1]:.2f}]"


def cosine_said(values: list[float]) -> str:
    """A mean over pairs of differences of cosines, with the bounds of Student's t."""
    from scipy.stats import t

    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.3f} [{np.mean(values) - half:.3f}, {np.mean(values) + half:.3f}]"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("encoder")
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--sides", type=float, nargs="+", default=SIDES, help="of squares, as shares of the input")
    parser.add_argument("--shares", type=float, nargs="+", default=[HIGHLIGHTED], help="of the image to highlight")
    asked = parser.parse_args()
    store = open_collection(asked.name).store(asked.encoder)
    encoder = load_encoder(store.spec)
    pairs = [
        tuple(Input.of(encoder, store.collection.read_image(row).pixels) for row in rows)
        for rows in drawn_pairs(store, asked.pairs)
    ]
    print(f"{asked.name}, {asked.encoder}: {len(pairs)} pairs\n")
    print_fills(store, encoder, [one for one, _ in pairs], asked.sides)
    print_methods(encoder, pairs, sides=asked.sides, shares=asked.shares)


def print_fills(store: EncoderStore, encoder: Encoder, images: list[Input], sides: Sequence[float]) -> None:
    """The first table."""
    rows = np.flatnonzero(store.valid)
    gallery = vectors_of(store).vectors(rows).astype(np.float32)
    print("| in its place | side of the square | similarity to itself | less similar to its ten nearest |")
    print("|---|---|---|---|")
    for side in sides:
        squares = Squares(side, STRIDE)
        for fill in FILLS:
            stays, away = [], []
            for number, image in enumerate(images):
                (own,) = embeddings_of(encoder, [image])
                cells, _ = squares.cells(image.size)
                places = squares.places(image)
                chosen = np.random.default_rng(number).choice(len(places), min(8, len(places)), replace=False)
                hidden = image.filled(fill, side=cells)
                made = []
                for place in chosen:
                    top, left, bottom, right = places[place]
                    channels = image.channels.copy()
                    channels[:, top:bottom, left:right] = hidden[:, top:bottom, left:right]
                    made.append(channels.reshape(image.shape))
                embeddings = encoder.encode_prepared(np.stack(made))
                stays.append(float((embeddings @ own).mean()))
                # The first of an image's own nearest is itself.
                before = np.sort(gallery @ own)[-NEAREST - 1 : -1].mean()
                after = np.sort(embeddings @ gallery.T, axis=1)
                after = after[:, -NEAREST - 1 : -1].mean() if stays[-1] > 0 else 0
                away.append(float(before - after))
            print(
                f"| {fill} | {side * 128:.0f}/128 | {cosine_said(stays)} | {cosine_said(away)} |",
                flush=True,
            )


def print_methods(
    encoder: Encoder, pairs: list[tuple[Input, ...]], *, sides: Sequence[float], shares: Sequence[float]
) -> None:
    """The second and the third table."""
    verdicts: list[str] = []
    print(
        "\n| map | fill of the map | highlighted | fill of the check | drop | elsewhere | beaten | explain "
        "| no verdict | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    methods = [(side, fill) for side in sides for fill in FILLS]
    for side, fill in methods:
        maps, begun = [], time.perf_counter()
        for pair in pairs:
            own = embeddings_of(encoder, pair)
            maps.append(
                [
                    occlusion_map(
                        encoder,
                        image,
                        other=own[1 - at],
                        similarity=float(own[0] @ own[1]),
                        squares=Squares(side, STRIDE),
                        fill=fill,
                    )
                    for at, image in enumerate(pair)
                ]
            )
        seconds = (time.perf_counter() - begun) / len(pairs)
        verdicts += print_checks(
            encoder, pairs, maps, shares, words=f"occlusion, {side * 128:.0f}/128 | {fill}", seconds=seconds
        )
    able = patches_of(encoder)
    if able is not None:
        begun = time.perf_counter()
        vectors = [patch_vectors(able, (pair[0], pair[1])) for pair in pairs]
        maps = [list(best_matches(each, (pair[0], pair[1]))) for each, pair in zip(vectors, pairs, strict=True)]
        grid = f"{vectors[0].shape[1]} × {vectors[0].shape[2]}"
        verdicts += print_checks(
            encoder,
            pairs,
            maps,
            shares,
            words=f"patches, {grid} | –",
            seconds=(time.perf_counter() - begun) / len(pairs),
        )
    print("\n| map | fill of the map | highlighted | " + " | ".join(VERDICTS) + " |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(verdicts))


def print_checks(
    encoder: Encoder,
    pairs: list[tuple[Input, ...]],
    maps: list[list[np.ndarray]],
    shares: Sequence[float],
    *,
    words: str,
    seconds: float,
) -> list[str]:
    """Print lines of the second table, one a share and fill of the check; those of the third, one a share."""
    every: dict[float, list[list[Check]]] = {share: [[] for _ in range(2 * len(pairs))] for share in shares}
    for share, fill in product(shares, FILLS):
        checks: list[list[Check]] = []
        for pair, both in zip(pairs, maps, strict=True):
            own = embeddings_of(encoder, pair)
            similarity = float(own[0] @ own[1])
            checks.append(
                [
                    check_map(
                        encoder,
                        image,
                        highlighted(values, share=share),
                        other=own[1 - at],
                        similarity=similarity,
                        fill=fill,
                    )
                    for at, (image, values) in enumerate(zip(pair, both, strict=True))
                ]
            )
        for kept, check in zip(every[share], chain.from_iterable(checks), strict=True):
            kept.append(check)
        told = [[check for check in both if check.verdict != "cannot tell"] for both in checks]
        told = [both for both in told if both]
        drop = [float(np.mean([check.drop for check in both])) for both in told]
        median = [float(np.mean([np.median(check.elsewhere) for check in both])) for both in told]
        beaten = [float(np.mean([check.beaten / len(check.elsewhere) for check in both])) for both in told]
        explain = [float(np.mean([check.verdict == "explains" for check in both])) for both in told]
        print(
            f"| {words} | {share:.0%} | {fill} | {cosine_said(drop)} | {cosine_said(median)} | "
            f"{share_said(beaten)} | {share_said(explain)} | "
            f"{sum(check.verdict == 'cannot tell' for both in checks for check in both)} | {seconds:.1f} |",
            flush=True,
        )
    lines = []
    for share, of_maps in every.items():
        found = Counter(verdict_of(checks_of_map) for checks_of_map in of_maps)
        lines.append(f"| {words} | {share:.0%} | " + " | ".join(str(found[verdict]) for verdict in VERDICTS) + " |")
    return lines


if __name__ == "__main__":
    main()
