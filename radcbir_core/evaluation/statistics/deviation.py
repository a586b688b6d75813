"""How much P@k varies from query to query: the standard deviations of the published evaluation.

Owns the arithmetic on plain arrays, as averages.py does for the means. NaN is left out everywhere: a query for which
nothing relevant was available has no P@k, and a label with one query has no standard deviation.

Source: Denner et al. (arXiv 2403.06567), ``src/evaluation/evaluate_retrieval.py`` of their code: pandas' ``std`` (n - 1
below the line) over all queries (micro), and the mean over labels of the ``std`` over each label's queries (macro).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radcbir_core.evaluation.statistics.averages import check_values, means_of, ratio


@dataclass(frozen=True, slots=True)
class Deviations:
    """Standard deviations of n values a query.

    Attributes:
        micro: (n,) over queries.
        macro: (n,) mean of ``label`` over the labels that have one.
        label: (L, n) over each label's queries, NaN below two of them.
    """

    micro: NDArray[np.float64]
    macro: NDArray[np.float64]
    label: NDArray[np.float64]


def deviations_of(values: NDArray[Any], query_labels: NDArray[Any], *, n_labels: int) -> Deviations:
    """Standard deviations over queries, n - 1 below the line.

    Args:
        values: (Q, n) from 0 to 1; NaN is left out.
        query_labels: (Q,) label codes; -1 is left out.
        n_labels: L, above the highest code.

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        >>> deviations = deviations_of(np.array([[1.0], [0.5], [0.0]]), np.array([0, 0, 1]), n_labels=2)
        >>> deviations.micro.tolist(), deviations.label.round(4).ravel().tolist(), deviations.macro.round(4).tolist()
        ([0.5], [0.3536, nan], [0.3536])
    """
    table, codes, _ = check_values(values, query_labels, n_labels=n_labels)
    means = means_of(table, codes, n_labels=n_labels)
    table, codes = table[codes >= 0], codes[codes >= 0]
    # In two passes: the difference of large sums of squares would lose the digits that matter.
    squares = np.zeros_like(means.label)
    for column, mine in enumerate(table.T):
        has = ~np.isnan(mine)
        off = mine[has] - means.label[codes[has], column]
        squares[:, column] = np.bincount(codes[has], weights=off * off, minlength=n_labels)
    label = np.sqrt(ratio(squares, np.where(means.label_queries > 1, means.label_queries - 1, 0)))
    whole = np.nansum((table - means.micro) ** 2, axis=0)
    micro = np.sqrt(ratio(whole, np.where(means.n_queries > 1, means.n_queries - 1, 0)))
    macro = ratio(np.nansum(label, axis=0), np.count_nonzero(~np.isnan(label), axis=0))
    return Deviations(micro=micro, macro=macro, label=label)
