"""Normalized discounted cumulative gain, against scikit-learn and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from radcbir_core.evaluation.metrics.ndcg import ndcg_at_k
from radcbir_core.evaluation.relevance import Available
from tests.core.evaluation.metrics.rankings import BY_HAND, ONE_OF_FOUR, available_of, rankings, swapped_up


def test_by_hand() -> None:
    ndcg = ndcg_at_k(BY_HAND, (3,), available=ONE_OF_FOUR)
    assert ndcg[0, 0] == pytest.approx((1 + 0.5) / (1 + 1 / math.log2(3) + 0.5))
    assert np.isnan(ndcg[1]).all()


def test_graded_gains_are_weighed() -> None:
    """The half-relevant first, the relevant second: 0.5 + 1 ÷ log₂ 3, of 1 + 0.5 ÷ log₂ 3."""
    available = Available(grades=np.array([0.5, 1.0]), counts=np.array([[1, 1]]))
    ndcg = ndcg_at_k(np.array([[0.5, 1.0]]), (1, 2), available=available)
    assert ndcg[0].tolist() == pytest.approx([0.5, (0.5 + 1 / math.log2(3)) / (1 + 0.5 / math.log2(3))])


@given(ranking=rankings.filter(lambda grades: len(grades) > 1 and any(grades)), k=st.integers(1, 12))
def test_it_is_scikit_learns(ranking, k) -> None:
    k = min(k, len(ranking))
    theirs = ndcg_score([ranking], [list(range(len(ranking), 0, -1))], k=k)
    ours = ndcg_at_k(np.array([ranking]), (k,), available=available_of(ranking))
    assert ours[0, 0] == pytest.approx(theirs)


@given(ranking=rankings.filter(any))
def test_the_best_ranking_has_1_and_better_hits_never_harm(ranking) -> None:
    available, ks = available_of(ranking), (1, len(ranking))
    best = sorted(ranking, reverse=True)
    np.testing.assert_allclose(ndcg_at_k(np.array([best]), ks, available=available), 1)
    before = ndcg_at_k(np.array([ranking]), ks, available=available)
    for better in swapped_up(ranking):
        assert (ndcg_at_k(np.array([better]), ks, available=available) >= before - 1e-12).all()
