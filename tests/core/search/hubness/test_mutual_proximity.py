"""Mutual proximity against plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.search.backend import Hits
from radcbir_core.search.hubness.mutual_proximity import Nearest, by_mutual_proximity, keys_of

SIXTEENTHS = st.integers(-16, 16).map(lambda number: number / 16)


@given(st.lists(st.lists(SIXTEENTHS, max_size=9), min_size=1, max_size=4), SIXTEENTHS)
def test_it_counts_what_is_more_similar(lists, similarity) -> None:
    table = np.full((len(lists), 9), np.nan, dtype=np.float16)
    for line, values in enumerate(lists):
        table[line, : len(values)] = sorted(values, reverse=True)
    counts = Nearest(table, among=9).nearer(np.arange(len(lists)), np.full(len(lists), similarity))
    assert counts.tolist() == [sum(value > similarity for value in values) for values in lists]


@given(st.lists(st.lists(SIXTEENTHS, max_size=9), min_size=1, max_size=4), st.integers(0, 9))
def test_within_a_list_it_is_what_looking_each_up_gives(lists, width) -> None:
    table = np.full((len(lists), width), np.nan, dtype=np.float16)
    for line, values in enumerate(lists):
        mine = sorted(values, reverse=True)[:width]
        table[line, : len(mine)] = mine
    nearest = Nearest(table, among=9)
    lines = np.broadcast_to(np.arange(len(lists))[:, None], table.shape)
    assert nearest.nearer_than_each().tolist() == nearest.nearer(lines, table).tolist()
    assert nearest.is_of(keys_of(table.astype(np.float32)))
    assert nearest.is_of(keys_of(table - 1)) == (not (table == table).any())


def test_a_similarity_is_the_same_as_its_half_precision() -> None:
    exact = np.float32(0.30005)
    kept = np.float16(exact)
    assert kept != exact
    nearest = Nearest(np.array([[kept]]), among=1)
    assert nearest.nearer(np.array([0, 0]), np.array([exact, kept])).tolist() == [0, 0]


@pytest.mark.parametrize("width", [0, 1, 2, 100])
def test_of_a_list_all_can_be_more_similar(width) -> None:
    nearest = Nearest(np.ones((1, width), dtype=np.float16), among=200)
    assert nearest.nearer(np.zeros(1, dtype=int), np.zeros(1)).tolist() == [width]


def test_the_order_is_that_of_counting_all_pairs() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(40, 5))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    pairs = (points @ points.T).astype(np.float16).astype(float)
    np.fill_diagonal(pairs, -9)
    nearest = np.argsort(-pairs, axis=1, kind="stable")
    lists = np.take_along_axis(pairs, nearest[:, :39], axis=1)
    hits = Hits(nearest[:, :12].astype(np.int32), lists[:, :12].astype(np.float32), np.full(40, 12, dtype=np.int32))
    found = hits.in_order(by_mutual_proximity(hits, Nearest(lists, among=40), Nearest(lists, among=40)))
    for query in range(40):
        proximity = {}
        for hit in hits.rows[query].tolist():
            alike = pairs[query, hit]
            less = [sum(pairs[one, other] <= alike for other in range(40)) for one in (query, hit)]
            proximity[hit] = less[0] * less[1]
        assert found.rows[query].tolist() == sorted(proximity, key=lambda hit, of=proximity: -of[hit])
        assert found.similarities[query].tolist() == pairs[query, found.rows[query]].tolist()


def test_beyond_a_list_all_of_it_is_nearer() -> None:
    hits = Hits(np.array([[0, 1, 2, -1]]), np.array([[0.5, 0.4, 0.3, np.nan]]), np.array([3]))
    lists = np.array([[0.9, 0.8], [0.7, 0.6], [0.3, 0.2]])
    # Of 0 and 1 both of two are nearer, however many others may be; of 2 none.
    for among, expected in ((10, [0, 2, 1]), (3, [2, 0, 1])):
        order = by_mutual_proximity(hits, Nearest(hits.similarities, among=10), Nearest(lists, among=among))
        assert order.tolist() == [[*expected, 3]]  # 10 × 8, 9 × 8 and 8 × 10; 10 × 1, 9 × 1 and 8 × 3


def test_without_hits_there_is_nothing_to_order() -> None:
    hits = Hits.empty(2, 3)
    nothing = Nearest(np.empty((0, 3)), among=0)
    assert by_mutual_proximity(hits, Nearest(hits.similarities, among=0), nothing).tolist() == [[0, 1, 2]] * 2
