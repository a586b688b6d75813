"""What all metrics of graded hits ask of their input.

A hit's grade is 0 (not relevant) to 1; every metric but nDCG counts a hit as relevant if its grade is above 0. A query
for which nothing relevant was available has NaN in every metric and is left out of every mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.evaluation.metrics.precision_at_k import check_enough, check_ks
from radcbir_core.evaluation.relevance import Available

Values = npt.NDArray[np.float64]


def check_grades(grades: npt.NDArray[Any], ks: Sequence[int], available: Available) -> tuple[Values, list[int]]:
    """Return both if the grades are those of queries for which so much is available, and every k is in range.

    Args:
        grades: ``(Q, K)`` from :func:`~radcbir_core.evaluation.relevance.hit_grades`, best hit first.
        ks: The k's.
        available: From :func:`~radcbir_core.evaluation.relevance.available_to` for the same queries.

    Raises:
        EvaluationError: A k is out of range.
        ValueError: The arrays do not fit together.

    Example:
        >>> check_grades(np.array([[0.5]]), (1,), Available(grades=np.array([0.5]), counts=np.array([[2]])))
        (array([[0.5]]), [1])
    """
    table = np.asarray(grades, dtype=np.float64)
    if table.ndim != 2 or len(table) != len(available.counts):
        raise ValueError(
            f"Expected a table with one row a query ({len(available.counts)}), but grades has shape {table.shape}. "
            "Pass the result of hit_grades for these queries."
        )
    if not np.all((table >= 0) & (table <= 1)):
        raise ValueError("Expected grades from 0 to 1, but grades has values outside. Pass the result of hit_grades.")
    check_enough(np.count_nonzero(table, axis=1), available.relevant)
    return table, check_ks(ks, n_hits=table.shape[1])
