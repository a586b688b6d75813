"""Going through large tables in pieces, and what codes may be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.arrays import check_codes, dense_codes, row_chunks, runs_of


@given(st.integers(0, 3_000), st.sampled_from([0, 1, 3, 4_000, 3_999_999, 4_000_000, 4_000_001, 10**9]))
def test_pieces_follow_each_other_and_cover_all_rows(rows, columns) -> None:
    pieces = list(row_chunks(rows, columns))
    assert [row for piece in pieces for row in range(piece.start, piece.stop)] == list(range(rows))
    assert all(piece.stop - piece.start == 1 or (piece.stop - piece.start) * columns <= 4_000_000 for piece in pieces)


@given(st.lists(st.integers(0, 40)), st.sampled_from([1, 100, 10**6, 2**40]), st.sampled_from([np.int32, np.int64]))
def test_dense_codes_are_those_of_sorting(values, spread, kind) -> None:
    if spread == 2**40:
        kind = np.int64
    codes = np.array(values, dtype=np.int64) * spread
    distinct, places = dense_codes(codes.astype(kind))
    expected, inverse = np.unique(codes, return_inverse=True)
    assert distinct.dtype == places.dtype == np.int64
    assert distinct.tolist() == expected.tolist()
    assert places.tolist() == inverse.tolist()


@given(st.lists(st.integers(-5, 5)))
def test_runs_are_the_distinct_of_ascending_codes(values) -> None:
    codes = np.sort(np.array(values, dtype=np.int64))
    distinct, places = runs_of(codes)
    expected, inverse = np.unique(codes, return_inverse=True)
    assert distinct.tolist() == expected.tolist()
    assert places.tolist() == inverse.tolist()


@pytest.mark.parametrize("values", [[], [-1], [0, 5, -1], np.array([3], np.int8), np.array([2**40])])
def test_codes(values) -> None:
    array = np.asarray(values, dtype=int if len(values) == 0 else None)
    assert check_codes(array, name="labels") is array


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3), "but labels = float64 of shape (3,). Pass one code an image."),
        (np.zeros((2, 2), int), "but labels = int64 of shape (2, 2)."),
        (np.array([True]), "but labels = bool of shape (1,)."),
        (np.array([0, -2, 3]), "but labels = -2 at the lowest. Mark what is not known with -1."),
    ],
)
def test_what_are_no_codes(values, message) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared below
        check_codes(values, name="labels")
    assert message in str(caught.value)
