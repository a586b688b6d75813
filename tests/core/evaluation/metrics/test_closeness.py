"""Closeness against plain Python: the measures, and the thresholds by trying all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.evaluation.metrics.closeness import FIRST, Thresholds, company, nearest, thresholds_of


def slow_thresholds(first, second, share):
    """The highest rank, the same for both measures, below which at most a share of the queries lies by either."""
    best = None
    for rank in range(len(first)):
        found = sorted(first)[rank], sorted(second)[rank]
        far = sum(a < found[0] or b < found[1] for a, b in zip(first, second, strict=True))
        if far <= int(share * len(first)):
            best = found
    return best


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=50),
    st.sampled_from([0.0, 0.05, 0.2, 0.5]),
)
def test_thresholds_are_the_highest_that_keep_their_share(pairs, share) -> None:
    first, second = (np.array(values, dtype=float) for values in zip(*pairs, strict=True))
    found = thresholds_of(first, second, share=share)
    assert (found.nearest, found.company) == slow_thresholds(first.tolist(), second.tolist(), share)
    assert found.far(first, second).sum() <= share * len(pairs)


def test_without_ties_the_share_is_met() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, 1000))
    far = thresholds_of(first, second).far(first, second)
    assert 0.045 <= far.mean() <= 0.05


def test_the_measures_are_what_they_say() -> None:
    random = np.random.default_rng(1)
    similarities = -np.sort(-random.uniform(size=(4, 6)), axis=1)
    own = random.uniform(size=(4, FIRST))
    assert nearest(similarities).tolist() == [max(line) for line in similarities.tolist()]
    expected = [
        sum(line[:FIRST]) / FIRST - sum(theirs) / FIRST
        for line, theirs in zip(similarities.tolist(), own.tolist(), strict=True)
    ]
    assert company(similarities, own).tolist() == pytest.approx(expected)


def test_either_measure_makes_a_query_far_and_a_threshold_itself_does_not() -> None:
    thresholds = Thresholds(0.9, -0.1)
    far = thresholds.far(np.array([0.9, 0.89, 0.95, 0.1]), np.array([-0.1, 0.0, -0.2, -0.9]))
    assert far.tolist() == [False, True, True, True]
