"""The map: what is put on it, that it is the same twice, and how its faithfulness is measured."""

from __future__ import annotations

import re
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core import projection as module
from radcbir_core.errors import StorageError
from radcbir_core.projection import project, project_store


def graph_of(vectors, width):
    """The exact neighbor graph of unit vectors, as (ids, similarities)."""
    similarities = (vectors @ vectors.T).astype(np.float32)
    np.fill_diagonal(similarities, -np.inf)
    ids = np.argsort(-similarities, axis=1, kind="stable")[:, : min(width, len(vectors) - 1)].astype(np.int32)
    return ids, np.take_along_axis(similarities, ids, axis=1).astype(np.float16)


def clusters(sizes, dimension=16, spread=0.2, seed=0):
    """Unit vectors around random centers, and the cluster of each."""
    source = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    vectors = source.normal(size=(len(sizes), dimension))[labels] + spread * source.normal(size=(sum(sizes), dimension))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


def oracle_preservation(coordinates, ids, n_neighbors):
    """Image by image, sorting all distances on the map."""
    placed = [row for row in range(len(ids)) if not np.isnan(coordinates[row]).any()]
    shares = []
    for row in range(len(ids)):
        wanted = [other for other in ids[row][:n_neighbors].tolist() if other >= 0]
        if row not in placed or not wanted:
            shares.append(np.nan)
            continue
        others = [other for other in placed if other != row]
        away = {other: float(np.sum((coordinates[other] - coordinates[row]) ** 2)) for other in others}
        near = sorted(others, key=away.__getitem__)[: len(wanted)]
        shares.append(len(set(near) & set(wanted)) / len(wanted))
    return shares


# --- what UMAP is given -----------------------------------------------------------------------------------------------


def test_neighborhoods_have_the_image_first_and_ascending_distances():
    # Row 1 has no place, so rows 2 to 4 are UMAP's 1 to 3. Similarities above 1 and out of order come from rounding.
    ids = np.array([[2, 3, 4], [-1, -1, -1], [0, 4, 3], [0, -1, -1], [2, 0, -1]])
    similarities = np.array([[0.75, 0.5, 0.25], [0, 0, 0], [1.001, 0.5, 0.75], [0.5, 9, 9], [0.25, 0, 9]])
    rows = np.array([0, 2, 3, 4])
    position = np.array([0, -1, 1, 2, 3, -1], dtype=np.int32)
    lists, distances = module._lists(ids, similarities, rows, position, width=4)
    assert lists.tolist() == [[0, 1, 2, 3], [1, 0, 2, 3], [2, 0, -1, -1], [3, 1, 0, -1]]
    assert distances.tolist() == [[0, 0.25, 0.5, 0.75], [0, 0, 0.25, 0.5], [0, 0.5, 0.5, 0.5], [0, 0.75, 1, 1]]
    assert lists.dtype == np.int32
    assert distances.dtype == np.float32


def test_umap_reads_the_neighborhoods_as_meant():
    from umap.umap_ import fuzzy_simplicial_set

    number, size = 40, 8
    vectors, _ = clusters([number], spread=1.0)
    ids, _ = graph_of(vectors, 20)
    exact = np.take_along_axis(vectors @ vectors.T, ids, axis=1)
    lists, distances = module._lists(ids, exact, np.arange(number), np.append(np.arange(number), -1), width=size)
    graph, *_ = fuzzy_simplicial_set(
        np.zeros((number, 1)), size, np.random.RandomState(0), "euclidean", knn_indices=lists, knn_dists=distances
    )
    # Algorithms 2 and 3 of the paper on UMAP, from the vectors: the nearest other image belongs wholly to the
    # neighborhood, the rest so far that memberships add up to log2 of its size (which counts the image itself).
    membership = np.zeros((number, number))
    for row in range(number):
        away = 1 - vectors @ vectors[row]
        near = [other for other in np.argsort(away) if other != row][: size - 1]
        beyond = away[near] - away[near[0]]
        low, high = 1e-6, 1e3
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (low, middle) if np.exp(-beyond / middle).sum() > np.log2(size) else (middle, high)
        membership[row, near] = np.exp(-beyond / low)
    union = membership + membership.T - membership * membership.T
    np.testing.assert_allclose(graph.toarray(), union, atol=1e-3)


# --- the map ----------------------------------------------------------------------------------------------------------


def test_groups_that_are_apart_are_apart_on_the_map_and_it_is_the_same_twice():
    vectors, labels = clusters([90, 60, 30])
    graph = graph_of(vectors, 40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ImportWarning)  # umap, for a part of it that needs TensorFlow
        first = project(*graph, seed=1)
    again = project(*graph, seed=1)
    assert first.coordinates.tobytes() == again.coordinates.tobytes()
    assert first.preservation.tobytes() == again.preservation.tobytes()
    assert first.coordinates.tobytes() != project(*graph, seed=2).coordinates.tobytes()

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

    projection = project(ids, similarities, seed=3)
    assert np.flatnonzero(np.isnan(projection.coordinates).any(axis=1)).tolist() == [0, 50, number - 1]
    np.testing.assert_array_equal(np.isnan(projection.preservation), np.isnan(projection.coordinates[:, 0]))
    assert projection.coordinates.tobytes() == project(ids, similarities, seed=3).coordinates.tobytes()
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


@pytest.mark.parametrize(("failures", "start"), [(1, "spectral"), (2, "random")])
def test_where_the_solver_gives_up_it_is_asked_for_less_and_then_starts_at_random(failures, start, monkeypatch):
    from scipy.sparse import linalg

    asked = []
    solve = linalg.eigsh

    def gives_up(*arguments, **named):
        asked.append(named["tol"])
        if len(asked) <= failures:
            raise linalg.ArpackNoConvergence("no convergence", np.empty(0), np.empty((0, 0)))
        return solve(*arguments, **named)

    monkeypatch.setattr(linalg, "eigsh", gives_up)
    vectors, _ = clusters([150, 151], spread=0.5)  # one part, too large for the dense solver
    graph = graph_of(vectors, 200)
    projection = project(*graph)
    assert asked == [1e-6, 1e-3]
    assert projection.start == start
    assert np.isfinite(projection.coordinates).all()
    asked.clear()
    assert projection.coordinates.tobytes() == project(*graph).coordinates.tobytes()


# --- the start --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dense", [0, 100])  # by either solver
def test_the_slowest_coordinates_of_a_chain_are_cosines(dense, monkeypatch):
    from scipy import sparse

    monkeypatch.setattr(module, "_DENSE", dense)
    number = 60
    chain = sparse.diags_array([np.ones(number - 1)] * 2, offsets=[-1, 1]).tocsr()
    places = module._spectral(chain, random=np.random.default_rng(0))
    # The eigenvectors of a random walk on a chain, slowest first: half a wave, one wave, …
    for column, half_waves in ((1, 1), (0, 2)):
        wave = np.cos(np.pi * half_waves * np.arange(number) / (number - 1))
        np.testing.assert_allclose(places[:, column] * np.sign(places[0, column]), wave, atol=0.03)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40))
def test_the_disks_of_the_parts_do_not_overlap_and_the_largest_is_in_the_middle(sizes):
    areas = np.array(sizes)
    centers = module._centers(areas)
    radius = np.sqrt(areas) / 2
    assert centers[areas.argmax()].tolist() == [0, 0]
    away = np.linalg.norm(centers[:, None] - centers[None], axis=2)
    np.fill_diagonal(away, np.inf)
    assert (away > 0.6 * (radius[:, None] + radius[None])).all()


# --- preservation -----------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 12), st.integers(1, 6), st.integers(2, 5), st.integers(0, 10_000), st.integers(1, 7))
def test_preservation_equals_the_oracle(number, width, n_neighbors, seed, chunk):
    source = np.random.default_rng(seed)
    coordinates = source.normal(size=(number, 2)).astype(np.float32)
    coordinates[source.random(number) < 0.2] = np.nan
    placed = np.flatnonzero(~np.isnan(coordinates[:, 0]))
    ids = np.full((number, width), -1)
    for row in placed if len(placed) > 1 else []:
        others = source.permutation(placed[placed != row])[: source.integers(1, width + 1)]
        ids[row, : len(others)] = others
    before = module._CHUNK
    module._CHUNK = chunk
    try:
        preservation = module._preservation(coordinates, ids, n_neighbors=n_neighbors)
    finally:
        module._CHUNK = before
    np.testing.assert_allclose(preservation, oracle_preservation(coordinates, ids, n_neighbors), rtol=1e-6)


def test_on_one_spot_an_image_is_not_its_own_neighbor():
    coordinates = np.zeros((5, 2), dtype=np.float32)
    ids = np.array([[(row + step) % 5 for step in range(1, 5)] for row in range(5)])
    assert module._preservation(coordinates, ids, n_neighbors=4).tolist() == [1.0] * 5
    few = module._preservation(coordinates, ids, n_neighbors=2)
    assert set((few * 2).tolist()) <= {0.0, 1.0, 2.0}


# --- on disk ----------------------------------------------------------------------------------------------------------


def test_the_map_of_a_store_is_written_with_what_made_it(tmp_path):
    vectors, _ = clusters([25])
    ids, similarities = graph_of(vectors, 20)
    ids = np.vstack([ids, np.full((1, 20), -1)]).astype(np.int32)
    similarities = np.vstack([similarities, np.full((1, 20), np.nan)]).astype(np.float16)
    path = tmp_path / "projection.parquet"
    store = SimpleNamespace(neighbor_ids=ids, neighbor_similarities=similarities, projection_path=path)
    told = []
    facts = project_store(store, seed=5, progress=lambda *step: told.append(step))
    first = path.read_bytes()
    frame = pd.read_parquet(path)
    expected = project(ids, similarities, seed=5)
    assert frame.columns.tolist() == ["x", "y", "preservation"]
    np.testing.assert_array_equal(frame[["x", "y"]].to_numpy(), expected.coordinates)
    np.testing.assert_array_equal(frame["preservation"].to_numpy(), expected.preservation)
    assert (frame.dtypes == np.float32).all()
    assert told == [("projection", 0, 26), ("projection", 26, 26)]
    assert facts == {
        "seed": 5,
        "n_neighbors": 15,
        "min_dist": 0.1,
        "umap": facts["umap"],
        "start": "spectral",
        "preservation": pytest.approx(np.nanmean(expected.preservation), abs=1e-4),
    }
    assert re.fullmatch(r"\d+\.\d+\.\d+", facts["umap"])
    project_store(store, seed=5)
    assert path.read_bytes() == first
    assert [projection.name for projection in tmp_path.iterdir()] == ["projection.parquet"]


def test_the_map_of_a_single_image_is_empty_and_says_so(tmp_path):
    store = SimpleNamespace(
        neighbor_ids=np.empty((1, 0), dtype=np.int32),
        neighbor_similarities=np.empty((1, 0), dtype=np.float16),
        projection_path=tmp_path / "projection.parquet",
    )
    facts = project_store(store)
    assert facts["preservation"] is None
    assert facts["start"] == "none"
    assert pd.read_parquet(store.projection_path).isna().all(axis=None)


def test_a_map_that_cannot_be_written_is_a_storage_error(tmp_path, monkeypatch):
    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    store = SimpleNamespace(
        neighbor_ids=np.empty((1, 0), dtype=np.int32),
        neighbor_similarities=np.empty((1, 0), dtype=np.float16),
        projection_path=tmp_path / "projection.parquet",
    )
    with pytest.raises(StorageError, match="Expected space left on the disk"):
        project_store(store)


# --- errors -----------------------------------------------------------------------------------------------------------

IDS = np.array([[1, 2], [0, 2], [0, 1]])
SIMILARITIES = np.full((3, 2), 0.5)


@pytest.mark.parametrize(
    ("ids", "similarities", "named", "message"),
    [
        (
            IDS.astype(float),
            SIMILARITIES,
            {},
            "Expected an integer table with one row an image, but neighbor_ids = float64 of shape (3, 2). "
            "Pass the neighbor graph.",
        ),
        (
            IDS,
            SIMILARITIES[:, :1],
            {},
            "Expected one similarity a neighbor (3, 2), but neighbor_similarities has shape (3, 1). "
            "Pass both arrays of the same graph.",
        ),
        (IDS, SIMILARITIES, {"n_neighbors": 1}, "Expected at least 2, but n_neighbors = 1. Use 15."),
        (IDS, SIMILARITIES, {"min_dist": 1.5}, "Expected a distance from 0 to 1, but min_dist = 1.5. Use 0.1."),
        (IDS, SIMILARITIES, {"seed": -1}, "Expected a seed from 0 to 2**32 - 1, but seed = -1. Use 0."),
        (
            IDS + 1,
            SIMILARITIES,
            {},
            "Expected rows from 0 to 2, or -1 as padding, but neighbor_ids = 3. Build the neighbor graph again.",
        ),
        (
            IDS - 2,
            SIMILARITIES,
            {},
            "Expected rows from 0 to 2, or -1 as padding, but neighbor_ids = -2. Build the neighbor graph again.",
        ),
        (
            np.array([[-1, 1], [0, 2], [0, 1]]),
            SIMILARITIES,
            {},
            "Expected padding at the end of a row only, but neighbor_ids has some before a neighbor. "
            "Build the neighbor graph again.",
        ),
        (
            np.array([[0, 1], [0, 2], [0, 1]]),
            SIMILARITIES,
            {},
            "Expected a graph that leaves out the image itself, but neighbor_ids has it among its neighbors. "
            "Build the neighbor graph again.",
        ),
        (
            np.array([[1, 2], [0, 2], [-1, -1]]),
            SIMILARITIES,
            {},
            "Expected a graph in which every neighbor has neighbors, but neighbor_ids names an image without any. "
            "Build the neighbor graph again.",
        ),
        (
            IDS,
            np.array([[0.5, np.nan], [0.5, 0.5], [0.5, 0.5]]),
            {},
            "Expected a similarity for every neighbor, but neighbor_similarities has one that is not finite. "
            "Build the neighbor graph again.",
        ),
    ],
)
def test_errors_say_what_was_expected_and_found(ids, similarities, named, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        project(ids, similarities, **named)
