"""Hubness against plain Python and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from radcbir_core.evaluation.metrics.k_occurrence import hub_threshold, k_occurrences, skewness

HITS = np.array([[1, 2, 3], [2, 0, 3], [1, 3, -1], [1, -1, -1]])


@pytest.mark.parametrize("k", [1, 2, 3])
def test_counts_are_those_of_lists(k) -> None:
    lists = [[hit for hit in line[:k] if hit >= 0] for line in HITS.tolist()]
    expected = [sum(row in line for line in lists) for row in range(5)]
    assert k_occurrences(HITS, n_rows=5, k=k).tolist() == expected


def test_only_the_chosen_hits_count() -> None:
    chosen = np.array([[True, False, True], [False, True, True], [True, False, True], [False, False, False]])
    assert k_occurrences(HITS, n_rows=4, k=2, chosen=chosen).tolist() == [1, 2, 0, 0]


def test_skewness_is_that_of_scipy_and_undefined_where_all_are_equal() -> None:
    counts = np.random.default_rng(0).poisson(3, 200)
    assert skewness(counts) == pytest.approx(stats.skew(counts))
    assert np.isnan(skewness(np.full(4, 10)))
    assert np.isnan(skewness(np.empty(0, dtype=np.int64)))


def test_hubs_are_more_than_two_deviations_above_the_mean() -> None:
    counts = np.array([1] * 96 + [9, 9, 30, 40])
    assert [count for count in counts if count >= hub_threshold(counts)] == [
        count for count in counts if count > counts.mean() + 2 * counts.std()
    ]
    assert hub_threshold(np.empty(0, dtype=np.int64)) == 1
