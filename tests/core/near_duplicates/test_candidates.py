"""Pairs worth a look, against slow oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.near_duplicates import candidates as module
from radcbir_core.near_duplicates.candidates import LEAST_SIMILAR, neighbor_pairs, pair_keys, signature_pairs


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=20))
def test_pairs_are_sorted_and_each_once(pairs) -> None:
    first, second = np.array([one for one, _ in pairs], dtype=int), np.array([two for _, two in pairs], dtype=int)
    expected = sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]})
    keys = pair_keys(first, second, images=7)
    assert list(zip(*(part.tolist() for part in np.divmod(keys, 7)), strict=True)) == expected


def test_neighbors_are_pairs_of_pictures() -> None:
    ids = np.array([[1, 2, 3], [0, 3, -1], [0, 1, 3], [2, -1, -1]])
    # Row 1 is a copy of row 0, row 3 has no picture.
    place_of = np.array([0, 0, 1, -1])
    assert neighbor_pairs(ids, place_of, images=2).tolist() == [1]
    assert neighbor_pairs(ids, np.arange(4), images=4).tolist() == [1, 2, 3, 6, 7, 11]
    assert neighbor_pairs(np.empty((4, 0), dtype=int), np.arange(4), images=4).tolist() == []


def vectors(number: int, seed: int = 0) -> np.ndarray:
    """Half of them are like the one before."""
    random = np.random.default_rng(seed)
    made = random.normal(size=(number, 24))
    made[1::2] = made[: number // 2 * 2 : 2] + 0.2 * random.normal(size=made[1::2].shape)
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16)


def close_pairs(of: np.ndarray) -> set[tuple[int, int]]:
    values = of.astype(np.float32) @ of.astype(np.float32).T
    low, high = np.nonzero(np.triu(values >= LEAST_SIMILAR, 1))
    return set(zip(low.tolist(), high.tolist(), strict=True))


@settings(max_examples=20)
@given(number=st.integers(0, 60), seed=st.integers(0, 9))
def test_like_signatures_are_those_of_all_pairs(number, seed) -> None:
    made = vectors(number, seed)
    told: list[int] = []
    keys = signature_pairs(made, progress=told.append)
    assert set(zip(*(part.tolist() for part in np.divmod(keys, max(number, 1))), strict=True)) == close_pairs(made)
    assert told == ([number] if number > 1 else [])


def test_in_cells_nearly_all_of_them_are_found_and_the_same_ones_each_time(monkeypatch) -> None:
    made = vectors(3000)
    expected = close_pairs(made)
    monkeypatch.setattr(module, "_ALL_PAIRS", 100)
    monkeypatch.setattr(module, "_A_CELL", 100)
    keys = signature_pairs(made, progress=lambda done: None)
    found = set(zip(*(part.tolist() for part in np.divmod(keys, 3000)), strict=True))
    assert found <= expected
    assert len(found) > 0.95 * len(expected)
    np.testing.assert_array_equal(signature_pairs(made, progress=lambda done: None), keys)


@pytest.mark.parametrize("number", [0, 1, 5])
def test_pictures_with_nothing_in_them_are_like_none(number) -> None:
    assert signature_pairs(np.zeros((number, 8), dtype=np.float16), progress=lambda done: None).tolist() == []
