"""Exact ranking against plain sorting, and the order of what is equal or nearly so."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.search import exact_ranking
from radcbir_core.search.exact_ranking import rank_exactly, similarity_in_fixed_order


def unit_vectors(rows: int, dimension: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def sorted_slowly(vectors: np.ndarray, queries: np.ndarray, gallery: np.ndarray, k: int) -> list[list[int]]:
    """By similarity in fixed order, then the later row first."""
    lines = []
    for query in queries:
        pairs = [(float(similarity_in_fixed_order(vectors[[query]], vectors[[row]])[0]), int(row)) for row in gallery]
        lines.append([row for _, row in sorted(pairs, reverse=True)[:k]])
    return lines


@given(
    rows=st.integers(1, 60),
    dimension=st.integers(1, 40),
    k=st.integers(1, 20),
    coarse=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_it_is_a_sort(rows, dimension, k, coarse, seed) -> None:
    random = np.random.default_rng(seed)
    vectors = unit_vectors(rows, dimension, seed)
    if coarse:  # so that many are equal
        vectors = np.sign(vectors) / np.float32(np.sqrt(dimension))
    gallery = np.flatnonzero(random.random(rows) < 0.7)
    queries = random.integers(0, rows, 5)
    hits = rank_exactly(vectors, queries=queries, gallery=gallery, k=k)
    size = min(k, len(gallery))
    assert hits.counts.tolist() == [size] * 5
    assert hits.rows[:, :size].tolist() == sorted_slowly(vectors, queries, gallery, k)
    assert (hits.rows[:, size:] == -1).all()
    assert np.isnan(hits.similarities[:, size:]).all()


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_blocks_and_rounds_change_nothing(monkeypatch, kind) -> None:
    vectors = unit_vectors(900, 24, 3).astype(kind)
    queries, gallery = np.arange(0, 900, 9), np.setdiff1d(np.arange(900), [4, 500])
    whole = rank_exactly(vectors, queries=queries, gallery=gallery, k=30)
    for name, value in (("_ROUND", 32), ("_QUERIES", 7), ("_GALLERY", 50), ("_FIRST", 40), ("_HELD_ELEMENTS", 0)):
        monkeypatch.setattr(exact_ranking, name, value)
    told: list[tuple[str, int, int]] = []
    cut = rank_exactly(vectors, queries=queries, gallery=gallery, k=30, progress=lambda *now: told.append(now))
    np.testing.assert_array_equal(cut.rows, whole.rows)
    np.testing.assert_allclose(cut.similarities, whole.similarities, atol=1e-6)
    assert told[0] == ("search", 0, 100)
    assert told[-1] == ("search", 100, 100)
    expected = np.argsort(-(vectors[queries].astype(float) @ vectors[gallery].astype(float).T), axis=1)[:, :30]
    np.testing.assert_array_equal(whole.rows, gallery[expected])


def test_more_copies_than_there_is_room_for(monkeypatch) -> None:
    monkeypatch.setattr(exact_ranking, "_GALLERY", 700)
    vectors = np.tile(unit_vectors(1, 16, 0), (2000, 1))
    vectors[1500] = unit_vectors(1, 16, 1)
    hits = rank_exactly(vectors, queries=np.array([0, 1500]), gallery=np.arange(2000), k=100)
    assert hits.rows[1, 0] == 1500
    assert len(set(hits.rows[0].tolist())) == 100
    assert np.allclose(hits.similarities[0], 1)
    assert 1500 not in hits.rows[0]


def test_adverse_order(monkeypatch) -> None:
    monkeypatch.setattr(exact_ranking, "_GALLERY", 1000)
    angles = np.linspace(np.pi / 2, 0, 5000)  # each better than all before it
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    hits = rank_exactly(vectors, queries=np.array([4999]), gallery=np.arange(5000), k=100)
    np.testing.assert_array_equal(hits.rows[0], np.arange(4999, 4899, -1))


@pytest.mark.parametrize("dimension", [64, 512, 768])
def test_the_fixed_order_is_that_of_faiss(dimension) -> None:
    if "AVX" not in faiss.get_compile_options():
        pytest.skip("this processor adds in another order")
    left, right = unit_vectors(300, dimension, 0), unit_vectors(300, dimension, 1)
    ours = similarity_in_fixed_order(left, right)
    assert np.abs(ours - np.einsum("ij,ij->i", left, right, dtype=np.float64)).max() < 1e-6
    theirs = np.array(
        [
            faiss.fvec_inner_product(faiss.swig_ptr(a), faiss.swig_ptr(b), dimension)
            for a, b in zip(left, right, strict=True)
        ]
    )
    assert (ours == theirs).mean() > 0.999


@pytest.mark.parametrize(("queries", "followed_by"), [(600, 0), (2100, 0), (1500, 600), (4200, 0)])
def test_hits_are_those_of_faiss(queries, followed_by) -> None:
    """Below 128,000 components a batch by single sums, else by a matrix product; copies in the same order, too."""
    vectors = unit_vectors(1500 + queries + followed_by, 64, 5)
    vectors[700] = vectors[100]
    index = faiss.IndexFlatIP(64)
    index.add(vectors[:1500])
    theirs = np.concatenate([index.search(vectors[i : i + 4096], 100)[1] for i in range(1500, len(vectors), 4096)])
    hits = rank_exactly(
        vectors,
        queries=np.arange(1500, 1500 + queries),
        gallery=np.arange(1500),
        k=100,
        followed_by=followed_by,
    )
    query, rank = np.nonzero(hits.rows != theirs[:queries])
    # Another build of BLAS may round otherwise; then only what is almost equal may change places.
    assert len(query) < 1e-4 * hits.rows.size
    ours, other = vectors[hits.rows[query, rank]], vectors[theirs[query, rank]]
    assert (np.abs(np.einsum("ij,ij->i", ours - other, vectors[1500 + query])) < 1e-6).all()
    copies = np.argwhere(hits.rows == 700)
    assert len(copies)
    assert all(hits.rows[q, r + 1] == 100 for q, r in copies if r < 99)


def test_nothing_to_ask_or_to_find() -> None:
    vectors = unit_vectors(4, 3, 0)
    empty = np.empty(0, dtype=np.intp)
    assert rank_exactly(vectors, queries=empty, gallery=np.arange(4), k=2).rows.shape == (0, 2)
    assert rank_exactly(vectors, queries=np.arange(2), gallery=empty, k=2).counts.tolist() == [0, 0]
    with pytest.raises(ValueError, match="Expected 1 to 256 hits, but k = 0"):
        rank_exactly(vectors, queries=empty, gallery=empty, k=0)


def test_who_is_told_can_stop_it(monkeypatch) -> None:
    monkeypatch.setattr(exact_ranking, "_GALLERY", 100)
    monkeypatch.setattr(exact_ranking, "_TELL_EVERY", 0.0)
    vectors = unit_vectors(3000, 64, 0)
    told = []

    def stop(step: str, done: int, total: int) -> None:
        told.append((step, done, total))
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rank_exactly(vectors, queries=np.arange(3000), gallery=np.arange(3000), k=10, progress=stop)
    assert told[0] == ("search", 0, 3000)
    assert len(told) == 2
    assert told[1][1] < 3000


def test_a_gallery_sorted_by_label_is_ranked_as_any_other(monkeypatch) -> None:
    monkeypatch.setattr(exact_ranking, "_GALLERY", 64)
    centers = unit_vectors(20, 16, 0)
    vectors = np.repeat(centers, 50, axis=0) + 0.1 * unit_vectors(1000, 16, 1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    hits = rank_exactly(vectors, queries=np.arange(0, 1000, 37), gallery=np.arange(1000), k=60)
    expected = np.argsort(-(vectors[::37].astype(float) @ vectors.astype(float).T), axis=1)[:, :60]
    np.testing.assert_array_equal(hits.rows, expected)
