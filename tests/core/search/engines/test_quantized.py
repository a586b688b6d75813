"""Vectors of fewer digits, against torch's bfloat16, USearch's bytes, and arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.search.backend import ArrayVectors, Exclusion, unit
from radcbir_core.search.engines.quantized import QUANTIZATIONS, Quantized, exact_hits, kept_as, narrower_than_stored


@pytest.fixture
def vectors() -> np.ndarray:
    made = np.random.default_rng(0).normal(size=(200, 24)).astype(np.float32)
    return unit(made * np.geomspace(0.1, 3, 24, dtype=np.float32), dimension=24)


def scaled(kept: np.ndarray) -> np.ndarray:
    kept = kept.astype(np.float64)
    return kept / np.linalg.norm(kept, axis=1, keepdims=True)


def test_bfloat_is_torch_s(vectors) -> None:
    import torch

    halfway = np.array([[1 + 2**-8, 1 + 3 * 2**-8, -(1 + 2**-8), 0.0]], dtype=np.float32)  # ties go to the even
    rounds = QUANTIZATIONS["bf16"].rounds
    for one in (vectors, halfway):
        assert (rounds(one) == torch.from_numpy(one).to(torch.bfloat16).to(torch.float32).numpy()).all()


def test_bytes_are_those_of_usearch(vectors) -> None:
    from usearch.index import Index

    index = Index(ndim=24, metric="cos", dtype="i8")
    index.add(np.arange(200, dtype=np.uint64), vectors)
    mine = Quantized(ArrayVectors(vectors), "i8").vectors(np.arange(200))
    matches = index.search(vectors[:20], 200, exact=True)
    for query, (keys, distances) in enumerate(zip(matches.keys, matches.distances, strict=True)):
        assert 1 - distances == pytest.approx(mine[keys.astype(int)] @ mine[query], abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "by_hand"),
    [
        ("f16", lambda vector: vector.astype(np.float16)),
        ("i8", lambda vector: np.array([int(127 * float(value)) for value in vector])),
        ("i8-scaled", lambda vector: np.array([round(127 * float(v) / float(abs(vector).max())) for v in vector])),
    ],
)
def test_what_is_compared_is_what_is_kept(vectors, kind, by_hand) -> None:
    rows = np.arange(0, 200, 7)
    expected = scaled(np.stack([by_hand(vectors[row]) for row in rows]))
    assert Quantized(ArrayVectors(vectors), kind).vectors(rows) == pytest.approx(expected, abs=1e-6)
    nothing = Quantized(ArrayVectors(np.zeros((1, 3), dtype=np.float32)), kind)
    assert (nothing.vectors(np.array([0])) == 0).all(), "a row without a vector stays so"


@pytest.mark.parametrize("kind", [None, *QUANTIZATIONS])
def test_hits_are_those_of_all_pairs(vectors, kind) -> None:
    stored = ArrayVectors(vectors)
    source = stored if kind is None else Quantized(stored, kind)
    rows, gallery = np.array([3, 50, 199]), np.arange(200) % 5 != 0
    patients = np.arange(200) // 4
    told = []
    hits = exact_hits(
        source,
        rows,
        k=6,
        gallery=gallery,
        exclusions=[Exclusion(patients, patients[rows])],
        progress=lambda *step: told.append(step),
    )
    compared = source.vectors(np.arange(200)).astype(np.float64)
    for query, row in enumerate(rows):
        others = [other for other in np.flatnonzero(gallery) if patients[other] != patients[row]]
        best = sorted(others, key=lambda other: -(compared[other] @ compared[row]))[:6]
        assert hits.rows[query].tolist() == best
    assert told[-1] == ("search", 3, 3)


def test_of_what_is_stored_only_fewer_digits_are_tried(vectors) -> None:
    half, single = ArrayVectors(vectors.astype(np.float16)), ArrayVectors(vectors)
    assert (kept_as(half), kept_as(single)) == ("f16", "f32")
    assert narrower_than_stored(half) == ["bf16", "i8", "i8-scaled"]
    assert narrower_than_stored(single) == ["f16", "bf16", "i8", "i8-scaled"]
