"""Average precision: precision at each relevant hit; relevant hits count more the earlier they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.graded import Values, check_grades
from radcbir_core.evaluation.relevance import Available

ApDivisor = Literal["available", "relevant", "found"]
AP_DIVISORS: tuple[str, ...] = get_args(ApDivisor)


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
    table, wanted = check_grades(grades, ks, available)
    check_ap_divisor(divisor)
    relevant = table > 0
    hits = np.cumsum(relevant, axis=1)
    sums = np.cumsum(np.where(relevant, hits / np.arange(1, table.shape[1] + 1), 0.0), axis=1)
    there = available.relevant
    averages = np.full((len(table), len(wanted)), np.nan)
    for column, k in enumerate(wanted):
        by = {"available": np.minimum(there, k), "relevant": there, "found": np.maximum(hits[:, k - 1], 1)}[divisor]
        np.divide(sums[:, k - 1], by, out=averages[:, column], where=there > 0)
    return np.asarray(np.minimum(averages, 1.0))
