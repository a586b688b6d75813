"""What pages read once and keep: here what is chosen to be shown of a collection."""

from __future__ import annotations

import numpy as np

from pages.parts.frame import loaders
from radcbir_core.collections.collection import open_collection


def one_by_one(modalities: list[str], anatomies: list[str], count: int) -> list[int]:
    """Of each pair in turn the next image by chance; frequent pairs first, then as the alphabet has them."""
    pairs = list(zip(modalities, anatomies, strict=True))
    met: dict[tuple[str, str], int] = {}
    turns = []
    for row in np.random.default_rng(0).permutation(len(pairs)).tolist():
        turns.append((met.get(pairs[row], 0), -pairs.count(pairs[row]), pairs[row], row))
        met[pairs[row]] = met.get(pairs[row], 0) + 1
    return [row for *_, row in sorted(turns)[:count]]


def test_samples_are_one_of_each_pair_in_turn(app) -> None:
    collection = open_collection("small")
    columns = [list(collection.manifest.column(name)) for name in ("modality", "anatomy")]
    for count in (1, 10, 40, 1000):
        assert loaders.samples(collection, count) == one_by_one(*columns, count)
