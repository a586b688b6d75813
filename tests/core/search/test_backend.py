"""The words around search: query vectors, exclusions, vectors by row."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.errors import QueryError
from radcbir_core.search.backend import ArrayVectors, Exclusion, Hits, Recall, in_blocks, unit, unit_vectors
from tests.core.search.oracle import vectors


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        (np.ones(5), r"Expected query vectors of dimension 4, but their shape is \(1, 5\)"),
        (np.array([1, np.nan, 0, 0]), "finite, non-zero length"),
        (np.zeros(4), "finite, non-zero length"),
    ],
)
def test_query_vectors_are_checked(embedding, message) -> None:
    with pytest.raises(QueryError, match=message):
        unit(embedding, dimension=4)


@pytest.mark.parametrize("rows", [[], [3], [2, 3, 4], [4, 3, 2], [0, 2, 4], [2, 2, 3], [2, 4, 3, 5]])
def test_vectors_are_given_in_the_order_asked_for(rows) -> None:
    array = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float16)
    source = ArrayVectors(array)
    given = source.vectors(np.array(rows, dtype=np.intp))
    assert given.dtype == np.float16
    np.testing.assert_array_equal(given, np.array([array[row] for row in rows]).reshape(-1, 2))
    assert source.shape == (6, 2)


def test_rows_that_follow_each_other_are_not_copied() -> None:
    array = np.zeros((6, 2), dtype=np.float32)
    assert np.shares_memory(ArrayVectors(array).vectors(np.array([1, 2, 3])), array)
    assert not np.shares_memory(ArrayVectors(array).vectors(np.array([1, 3])), array)


def test_blocks_cover_the_rows_in_order() -> None:
    source = ArrayVectors(np.arange(14, dtype=np.float32).reshape(7, 2))
    blocks = list(in_blocks(source, np.array([6, 0, 3, 4, 5]), size=2))
    assert [part.tolist() for part, _ in blocks] == [[6, 0], [3, 4], [5]]
    assert [vectors[:, 0].tolist() for _, vectors in blocks] == [[12, 0], [6, 8], [10]]


def test_an_exclusion_without_a_group_leaves_out_nothing() -> None:
    exclusion = Exclusion(np.array([-1, 0, 1, 0]), np.array([0, -1]))
    assert exclusion.excluded(0, np.arange(4)).tolist() == [False, True, False, True]
    assert not exclusion.excluded(1, np.arange(4)).any()
    assert exclusion.of(np.array([1])).query_groups.tolist() == [-1]


def test_hits_tell_what_found_them() -> None:
    assert Hits.empty(1, 1, engine="remote").found_by() == "exact search (remote)"
    unmeasured = Hits.empty(1, 1, method="approximate", engine="cells", recall=Recall())
    assert unmeasured.found_by() == "approximate search (cells, whose recall was not measured)"


def test_half_precision_vectors_are_compared_by_their_direction() -> None:
    array = vectors(300, 512, seed=1)
    array[7] = 0
    lengths = np.linalg.norm(array.astype(float), axis=1)
    assert np.abs(np.delete(lengths, 7) - 1).max() > 2e-5, "the case is too easy to show anything"
    source, rows = ArrayVectors(array), np.arange(300)
    scaled = unit_vectors(source, rows)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(np.delete(scaled, 7, axis=0).astype(float), axis=1), 1, atol=2e-7)
    assert not scaled[7].any()
    singly = np.concatenate([unit_vectors(source, rows[row : row + 1]) for row in range(300)])
    assert singly.tobytes() == scaled.tobytes(), "the same bits, however many are asked for"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_longer_numbers_are_compared_as_they_are(dtype) -> None:
    array = vectors(20, 16, dtype=dtype)
    np.testing.assert_array_equal(unit_vectors(ArrayVectors(array), np.arange(20)), array.astype(np.float32))
