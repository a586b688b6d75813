"""How much P@k varies from query to query: the standard deviations of the published evaluation.

Owns the arithmetic on plain arrays, as precision.py does for the means. NaN is left out everywhere: a query for which
nothing relevant was available has no P@k, and a label with one query has no standard deviation.

Source: Denner et al. (arXiv 2403.06567), ``src/evaluation/evaluate_retrieval.py`` of their code: pandas' ``std`` (n - 1
below the line) over all queries (micro), and the mean over labels of the ``std`` over each label's queries (macro).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radcbir_core.evaluation.metrics.precision import check_precision, label_totals


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations of P@k.

    Attributes:
        micro: (n,) over queries.
        macro: (n,) mean of ``label`` over the labels that have one.
        label: (L, n) over each label's queries, NaN below two of them.
    """

    micro: NDArray[np.float64]
    macro: NDArray[np.float64]
    label: NDArray[np.float64]


def spread_of(precision: NDArray[Any], query_labels: NDArray[Any], *, n_labels: int) -> Spread:
    """Standard deviations of P@k over queries, n - 1 below the line.

    Args:
        precision: (Q, n) P@k; NaN is left out.
        query_labels: (Q,) label codes; -1 is left out.
        n_labels: L, above the highest code.

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        >>> spread = spread_of(np.array([[1.0], [0.5], [0.0]]), np.array([0, 0, 1]), n_labels=2)
        >>> spread.micro.tolist(), spread.label.round(4).ravel().tolist(), spread.macro.round(4).tolist()
        ([0.5], [0.3536, nan], [0.3536])
    """
    table, codes = check_precision(precision, query_labels)
    sums, counts = label_totals(table, codes, n_labels=n_labels)
    known = codes >= 0
    table, codes = table[known], codes[known]
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    # In two passes: the difference of large sums of squares would lose the digits that matter.
    squares = np.zeros_like(sums)
    for column, values in enumerate(table.T):
        there = ~np.isnan(values)
        off = values[there] - means[codes[there], column]
        squares[:, column] = np.bincount(codes[there], weights=off * off, minlength=n_labels)
    label = _root(squares, counts)
    whole = np.divide(
        sums.sum(axis=0), counts.sum(axis=0), out=np.full(sums.shape[1], np.nan), where=counts.any(axis=0)
    )
    micro = _root(np.nansum((table - whole) ** 2, axis=0), counts.sum(axis=0))
    has = ~np.isnan(label)
    macro = np.divide(
        np.sum(label, axis=0, where=has), has.sum(axis=0), out=np.full(label.shape[1], np.nan), where=has.any(axis=0)
    )
    return Spread(micro=micro, macro=macro, label=label)


def _root(squares: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    variance = np.divide(squares, counts - 1, out=np.full(np.shape(squares), np.nan), where=counts > 1)
    deviation: NDArray[np.float64] = np.sqrt(variance)
    return deviation
