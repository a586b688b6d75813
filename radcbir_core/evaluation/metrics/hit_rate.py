"""Hit rate@k: whether anything relevant is among the first k hits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.evaluation.metrics.graded import Values, check_grades
from radcbir_core.evaluation.relevance import Available


def hit_rate_at_k(grades: npt.NDArray[Any], ks: Sequence[int], *, available: Available) -> Values:
    """Whether anything relevant is among the first k: 1 or 0.

    Args:
        grades: ``(Q, K)``, best hit first.
        ks: The k's, each from 1 to K.
        available: For the same queries.

    Returns:
        ``(Q, len(ks))``, NaN where nothing relevant was available.

    Raises:
        EvaluationError: A k is out of range.
        ValueError: The arrays do not fit together.

    Example:
        >>> available = Available(grades=np.array([1.0]), counts=np.array([[4]]))
        >>> hit_rate_at_k(np.array([[0.0, 1.0]]), (1, 2), available=available).tolist()
        [[0.0, 1.0]]
    """
    table, wanted = check_grades(grades, ks, available)
    any_relevant = np.cumsum(table > 0, axis=1)[:, np.array(wanted) - 1] > 0
    return np.where(available.relevant[:, None] > 0, any_relevant, np.nan)
