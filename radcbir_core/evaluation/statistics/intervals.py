"""How sure a P@k is: 95 % intervals by resampling patients.

Images of one patient resemble each other, so they are not independent evidence: a P@k over 1,000 queries of 20
patients is as sure as 20 patients make it. The cluster bootstrap therefore draws whole clusters (patients) with
replacement, and computes every mean anew in each draw (Field and Welsh, *Bootstrapping clustered data*, J R Stat Soc B
69, 2007, pp. 369-390); the interval is that between the percentiles of the draws (Efron and Tibshirani, *An
Introduction to the Bootstrap*, 1993, chapter 13).

What it says: how the figure would vary with other patients put to the same gallery. What it does not: the gallery
itself is taken as given. Percentile intervals are too narrow for a handful of clusters, and have no width at all where
all clusters agree, such as three patients with P@1 = 1; show the number of clusters beside them.

Owns resampling and nothing else; the means are those of `precision`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from radcbir_core.arrays import check_codes
from radcbir_core.evaluation.metrics.precision import check_precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK_ELEMENTS = 2_000_000  # draws times clusters held at a time: 16 MB of int64, three arrays of that size


@dataclass(frozen=True, slots=True)
class Intervals:
    """Bounds of the means of one evaluation; the last axis is (low, high), NaN where undefined.

    Attributes:
        micro: (n_k, 2) float64.
        macro: (n_k, 2) float64.
        label: (L, n_k, 2) float64.
        n_clusters: The clusters that were resampled.
        label_clusters: (L,) int64, how many of them have a query of the label.
    """

    micro: NDArray[np.float64]
    macro: NDArray[np.float64]
    label: NDArray[np.float64]
    n_clusters: int
    label_clusters: NDArray[np.int64]


def cluster_codes(groups: Sequence[NDArray[Any]], *, n_rows: int) -> NDArray[np.int64]:
    """Give each image the cluster that it is resampled with.

    It is the first group that is known of it, in the order of ``groups`` (patient, then duplicate group); an image of
    which none is known is a cluster by itself. Two images share a cluster only by the same kind of group: where one
    of two duplicates has a known patient and the other has not, they stay apart.

    Args:
        groups: Arrays (N,) of group codes, -1 = not known.
        n_rows: N.

    Returns:
        (N,) int64, codes from 0 without gaps.

    Raises:
        ValueError: A group is not an array of N codes.

    Example:
        >>> patient, duplicate = np.array([5, 5, -1, -1, -1]), np.array([-1, 0, 0, 0, -1])
        >>> cluster_codes([patient, duplicate], n_rows=5)
        array([0, 0, 1, 1, 2])
    """
    codes = np.full(n_rows, -1, dtype=np.int64)
    offset = 0
    for number, values in enumerate([*groups, np.arange(n_rows)]):
        group = check_codes(values, name=f"groups[{number}]")
        if len(group) != n_rows:
            raise ValueError(
                f"Expected one group code an image ({n_rows}), but len(groups[{number}]) = {len(group)}. "
                "Pass groups of the whole collection."
            )
        use = (codes < 0) & (group >= 0)
        codes[use] = group[use].astype(np.int64) + offset
        offset += int(group.max(initial=-1)) + 1
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def precision_intervals(
    precision: NDArray[Any],
    query_labels: NDArray[Any],
    *,
    clusters: NDArray[Any],
    n_labels: int,
    draws: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Intervals:
    """Intervals of micro P@k, macro P@k and each label's P@k, by cluster bootstrap.

    All of them come from the same draws of all clusters. A label that is missing from a draw is left out of the macro
    mean of that draw, and its own interval comes from the draws that have it. An interval is NaN where a single
    cluster, or none, stands behind it: one patient says nothing about others. The macro interval takes such labels as
    they are, and so is the narrower for them.

    Time grows with ``draws`` times clusters: 3 s for 100,000 queries, each its own cluster, with 161 labels and 4 k's.

    Args:
        precision: (Q, n_k) P@k, from `precision.precision_at_k`; NaN is left out.
        query_labels: (Q,) label codes; -1 is left out.
        clusters: (Q,) cluster code of each query, at least 0, from `cluster_codes`.
        n_labels: L, above the highest label code.
        draws: How many times the clusters are resampled.
        seed: Same seed, same intervals.
        confidence: The share of the draws between the bounds, above 0 and below 1.

    Returns:
        The bounds.

    Raises:
        ValueError: The arrays do not fit together, or a number is out of range.

    Example:
        Ten patients of two images each; half of the patients always hit, half never.

        >>> precision = np.repeat([[1.0], [0.0]], 10, axis=0)
        >>> found = precision_intervals(precision, np.zeros(20, int), clusters=np.arange(20) // 2, n_labels=1)
        >>> found.micro.tolist()
        [[0.2, 0.8]]
    """
    table, labels = check_precision(precision, query_labels)
    codes = check_codes(clusters, name="clusters")
    if len(codes) != len(labels) or (codes.size and int(codes.min()) < 0):
        raise ValueError(
            f"Expected one cluster of at least 0 a query ({len(labels)}), but clusters has {len(codes)} values from "
            f"{int(codes.min(initial=0))}. Pass the result of cluster_codes for these queries."
        )
    if int(labels.max(initial=-1)) >= n_labels:
        raise ValueError(
            f"Expected label codes below {n_labels}, but query_labels = {int(labels.max())} somewhere. "
            "Pass the number of labels that the codes belong to."
        )
    if draws < 1:
        raise ValueError(f"Expected at least one draw, but draws = {draws}. Use 1000 or more.")
    if not 0 < confidence < 1:
        raise ValueError(f"Expected a share above 0 and below 1, but confidence = {confidence}. Use 0.95.")

    # Queries without a label count nowhere, and must not make a cluster that is drawn for nothing.
    labeled = labels >= 0
    table, labels = table[labeled], labels[labeled].astype(np.int64)
    members = np.unique(codes[labeled], return_inverse=True)[1].astype(np.int64)
    n_clusters = int(members.max(initial=-1)) + 1
    # Each pair of label and cluster once.
    pairs = np.unique(labels * max(n_clusters, 1) + members)
    label_clusters = np.bincount(pairs // max(n_clusters, 1), minlength=n_labels)
    micro, macro, label = _resample(table, labels, members, n_labels=n_labels, draws=draws, seed=seed)

    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    n_k = table.shape[1]
    bounds = np.full((n_labels, n_k, 2), np.nan)
    for code in np.flatnonzero(label_clusters > 1):
        bounds[code] = _percentiles(label[:, code], tails)
    undefined = np.full((n_k, 2), np.nan)
    return Intervals(
        micro=_percentiles(micro, tails) if n_clusters > 1 else undefined,
        macro=_percentiles(macro, tails) if n_clusters > 1 else undefined,
        label=bounds,
        n_clusters=n_clusters,
        label_clusters=label_clusters.astype(np.int64),
    )


def _resample(
    table: NDArray[np.float64],
    labels: NDArray[np.int64],
    members: NDArray[np.int64],
    *,
    n_labels: int,
    draws: int,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The means in every draw: micro (draws, n_k), macro (draws, n_k), and by label (draws, L, n_k)."""
    from scipy import sparse

    n_clusters = int(members.max(initial=-1)) + 1
    n_k = table.shape[1]
    counted = ~np.isnan(table)
    # What each cluster adds to each label's sum and count, one row a label and k: (L·n_k, C), mostly empty.
    rows = (labels[:, None] * n_k + np.arange(n_k)).ravel()
    columns = np.repeat(members, n_k)
    shape = (n_labels * n_k, n_clusters)
    sums = sparse.csr_array((np.where(counted, table, 0.0).ravel(), (rows, columns)), shape=shape)
    counts = sparse.csr_array((counted.astype(np.float64).ravel(), (rows, columns)), shape=shape)

    random = np.random.default_rng(seed)
    micro = np.empty((draws, n_k))
    macro = np.empty((draws, n_k))
    label = np.empty((draws, n_labels, n_k))
    step = max(1, _CHUNK_ELEMENTS // max(1, n_clusters))
    for start in range(0, draws if n_clusters else 0, step):
        size = min(step, draws - start)
        drawn = random.integers(0, n_clusters, size=(size, n_clusters))
        drawn += np.arange(size)[:, None] * n_clusters
        # How often each cluster came up in each draw: (C, size).
        times = np.bincount(drawn.ravel(), minlength=size * n_clusters).reshape(size, n_clusters)
        weights = np.ascontiguousarray(times.T, dtype=np.float64)
        total = (sums @ weights).reshape(n_labels, n_k, size)
        number = (counts @ weights).reshape(n_labels, n_k, size)
        here = slice(start, start + size)
        micro[here] = _mean(total.sum(axis=0), number.sum(axis=0)).T
        means = _mean(total, number)
        macro[here] = _mean(np.nansum(means, axis=0), np.count_nonzero(number > 0, axis=0)).T
        label[here] = np.moveaxis(means, 2, 0)
    return micro, macro, label


def _mean(total: NDArray[Any], number: NDArray[Any]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
    return means


def _percentiles(values: NDArray[np.float64], tails: NDArray[np.float64]) -> NDArray[np.float64]:
    """(draws, n_k) → (n_k, 2), over the draws that have a value; NaN where none has."""
    bounds = np.full((values.shape[1], 2), np.nan)
    for column, drawn in enumerate(values.T):
        present = drawn[~np.isnan(drawn)]
        if present.size:
            bounds[column] = np.quantile(present, tails)
    return bounds
