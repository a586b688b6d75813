"""Macro F1, against scikit-learn's, and what counts for no label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from radcbir_core.evaluation.metrics.f1 import macro_f1


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30))
def test_it_is_scikit_learns(pairs) -> None:
    predicted, labels = (np.array(side) for side in zip(*pairs, strict=True))
    assert macro_f1(predicted, labels) == pytest.approx(f1_score(labels, predicted, average="macro", zero_division=0))


def test_no_prediction_is_wrong_and_costs_no_labels_precision() -> None:
    """Label 0: 1 of 2 found, 1 of 1 right: 2/3. Label 1: all."""
    assert macro_f1(np.array([0, -1, 1]), np.array([0, 0, 1])) == pytest.approx((2 / 3 + 1) / 2)
