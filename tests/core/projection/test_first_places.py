"""Where the images of a map start: by eigenvectors, by landmarks where these take too long, in parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from radcbir_core.projection import first_places as module
from radcbir_core.projection.first_places import by_landmarks, centers_of, first_places, hops, spectral
from tests.core.projection.graphs import clusters, graph_of


def chain_of(number):
    return sparse.diags_array([np.ones(number - 1)] * 2, offsets=[-1, 1]).tocsr()


@pytest.mark.parametrize("dense", [0, 100])  # by either solver
def test_the_slowest_coordinates_of_a_chain_are_cosines(dense, monkeypatch):
    monkeypatch.setattr(module, "_DENSE", dense)
    number = 60
    places = spectral(chain_of(number), dimensions=3, random=np.random.default_rng(0))
    assert places.shape == (number, 3)
    # The eigenvectors of a random walk on a chain, slowest first: half a wave, one wave, …
    for column, half_waves in ((2, 1), (1, 2), (0, 3)):
        wave = np.cos(np.pi * half_waves * np.arange(number) / (number - 1))
        np.testing.assert_allclose(places[:, column] * np.sign(places[0, column]), wave, atol=0.03)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_landmarks_lay_out_a_chain_along_its_length(dimensions):
    places = by_landmarks(chain_of(500), dimensions=dimensions)
    assert places.shape == (500, dimensions)
    assert np.abs(places).max() == pytest.approx(1)
    along = np.sign(places[-1, -1]) * places[:, -1]
    assert (np.diff(along) > 0).all()


def test_landmarks_lay_out_a_grid_as_a_grid():
    side = 20
    one = chain_of(side)
    grid = sparse.csr_array(sparse.kron(one, sparse.eye_array(side)) + sparse.kron(sparse.eye_array(side), one))
    places = by_landmarks(grid)
    row, column = np.divmod(np.arange(side * side), side)
    true = np.column_stack([row, column])
    away = [np.linalg.norm(at[:, None] - at[None], axis=2).ravel() for at in (places, true)]
    assert np.corrcoef(*away)[0, 1] > 0.9


def test_hops_are_shortest_paths():
    from scipy.sparse.csgraph import shortest_path

    links = sparse.random_array((80, 80), density=0.02, rng=np.random.default_rng(0))
    graph = sparse.csr_array(links + links.T)
    expected = shortest_path(graph, unweighted=True, indices=5)
    assert hops(graph, 5).tolist() == np.where(np.isinf(expected), -1, expected).tolist()


def test_the_limit_is_one_of_work_and_where_it_is_reached_landmarks_are_the_start(monkeypatch):
    from scipy.sparse import linalg

    asked = []
    solve = linalg.eigsh

    def noted(*arguments, **named):
        asked.append(named["maxiter"])
        return solve(*arguments, **named)

    monkeypatch.setattr(linalg, "eigsh", noted)
    vectors, _ = clusters([150, 151], spread=0.5)
    ids, _ = graph_of(vectors, 200)
    links = int(sparse.csr_array((np.ones(ids.size), ids.ravel(), np.arange(0, ids.size + 1, 200))).nnz)
    for restarts, start in ((100, "spectral"), (3, "spectral"), (0, "landmarks")):
        asked.clear()
        # Twice as many links as the graph has in one direction, in two tries, with 37 products a restart.
        monkeypatch.setattr(module, "_WORK", int((restarts + 0.5) * 2 * 37 * links * 1.3))
        places, found = first_places(ids, dimensions=2, random=np.random.default_rng(0))
        assert found == start
        assert all(number <= 100 for number in asked)
        assert (len(asked) > 0) == (restarts > 0)
        assert np.isfinite(places).all()
        again, _ = first_places(ids, dimensions=2, random=np.random.default_rng(0))
        assert again.tobytes() == places.tobytes()


@pytest.mark.parametrize(("failures", "start"), [(1, "spectral"), (2, "landmarks")])
def test_where_the_solver_gives_up_it_is_asked_for_less_and_then_landmarks_serve(failures, start, monkeypatch):
    from scipy.sparse import linalg

    asked = []
    solve = linalg.eigsh

    def gives_up(*arguments, **named):
        asked.append(named["tol"])
        if len(asked) <= failures:
            raise linalg.ArpackNoConvergence("no convergence", np.empty(0), np.empty((0, 0)))
        return solve(*arguments, **named)

    monkeypatch.setattr(linalg, "eigsh", gives_up)
    vectors, labels = clusters([150, 151], spread=0.5)  # one part, too large for the dense solver
    places, found = first_places(graph_of(vectors, 200)[0], dimensions=2, random=np.random.default_rng(0))
    assert asked == [1e-6, 1e-3]
    assert found == start
    centers = np.array([places[labels == label].mean(axis=0) for label in (0, 1)])
    nearest = np.linalg.norm(places[:, None] - centers[None], axis=2).argmin(axis=1)
    assert (nearest == labels).mean() > 0.9


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40))
def test_the_disks_of_the_parts_do_not_overlap_and_the_largest_is_in_the_middle(sizes):
    areas = np.array(sizes)
    centers = centers_of(areas)
    radius = np.sqrt(areas) / 2
    assert centers[areas.argmax()].tolist() == [0, 0]
    away = np.linalg.norm(centers[:, None] - centers[None], axis=2)
    np.fill_diagonal(away, np.inf)
    assert (away > 0.6 * (radius[:, None] + radius[None])).all()
