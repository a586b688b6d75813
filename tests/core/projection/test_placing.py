"""New images on a map that is there: where they lie, and how far that can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.projection import placing as module
from radcbir_core.projection.placing import middles, place
from radcbir_core.projection.projecting import project
from tests.core.projection.graphs import clusters, graph_of


def test_an_image_of_the_map_that_is_placed_again_lands_near_itself():
    vectors, labels = clusters([80, 60, 60], spread=0.3)
    ids, similarities = graph_of(vectors, 40)
    made = project(ids, similarities)
    placed = place(ids, similarities, coordinates=made.coordinates)
    away = np.linalg.norm(placed.coordinates - made.coordinates, axis=1)
    others = np.linalg.norm(made.coordinates[:, None] - made.coordinates[None], axis=2)
    # Nearer than nine of ten other images, nearly always; and among its own group.
    assert np.quantile((others < away[:, None]).mean(axis=1), 0.95) < 0.1
    centers = np.array([made.coordinates[labels == label].mean(axis=0) for label in range(3)])
    nearest = np.linalg.norm(placed.coordinates[:, None] - centers[None], axis=2).argmin(axis=1)
    assert (nearest == labels).mean() > 0.98
    assert np.nanmean(placed.trust) == pytest.approx(made.preservation.mean(), abs=0.1)


def test_hits_in_two_groups_put_it_into_the_larger_and_say_that_it_cannot_be_trusted():
    source = np.random.default_rng(0)
    places = np.concatenate([source.normal(0, 0.3, (20, 2)), source.normal(50, 0.3, (20, 2))]).astype(np.float32)
    near, far = np.arange(10), np.arange(20, 25)
    placed = place(np.concatenate([near, far])[None], np.full((1, 15), 0.5), coordinates=places)
    assert np.linalg.norm(placed.coordinates[0]) < 1
    assert placed.trust[0] <= 10 / 15
    alone = place(near[None], np.full((1, 10), 0.5), coordinates=places)
    assert 0.3 < alone.trust[0] <= 1


def test_hits_without_a_place_are_passed_over_and_without_any_there_is_none():
    places = np.array([[0, 0], [np.nan, np.nan], [1, 0], [0, 1], [5, 5]], dtype=np.float32)
    rows = np.array([[1, 0, 2, 3], [1, -1, -1, -1], [-1, -1, -1, -1]])
    placed = place(rows, np.array([[0.9, 0.8, 0.8, 0.8], [0.9, 9, 9, 9], [9] * 4]), coordinates=places, n_neighbors=3)
    only = place(rows[:1, 1:], np.full((1, 3), 0.8), coordinates=places, n_neighbors=3)
    np.testing.assert_array_equal(placed.coordinates[0], only.coordinates[0])
    assert placed.trust.tolist()[0] == 1
    assert np.isnan(placed.coordinates[1:]).all()
    assert np.isnan(placed.trust[1:]).all()


@pytest.mark.parametrize("dimensions", [2, 3])
def test_few_are_looked_up_as_many_are(dimensions, monkeypatch):
    source = np.random.default_rng(3)
    places = source.normal(size=(300, dimensions)).astype(np.float32)
    rows = np.array([source.permutation(300)[:20] for _ in range(40)])
    similarities = np.sort(source.random(rows.shape))[:, ::-1]
    few = place(rows, similarities, coordinates=places)
    monkeypatch.setattr(module, "_FEW", 0)
    many = place(rows, similarities, coordinates=places)
    np.testing.assert_array_equal(few.trust, many.trust)
    assert few.coordinates.shape == (40, dimensions)


def test_the_middle_has_the_least_sum_of_distances():
    from scipy.optimize import minimize

    source = np.random.default_rng(1)
    places = source.normal(size=(30, 2)).astype(np.float32)
    neighbors = np.array([source.permutation(30)[:7] for _ in range(6)])
    weights = source.random((6, 7)).astype(np.float32)
    weights[0, 3:] = 0
    found = middles(neighbors, weights, places)
    for row in range(6):

        def total(at, row=row):
            return float(weights[row] @ np.linalg.norm(places[neighbors[row]] - at, axis=1))

        best = minimize(total, places.mean(axis=0), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8})
        assert total(found[row]) <= best.fun * 1.01


def test_hits_and_similarities_must_belong_together():
    with pytest.raises(
        ValueError, match=r"Expected one similarity a hit \(1, 3\), but similarities has shape \(1, 2\)"
    ):
        place(np.zeros((1, 3), dtype=int), np.zeros((1, 2)), coordinates=np.zeros((5, 2), dtype=np.float32))
