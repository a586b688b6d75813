"""How many made copies of pictures are recognized, and whether what is put together is one picture.

Run: ``python -m benchmarks.near_duplicates NAME [--images 300] [--grouped]`` for a collection that is imported.

Without ``--grouped`` each kind of copy is compared with its original alone: how many agree, and how many have a
signature like the original's, so that they are found without the neighbor graph. Copies go through the same thumbnails
as files would.

With it, each picture gets one copy, of the kinds in turn, and all files go the whole way of an import: baseline,
neighbor graph, candidates, groups. Told are recall, of the planted pairs those in one group, and precision, of the
pairs in one group those that are planted. A collection has near-duplicates of its own (neighboring slices, one video's
frames), which are no mistakes: precision is over pictures that are in no group before copies are made. Of the pairs
before, those of two known patients are told, of all whose patients are known; they may be one patient under two names,
or a mistake.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from radcbir_core.collections.artifacts import NEAR_DUPLICATES, NEIGHBORS
from radcbir_core.collections.collection import open_collection
from radcbir_core.embed import embed
from radcbir_core.encoders import load_encoder
from radcbir_core.images.perturbations import Step
from radcbir_core.images.thumbnailing import thumbnail_of
from radcbir_core.importers import import_collection
from radcbir_core.near_duplicates.agreement import Pictures, agree
from radcbir_core.near_duplicates.candidates import LEAST_SIMILAR
from radcbir_core.near_duplicates.signatures import gray_patch, halved, normalized, of_norm_one, signatures
from radcbir_core.pipeline import MAKERS

Pixels = np.ndarray
_LARGE = 65


def cropped(pixels: Pixels, share: float) -> Pixels:
    """The lower right corner: as far from the middle as can be."""
    height, width = (round(length * share) for length in pixels.shape[:2])
    return pixels[-height:, -width:]


def curve(pixels: Pixels, of: Callable[[np.ndarray], np.ndarray]) -> Pixels:
    """Other gray levels."""
    return np.clip(of(pixels / 255) * 255, 0, 255).round().astype(np.uint8)


COPIES: dict[str, Callable[[Pixels], Pixels]] = {
    "scaled to 0.5": Step.of("scale:50"),
    "scaled to 2": Step.of("scale:200"),
    "JPEG 30": Step.of("jpeg:70"),
    "JPEG 90": Step.of("jpeg:10"),
    "cropped to 95 %": lambda pixels: cropped(pixels, 0.95),
    "gamma 0.6": Step.of("gamma:0.6"),
    "gamma 1.7": Step.of("gamma:1.7"),
    "window 10 to 80 %": lambda pixels: curve(pixels, lambda x: (x - 0.1) / 0.7),
    "window 30 to 100 %": lambda pixels: curve(pixels, lambda x: (x - 0.3) / 0.7),
    "flipped left to right": Step.of("flip"),
    "upside down": Step.of("upside-down"),
    "inverted": Step.of("invert"),
}


def found_groups(pictures: Mapping[str, Pixels]) -> list[list[str]]:
    """The groups that an import and a build with the baseline make of some pictures, by their names."""
    before = os.environ.get("RADCBIR_DATA")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        for name, pixels in pictures.items():
            Image.fromarray(pixels).save(source / f"{name}.png")
        os.environ["RADCBIR_DATA"] = str(Path(folder) / "data")
        try:
            collection = import_collection([source], name="planted").collection
            encoder = load_encoder("pixels")
            embed(collection, encoder)
            store = collection.store(encoder.encoder_id)
            for artifact in (NEIGHBORS, NEAR_DUPLICATES):
                MAKERS[artifact.name](store, lambda *_: None)
            groups = np.asarray(store.near_duplicate_groups)
            names = [Path(path).stem for path in collection.manifest.column("path")]
        finally:
            os.environ.pop("RADCBIR_DATA") if before is None else os.environ.update(RADCBIR_DATA=before)
    members: dict[int, list[str]] = {}
    for name, group in zip(names, groups.tolist(), strict=True):
        members.setdefault(group, []).append(name)
    return [sorted(mine) for group, mine in members.items() if group >= 0]


def grouped(name: str, *, images: int) -> None:
    """Print recall and precision of groups, of one planted copy a picture."""
    collection = open_collection(name)
    rows = np.random.default_rng(0).permutation(len(collection))[:images]
    kinds = list(COPIES.items())
    originals, copies, lost = {}, {}, Counter[str]()
    for place, row in enumerate(rows.tolist()):
        pixels = np.asarray(collection.read_image(row).pixels)
        originals[f"{row}-original"] = pixels
        copies[f"{row}-copy"] = np.ascontiguousarray(kinds[place % len(kinds)][1](pixels))
    patients = collection.manifest.groups("patient")
    own, known, apart = set[str](), 0, Counter[str]()
    for group in found_groups(originals):
        own.update(_pictures(group))
        for pair in combinations([int(picture) for picture in _pictures(group)], 2):
            codes = patients[list(pair)]
            known += bool((codes >= 0).all())
            apart["pairs"] += 1
            apart["patients"] += bool((codes >= 0).all() and codes[0] != codes[1])
    planted, right, wrong, of_one = set(), 0, 0, 0
    for group in found_groups(originals | copies):
        for first, second in combinations(_pictures(group), 2):
            if first == second:
                planted.add(first)
            if not {first, second} & own:
                right, wrong = right + (first == second), wrong + (first != second)
                codes = patients[[int(first), int(second)]]
                of_one += bool(first != second and codes[0] >= 0 and codes[0] == codes[1])
    for place, row in enumerate(rows.tolist()):
        lost[kinds[place % len(kinds)][0]] += str(row) not in planted
    head = ("collection", "pictures", "recall", "in no group before", "precision", "wrong", "of one patient")
    print("|", " | ".join((*head, "pairs before", "of two patients")), "|")
    print("|---|---|---|---|---|---|---|---|---|")
    print(
        f"| {name} | {len(rows):,} | {100 * len(planted) / len(rows):.1f} % | {len(rows) - len(own):,} | "
        f"{right / max(right + wrong, 1):.4f} | {wrong} | {of_one} | {apart['pairs']} | "
        f"{apart['patients']} of {known} |"
    )
    print("Not found:", ", ".join(f"{kind} {number}" for kind, number in lost.most_common() if number) or "none")


def _pictures(group: list[str]) -> list[str]:
    """Of which picture each file of a group is."""
    return [name.split("-")[0] for name in group]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--grouped", action="store_true")
    asked = parser.parse_args()
    if asked.grouped:
        grouped(asked.name, images=asked.images)
        return
    collection = open_collection(asked.name)
    number = min(asked.images, len(collection))
    rows = np.sort(np.random.default_rng(0).choice(len(collection), number, replace=False))
    originals = [np.asarray(collection.read_image(int(row)).pixels) for row in rows]
    large = np.array([min(pixels.shape[:2]) >= _LARGE for pixels in originals])
    print(f"| copy | recognized, {int(large.sum())} of ≥ 65 px | {int((~large).sum())} of ≤ 64 px | like signature |")
    print("|---|---|---|---|")
    own = [patch for pixels in originals if (patch := gray_patch(thumbnail_of(pixels))) is not None]
    for name, make in COPIES.items():
        made = [gray_patch(thumbnail_of(np.ascontiguousarray(make(pixels)))) for pixels in originals]
        every = [*own, *(patch for patch in made if patch is not None)]
        grays = np.stack([patch for patch, _ in every])
        medium = normalized(halved(grays))
        pictures = Pictures(
            of_norm_one(halved(medium)).astype(np.float16),
            grays.__getitem__,
            np.array([shorter for _, shorter in every], dtype=np.int32),
        )
        same = agree(pictures, np.arange(number), np.arange(number, 2 * number))
        vectors = signatures(medium)
        like = np.einsum("bd,bd->b", vectors[:number], vectors[number:]) >= LEAST_SIMILAR
        shares = [f"{100 * part.mean():.0f} %" if len(part) else "–" for part in (same[large], same[~large], like)]
        print(f"| {name} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
