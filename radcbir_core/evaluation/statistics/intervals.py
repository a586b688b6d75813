"""How sure a mean is, such as that of P@k or of a difference between two encoders: 95 % intervals over patients.

Images of one patient resemble each other, so they are not independent evidence: a P@k over 1,000 queries of 20
patients is as sure as 20 patients make it. And labels mostly have few patients, who often agree. Resampling them says
then that the figure is certain: the percentiles of a bootstrap over five patients hold a true value of .95 in half of
all cases. So every mean here gets two patients more, one of hits alone and one of misses alone (the idea of Agresti and
Coull, *The American Statistician* 52, 1998, pp. 119-126, for clusters), and its variance is the linearized one of a
ratio of clusters' sums (Cochran, *Sampling Techniques*, 1977, chapter 11.8), where each cluster counts for more by what
it pulls the mean to itself (Bell and McCaffrey, *Survey Methodology* 28, 2002, pp. 169-181). No draws, no seed; no
interval is of width zero, and each holds its estimate.

Of one label, and likewise of all queries (micro), with C patients who have n_i queries of sum s_i, N = Σ n_i, and
values from ``lo`` to ``hi``::

    b = Σ n_i² / N                                            queries of each of the two further patients
    c = (Σ s_i + b (lo + hi)) / T,  T = N + 2 b               the middle
    v = [Σ (s_i - c n_i)² / (1 - n_i / T) + b² ((hi - c)² + (c - lo)²) / (1 - b / T)] / T²
    interval = c ± q √v, cut at lo and hi

q is the normal quantile where all patients have as many queries; the less alike they are, the more it is Student's with
C_eff + 5 degrees of freedom, where C_eff = N² / Σ n_i² is how many patients of one size would be as good.

The macro mean over L labels has the variance of its patients' influence over all labels. But a label with few patients
who agree shows no variance, so each label's own is put together from what a label of such a mean could have at most,
and how much its patients were seen to differ, drawn towards "as much as patients can" the fewer they are. See
:func:`_macro`.

How often they hold the truth is measured by ``benchmarks.interval_coverage``. What no interval can do: five patients
who all agree miss a failing kind that is 45 in 100 of all patients one time in twenty. At three or four patients the
interval holds the truth and says almost nothing else; show how many there are.

What an interval says is how the figure would vary with other patients put to the same gallery, which is taken as given.

Owns the intervals; the means are those of averages.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from radcbir_core.arrays import check_codes, dense_codes
from radcbir_core.evaluation.statistics.averages import check_values, means_of, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIFFERENCES = (-1.0, 1.0)
"""The least and the largest difference of two shares."""

_FURTHER_DEGREES = 5
"""Degrees of freedom besides C_eff: the two further patients, and what binary values give; by simulation."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Bounds of the means of one evaluation; the last axis is (low, high), NaN where undefined.

    Attributes:
        micro: (n, 2) float64.
        macro: (n, 2) float64.
        label: (L, n, 2) float64.
        n_clusters: The clusters that have a query with a value.
        label_clusters: (L,) int64, how many of them have a query of the label.
    """

    micro: NDArray[np.float64]
    macro: NDArray[np.float64]
    label: NDArray[np.float64]
    n_clusters: int
    label_clusters: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Clusters:
    """How many queries each cluster has of each label, one line a pair that occurs; the same for all values.

    Attributes:
        label: (P,) code of the label.
        cluster: (P,) code of the cluster.
        n: (P,) queries.
        n_labels: L.
    """

    label: NDArray[np.int64]
    cluster: NDArray[np.int64]
    n: NDArray[np.float64]
    n_labels: int

    def total(self, of_pairs: NDArray[np.float64]) -> NDArray[np.float64]:
        """(L,) sums over the clusters of each label."""
        return _sums(self.label, of_pairs, self.n_labels)

    @cached_property
    def number(self) -> NDArray[np.int64]:
        """(L,) the clusters of each label."""
        return np.bincount(self.label, minlength=self.n_labels).astype(np.int64)

    @cached_property
    def size(self) -> NDArray[np.float64]:
        """(L,) N, the queries."""
        return self.total(self.n)

    @cached_property
    def squares(self) -> NDArray[np.float64]:
        """(L,) Σ n_i²."""
        return self.total(self.n**2)

    @cached_property
    def rest(self) -> NDArray[np.float64]:
        """(P,) 1 - n_i / T."""
        whole = np.where(self.number > 1, self.size + 2 * ratio(self.squares, self.size), np.nan)
        share: NDArray[np.float64] = 1 - self.n / whole[self.label]
        return share


def mean_intervals(
    values: NDArray[Any],
    query_labels: NDArray[Any],
    *,
    clusters: NDArray[Any],
    n_labels: int,
    lines: NDArray[Any] | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
    confidence: float = 0.95,
) -> Intervals:
    """Intervals of the micro mean, the macro mean and each label's mean, over clusters of queries.

    An interval is NaN where a single cluster, or none, stands behind it: one patient says nothing about others. Every
    interval holds its mean, and none is of width zero.

    Args:
        values: (Q, n) within ``limits``; NaN is left out.
        query_labels: (Q,) label codes, or (M,) with ``lines``; -1 is left out.
        clusters: (Q,) cluster code of each query, at least 0, from
            :func:`~radcbir_core.collections.groups.clusters_of`.
        n_labels: L, above the highest label code.
        lines: (M,) the query of each line, where a query counts under several labels.
        limits: The least and the largest value there can be: 0 and 1, or -1 and 1 for differences of two encoders.
        confidence: In how many cases the interval is to hold the true mean, above 0 and below 1.

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

        Five patients who all hit do not make it certain.

        >>> mean_intervals(np.ones((5, 1)), np.zeros(5, int), clusters=np.arange(5), n_labels=1).micro.round(2).tolist()
        [[0.58, 1.0]]
    """
    low, high = limits
    table, labels, line = check_values(values, query_labels, lines=lines, n_labels=n_labels, limits=limits)
    codes = check_codes(clusters, name="clusters")
    if len(codes) != len(table) or (codes.size and int(codes.min()) < 0):
        raise ValueError(
            f"Expected one cluster of at least 0 a query ({len(table)}), but clusters has {len(codes)} values from "
            f"{int(codes.min(initial=0))}. Pass those of clusters_of for these queries."
        )
    if not 0 < confidence < 1:
        raise ValueError(f"Expected a share above 0 and below 1, but confidence = {confidence}. Use 0.95.")

    has_any = np.asarray((~np.isnan(table)).any(axis=1))
    counted = (labels >= 0) & (has_any if lines is None else has_any[line])
    labels, line = labels[counted].astype(np.int64), line[counted]
    # Without lines, those that count are in their order, each once.
    asks, line = (line, np.arange(len(line))) if lines is None else dense_codes(line)
    table = table[asks]
    members = dense_codes(codes[asks])[1]
    n_clusters = int(members.max(initial=-1)) + 1
    of_line = members if lines is None else members[line]
    # Each pair of label and cluster once, and which one each line belongs to.
    pairs, pair = np.unique(labels * max(n_clusters, 1) + of_line, return_inverse=True)
    label_of, cluster_of = pairs // max(n_clusters, 1), pairs % max(n_clusters, 1)

    micro, macro = np.full((2, table.shape[1], 2), np.nan)
    label = np.full((n_labels, table.shape[1], 2), np.nan)
    several = None if lines is None else line
    means = means_of(table, labels, n_labels=n_labels, lines=several, limits=limits)
    # Values from 0 have no use for them.
    squares = means_of(table**2, labels, n_labels=n_labels, lines=several).label if low < 0 else means.label
    before: NDArray[np.bool_] | None = None
    for column in range(table.shape[1]):
        mine = np.ascontiguousarray(table[:, column])
        there = ~np.isnan(mine)
        if before is None or not np.array_equal(there, before):  # the columns of one metric are mostly alike in this
            before, known = there, there if lines is None else there[line]
            pair_known, member_there = pair[known], members[there]
            n = np.bincount(pair_known, minlength=len(pairs)).astype(np.float64)
            asked = n > 0
            by_label = _Clusters(label_of[asked], cluster_of[asked], n[asked], n_labels=n_labels)
            n = np.bincount(member_there, minlength=n_clusters).astype(np.float64)
            asks_whole = n > 0
            one_label = np.zeros(int(asks_whole.sum()), dtype=np.int64)
            whole = _Clusters(one_label, np.flatnonzero(asks_whole), n[asks_whole], n_labels=1)
        own = mine if lines is None else mine[line]
        s = _sums(pair_known, own[known], len(pairs))[asked]
        label[:, column] = _of_labels(by_label, s, limits, confidence)
        micro[column] = _of_labels(whole, _sums(member_there, mine[there], n_clusters)[asks_whole], limits, confidence)[
            0
        ]
        if len(whole.n) > 1:
            present = np.flatnonzero(by_label.number)
            if len(present) == 1:
                macro[column] = label[present[0], column]
            else:
                macro[column] = _macro(by_label, s, squares[:, column], limits, confidence)
    # The means are summed in another order, so that the last digit may differ.
    for bounds, mean in ((micro, means.micro), (macro, means.macro), (label, means.label)):
        bounds[..., 0] = np.clip(np.minimum(bounds[..., 0], mean), low, high)
        bounds[..., 1] = np.clip(np.maximum(bounds[..., 1], mean), low, high)
    return Intervals(micro, macro, label, n_clusters, np.bincount(label_of, minlength=n_labels).astype(np.int64))


def _sums(codes: NDArray[np.int64], weights: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    return np.bincount(codes, weights=weights, minlength=number).astype(np.float64)


def sums_intervals(
    sums: NDArray[Any],
    sizes: NDArray[Any],
    codes: NDArray[Any],
    *,
    n_means: int,
    limits: tuple[float, float] = (0.0, 1.0),
    confidence: float = 0.95,
) -> NDArray[np.float64]:
    """Intervals of ratios of clusters' sums, as those of the labels in :func:`mean_intervals`; of weighted means.

    Args:
        sums: (P,) of the weighted values of a cluster.
        sizes: (P,) of their weights, above 0; their scale does not count.
        codes: (P,) of which mean, below ``n_means``; a cluster has one line a mean.
        n_means: M.
        limits: What a value is of hits alone, and of misses alone.
        confidence: In how many cases the interval is to hold the true mean.

    Returns:
        (M, 2) bounds, not cut at the limits; NaN below two clusters.

    Example:
        >>> sums_intervals(np.ones(5), np.full(5, 2.0), np.zeros(5, int), n_means=1).round(2).tolist()
        [[0.29, 0.71]]
    """
    clusters = _Clusters(
        np.asarray(codes, dtype=np.int64), np.arange(len(codes)), np.asarray(sizes, dtype=np.float64), n_labels=n_means
    )
    return _of_labels(clusters, np.asarray(sums, dtype=np.float64), limits, confidence)


def cell_intervals(
    values: NDArray[Any],
    query_labels: NDArray[Any],
    columns: NDArray[Any],
    *,
    lines: NDArray[Any],
    clusters: NDArray[Any],
    n_labels: int,
    n_columns: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Intervals of the means of a sparse table of values by query and column, for the queries of each label.

    As those of the labels in :func:`mean_intervals`, for each column; what is not named is 0, so that a table of
    queries by thousands of labels costs what it holds.

    Args:
        values: (P,) above 0; those of one query and column add up to 1 at most.
        query_labels: (Q,) label codes; -1 is left out.
        columns: (P,) the column of each value, below ``n_columns``.
        lines: (P,) the query of each value.
        clusters: (Q,) cluster code of each query, at least 0.
        n_labels: Above the highest label code.
        n_columns: Above the highest column.

    Returns:
        The cells that occur, label × ``n_columns`` + column, ascending, and (cells, 2) their bounds; NaN where the
        queries of the label are of a single cluster.

    Example:
        Five patients; the hits of one of them are of column 1.

        >>> labels, clusters = np.zeros(5, int), np.arange(5)
        >>> cells, bounds = cell_intervals(
        ...     *(np.ones(5), labels, [0, 0, 0, 0, 1]), lines=clusters, clusters=clusters, n_labels=1, n_columns=2
        ... )
        >>> cells.tolist(), bounds.round(2).tolist()
        ([0, 1], [[0.35, 1.0], [0.0, 0.65]])
    """
    label = np.asarray(query_labels, dtype=np.int64)
    members = np.unique(clusters, return_inverse=True)[1].astype(np.int64)
    n_clusters = int(members.max(initial=-1)) + 1
    asks = label >= 0
    pairs, n = np.unique(label[asks] * n_clusters + members[asks], return_counts=True)
    of_label = pairs // max(n_clusters, 1)
    number = np.bincount(of_label, minlength=n_labels)
    size, squares = (_sums(of_label, n.astype(np.float64) ** power, n_labels) for power in (1, 2))
    whole = np.where(number > 1, size + 2 * ratio(squares, size), np.nan)

    kept = asks[lines]
    line = np.asarray(lines)[kept]
    keys = (label[line] * n_columns + np.asarray(columns)[kept]) * n_clusters + members[line]
    keys, place = np.unique(keys, return_inverse=True)
    s = _sums(place.reshape(-1), np.asarray(values, dtype=np.float64)[kept], len(keys))
    cell, cluster = np.divmod(keys, max(n_clusters, 1))
    cells, of_cell = np.unique(cell, return_inverse=True)
    row = cells // max(n_columns, 1)
    mine = n[np.searchsorted(pairs, row[of_cell] * n_clusters + cluster)].astype(np.float64)
    total = _sums(of_cell, s, len(cells))
    # Clusters without a value add (middle n_i)² / (1 - n_i / T) each: those of all, less those that have one.
    all_of_label = _sums(of_label, n**2 / (1 - n / whole[of_label]), n_labels)[row]

    def own(middle: NDArray[np.float64]) -> NDArray[np.float64]:
        share = 1 - mine / whole[row][of_cell]
        more = ((s - middle[of_cell] * mine) ** 2 - (middle[of_cell] * mine) ** 2) / share
        apart: NDArray[np.float64] = middle**2 * all_of_label + _sums(of_cell, more, len(cells))
        return apart

    bounds = _bounds(_Sums(size[row], squares[row], number[row], total), own, (0.0, 1.0), 0.95)
    mean = ratio(total, size[row])
    bounds[:, 0] = np.clip(np.minimum(bounds[:, 0], mean), 0, 1)
    bounds[:, 1] = np.clip(np.maximum(bounds[:, 1], mean), 0, 1)
    return cells, bounds


def _of_labels(
    clusters: _Clusters, s: NDArray[np.float64], limits: tuple[float, float], confidence: float
) -> NDArray[np.float64]:
    """(L, 2) bounds of each label's mean, not cut yet; NaN below two clusters. Formulas: see above.

    ``s`` is (P,), the sum of the values of each pair of label and cluster.
    """

    def own(middle: NDArray[np.float64]) -> NDArray[np.float64]:
        return clusters.total((s - middle[clusters.label] * clusters.n) ** 2 / clusters.rest)

    sums = _Sums(clusters.size, clusters.squares, clusters.number, clusters.total(s))
    return _bounds(sums, own, limits, confidence)


@dataclass(frozen=True, slots=True)
class _Sums:
    """What the interval of each of M means is made of.

    Attributes:
        size: (M,) N, the queries.
        squares: (M,) Σ n_i².
        number: (M,) C, the clusters.
        total: (M,) Σ s_i.
    """

    size: NDArray[np.float64]
    squares: NDArray[np.float64]
    number: NDArray[np.int64]
    total: NDArray[np.float64]


def _bounds(
    sums: _Sums,
    own: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    limits: tuple[float, float],
    confidence: float,
) -> NDArray[np.float64]:
    """(M, 2) bounds of means, not cut yet; ``own`` gives Σ (s_i - c n_i)² / (1 - n_i / T) for the middles c."""
    from scipy.special import stdtrit

    low, high = limits
    size, squares, number, total = sums.size, sums.squares, sums.number, sums.total
    enough = number > 1
    further = ratio(squares, size)
    whole = np.where(enough, size + 2 * further, np.nan)
    middle = (total + further * (low + high)) / whole
    two = further**2 * ((high - middle) ** 2 + (middle - low) ** 2) / (1 - further / whole)
    alike = np.where(enough, size**2 / np.where(enough, squares, 1), np.nan)
    normal = NormalDist().inv_cdf((1 + confidence) / 2)
    student = stdtrit(alike + _FURTHER_DEGREES, (1 + confidence) / 2)
    quantile = normal + (student - normal) * (1 - alike / np.maximum(number, 1))
    reach = quantile * np.sqrt(np.maximum(own(middle), 0) + two) / whole
    bounds: NDArray[np.float64] = np.stack([middle - reach, middle + reach], axis=-1)
    return bounds


def _macro(
    clusters: _Clusters,
    s: NDArray[np.float64],
    squares: NDArray[np.float64],
    limits: tuple[float, float],
    confidence: float,
) -> NDArray[np.float64]:
    """(2,) bounds of the mean over labels of their means, not cut yet.

    Per label: p its mean, C its patients, C_eff, N, e_i = s_i - p n_i, room = the variance of its values (for values of
    0 and 1: p (1 - p)); M and M₂ the means over labels of p and of the mean squares::

        g = C / (C - 1) · Σ e_i² / N² · C_eff / room     how much patients differ; 1 where all values are one
        g̃ = min(1, (m g + 1) / (m + 1)),  m = C · room   drawn to 1, the fewer patients and the less room
        p̃ = (C_eff p + M) / (C_eff + 1)                  drawn to the mean of all labels, by one patient
        own = Σ_l (p̃ (1 - p̃)) / (1 - C_eff / (C_eff + 1)²) · g̃ / C_eff / L²
        V = max(own + Σ_i IF_i² - Σ_il (e_il / (L N_l))², own / 2),  IF_i = Σ_l e_il / (L N_l)
        E = 1 / Σ_i (Σ_l n_il / (L N_l))²                patients of equal weight
        c = (E M + lo + hi) / (E + 2)                    the middle: two patients more
        A = (V E² + (hi - c)² + (c - lo)² + E (M - c)²) / (E + 2)²
        interval = c ± z √A

    For differences the mean squares take the place of p where they say how large a variance may be: m = C M₂ of the
    label, and p̃ (1 - p̃) is the drawn mean square less p̃².
    """
    low, high = limits
    label, n = clusters.label, clusters.n
    here = np.flatnonzero(clusters.number)
    labels = len(here)
    number = clusters.number[here].astype(np.float64)
    size, sum_of_squares = clusters.size[here], clusters.squares[here]
    mean = clusters.total(s)[here] / size
    square = squares[here] if low < 0 else mean
    room = np.maximum(square - mean**2, 0.0)
    alike = size**2 / sum_of_squares
    place = np.full(clusters.n_labels, -1)
    place[here] = np.arange(labels)
    own_label = place[label]
    error = s - mean[own_label] * n
    spread = np.bincount(own_label, weights=error**2, minlength=labels) / size**2

    differ = np.ones(labels)
    apart = (room > 1e-12) & (number > 1)
    factor = number[apart] / (number[apart] - 1)
    differ[apart] = factor * spread[apart] * alike[apart] / room[apart]
    weight = np.where(number > 1, number * (square if low < 0 else room), 0.0)
    differ = np.minimum(1.0, (weight * differ + 1) / (weight + 1))
    macro = mean.mean()
    drawn = (alike * mean + macro) / (alike + 1)
    drawn_square = (alike * square + square.mean()) / (alike + 1)
    most = np.maximum(drawn_square - drawn**2, 0.0) / (1 - alike / (alike + 1) ** 2)
    own = float(np.sum(most * differ / alike)) / labels**2
    influence = error / (labels * size[own_label])
    by_cluster = np.bincount(clusters.cluster, weights=influence)
    variance = max(own + float(np.sum(by_cluster**2)) - float(np.sum(influence**2)), own / 2)

    shares = np.bincount(clusters.cluster, weights=n / (labels * size[own_label]))
    patients = 1 / float(np.sum(shares**2))
    middle = (patients * macro + low + high) / (patients + 2)
    further = (high - middle) ** 2 + (middle - low) ** 2 + patients * (macro - middle) ** 2
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * np.sqrt(variance * patients**2 + further) / (patients + 2)
    return np.array([middle - reach, middle + reach])
