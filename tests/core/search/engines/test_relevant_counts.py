"""Relevant images among the first R against a full sort of every ranking."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.search.backend import ArrayVectors
from radcbir_core.search.engines import exact, relevant_counts
from radcbir_core.search.engines.relevant_counts import relevant_among_first


def slow(vectors, queries, gallery, depths, kinds, table, groups) -> list[int]:
    """Sort all that may be returned by similarity, then by row, and count."""
    single = vectors.astype(np.float32)
    counts = []
    for query, depth in zip(queries.tolist(), depths.tolist(), strict=True):
        allowed = [
            row
            for row in np.flatnonzero(gallery).tolist()
            if row != query and not any(group[row] == group[query] >= 0 for group in groups)
        ]
        asked = single[query] / np.linalg.norm(single[query])
        ranking = sorted(allowed, key=lambda row: (-float(single[row] @ asked), row))
        relevant = [kinds[row] >= 0 and kinds[query] >= 0 and table[kinds[query], kinds[row]] for row in ranking]
        counts.append(sum(map(bool, relevant[:depth])))
    return counts


@given(
    rows=st.integers(1, 40),
    kind=st.sampled_from([np.float16, np.float32]),
    elements=st.integers(1, 200),
    held=st.booleans(),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_it_counts_as_a_full_sort_does(rows, kind, elements, held, seed) -> None:
    random = np.random.default_rng(seed)
    # Whole numbers of one length: many similarities are equal, and all sums are exact.
    vectors = np.eye(4)[random.integers(0, 4, rows)].astype(kind)
    kinds, gallery = random.integers(-1, 3, rows), random.random(rows) < 0.8
    table = random.random((3, 3)) < 0.5
    groups = [random.integers(-1, 6, rows), random.integers(-1, 9, rows)][: seed % 3]
    queries = random.permutation(rows)[: max(1, rows // 2)]
    depths = random.integers(0, rows + 2, len(queries))
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relevant_counts, "_ELEMENTS", elements)
        patch.setattr(exact, "_ROWS", 7)
        if not held:
            patch.setattr(exact, "_HELD_ELEMENTS", 0)
        counts = relevant_among_first(
            ArrayVectors(vectors),
            queries=queries,
            gallery=gallery,
            depths=depths,
            kinds=kinds,
            relevant_to=lambda code: table[code],
            groups=groups,
            progress=lambda *step: told.append(step),
        )
    assert counts.tolist() == slow(vectors, queries, gallery, depths, kinds, table, groups)
    assert told[0] == ("search", 0, len(queries))
    assert told[-1][1] in ({len(queries)} if gallery.any() else {0})


def test_of_equal_similarities_the_earlier_row_comes_first() -> None:
    vectors = np.ones((5, 1), dtype=np.float32)
    kinds = np.array([0, 1, 0, 1, 0])
    same = {"kinds": kinds, "relevant_to": lambda kind: np.arange(2) == kind}
    counts = relevant_among_first(
        ArrayVectors(vectors), queries=np.array([4, 1]), gallery=np.ones(5, dtype=bool), depths=np.array([2, 3]), **same
    )
    assert counts.tolist() == [1, 1]  # of rows 0, 1: row 0; of rows 0, 2, 3: row 3


def test_it_can_be_stopped() -> None:
    class Stopped(Exception):
        pass

    def stop(step, done, total) -> None:
        if done:
            raise Stopped

    vectors = np.random.default_rng(0).normal(size=(50, 3))
    with pytest.raises(Stopped):
        relevant_among_first(
            ArrayVectors(vectors),
            queries=np.arange(50),
            gallery=np.ones(50, dtype=bool),
            depths=np.full(50, 2),
            kinds=np.zeros(50, dtype=int),
            relevant_to=lambda _: np.ones(1, dtype=bool),
            progress=stop,
        )


def test_what_does_not_fit_is_said() -> None:
    right = {
        "queries": np.array([0]),
        "gallery": np.ones(2, dtype=bool),
        "depths": np.array([1]),
        "kinds": np.array([0, 0]),
        "relevant_to": lambda _: np.ones(1, dtype=bool),
    }
    for wrong in ({"gallery": np.ones(3, dtype=bool)}, {"kinds": np.array([0])}, {"depths": np.array([1, 2])}):
        with pytest.raises(ValueError, match="Expected one kind and one gallery flag an embedding"):
            relevant_among_first(ArrayVectors(np.eye(2)), **{**right, **wrong})
    with pytest.raises(ValueError, match=r"Expected one group an embedding \(2\), but len\(groups\[0\]\) = 1"):
        relevant_among_first(ArrayVectors(np.eye(2)), **right, groups=[np.array([0])])
