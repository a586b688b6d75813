"""Exact ranking against plain sorting, and the order of what is equal or nearly so."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from radcbir_core.search.backend import ArrayVectors
from radcbir_core.search.engines import exact_ranking
from radcbir_core.search.engines.exact_ranking import rank_exactly, similarity_in_fixed_order


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
@example(rows=50, dimension=2, k=1, coarse=False, seed=240)  # the sum of the best lies above 1, the next one at 1
@settings(max_examples=40, deadline=None)
def test_it_is_a_sort(rows, dimension, k, coarse, seed) -> None:
    random = np.random.default_rng(seed)
    vectors = unit_vectors(rows, dimension, seed)
    if coarse:  # so that many are equal
        vectors = np.sign(vectors) / np.float32(np.sqrt(dimension))
    gallery = np.flatnonzero(random.random(rows) < 0.7)
    queries = random.integers(0, rows, 5)
    hits = rank_exactly(ArrayVectors(vectors), queries=queries, gallery=gallery, k=k)
    size = min(k, len(gallery))
    assert hits.counts.tolist() == [size] * 5
    assert hits.rows[:, :size].tolist() == sorted_slowly(vectors, queries, gallery, k)
    assert (hits.rows[:, size:] == -1).all()
    assert np.isnan(hits.similarities[:, size:]).all()


def test_the_batches_of_the_published_script_decide_how_similarities_are_summed(monkeypatch) -> None:
    """Of 100 queries of 24 components: a product while a batch has 32 of them, single sums for the last 4."""
    monkeypatch.setattr(exact_ranking, "_BATCH", 32)
    monkeypatch.setattr(exact_ranking, "_PRODUCT_FROM", 24 * 32)
    asked: list[int] = []

    def summed(left, right):
        asked.append(len(left))
        return similarity_in_fixed_order(left, right)

    monkeypatch.setattr(exact_ranking, "similarity_in_fixed_order", summed)
    source = ArrayVectors(unit_vectors(900, 24, 3))
    options = {"queries": np.arange(0, 900, 9), "gallery": np.arange(900), "k": 30}
    hits = rank_exactly(source, **options)
    assert sum(asked) == 4 * 256
    filled_up = rank_exactly(source, **options, followed_by=28)
    assert sum(asked) == 4 * 256
    np.testing.assert_array_equal(hits.rows, filled_up.rows)
    np.testing.assert_allclose(hits.similarities, filled_up.similarities, atol=1e-6)


def test_of_more_copies_than_are_wanted_the_last_come_first() -> None:
    vectors = np.tile(unit_vectors(1, 16, 0), (2000, 1))
    vectors[1500] = unit_vectors(1, 16, 1)
    hits = rank_exactly(ArrayVectors(vectors), queries=np.array([0, 1500]), gallery=np.arange(2000), k=100)
    assert hits.rows[0].tolist() == list(range(1999, 1899, -1))
    assert hits.rows[1].tolist() == [1500, *range(1999, 1900, -1)]


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
        ArrayVectors(vectors),
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
    source, empty = ArrayVectors(unit_vectors(4, 3, 0)), np.empty(0, dtype=np.intp)
    assert rank_exactly(source, queries=empty, gallery=np.arange(4), k=2).rows.shape == (0, 2)
    assert rank_exactly(source, queries=np.arange(2), gallery=empty, k=2).counts.tolist() == [0, 0]
