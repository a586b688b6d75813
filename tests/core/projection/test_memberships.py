"""The weights by which images are placed: as the paper defines them, and as umap-learn computes them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.projection.memberships import first_among, memberships
from tests.core.projection.graphs import clusters, graph_of


def test_memberships_are_those_of_the_paper():
    number, size = 40, 8
    vectors, _ = clusters([number], spread=1.0)
    ids, _ = graph_of(vectors, 20)
    exact = 1 - np.take_along_axis(vectors @ vectors.T, ids, axis=1)[:, : size - 1]
    # Algorithms 2 and 3 of the paper on UMAP: the nearest other image belongs wholly to the neighborhood, the rest so
    # far that memberships add up to log2 of its size (which counts the image itself).
    membership = np.zeros((number, number))
    for row in range(number):
        beyond = exact[row] - exact[row, 0]
        low, high = 1e-6, 1e3
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (low, middle) if np.exp(-beyond / middle).sum() > np.log2(size) else (middle, high)
        membership[row, ids[row, : size - 1]] = np.exp(-beyond / low)
    weights = memberships(exact.astype(np.float32))
    assert weights.dtype == np.float32
    np.testing.assert_allclose(
        weights, np.take_along_axis(membership, ids[:, : size - 1].astype(np.int64), axis=1), atol=1e-3
    )


@pytest.mark.parametrize("spread", [1.0, 0.1])
def test_memberships_are_those_that_umap_learn_computes(spread):
    from umap.umap_ import compute_membership_strengths, smooth_knn_dist

    vectors, _ = clusters([60, 30], spread=spread)
    ids, similarities = graph_of(vectors, 14)
    away = np.maximum(1 - similarities.astype(np.float32), 0)
    # It counts the image itself.
    lists = np.column_stack([np.arange(90), ids]).astype(np.int32)
    distances = np.column_stack([np.zeros(90), away]).astype(np.float32)
    _, _, theirs, _ = compute_membership_strengths(lists, distances, *smooth_knn_dist(distances, 15.0))
    np.testing.assert_allclose(memberships(away), theirs.reshape(90, 15)[:, 1:], atol=1e-3)


def test_copies_belong_wholly_and_the_nearest_that_is_no_copy_does_too():
    # As umap-learn: distances are counted from the nearest that is not at 0. Two of four are at it or nearer.
    weights = memberships(np.array([[0, 0.2, 0.4, 0.4], [0, 0, 0, 0]], dtype=np.float32))
    assert weights[0, :2].tolist() == [1, 1]
    # log2 of 5 is what all add up to.
    np.testing.assert_allclose(weights[0, 2:], (np.log2(5) - 2) / 2, atol=1e-4)
    assert weights[1].tolist() == [1, 1, 1, 1]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(0, 8), st.integers(0, 10_000))
def test_where_neighbors_are_missing_the_others_count_as_if_there_were_no_place_for_them(width, missing, seed):
    source = np.random.default_rng(seed)
    away = source.random((5, width)).astype(np.float32)
    missing = min(missing, width - 1)
    padded = np.concatenate([away, np.full((5, missing), np.nan, dtype=np.float32)], axis=1)
    np.testing.assert_array_equal(memberships(padded)[:, :width], memberships(away))
    assert (memberships(padded)[:, width:] == 0).all()
    shuffled = source.permutation(width)
    np.testing.assert_allclose(memberships(away[:, shuffled]), memberships(away)[:, shuffled], atol=1e-5)


def test_an_image_without_neighbors_has_no_memberships():
    assert memberships(np.full((2, 3), np.nan, dtype=np.float32)).tolist() == [[0, 0, 0]] * 2


def test_the_first_neighbors_among_some_images():
    # Row 1 is none of those asked for. Similarities above 1 come from rounding.
    ids = np.array([[2, 1, 3, 4], [0, 2, 3, 4], [1, 0, 4, -1], [1, -1, -1, -1], [2, 0, 1, 3]])
    similarities = np.array([[1.001, 0.9, 0.5, 0.25], [0] * 4, [0.9, 0.5, 0.25, 9], [0.9, 9, 9, 9], [0.5, 0.5, 0.4, 0]])
    rows = np.array([0, 2, 3, 4])
    position = np.array([0, -1, 1, 2, 3, -1], dtype=np.int32)
    ((part, found, away),) = first_among(ids, similarities, rows=rows, position=position, width=2)
    assert part == slice(0, 4)
    assert found.tolist() == [[1, 2], [0, 3], [-1, -1], [1, 0]]
    np.testing.assert_array_equal(away, [[0, 0.5], [0.5, 0.75], [np.nan, np.nan], [0.5, 0.5]])
