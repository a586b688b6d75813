"""nDCG: the grades of the hits, discounted by rank, as a share of the best ranking there could be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.evaluation.metrics.graded import Values, check_grades
from radcbir_core.evaluation.relevance import Available


def ndcg_at_k(grades: npt.NDArray[Any], ks: Sequence[int], *, available: Available) -> Values:
    """Normalized discounted cumulative gain: Σ gradeᵢ ÷ log₂(1 + i) over the first k, ÷ the same of the best ranking.

    Source: Järvelin and Kekäläinen, *Cumulated gain-based evaluation of IR techniques*, ACM TOIS 20(4), 2002. Their
    discount leaves ranks 1 and 2 alike; this is the form in use since Burges et al. 2005 (also scikit-learn's), whose
    discount starts at rank 2. The gain is the grade itself, not 2^grade − 1. The best ranking is that of all images
    the query could have been given, not of the hits alone.

    Args:
        grades: ``(Q, K)`` from :func:`~radcbir_core.evaluation.relevance.hit_grades`, best hit first.
        ks: The k's, each from 1 to K.
        available: From :func:`~radcbir_core.evaluation.relevance.available_to` for the same queries.

    Returns:
        ``(Q, len(ks))`` in [0, 1], NaN where nothing relevant was available.

    Raises:
        EvaluationError: A k is out of range.
        ValueError: The arrays do not fit together.

    Example:
        One of two relevant images was found, at the second rank: 1 ÷ log₂ 3, of 1 + 1 ÷ log₂ 3.

        >>> available = Available(grades=np.array([1.0]), counts=np.array([[2]]))
        >>> ndcg_at_k(np.array([[0.0, 1.0]]), (2,), available=available).round(4).tolist()
        [[0.3869]]
    """
    table, wanted = check_grades(grades, ks, available)
    largest = max(wanted)
    discounts = 1 / np.log2(np.arange(2, largest + 2))
    gained = np.cumsum(table[:, :largest] * discounts, axis=1)
    # How much a run of ranks weighs is a difference of these.
    weight = np.concatenate([[0.0], np.cumsum(discounts)])
    shares = np.full((len(table), len(wanted)), np.nan)
    for column, k in enumerate(wanted):
        best = np.zeros(len(table))
        filled = np.zeros(len(table), dtype=np.int64)
        for position in range(len(available.grades) - 1, -1, -1):
            until = np.minimum(filled + available.counts[:, position], k)
            best += available.grades[position] * (weight[until] - weight[filled])
            filled = until
        np.divide(gained[:, k - 1], best, out=shares[:, column], where=best > 0)
    # Sums in another order may exceed the best by a rounding.
    return np.asarray(np.minimum(shares, 1.0))
