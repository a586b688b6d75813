"""Average precision by each of its three divisors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.average_precision import AP_DIVISORS, average_precision_at_k, check_ap_divisor
from tests.core.evaluation.metrics.rankings import BY_HAND, ONE_OF_FOUR, available_of, rankings, swapped_up


def test_by_hand() -> None:
    by = {d: average_precision_at_k(BY_HAND, (3,), available=ONE_OF_FOUR, divisor=d)[:, 0] for d in AP_DIVISORS}
    assert by["available"][0] == pytest.approx((1 + 2 / 3) / 3)
    assert by["relevant"][0] == pytest.approx((1 + 2 / 3) / 4)
    assert by["found"][0] == pytest.approx((1 + 2 / 3) / 2)
    assert all(np.isnan(values[1]) for values in by.values())


def by_definition(ranking: list[float], k: int, divisor: str) -> float:
    total = sum(grade > 0 for grade in ranking)
    relevant = sum(grade > 0 for grade in ranking[:k])
    precisions = [sum(g > 0 for g in ranking[: i + 1]) / (i + 1) for i, grade in enumerate(ranking[:k]) if grade > 0]
    by = {"available": min(k, total), "relevant": total, "found": max(relevant, 1)}[divisor]
    return sum(precisions) / by if total else np.nan


@given(ranking=rankings, divisor=st.sampled_from(AP_DIVISORS))
def test_it_is_its_definition(ranking, divisor) -> None:
    ks = range(1, len(ranking) + 1)
    values = average_precision_at_k(np.array([ranking]), ks, available=available_of(ranking), divisor=divisor)[0]
    np.testing.assert_allclose(values, [by_definition(ranking, k, divisor) for k in ks], atol=1e-12)


@given(ranking=rankings.filter(any))
def test_the_best_ranking_has_1_and_better_hits_never_harm(ranking) -> None:
    available, ks = available_of(ranking), (1, len(ranking))
    best = sorted(ranking, reverse=True)
    np.testing.assert_allclose(average_precision_at_k(np.array([best]), ks, available=available), 1)
    before = average_precision_at_k(np.array([ranking]), ks, available=available)
    for better in swapped_up(ranking):
        assert (average_precision_at_k(np.array([better]), ks, available=available) >= before - 1e-12).all()


def test_divisors_by_name() -> None:
    assert [check_ap_divisor(name) for name in AP_DIVISORS] == list(AP_DIVISORS)
    with pytest.raises(EvaluationError, match="Expected a divisor of available, relevant, found, but ap_divisor = 'k'"):
        check_ap_divisor("k")
