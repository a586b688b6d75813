"""What graded metrics are given."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.graded import check_grades
from radcbir_core.evaluation.relevance import Available

ONE = Available(grades=np.array([1.0]), counts=np.array([[1]]))


def test_what_fits_comes_back() -> None:
    grades, ks = check_grades(np.array([[0, 1]]), (1, 2), ONE)
    assert grades.tolist() == [[0.0, 1.0]]
    assert ks == [1, 2]


@pytest.mark.parametrize(
    ("grades", "ks", "kind", "message"),
    [
        (np.zeros((1, 2)), (3,), EvaluationError, "from 1 to 2, the hits a query has, but k = 3"),
        (np.ones((1, 2)), (1,), ValueError, "query 0 has 2 of 1"),
        (np.zeros((2, 2)), (1,), ValueError, "grades has shape"),
        (np.zeros(2), (1,), ValueError, "grades has shape"),
        (np.full((1, 2), 2.0), (1,), ValueError, "Expected grades from 0 to 1"),
        (np.array([[np.nan]]), (1,), ValueError, "Expected grades from 0 to 1"),
    ],
)
def test_what_does_not_fit(grades, ks, kind, message) -> None:
    with pytest.raises(kind, match=message):
        check_grades(grades, ks, ONE)
