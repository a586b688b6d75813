"""What a ranked list is worth beyond P@k: nDCG, average precision, recall, hit rate, R-precision.

Owns the arithmetic on plain arrays. A hit's grade is 0 (not relevant) to 1; every metric but nDCG counts a hit as
relevant if its grade is above 0. How much could have been found is that of the gallery the query had, exclusions
applied (relevance.py). A query for which nothing relevant was available has NaN in every metric and is left out of
every mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.precision import check_ks
from radcbir_core.evaluation.relevance import Available

ApDivisor = Literal["available", "relevant", "found"]
AP_DIVISORS: tuple[str, ...] = get_args(ApDivisor)

Values = npt.NDArray[np.float64]


def check_ap_divisor(divisor: str) -> str:
    """Return ``divisor`` if it is one of :data:`AP_DIVISORS`.

    Raises:
        EvaluationError: It is something else.

    Example:
        >>> check_ap_divisor("found")
        'found'
    """
    if divisor not in AP_DIVISORS:
        raise EvaluationError(
            f"Expected a divisor of {', '.join(AP_DIVISORS)}, but ap_divisor = {divisor!r}. Use one of these."
        )
    return divisor


def ndcg_at_k(grades: npt.NDArray[Any], ks: Sequence[int], *, available: Available) -> Values:
    """Normalized discounted cumulative gain: Σ gradeᵢ ÷ log₂(1 + i) over the first k, ÷ the same of the best ranking.

    Source: Järvelin and Kekäläinen, *Cumulated gain-based evaluation of IR techniques*, ACM TOIS 20(4), 2002. Their
    discount leaves ranks 1 and 2 alike; this is the form in use since Burges et al. 2005 (also scikit-learn's), whose
    discount starts at rank 2. The gain is the grade itself, not 2^grade − 1. The best ranking is that of all images
    the query could have been given, not of the hits alone.

    Args:
        grades: ``(Q, K)`` from :func:`~radcbir_core.evaluation.relevance.hit_grades`, best hit first.
        ks: The k's, each from 1 to K.
        available: From :func:`~radcbir_core.evaluation.relevance.available_grades` for the same queries.

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
    table, wanted = _checked(grades, ks, available)
    largest = max(wanted)
    discounts = 1 / np.log2(np.arange(2, largest + 2))
    gained = np.cumsum(table[:, :largest] * discounts, axis=1)
    # How much a run of ranks weighs is a difference of these.
    weight = np.concatenate([[0.0], np.cumsum(discounts)])
    found = np.full((len(table), len(wanted)), np.nan)
    for column, k in enumerate(wanted):
        best = np.zeros(len(table))
        filled = np.zeros(len(table), dtype=np.int64)
        for position in range(len(available.grades) - 1, -1, -1):
            until = np.minimum(filled + available.counts[:, position], k)
            best += available.grades[position] * (weight[until] - weight[filled])
            filled = until
        np.divide(gained[:, k - 1], best, out=found[:, column], where=best > 0)
    # Sums in another order may exceed the best by a rounding.
    return np.asarray(np.minimum(found, 1.0))


def average_precision_at_k(
    grades: npt.NDArray[Any], ks: Sequence[int], *, available: Available, divisor: str = "available"
) -> Values:
    """Average precision: the sum of P@i over the relevant ranks i ≤ k, divided; its mean over queries is mAP@k.

    Args:
        grades: ``(Q, K)``, best hit first.
        ks: The k's, each from 1 to K.
        available: For the same queries.
        divisor: "available": min(k, relevant images available), so that 1 can be reached at every k; "relevant": all
            relevant images available (trec_eval's map_cut); "found": the relevant hits among the first k (usual in
            work on hashing), 0 where there are none. They make different numbers: say which.

    Returns:
        ``(Q, len(ks))`` in [0, 1], NaN where nothing relevant was available.

    Raises:
        EvaluationError: A k is out of range, or the divisor is unknown.
        ValueError: The arrays do not fit together.

    Example:
        Relevant at ranks 1 and 3, of four that there are: (1 ÷ 1 + 2 ÷ 3) ÷ 3.

        >>> available = Available(grades=np.array([1.0]), counts=np.array([[4]]))
        >>> average_precision_at_k(np.array([[1.0, 0.0, 1.0]]), (3,), available=available).round(4).tolist()
        [[0.5556]]
    """
    table, wanted = _checked(grades, ks, available)
    check_ap_divisor(divisor)
    relevant = table > 0
    hits = np.cumsum(relevant, axis=1)
    sums = np.cumsum(np.where(relevant, hits / np.arange(1, table.shape[1] + 1), 0.0), axis=1)
    there = available.relevant
    found = np.full((len(table), len(wanted)), np.nan)
    for column, k in enumerate(wanted):
        by = {"available": np.minimum(there, k), "relevant": there, "found": np.maximum(hits[:, k - 1], 1)}[divisor]
        np.divide(sums[:, k - 1], by, out=found[:, column], where=there > 0)
    return np.asarray(np.minimum(found, 1.0))


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
    table, wanted = _checked(grades, ks, available)
    return _of_available(np.cumsum(table > 0, axis=1, dtype=np.int64)[:, np.array(wanted) - 1], available.relevant)


def precision_with_grades(grades: npt.NDArray[Any], ks: Sequence[int], *, available: Available) -> Values:
    """Relevant hits among the first k ÷ k.

    Args:
        grades: ``(Q, K)``, best hit first.
        ks: The k's, each from 1 to K.
        available: For the same queries.

    Returns:
        ``(Q, len(ks))`` in [0, 1], NaN where nothing relevant was available, other than of ``precision_at_k``.

    Raises:
        EvaluationError: A k is out of range.
        ValueError: The arrays do not fit together.

    Example:
        >>> available = Available(grades=np.array([1.0]), counts=np.array([[4]]))
        >>> precision_with_grades(np.array([[1.0, 0.0]]), (1, 2), available=available).tolist()
        [[1.0, 0.5]]
    """
    table, wanted = _checked(grades, ks, available)
    found = np.cumsum(table > 0, axis=1)[:, np.array(wanted) - 1] / np.array(wanted)
    return np.where(available.relevant[:, None] > 0, found, np.nan)


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
    table, wanted = _checked(grades, ks, available)
    found = np.cumsum(table > 0, axis=1)[:, np.array(wanted) - 1] > 0
    return np.where(available.relevant[:, None] > 0, found, np.nan)


def r_precision(grades: npt.NDArray[Any], *, available: Available) -> Values:
    """P@R, where R is the number of relevant images that the query could have been given; recall and precision in one.

    Args:
        grades: ``(Q, K)``, best hit first; K at least the largest R.
        available: For the same queries.

    Returns:
        ``(Q,)`` in [0, 1], NaN where nothing relevant was available.

    Raises:
        ValueError: The arrays do not fit together, or there are fewer hits than the largest R.

    Example:
        >>> available = Available(grades=np.array([1.0]), counts=np.array([[2]]))
        >>> r_precision(np.array([[0.0, 1.0, 1.0]]), available=available).tolist()
        [0.5]
    """
    table, _ = _checked(grades, (1,), available)
    there = available.relevant
    if int(there.max(initial=0)) > table.shape[1]:
        raise ValueError(
            f"Expected at least {int(there.max())} hits a query, as many as relevant images are available, but "
            f"grades has {table.shape[1]} columns. Search for more hits."
        )
    inside = np.arange(table.shape[1]) < there[:, None]
    found: Values = _of_available(np.count_nonzero((table > 0) & inside, axis=1)[:, None], there)[:, 0]
    return found


def _of_available(numbers: npt.NDArray[np.integer[Any]], there: npt.NDArray[np.int64]) -> Values:
    found: Values = np.divide(numbers, there[:, None], out=np.full(numbers.shape, np.nan), where=there[:, None] > 0)
    return found


def _checked(grades: npt.NDArray[Any], ks: Sequence[int], available: Available) -> tuple[Values, list[int]]:
    table = np.asarray(grades, dtype=np.float64)
    if table.ndim != 2 or len(table) != len(available.counts):
        raise ValueError(
            f"Expected a table with one row a query ({len(available.counts)}), but grades has shape {table.shape}. "
            "Pass the result of hit_grades for these queries."
        )
    if not np.all((table >= 0) & (table <= 1)):
        raise ValueError("Expected grades from 0 to 1, but grades has values outside. Pass the result of hit_grades.")
    over = np.flatnonzero(np.count_nonzero(table, axis=1) > available.relevant)
    if len(over):
        raise ValueError(
            f"Expected no more relevant hits than are available, but query {int(over[0])} has "
            f"{int(np.count_nonzero(table[over[0]]))} of {int(available.relevant[over[0]])}. "
            "Use the same gallery and exclusions for both."
        )
    return table, check_ks(ks, n_hits=table.shape[1])
