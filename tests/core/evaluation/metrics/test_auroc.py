"""The area under the ROC curve, against scikit-learn's, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from radcbir_core.evaluation.metrics.auroc import macro_auroc


@given(st.lists(st.tuples(st.integers(0, 2), *[st.integers(0, 3)] * 3), min_size=4, max_size=30))
def test_it_is_scikit_learns_also_with_ties(rows) -> None:
    labels, scores = np.array([row[0] for row in rows]), np.array([row[1:] for row in rows], dtype=float)
    areas = [
        roc_auc_score(labels == code, scores[:, code]) for code in range(3) if 0 < (labels == code).sum() < len(labels)
    ]
    ours = macro_auroc(scores, np.arange(3), labels)
    assert ours == pytest.approx(np.mean(areas)) if areas else np.isnan(ours)


def test_by_hand() -> None:
    scores = np.array([[3.0, 0], [1, 0], [2, 0]])
    assert macro_auroc(scores, np.array([7, 9]), np.array([7, 7, 8])) == 0.5, "one pair of two; label 8 has no score"
    assert np.isnan(macro_auroc(scores, np.array([7, 9]), np.array([8, 8, 8])))
