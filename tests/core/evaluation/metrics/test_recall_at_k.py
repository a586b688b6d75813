"""Recall among the first k."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from radcbir_core.evaluation.metrics.recall_at_k import recall_at_k
from tests.core.evaluation.metrics.rankings import BY_HAND, ONE_OF_FOUR, available_of, rankings, swapped_up


def test_by_hand() -> None:
    recall = recall_at_k(BY_HAND, (1, 2, 3), available=ONE_OF_FOUR)
    assert recall[0].tolist() == [0.25, 0.25, 0.5]
    assert np.isnan(recall[1]).all(), "nothing to find"


@given(rankings)
def test_it_is_its_definition_and_better_hits_never_harm(ranking) -> None:
    ks = range(1, len(ranking) + 1)
    total = sum(grade > 0 for grade in ranking)
    recall = recall_at_k(np.array([ranking]), ks, available=available_of(ranking))[0]
    expected = [sum(g > 0 for g in ranking[:k]) / total if total else np.nan for k in ks]
    np.testing.assert_allclose(recall, expected)
    for better in swapped_up(ranking):
        assert (recall_at_k(np.array([better]), ks, available=available_of(better))[0] >= recall).all()
