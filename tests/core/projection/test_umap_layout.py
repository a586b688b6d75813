"""umap-learn as it is called here: its class gives the same, each epoch is told, and whoever is told can stop it."""

from __future__ import annotations

import threading
import warnings
from queue import Queue

import numpy as np
import pytest

from radcbir_core.projection.umap_layout import links_of, move
from tests.core.projection.graphs import clusters, graph_of


def graph_of_clusters(sizes, *, size=15):
    vectors, labels = clusters(sizes)
    ids, similarities = graph_of(vectors, size - 1)
    return ids, np.maximum(1 - similarities.astype(np.float32), 0), labels


def moved(places, links, *, epochs=20, **named):
    chosen = {"first_step": 1.0, "min_dist": 0.1, "seed": 0, "parallel": False, "told": lambda done: None}
    return move(np.asarray(places, dtype=np.float32), links, epochs=epochs, **{**chosen, **named})


def start_of(number, dimensions=2):
    return np.random.default_rng(0).random((number, dimensions)).astype(np.float32) * 10


def test_the_links_are_those_of_umap_learn_with_its_own_search():
    import umap

    vectors, _ = clusters([50, 50])
    ids, similarities = graph_of(vectors, 14)
    exact = 1 - np.take_along_axis(vectors @ vectors.T, ids.astype(np.int64), axis=1)
    assert similarities.shape == exact.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = umap.UMAP(metric="cosine", n_epochs=1, random_state=0, n_jobs=1).fit(vectors.astype(np.float32))
    np.testing.assert_allclose(links_of(ids, exact.astype(np.float32)).toarray(), theirs.graph_.toarray(), atol=2e-3)


def test_links_are_those_of_the_paper():
    number, size = 40, 8
    vectors, _ = clusters([number], spread=1.0)
    ids, _ = graph_of(vectors, size - 1)
    exact = 1 - np.take_along_axis(vectors @ vectors.T, ids.astype(np.int64), axis=1)
    # Algorithms 2 and 3 of the paper on UMAP: the nearest other image belongs wholly to the neighborhood, the rest so
    # far that memberships add up to log2 of its size (which counts the image itself).
    membership = np.zeros((number, number))
    for row in range(number):
        beyond = exact[row] - exact[row, 0]
        low, high = 1e-6, 1e3
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (low, middle) if np.exp(-beyond / middle).sum() > np.log2(size) else (middle, high)
        membership[row, ids[row]] = np.exp(-beyond / low)
    links = links_of(ids, exact.astype(np.float32))
    np.testing.assert_allclose(links.toarray(), membership + membership.T - membership * membership.T, atol=1e-3)


def test_images_with_fewer_neighbors_or_none_and_distances_out_of_order():
    ids = np.array([[1, 2, 3], [0, -1, -1], [0, -1, -1], [0, -1, -1], [-1, -1, -1]], dtype=np.int32)
    away = np.array([[0.1, 0.3, 0.2], [0.1, *[np.nan] * 2], [0.3, *[np.nan] * 2], [0.2, *[np.nan] * 2], [np.nan] * 3])
    links = links_of(ids, away.astype(np.float32)).toarray()
    # Each of the three has one neighbor, to which it belongs wholly; the last image has none.
    expected = np.zeros((5, 5))
    expected[0, 1:4] = expected[1:4, 0] = 1
    np.testing.assert_array_equal(links, expected)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_groups_come_apart_from_a_start_at_random_and_the_same_twice(dimensions):
    ids, away, labels = graph_of_clusters([40, 40])
    links = links_of(ids, away)
    places = start_of(80, dimensions)
    end = moved(places, links, epochs=200)
    assert end.dtype == np.float32
    assert end.shape == (80, dimensions)
    np.testing.assert_array_equal(places, start_of(80, dimensions))
    between = np.linalg.norm(end[:, None] - end[None], axis=2)
    np.fill_diagonal(between, np.inf)
    assert (labels[between.argmin(axis=1)] == labels).mean() > 0.95
    assert moved(places, links, epochs=200).tobytes() == end.tobytes()
    assert moved(places, links, epochs=200, seed=1).tobytes() != end.tobytes()


def test_on_all_cores_groups_come_apart_too():
    ids, away, labels = graph_of_clusters([40, 40])
    end = moved(start_of(80), links_of(ids, away), epochs=200, parallel=True)
    between = np.linalg.norm(end[:, None] - end[None], axis=2)
    np.fill_diagonal(between, np.inf)
    assert (labels[between.argmin(axis=1)] == labels).mean() > 0.95


def test_places_stay_where_nothing_pulls_and_move_less_with_smaller_steps():
    lonely = links_of(np.full((6, 2), -1, dtype=np.int32), np.full((6, 2), np.nan, dtype=np.float32))
    np.testing.assert_array_equal(moved(start_of(6), lonely), start_of(6))
    ids, away, _ = graph_of_clusters([40, 40])
    links = links_of(ids, away)
    far, near = (
        np.linalg.norm(moved(start_of(80), links, first_step=step) - start_of(80), axis=1).mean() for step in (1, 0.1)
    )
    assert far > 2 * near > 0


def test_each_epoch_is_told_once_and_the_terminal_shows_nothing(capfd):
    ids, away, _ = graph_of_clusters([30])
    told = []
    moved(start_of(30), links_of(ids, away), epochs=12, told=told.append)
    assert told[:13] == list(range(13))
    assert set(told[13:]) <= {12}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError, RuntimeError])
def test_whoever_is_told_ends_the_work_by_raising(error):
    ids, away, _ = graph_of_clusters([30])
    told = []

    def stop(done):
        told.append(done)
        if done == 5:
            raise error("enough")

    with pytest.raises(error, match="enough"):
        moved(start_of(30), links_of(ids, away), epochs=12, told=stop)
    assert told == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("last", [0, 5])
def test_a_stopped_layout_does_not_hold_up_the_next_in_another_thread(last):
    ids, away, _ = graph_of_clusters([30])
    links, ended, over = links_of(ids, away), Queue(), threading.Event()

    def stop(done):
        if done == last:
            raise InterruptedError

    def work(told):
        try:
            moved(start_of(30), links, epochs=12, told=told)
        except InterruptedError:
            ended.put("stopped")
        else:
            ended.put("finished")
        over.wait()  # a thread that is gone gives its number, and with it what it holds, to the next

    threads = [threading.Thread(target=work, args=(told,), daemon=True) for told in (stop, lambda _: None)]
    try:
        for thread, end in zip(threads, ("stopped", "finished"), strict=True):
            thread.start()
            assert ended.get(timeout=60) == end
    finally:
        over.set()
