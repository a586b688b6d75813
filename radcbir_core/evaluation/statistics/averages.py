"""Means over queries and over labels: micro, macro, and each label's.

Owns the arithmetic on a table of values from 0 to 1, one row a query, such as P@k, and the long table of the means.
NaN is left out everywhere: a query that has no value, because there was nothing to find, counts in no mean.

A query mostly counts under one label. Where it shows several, it counts once in the micro mean, and under each of its
labels in theirs and in the macro mean: then ``query_labels`` has a line a query and label, and ``lines`` says of which
query each is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from radcbir_core.arrays import check_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radcbir_core.evaluation.statistics.intervals import Intervals


@dataclass(frozen=True, slots=True)
class Means:
    """Means of n values a query.

    Attributes:
        micro: (n,) over queries: each counts the same. NaN where no query is left.
        macro: (n,) over labels that have a query: each counts the same, however rare. NaN where there is none.
        label: (L, n) over the queries of each label, NaN for a label without one.
        n_queries: (n,) int64, the queries behind ``micro`` and ``macro``.
        label_queries: (L, n) int64, those behind ``label``.
    """

    micro: NDArray[np.float64]
    macro: NDArray[np.float64]
    label: NDArray[np.float64]
    n_queries: NDArray[np.int64]
    label_queries: NDArray[np.int64]


def means_of(
    values: NDArray[Any],
    query_labels: NDArray[Any],
    *,
    n_labels: int,
    lines: NDArray[Any] | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
) -> Means:
    """Micro and macro means, and the mean of each label.

    Args:
        values: (Q, n) within ``limits``; NaN is left out.
        query_labels: (Q,) label codes, or (M,) with ``lines``; -1 is left out.
        n_labels: L, above the highest code.
        lines: (M,) the query of each line.
        limits: The least and the largest value there can be.

    Raises:
        ValueError: The arrays do not fit together, or a code is not below ``n_labels``.

    Example:
        >>> means = means_of(np.array([[1.0], [0.5], [0.0], [np.nan]]), np.array([0, 0, 1, 1]), n_labels=3)
        >>> means.micro.tolist(), means.macro.tolist(), means.label.ravel().tolist(), means.n_queries.tolist()
        ([0.5], [0.375], [0.75, 0.0, nan], [3])
    """
    table, labels, line = check_values(values, query_labels, lines=lines, n_labels=n_labels, limits=limits)
    sums = np.zeros((n_labels, table.shape[1]))
    counts = np.zeros((n_labels, table.shape[1]), dtype=np.int64)
    micro, number = np.empty(table.shape[1]), np.empty(table.shape[1], dtype=np.int64)
    labeled = labels >= 0
    if lines is None:
        asks = labeled
    else:
        asks = np.zeros(len(table), dtype=np.bool_)
        asks[line[labeled]] = True
    before: NDArray[np.bool_] | None = None
    for column in range(table.shape[1]):
        mine = np.ascontiguousarray(table[:, column])
        has = ~np.isnan(mine)
        if before is None or not np.array_equal(has, before):
            before, counted = has, labeled & (has if lines is None else has[line])
            of_counted = labels[counted]
            of_labels = np.bincount(of_counted, minlength=n_labels)
        values_counted = mine[counted] if lines is None else mine[line[counted]]
        sums[:, column] = np.bincount(of_counted, weights=values_counted, minlength=n_labels)
        counts[:, column] = of_labels
        whole = mine[asks & has]
        micro[column], number[column] = whole.sum(), len(whole)
    means = ratio(sums, counts)
    macro = ratio(np.nansum(means, axis=0), np.count_nonzero(counts, axis=0))
    return Means(ratio(micro, number), macro, means, number, counts)


def present_labels(*codes: NDArray[Any]) -> NDArray[np.int64]:
    """The label codes that occur, ascending; -1 is none.

    Example:
        >>> present_labels(np.array([3, -1, 0]), np.array([1])).tolist()
        [0, 1, 3]
    """
    largest = max(int(some.max(initial=-1)) for some in codes)
    there = np.zeros(largest + 2, dtype=np.bool_)  # the last place is for -1, which reads it
    for some in codes:
        there[some] = True
    return np.flatnonzero(there[:-1]).astype(np.int64)


def ratio(sums: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.float64]:
    """Sums ÷ counts, NaN where there is nothing to divide by.

    Example:
        >>> ratio(np.array([1.0, 0.0]), np.array([2, 0])).tolist()
        [0.5, nan]
    """
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(np.shape(sums), np.nan), where=counts > 0)
    return means


def check_values(
    values: NDArray[Any],
    query_labels: NDArray[Any],
    *,
    n_labels: int,
    lines: NDArray[Any] | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
) -> tuple[NDArray[np.float64], NDArray[Any], NDArray[Any]]:
    """Return the values, the label of each line and its query, if they fit together.

    Args:
        values: (Q, n) within ``limits``, or NaN.
        query_labels: (Q,) label codes, or (M,) with ``lines``.
        n_labels: L, above the highest code.
        lines: (M,) the query of each line; the queries themselves by default.
        limits: The least and the largest value there can be.

    Raises:
        ValueError: They do not fit together, a value is outside its limits, or a code is not below ``n_labels``.

    Example:
        >>> check_values(np.array([[0.5]]), np.array([0]), n_labels=1)
        (array([[0.5]]), array([0]), array([0]))
    """
    table = np.asarray(values, dtype=np.float64)
    labels = check_codes(query_labels, name="query_labels")
    line = np.arange(len(labels)) if lines is None else check_codes(lines, name="lines")
    if table.ndim != 2 or len(line) != len(labels) or (lines is None and len(table) != len(labels)):
        raise ValueError(
            f"Expected a table with one row a query ({len(labels)}), but values has shape {table.shape}. "
            "Pass the values of exactly these queries."
        )
    if lines is not None and line.size and not 0 <= int(line.min()) <= int(line.max()) < len(table):
        raise ValueError(
            f"Expected lines of queries from 0 to {len(table) - 1}, but lines = {int(line.min())} to "
            f"{int(line.max())}. Pass the query of each line."
        )
    low, high = limits
    if (table < low).any() or (table > high).any():  # NaN is neither
        raise ValueError(
            f"Expected values from {low:g} to {high:g}, but there are some outside. Pass those of a metric."
        )
    if int(labels.max(initial=-1)) >= n_labels:
        raise ValueError(
            f"Expected label codes below {n_labels}, but query_labels = {int(labels.max())} somewhere. "
            "Pass the number of labels that the codes belong to."
        )
    return table, labels, line


def summarize(
    values: NDArray[Any],
    query_labels: NDArray[Any],
    *,
    labels: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    name: str = "precision",
    lines: NDArray[Any] | None = None,
    empty: NDArray[np.bool_] | None = None,
    seen: tuple[int, NDArray[Any]] | None = None,
    intervals: Intervals | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
) -> pd.DataFrame:
    """Put micro and macro means, and the mean of each label, into one long table.

    Args:
        values: (Q, n) within ``limits``; NaN is left out.
        query_labels: (Q,) label codes, or (M,) with ``lines``; -1 is left out.
        labels: The name of each code.
        columns: What each of the n values is, in columns of the table, such as ``{"k": (1, 3)}``.
        name: Of the column of means.
        lines: (M,) the query of each line.
        empty: (Q,) the queries that have nothing to find; adds the column ``n_empty``.
        seen: How many queries were seen in training, and the label codes of these (one a query and label), whether they
            are among the queries or were left out; adds the column ``n_seen``.
        intervals: Of the same values; adds the columns ``low``, ``high`` and ``n_patients``, the clusters behind them.
        limits: The least and the largest value there can be.

    Returns:
        Columns ``label`` (str, empty for micro and macro), those of ``columns``, the mean (float, NaN without a query),
        ``n_queries`` (int, the queries behind it), ``averaging`` (``micro``, ``macro`` or ``label``), and what is asked
        for. First micro, then macro, then the labels in the order of their codes, each for every value. A label that no
        query carries, seen or not, has no row.

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        >>> precision = np.array([[1.0], [0.5], [0.0]])
        >>> labels = ("chest", "hand")
        >>> print(summarize(precision, np.array([0, 0, 1]), labels=labels, columns={"k": (1,)}).to_string())
           label  k  precision  n_queries averaging
        0         1      0.500          3     micro
        1         1      0.375          3     macro
        2  chest  1      0.750          2     label
        3   hand  1      0.000          1     label
    """
    means = means_of(values, query_labels, n_labels=len(labels), lines=lines, limits=limits)
    number = len(means.micro)
    if any(len(said) != number for said in columns.values()):
        raise ValueError(
            f"Expected one word a value ({number}), but columns has "
            f"{', '.join(f'{len(said)} for {key}' for key, said in columns.items())}. Say what each value is."
        )
    n_seen, seen_labels = (0, query_labels[:0]) if seen is None else seen
    present = present_labels(query_labels, seen_labels)
    lines_of = ["micro", "macro"] + ["label"] * len(present)
    names = ["", "", *(labels[code] for code in present.tolist())]
    table: dict[str, Any] = {"label": [label for label in names for _ in range(number)]}
    table |= {key: list(said) * len(names) for key, said in columns.items()}
    table[name] = np.vstack([means.micro, means.macro, means.label[present]]).ravel()
    table["n_queries"] = np.vstack([means.n_queries, means.n_queries, means.label_queries[present]]).ravel()
    if empty is not None:
        of_line = empty if lines is None else empty[lines]
        without = np.bincount(query_labels[(query_labels >= 0) & of_line], minlength=len(labels))[present]
        asks = np.zeros(len(empty), dtype=np.bool_)
        asks[np.flatnonzero(query_labels >= 0) if lines is None else lines[query_labels >= 0]] = True
        whole = int((empty & asks).sum())
        table["n_empty"] = np.repeat([whole, whole, *without.tolist()], number)
    if seen is not None:
        of_labels = np.bincount(seen_labels, minlength=len(labels))[present]
        table["n_seen"] = np.repeat([n_seen, n_seen, *of_labels.tolist()], number)
    table["averaging"] = [word for word in lines_of for _ in range(number)]
    if intervals is not None:
        if intervals.label.shape != (len(labels), number, 2):
            raise ValueError(
                f"Expected intervals of {len(labels)} labels and {number} values, but intervals.label has shape "
                f"{intervals.label.shape}. Compute them from the same arrays."
            )
        bounds = np.concatenate([intervals.micro[None], intervals.macro[None], intervals.label[present]])
        table["low"], table["high"] = bounds[..., 0].ravel(), bounds[..., 1].ravel()
        patients = [intervals.n_clusters, intervals.n_clusters, *intervals.label_clusters[present].tolist()]
        table["n_patients"] = np.repeat(np.array(patients, dtype=np.int64), number)
    return pd.DataFrame(table).astype({"label": "str", "averaging": "str"})
