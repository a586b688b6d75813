"""How sure a mean is, such as that of P@k: 95 % intervals by resampling patients.

Images of one patient resemble each other, so they are not independent evidence: a P@k over 1,000 queries of 20
patients is as sure as 20 patients make it. The cluster bootstrap therefore draws whole clusters (patients) with
replacement, and computes every mean anew in each draw (Field and Welsh, *Bootstrapping clustered data*, J R Stat Soc B
69, 2007, pp. 369-390).

Rare labels drop out of many draws, whose macro means are over the labels that are left, and so lie to one side of the
macro mean on the whole. Such a distance is the bias of resampling and is taken off: the interval is that between the
percentiles of the draws, moved by as much as their median lies off the mean (Efron and Tibshirani, *An Introduction to
the Bootstrap*, 1993, chapter 10, who measure bias by the draws' mean; percentiles always lie around a median, so that
every interval holds its estimate, whatever the draws are). Weighting the clusters instead of drawing them would keep
all labels, but labels of one or two patients then hardly vary, and the interval covers far too little.

What it says: how the figure would vary with other patients put to the same gallery. What it does not: the gallery
itself is taken as given. Such intervals are too narrow for a handful of clusters, and have no width at all where all
clusters agree, such as three patients with P@1 = 1; show the number of clusters beside them.

Owns resampling and nothing else; the means are those of averages.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from radcbir_core.arrays import check_codes
from radcbir_core.evaluation.statistics.averages import check_values, means_of, ratio

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


def mean_intervals(
    values: NDArray[Any],
    query_labels: NDArray[Any],
    *,
    clusters: NDArray[Any],
    n_labels: int,
    lines: NDArray[Any] | None = None,
    columns: Sequence[int] | None = None,
    draws: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Intervals:
    """Intervals of the micro mean, the macro mean and each label's mean, by cluster bootstrap.

    All of them come from the same draws of all clusters that have a query with a value. A label that is missing from a
    draw is left out of the macro mean of that draw, and its own interval comes from the draws that have it. An interval
    is NaN where a single cluster, or none, stands behind it: one patient says nothing about others. Every interval
    holds its mean (see above).

    Time grows with ``draws`` times clusters: 3 s for 100,000 queries, each its own cluster, with 161 labels and 4 k's.

    Args:
        values: (Q, n_k) from 0 to 1; NaN is left out.
        query_labels: (Q,) label codes, or (M,) with ``lines``; -1 is left out.
        clusters: (Q,) cluster code of each query, at least 0, from
            :func:`~radcbir_core.collections.groups.clusters_of`.
        n_labels: L, above the highest label code.
        lines: (M,) the query of each line, where a query counts under several labels.
        columns: Which of the n_k values have intervals; all by default. The bounds of the others are NaN.
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
        >>> bounds = mean_intervals(precision, np.zeros(20, int), clusters=np.arange(20) // 2, n_labels=1)
        >>> bounds.micro.round(2).tolist()
        [[0.2, 0.8]]
    """
    table, labels, line = check_values(values, query_labels, lines=lines, n_labels=n_labels)
    codes = check_codes(clusters, name="clusters")
    if len(codes) != len(table) or (codes.size and int(codes.min()) < 0):
        raise ValueError(
            f"Expected one cluster of at least 0 a query ({len(table)}), but clusters has {len(codes)} values from "
            f"{int(codes.min(initial=0))}. Pass those of clusters_of for these queries."
        )
    if draws < 1:
        raise ValueError(f"Expected at least one draw, but draws = {draws}. Use 1000 or more.")
    if not 0 < confidence < 1:
        raise ValueError(f"Expected a share above 0 and below 1, but confidence = {confidence}. Use 0.95.")

    # Queries without a label or a value count nowhere, and must not make a cluster that is drawn for nothing.
    counted = (labels >= 0) & ~np.isnan(table[line]).all(axis=1)
    line, labels = line[counted], labels[counted].astype(np.int64)
    asks, line = np.unique(line, return_inverse=True)
    table = table[asks]
    members = np.unique(codes[asks], return_inverse=True)[1].astype(np.int64)
    n_clusters = int(members.max(initial=-1)) + 1
    # Each pair of label and cluster once.
    pairs = np.unique(labels * max(n_clusters, 1) + members[line])
    label_clusters = np.bincount(pairs // max(n_clusters, 1), minlength=n_labels).astype(np.int64)

    chosen = np.arange(table.shape[1]) if columns is None else np.asarray(columns, dtype=np.intp)
    bounds = np.full((n_labels + 2, table.shape[1], 2), np.nan)
    means = means_of(table[:, chosen], labels, n_labels=n_labels, lines=line)
    estimates = np.vstack([means.label, means.micro, means.macro])[..., None]
    drawn = _resample(table[:, chosen], labels, members, lines=line, n_labels=n_labels, draws=draws, seed=seed)
    shares = [(1 - confidence) / 2, 0.5, (1 + confidence) / 2]
    whole = ~np.isnan(drawn).any(axis=0)
    percentiles = np.full((3, *whole.shape), np.nan)
    percentiles[:, whole] = np.quantile(drawn[:, whole], shares, axis=0)
    for label, column in np.argwhere(~whole & ~np.isnan(estimates[..., 0])):
        there = drawn[:, label, column]
        percentiles[:, label, column] = np.quantile(there[~np.isnan(there)], shares) if len(there) else np.nan
    low, middle, high = percentiles
    bounds[:, chosen] = np.clip(estimates + np.stack([low - middle, high - middle], axis=-1), 0, 1)
    bounds[np.append(label_clusters, [n_clusters, n_clusters]) < 2] = np.nan
    return Intervals(
        micro=bounds[-2], macro=bounds[-1], label=bounds[:-2], n_clusters=n_clusters, label_clusters=label_clusters
    )


def _resample(
    table: NDArray[np.float64],
    labels: NDArray[np.int64],
    members: NDArray[np.int64],
    *,
    lines: NDArray[np.int64],
    n_labels: int,
    draws: int,
    seed: int,
) -> NDArray[np.float64]:
    """(draws, L + 2, n_k): each label's mean in every draw, then the micro and the macro mean."""
    from scipy import sparse

    n_clusters = int(members.max(initial=-1)) + 1
    n_k = table.shape[1]
    # What each cluster adds to the sum and count of each label and, last, of all queries, one row each and a value:
    # ((L + 1)·n_k, C), mostly empty.
    query = np.concatenate([lines, np.arange(len(table))])
    under = np.concatenate([labels, np.full(len(table), n_labels)])
    counted = ~np.isnan(table[query])
    rows = (under[:, None] * n_k + np.arange(n_k)).ravel()
    columns = np.repeat(members[query], n_k)
    shape = ((n_labels + 1) * n_k, n_clusters)
    sums = sparse.csr_array((np.where(counted, table[query], 0.0).ravel(), (rows, columns)), shape=shape)
    counts = sparse.csr_array((counted.astype(np.float64).ravel(), (rows, columns)), shape=shape)

    random = np.random.default_rng(seed)
    drawn = np.full((draws, n_labels + 2, n_k), np.nan)
    step = max(1, _CHUNK_ELEMENTS // max(1, n_clusters))
    for start in range(0, draws if n_clusters else 0, step):
        size = min(step, draws - start)
        drawn_clusters = random.integers(0, n_clusters, size=(size, n_clusters)) + np.arange(size)[:, None] * n_clusters
        # How often each cluster came up in each draw: (C, size).
        times = np.bincount(drawn_clusters.ravel(), minlength=size * n_clusters).reshape(size, n_clusters)
        weights = np.ascontiguousarray(times.T, dtype=np.float64)
        total = (sums @ weights).reshape(n_labels + 1, n_k, size)
        number = (counts @ weights).reshape(n_labels + 1, n_k, size)
        means = ratio(total, number)
        part = slice(start, start + size)
        drawn[part, :-1] = np.moveaxis(means, 2, 0)
        drawn[part, -1] = ratio(np.nansum(means[:-1], axis=0), np.count_nonzero(number[:-1] > 0, axis=0)).T
    return drawn
