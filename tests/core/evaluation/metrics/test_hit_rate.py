"""Whether anything relevant is among the first k."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from radcbir_core.evaluation.metrics.hit_rate import hit_rate_at_k
from tests.core.evaluation.metrics.rankings import BY_HAND, ONE_OF_FOUR, available_of, rankings


def test_by_hand() -> None:
    assert hit_rate_at_k(BY_HAND[:, ::-1], (1, 2), available=ONE_OF_FOUR)[0].tolist() == [1, 1]
    late = np.array([[0.0, 0.0, 0.25], [0.0, 0.0, 0.0]])
    rate = hit_rate_at_k(late, (2, 3), available=ONE_OF_FOUR)
    assert rate[0].tolist() == [0, 1], "any grade above 0 is relevant"
    assert np.isnan(rate[1]).all()


@given(rankings)
def test_it_is_its_definition(ranking) -> None:
    ks = range(1, len(ranking) + 1)
    rate = hit_rate_at_k(np.array([ranking]), ks, available=available_of(ranking))[0]
    np.testing.assert_array_equal(rate, [float(any(ranking[:k])) if any(ranking) else np.nan for k in ks])
