"""Recall@k: of all relevant images that a query could have been given, the share among its first k hits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.evaluation.metrics.graded import Values, check_grades
from radcbir_core.evaluation.relevance import Available


def recall_at_k(grades: npt.NDArray[Any], ks: Sequence[int], *, available: Available) -> Values:
    """Relevant hits among the first k ÷ all relevant images that the query could have been given.

    Args:
        grades: ``(Q, K)``, best hit first.
        ks: The k's, each from 1 to K.
        available: For the same queries.

    Returns:
        ``(Q, len(ks))`` in [0, 1], NaN where nothing relevant was available.

    Raises:
        EvaluationError: A k is out of range.
        ValueError: The arrays do not fit together.

    Example:
        >>> available = Available(grades=np.array([1.0]), counts=np.array([[4]]))
        >>> recall_at_k(np.array([[1.0, 0.0, 1.0]]), (1, 3), available=available).tolist()
        [[0.25, 0.5]]
    """
    table, wanted = check_grades(grades, ks, available)
    hits, there = np.cumsum(table > 0, axis=1, dtype=np.int64)[:, np.array(wanted) - 1], available.relevant[:, None]
    recall: Values = np.divide(hits, there, out=np.full(hits.shape, np.nan), where=there > 0)
    return recall
