"""Rank-biased overlap against its definition, one pair of lists at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.evaluation.metrics.overlap import overlap_by_depth, rank_biased_overlap


def shared_first(first, second, depth):
    """X_d: what the first d of both have in common."""
    return len(set(first[:depth]) & set(second[:depth]))


def slow(first, second, p):
    """Equation 32 of Webber et al. 2010 as it is printed, for lists of any two lengths."""
    short, long = sorted((first, second), key=len)
    s, l = len(short), len(long)  # noqa: E741
    x_s, x_l = shared_first(first, second, s), shared_first(first, second, l)
    within = sum(shared_first(first, second, d) / d * p**d for d in range(1, l + 1))
    beyond = sum(x_s * (d - s) / (s * d) * p**d for d in range(s + 1, l + 1))
    return (1 - p) / p * (within + beyond) + ((x_l - x_s) / l + x_s / s) * p**l


def padded(items, size):
    return np.array([items + [-1] * (size - len(items))])


lists = st.lists(st.integers(0, 12), unique=True, min_size=1, max_size=9)


@given(lists, lists, st.floats(0.05, 0.98))
def test_it_is_equation_32(first, second, p) -> None:
    found = rank_biased_overlap(padded(first, 9), padded(second, 9), persistence=p)[0]
    assert found == pytest.approx(min(max(slow(first, second, p), 0), 1), abs=1e-12)


@given(lists, lists)
def test_it_is_symmetric_and_from_0_to_1(first, second) -> None:
    one = rank_biased_overlap(padded(first, 9), padded(second, 9))[0]
    other = rank_biased_overlap(padded(second, 9), padded(first, 9))[0]
    assert one == pytest.approx(other, abs=1e-12)
    assert 0 <= one <= 1


@given(lists)
def test_identical_lists_have_1_and_disjoint_ones_0(items) -> None:
    size = len(items)
    assert rank_biased_overlap(padded(items, size), padded(items, size))[0] == pytest.approx(1)
    assert rank_biased_overlap(padded(items, size), padded([item + 100 for item in items], size))[0] == 0


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_the_overlap_at_each_depth_is_that_of_the_sets(first, second) -> None:
    counts = overlap_by_depth(np.array([first]), np.array([second]))[0]
    assert counts.tolist() == [shared_first(first, second, depth) for depth in range(1, 7)]


def test_by_hand() -> None:
    """Two lists of two that share one image at opposite ends: agreements 0 and 1/2."""
    found = rank_biased_overlap(np.array([[1, 2]]), np.array([[3, 1]]), persistence=0.5)
    assert found[0] == pytest.approx(0.5 * (0 / 1 * 1 + 1 / 2 * 0.5) + 1 / 2 * 0.25)


def test_a_swap_at_the_top_costs_more_than_one_at_the_bottom() -> None:
    ranking = np.arange(10)[None]
    top, bottom = ranking.copy(), ranking.copy()
    top[0, [0, 1]], bottom[0, [8, 9]] = [1, 0], [9, 8]
    assert rank_biased_overlap(ranking, top)[0] < rank_biased_overlap(ranking, bottom)[0] < 1


def test_many_queries_at_once_are_each_as_alone() -> None:
    random = np.random.default_rng(0)
    first = np.stack([random.permutation(80)[:50] for _ in range(4000)])
    second = np.stack([random.permutation(80)[:50] for _ in range(4000)])
    first[7, 20:] = -1
    counts = overlap_by_depth(first, second)
    overlaps = rank_biased_overlap(first, second)
    for query in (0, 7, 1599, 1600, 1601, 3999):
        one, other = [r for r in first[query].tolist() if r >= 0], second[query].tolist()
        assert counts[query, 29] == shared_first(one, other, 30)
        assert overlaps[query] == pytest.approx(slow(one, other, 0.9))


def test_nothing_to_compare() -> None:
    nothing = np.array([[-1, -1]])
    assert math.isnan(rank_biased_overlap(nothing, nothing)[0])
    assert rank_biased_overlap(nothing, np.array([[1, 2]]))[0] == 0
    assert rank_biased_overlap(np.empty((2, 0), dtype=int), np.empty((2, 0), dtype=int)).shape == (2,)
    assert rank_biased_overlap(np.empty((0, 3), dtype=int), np.empty((0, 3), dtype=int)).shape == (0,)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected two integer tables of one shape, but second"):
        overlap_by_depth(np.zeros((1, 2), dtype=int), np.zeros((1, 3), dtype=int))
    with pytest.raises(ValueError, match=r"but first = float64"):
        overlap_by_depth(np.zeros((1, 2)), np.zeros((1, 2)))
    for persistence in (0.0, 1.0):
        with pytest.raises(ValueError, match="Expected a number above 0 and below 1, but persistence"):
            rank_biased_overlap(np.zeros((1, 1), dtype=int), np.zeros((1, 1), dtype=int), persistence=persistence)
