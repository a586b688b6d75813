"""Slices that are worth a look against all values and pairs, one after the other."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from radcbir_core.evaluation import slice_candidates
from radcbir_core.evaluation.slice_candidates import candidates_of, distinct_columns


def drawn(seed: int):
    rng = np.random.default_rng(seed)
    columns = [rng.integers(0, number, 80) for number in (2, 3, 5)]
    columns.append(np.where(columns[0] == 1, 4, columns[2] % 2))  # its value 4 is the value 1 of the first
    return columns, rng.integers(0, 30, 80)


def slow(columns, clusters, *, queries, patients):
    """Each set of queries once, with its conditions."""
    made, sets = {}, {frozenset(range(len(clusters)))}
    singles = [((column,), (int(value),)) for column, codes in enumerate(columns) for value in np.unique(codes)]
    pairs = [
        ((first, second), (int(a), int(b)))
        for first, second in combinations(range(len(columns)), 2)
        for a in np.unique(columns[first])
        for b in np.unique(columns[second])
    ]
    for chosen, values in [*singles, *pairs]:
        inside = [
            i for i in range(len(clusters)) if all(columns[c][i] == v for c, v in zip(chosen, values, strict=True))
        ]
        if len(inside) < queries or len({int(clusters[i]) for i in inside}) < patients or frozenset(inside) in sets:
            continue
        sets.add(frozenset(inside))
        made[tuple(zip(chosen, values, strict=True))] = inside
    return made


@pytest.mark.parametrize("seed", range(3))
def test_every_set_of_queries_is_there_once(seed) -> None:
    columns, clusters = drawn(seed)
    made = candidates_of(columns, clusters, fewest_queries=6, fewest_clusters=4)
    expected = slow(columns, clusters, queries=6, patients=4)
    assert list(made.conditions) == list(expected)
    dense = made.membership.toarray()
    for position, inside in enumerate(expected.values()):
        assert np.flatnonzero(dense[:, position]).tolist() == inside
        assert made.n_clusters[position] == len(set(clusters[inside].tolist()))
    assert made.same[made.conditions.index(((0, 1),))] == (((3, 4),),)
    assert made.n_all == len(expected)


def test_of_too_many_those_with_most_queries_are_tried(monkeypatch) -> None:
    columns, clusters = drawn(0)
    whole = candidates_of(columns, clusters, fewest_queries=1, fewest_clusters=1)
    monkeypatch.setattr(slice_candidates, "MOST", 7)
    made = candidates_of(columns, clusters, fewest_queries=1, fewest_clusters=1)
    assert (len(made.conditions), made.n_all) == (7, len(whole.conditions))
    sizes = np.sort(whole.membership.sum(axis=0))[::-1]
    assert sorted(made.membership.sum(axis=0).tolist(), reverse=True) == sizes[:7].tolist()
    assert [one for one in whole.conditions if one in made.conditions] == list(made.conditions)


def test_columns_that_say_the_same_are_one() -> None:
    view = np.array([0, 1, 2, 0])
    assert distinct_columns([view, (view + 1) % 3, view // 2, np.ones(4, int)]) == [0, 2]
    none = candidates_of([], np.arange(4), fewest_queries=1, fewest_clusters=1)
    assert (none.conditions, none.membership.shape) == ((), (4, 0))
