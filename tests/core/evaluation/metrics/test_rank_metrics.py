"""Ranking metrics against plain loops and against scikit-learn, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.average_precision import AP_DIVISORS, average_precision_at_k, check_ap_divisor
from radcbir_core.evaluation.metrics.hit_rate import hit_rate_at_k
from radcbir_core.evaluation.metrics.ndcg import ndcg_at_k
from radcbir_core.evaluation.metrics.precision_at_k import precision_at_k
from radcbir_core.evaluation.metrics.r_precision import r_precision
from radcbir_core.evaluation.metrics.recall_at_k import recall_at_k
from radcbir_core.evaluation.relevance import Available

GRADES = [0.0, 0.25, 0.5, 1.0]
rankings = st.lists(st.sampled_from(GRADES), min_size=1, max_size=12)


def available_of(*rankings: list[float]) -> Available:
    counts = [[ranking.count(grade) for grade in GRADES[1:]] for ranking in rankings]
    return Available(grades=np.array(GRADES[1:]), counts=np.array(counts))


def slow(ranking: list[float], k: int, divisor: str) -> dict[str, float]:
    """All metrics of one query whose whole gallery is ``ranking``, by their definitions."""
    total = sum(grade > 0 for grade in ranking)
    if not total:
        return dict.fromkeys(("P", "recall", "hit", "ap", "ndcg", "r"), math.nan)
    first = ranking[:k]
    found = sum(grade > 0 for grade in first)
    precisions = [sum(g > 0 for g in first[: i + 1]) / (i + 1) for i, grade in enumerate(first) if grade > 0]
    by = {"available": min(k, total), "relevant": total, "found": max(found, 1)}[divisor]

    def gain(grades: list[float]) -> float:
        return sum(grade / math.log2(2 + i) for i, grade in enumerate(grades))

    return {
        "P": found / k,
        "recall": found / total,
        "hit": float(found > 0),
        "ap": sum(precisions) / by,
        "ndcg": gain(first) / gain(sorted(ranking, reverse=True)[:k]),
        "r": sum(grade > 0 for grade in ranking[:total]) / total,
    }


@given(ranking=rankings, divisor=st.sampled_from(AP_DIVISORS))
@settings(max_examples=150, deadline=None)
def test_each_metric_is_its_definition(ranking, divisor) -> None:
    grades, available = np.array([ranking]), available_of(ranking)
    ks = tuple(range(1, len(ranking) + 1))
    expected = [slow(ranking, k, divisor) for k in ks]
    found = {
        "P": precision_at_k(grades > 0, ks, available=available.relevant),
        "recall": recall_at_k(grades, ks, available=available),
        "hit": hit_rate_at_k(grades, ks, available=available),
        "ap": average_precision_at_k(grades, ks, available=available, divisor=divisor),
        "ndcg": ndcg_at_k(grades, ks, available=available),
    }
    for name, values in found.items():
        np.testing.assert_allclose(values[0], [line[name] for line in expected], atol=1e-12, err_msg=name)
        assert np.isnan(values).all() or ((values >= 0) & (values <= 1)).all()
    there = available.relevant
    first_r = np.array([np.count_nonzero(grades[0, : there[0]])])
    np.testing.assert_allclose(r_precision(first_r, available=there), [expected[0]["r"]], atol=1e-12)


@given(ranking=rankings.filter(lambda found: len(found) > 1 and any(found)), k=st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_ndcg_is_scikit_learn_s(ranking, k) -> None:
    k = min(k, len(ranking))
    theirs = ndcg_score([ranking], [list(range(len(ranking), 0, -1))], k=k)
    ours = ndcg_at_k(np.array([ranking]), (k,), available=available_of(ranking))
    assert ours[0, 0] == pytest.approx(theirs)


@given(ranking=rankings.filter(any))
@settings(max_examples=40, deadline=None)
def test_the_best_ranking_has_1_and_swapping_up_never_harms(ranking) -> None:
    best, available, ks = sorted(ranking, reverse=True), available_of(ranking), (1, len(ranking))
    for metric in (ndcg_at_k, average_precision_at_k, hit_rate_at_k):
        np.testing.assert_allclose(metric(np.array([best]), ks, available=available), 1)
    for i in range(len(ranking) - 1):
        if ranking[i] < ranking[i + 1]:
            better = [*ranking[:i], ranking[i + 1], ranking[i], *ranking[i + 2 :]]
            for metric in (ndcg_at_k, average_precision_at_k, recall_at_k):
                before, after = (metric(np.array([r]), ks, available=available) for r in (ranking, better))
                assert (after >= before - 1e-12).all()


def test_by_hand() -> None:
    """Ranks: relevant, not, relevant; four relevant images in all, one query with nothing available."""
    grades = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    available = Available(grades=np.array([1.0]), counts=np.array([[4], [0]]))
    by = {d: average_precision_at_k(grades, (3,), available=available, divisor=d)[0, 0] for d in AP_DIVISORS}
    assert by["available"] == pytest.approx((1 + 2 / 3) / 3)
    assert by["relevant"] == pytest.approx((1 + 2 / 3) / 4)
    assert by["found"] == pytest.approx((1 + 2 / 3) / 2)
    ndcg = ndcg_at_k(grades, (3,), available=available)
    assert ndcg[0, 0] == pytest.approx((1 + 0.5) / (1 + 1 / math.log2(3) + 0.5))
    for values in (
        ndcg,
        recall_at_k(grades, (1,), available=available),
        hit_rate_at_k(grades, (1,), available=available),
    ):
        assert np.isnan(values[1]).all()


def test_graded_gains_are_weighed() -> None:
    """The half-relevant first, the relevant second: 0.5 + 1 ÷ log₂ 3, of 1 + 0.5 ÷ log₂ 3."""
    available = Available(grades=np.array([0.5, 1.0]), counts=np.array([[1, 1]]))
    found = ndcg_at_k(np.array([[0.5, 1.0]]), (1, 2), available=available)
    assert found[0].tolist() == pytest.approx([0.5, (0.5 + 1 / math.log2(3)) / (1 + 0.5 / math.log2(3))])


def test_what_is_wrong_is_said() -> None:
    available = Available(grades=np.array([1.0]), counts=np.array([[1]]))
    with pytest.raises(EvaluationError, match="Expected a divisor of available, relevant, found, but ap_divisor = 'k'"):
        check_ap_divisor("k")
    with pytest.raises(EvaluationError, match="from 1 to 2, the hits a query has, but k = 3"):
        recall_at_k(np.zeros((1, 2)), (3,), available=available)
    with pytest.raises(ValueError, match="query 0 has 2 of 1"):
        recall_at_k(np.ones((1, 2)), (1,), available=available)
    with pytest.raises(ValueError, match="query 0 has 4 of 3"):
        r_precision(np.array([4]), available=np.array([3]))
    with pytest.raises(ValueError, match="grades has shape"):
        ndcg_at_k(np.zeros((2, 2)), (1,), available=available)
    with pytest.raises(ValueError, match="Expected grades from 0 to 1"):
        ndcg_at_k(np.full((1, 2), 2.0), (1,), available=available)
