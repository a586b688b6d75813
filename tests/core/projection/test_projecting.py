"""The map: what is put on it, that it is the same twice, and who joins in where not all are laid out at first."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from radcbir_core.projection import projecting as module
from radcbir_core.projection.map_options import MapOptions
from radcbir_core.projection.projecting import project
from tests.core.projection.graphs import clusters, graph_of, oracle_preservation

# --- the map ----------------------------------------------------------------------------------------------------------


def test_groups_that_are_apart_are_apart_on_the_map_and_it_is_the_same_twice():
    vectors, labels = clusters([90, 60, 30])
    graph = graph_of(vectors, 40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ImportWarning)  # whoever imports umap-learn first is told what it does without
        first = project(*graph, options=MapOptions(seed=1))
    again = project(*graph, options=MapOptions(seed=1))
    assert first.coordinates.tobytes() == again.coordinates.tobytes()
    assert first.preservation.tobytes() == again.preservation.tobytes()
    assert first.coordinates.tobytes() != project(*graph, options=MapOptions(seed=2)).coordinates.tobytes()

    assert first.start == "spectral"
    assert first.coordinates.dtype == np.float32
    assert first.coordinates.shape == (180, 2)
    assert np.isfinite(first.coordinates).all()
    away = np.linalg.norm(first.coordinates[:, None] - first.coordinates[None], axis=2)
    np.fill_diagonal(away, np.inf)
    assert (labels[away.argmin(axis=1)] == labels).all()
    same = labels[:, None] == labels[None]
    assert np.median(away[~same]) > 2 * np.median(away[same & np.isfinite(away)])
    assert first.preservation.dtype == np.float32
    assert 0.4 < first.preservation.mean() < 1
    np.testing.assert_allclose(first.preservation, oracle_preservation(first.coordinates, graph[0], 15))


def test_parts_that_nothing_connects_and_images_without_neighbors():
    # Seven parts, of which one is a pair; a failed image first, in the middle, and last.
    vectors, labels = clusters([40, 30, 30, 30, 20, 20, 2], dimension=64, spread=0.05)
    parts_ids, parts_similarities = graph_of(vectors, 19)
    apart = labels[parts_ids] != labels[:, None]
    order = np.argsort(apart, axis=1, kind="stable")
    parts_ids = np.where(apart, -1, parts_ids)
    parts_ids = np.take_along_axis(parts_ids, order, axis=1)
    parts_similarities = np.take_along_axis(parts_similarities, order, axis=1)
    number = len(labels) + 3
    rows = np.setdiff1d(np.arange(number), [0, 50, number - 1])
    ids = np.full((number, 19), -1, dtype=np.int32)
    similarities = np.full((number, 19), np.nan, dtype=np.float16)
    ids[rows] = np.where(parts_ids >= 0, rows[parts_ids], -1)
    similarities[rows] = np.where(parts_ids >= 0, parts_similarities, np.nan)

    projection = project(ids, similarities, options=MapOptions(seed=3))
    assert np.flatnonzero(np.isnan(projection.coordinates).any(axis=1)).tolist() == [0, 50, number - 1]
    np.testing.assert_array_equal(np.isnan(projection.preservation), np.isnan(projection.coordinates[:, 0]))
    assert (
        projection.coordinates.tobytes() == project(ids, similarities, options=MapOptions(seed=3)).coordinates.tobytes()
    )
    centers = np.array([projection.coordinates[rows][labels == label].mean(axis=0) for label in range(7)])
    nearest = np.linalg.norm(projection.coordinates[rows][:, None] - centers[None], axis=2).argmin(axis=1)
    assert np.mean(nearest == labels) > 0.95
    np.testing.assert_allclose(projection.preservation, oracle_preservation(projection.coordinates, ids, 15))


def test_images_that_are_all_the_same():
    projection = project(*graph_of(np.tile(np.eye(4)[:1], (30, 1)), 29))
    assert np.isfinite(projection.coordinates).all()
    assert len(np.unique(projection.coordinates, axis=0)) == 30
    assert ((projection.preservation >= 0) & (projection.preservation <= 1)).all()


@pytest.mark.parametrize("number", [4, 5, 16, 17])
def test_collections_smaller_than_a_neighborhood_or_little_larger(number):
    vectors, _ = clusters([number], spread=1.0)
    projection = project(*graph_of(vectors, 100))
    assert np.isfinite(projection.coordinates).all()
    assert projection.start == "spectral"
    assert (projection.preservation == 1).all() == (number <= 16)


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_fewer_than_four_images_are_put_at_equal_distances(number):
    vectors, _ = clusters([number], spread=1.0)
    ids, similarities = graph_of(vectors, 100) if number else (np.empty((0, 0), dtype=int), np.empty((0, 0)))
    projection = project(ids, similarities)
    assert projection.start == "none"
    assert projection.coordinates.shape == (number, 2)
    assert projection.preservation.shape == (number,)
    if number < 2:  # one image has no neighbors
        assert np.isnan(projection.coordinates).all()
        assert np.isnan(projection.preservation).all()
    else:
        away = [np.linalg.norm(projection.coordinates[row] - projection.coordinates[row - 1]) for row in range(number)]
        np.testing.assert_allclose(away, away[0], rtol=1e-5)
        assert away[0] > 1
        assert projection.preservation.tolist() == [1.0] * number


def test_a_map_of_three_dimensions_has_three_and_one_of_two_is_flat():
    graph = graph_of(clusters([50, 50])[0], 30)
    deep = project(*graph, options=MapOptions(dimensions=3))
    assert deep.coordinates.shape == (100, 3)
    assert (np.ptp(deep.coordinates, axis=0) > 0.5).all()
    np.testing.assert_allclose(deep.preservation, oracle_preservation(deep.coordinates, graph[0], 15))
    assert deep.preservation.mean() > project(*graph).preservation.mean() - 0.05


# --- images that join in ----------------------------------------------------------------------------------------------


def drawn_first(number=400, **named):
    vectors, labels = clusters([number // 2, number // 2 - 8, 8], spread=0.3)
    ids, similarities = graph_of(vectors, 40)
    return ids, labels, project(ids, similarities, options=MapOptions(most_drawn=100), labels=labels, **named)


def test_where_not_all_are_drawn_the_others_join_in_and_the_map_is_about_as_good():
    ids, labels, joined = drawn_first()
    assert joined.drawn.sum() == 100
    assert joined.drawn[labels == 2].all()  # rare labels are drawn whole
    assert np.isfinite(joined.coordinates).all()
    np.testing.assert_allclose(joined.preservation, oracle_preservation(joined.coordinates, ids, 15))
    vectors, _ = clusters([200, 192, 8], spread=0.3)
    whole = project(*graph_of(vectors, 40))
    assert whole.drawn.all()
    assert joined.preservation.mean() > whole.preservation.mean() - 0.05
    away = np.linalg.norm(joined.coordinates[:, None] - joined.coordinates[None], axis=2)
    np.fill_diagonal(away, np.inf)
    assert (labels[away.argmin(axis=1)] == labels).mean() > 0.97


def test_a_part_of_which_nobody_is_drawn_is_laid_out_from_the_start():
    vectors, _ = clusters([400, 5], dimension=64, spread=0.05)
    ids, similarities = graph_of(vectors, 4)
    assert (ids[400:] >= 400).all()
    labels = np.zeros(405, dtype=int)
    for seed in range(20):  # until nobody of the five is drawn
        drawn = module.drawn_by_label(labels, 100, seed=seed)
        if drawn.max() < 400:
            break
    assert drawn.max() < 400
    made = project(ids, similarities, options=MapOptions(most_drawn=100, seed=seed), labels=labels)
    assert made.drawn[400:].all()
    assert np.isfinite(made.coordinates).all()


# --- how far it is ----------------------------------------------------------------------------------------------------


def test_epochs_are_told_one_by_one_and_whoever_is_told_can_stop(monkeypatch):
    monkeypatch.setattr(module, "_EPOCHS", (12, 12))
    monkeypatch.setattr(module, "_JOINED_EPOCHS", 5)
    told = []
    drawn_first(progress=lambda *step: told.append(step))
    assert told == [("projection", done, 17) for done in range(18)]

    class StopError(Exception):
        pass

    def stop(step, done, total):
        if done == 7:
            raise StopError

    with pytest.raises(StopError):
        drawn_first(progress=stop)


# --- errors -----------------------------------------------------------------------------------------------------------

IDS = np.array([[1, 2], [0, 2], [0, 1]])
SIMILARITIES = np.full((3, 2), 0.5)


@pytest.mark.parametrize(
    ("ids", "similarities", "message"),
    [
        (
            IDS.astype(float),
            SIMILARITIES,
            "Expected an integer table with one row an image, but neighbor_ids = float64 of shape (3, 2). "
            "Pass the neighbor graph.",
        ),
        (
            IDS,
            SIMILARITIES[:, :1],
            "Expected one similarity a neighbor (3, 2), but neighbor_similarities has shape (3, 1). "
            "Pass both arrays of the same graph.",
        ),
        (
            IDS + 1,
            SIMILARITIES,
            "Expected rows from 0 to 2, or -1 as padding, but neighbor_ids = 3. Build the neighbor graph again.",
        ),
        (
            IDS - 2,
            SIMILARITIES,
            "Expected rows from 0 to 2, or -1 as padding, but neighbor_ids = -2. Build the neighbor graph again.",
        ),
        (
            np.array([[-1, 1], [0, 2], [0, 1]]),
            SIMILARITIES,
            "Expected padding at the end of a row only, but neighbor_ids has some before a neighbor. "
            "Build the neighbor graph again.",
        ),
        (
            np.array([[0, 1], [0, 2], [0, 1]]),
            SIMILARITIES,
            "Expected a graph that leaves out the image itself, but neighbor_ids has it among its neighbors. "
            "Build the neighbor graph again.",
        ),
        (
            np.array([[1, 2], [0, 2], [-1, -1]]),
            SIMILARITIES,
            "Expected a graph in which every neighbor has neighbors, but neighbor_ids names an image without any. "
            "Build the neighbor graph again.",
        ),
        (
            IDS,
            np.array([[0.5, np.nan], [0.5, 0.5], [0.5, 0.5]]),
            "Expected a similarity for every neighbor, but neighbor_similarities has one that is not finite. "
            "Build the neighbor graph again.",
        ),
    ],
)
def test_errors_say_what_was_expected_and_found(ids, similarities, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        project(ids, similarities)
