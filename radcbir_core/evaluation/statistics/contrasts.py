"""How much the queries of one group differ from all others: the difference of two means, with interval and p.

Owns this difference, as it is, and within strata. In the second, a group is compared with the others of the same
strata (such as labels) alone: in stratum l with n_gl queries of the group and n_rl others, a query of the group weighs
n_rl / n_l and one of the others n_gl / n_l (the overlap weights of Li, Morgan and Zaslavsky, *Journal of the American
Statistical Association* 113, 2018). So both sides have the same mixture of strata, w_l = n_gl n_rl / n_l, and the
difference is that of Mantel and Haenszel: a hospital whose patients are harder is not called worse. Without strata it
is mean less mean. Strata of which one side has no query say nothing, and do not count.

**Interval.** Each side is a weighted mean over clusters (patients), with the interval of intervals.py, after the mean
of its stratum has been taken from each value and the common mean been added. The interval of the difference is put
together from both (MOVER: Zou and Donner, *Statistics in Medicine* 27, 2008, pp. 1693-1702)::

    low  = d - √((a - l_a)² - 2 r (a - l_a) (u_b - b) + (u_b - b)²),   high accordingly

where r is how much the two move together, because patients may be on both sides: the covariance of their clusters'
sums. It is never of width zero, as neither of the two is.

**p.** If it made no difference of which group a query is, the patients' sums of (weight × value less the mean of its
stratum), with the others' weights negative, would as well have either sign (randomization.py). What estimating the mean
of a stratum takes from a patient who makes much of it is given back: its part of the sum is divided by √(1 - share).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from radcbir_core.arrays import check_codes, dense_codes, runs_of
from radcbir_core.evaluation.statistics.averages import ratio
from radcbir_core.evaluation.statistics.intervals import sums_intervals
from radcbir_core.evaluation.statistics.randomization import drawn_signs, sign_flip_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NORMAL = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Contrasts:
    """What groups have less or more than the others, one line a group; NaN where nothing can be compared.

    Attributes:
        difference: (G,) the mean of the group less that of the others.
        low: (G,) of its 95 % interval, NaN where one side has fewer than two clusters.
        high: (G,) likewise.
        p: (G,) two-sided, above 0 and up to 1.
        n_queries: (G,) int64, the queries of the group that are compared.
        n_clusters: (G,) int64, the clusters of these.
    """

    difference: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p: NDArray[np.float64]
    n_queries: NDArray[np.int64]
    n_clusters: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Cells:
    """The queries of one cluster, stratum and group together, one line each that occurs."""

    cluster: NDArray[np.int64]
    stratum: NDArray[np.int64]
    group: NDArray[np.int64]
    n: NDArray[np.float64]
    s: NDArray[np.float64]
    n_strata: int


@dataclass(frozen=True, slots=True)
class _Pairs:
    """What each cluster has of each stratum, of whatever group, one line a pair that occurs.

    Attributes:
        place: Of each line of the cells, which pair it is of.
        cluster: Of each pair, a code of its cluster, without gaps.
        apart: Of each pair, its mean less that of the stratum.
        enlarged: Of each pair, by what its part that hangs on the mean of the stratum is enlarged, less 1.
    """

    place: NDArray[np.int64]
    cluster: NDArray[np.int64]
    apart: NDArray[np.float64]
    enlarged: NDArray[np.float64]


def contrasts(
    values: NDArray[Any],
    groups: NDArray[Any],
    *,
    clusters: NDArray[Any],
    n_groups: int,
    strata: NDArray[Any] | None = None,
    seed: int = 0,
) -> Contrasts:
    """The difference of each group to all other queries.

    Args:
        values: (Q,) from 0 to 1; NaN is left out.
        groups: (Q,) group codes, at least 0.
        clusters: (Q,) cluster codes, at least 0.
        n_groups: G, above the highest group code.
        strata: (Q,) codes of what is compared with its like alone, at least 0; nothing by default.
        seed: Of the signs that are drawn for p; same seed, same p.

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        Group 1 has the harder label, and finds as much of each label as group 0.

        >>> values = np.array([1.0, 1, 0, 1, 0, 0])
        >>> groups, labels = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 0, 1, 1])
        >>> kept = {"clusters": np.arange(6), "n_groups": 2}
        >>> contrasts(values, groups, **kept).difference.round(2).tolist()
        [0.33, -0.33]
        >>> contrasts(values, groups, strata=labels, **kept).difference.tolist()
        [0.0, 0.0]
    """
    cells = _cells_of(values, groups, clusters=clusters, strata=strata)
    names = ("difference", "low", "high", "p")
    made = {name: np.full(n_groups, np.nan) for name in names}
    n_queries, n_clusters = np.zeros((2, n_groups), dtype=np.int64)
    draws = drawn_signs(seed)
    whole, sums = _of_strata(cells, cells.n), _of_strata(cells, cells.s)
    means = ratio(sums, whole)
    pairs = _pairs_of(cells, whole, means)
    for group in np.flatnonzero(np.bincount(cells.group)).tolist():
        mine = cells.group == group
        inside = np.bincount(cells.stratum[mine], weights=cells.n[mine], minlength=cells.n_strata)
        common = ratio(inside * (whole - inside), whole)
        weight = float(common.sum())
        if weight <= 0:
            continue
        weights = np.where(mine, ratio(whole - inside, whole)[cells.stratum], ratio(inside, whole)[cells.stratum])
        counted = weights > 0
        middle = float(np.sum(common * means)) / weight
        apart = weights * (cells.s - cells.n * means[cells.stratum])
        sizes = weights * cells.n
        limits = (0.0, 1.0) if strata is None else (-np.inf, np.inf)
        sides = _sides(cells, mine, sizes, apart + sizes * middle, limits=limits)
        made["difference"][group], made["low"][group], made["high"][group] = sides
        signed = np.where(mine, apart, -apart)
        made["p"][group] = _p_value(pairs, signed, np.where(mine, sizes, -sizes), draws)
        n_queries[group] = round(float(cells.n[mine & counted].sum()))
        n_clusters[group] = len(runs_of(cells.cluster[mine & counted])[0])
    return Contrasts(**made, n_queries=n_queries, n_clusters=n_clusters)


def _cells_of(
    values: NDArray[Any], groups: NDArray[Any], *, clusters: NDArray[Any], strata: NDArray[Any] | None
) -> _Cells:
    own = np.asarray(values, dtype=np.float64)
    codes = [check_codes(groups, name="groups"), check_codes(clusters, name="clusters")]
    codes.append(np.zeros(len(own), dtype=np.int64) if strata is None else check_codes(strata, name="strata"))
    if own.ndim != 1 or any(len(each) != len(own) for each in codes):
        raise ValueError(
            f"Expected one group, cluster and stratum a query ({len(own)}), but there are "
            f"{', '.join(str(len(each)) for each in codes)}. Pass those of the same queries."
        )
    if any(each.size and int(each.min()) < 0 for each in codes):
        raise ValueError("Expected codes of at least 0, but some are below. Give those without a value one of theirs.")
    known = ~np.isnan(own)
    group, cluster = (each[known].astype(np.int64) for each in codes[:2])
    present, stratum = dense_codes(codes[2][known])  # each stratum has a query
    n_groups, n_strata = int(group.max(initial=-1)) + 1, len(present)
    keys, place = np.unique((cluster * n_strata + stratum) * n_groups + group, return_inverse=True)
    rest, of_group = np.divmod(keys, max(n_groups, 1))
    of_cluster, of_stratum = np.divmod(rest, max(n_strata, 1))
    n = np.bincount(place, minlength=len(keys)).astype(np.float64)
    s = np.bincount(place, weights=own[known], minlength=len(keys)).astype(np.float64)
    return _Cells(of_cluster, of_stratum, of_group, n, s, n_strata=n_strata)


def _of_strata(cells: _Cells, of_cells: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.bincount(cells.stratum, weights=of_cells, minlength=cells.n_strata).astype(np.float64)


def _sides(
    cells: _Cells,
    mine: NDArray[np.bool_],
    sizes: NDArray[np.float64],
    sums: NDArray[np.float64],
    *,
    limits: tuple[float, float],
) -> tuple[float, float, float]:
    """The difference of the two weighted means, and its bounds; ``limits`` are those of each mean."""
    by_cluster = []
    for side in (mine & (sizes > 0), ~mine & (sizes > 0)):
        of, place = runs_of(cells.cluster[side])  # cells are in the order of clusters
        by_cluster.append((of, np.bincount(place, weights=sizes[side]), np.bincount(place, weights=sums[side])))
    (of_a, n_a, s_a), (of_b, n_b, s_b) = by_cluster
    a, b = float(s_a.sum() / n_a.sum()), float(s_b.sum() / n_b.sum())
    codes = np.repeat([0, 1], [len(of_a), len(of_b)])
    bounds = sums_intervals(np.concatenate([s_a, s_b]), np.concatenate([n_a, n_b]), codes, n_means=2)
    if np.isnan(bounds).any():
        return a - b, np.nan, np.nan
    reach = (bounds[:, 1] - bounds[:, 0]) / 2
    there = np.full(int(max(of_a[-1], of_b[-1])) + 1, -1, dtype=np.int64)
    there[of_a] = np.arange(len(of_a))
    left = there[of_b]
    right = np.flatnonzero(left >= 0)
    left = left[right]
    together = 0.0
    if len(right):
        product = float(np.sum((s_a[left] - a * n_a[left]) * (s_b[right] - b * n_b[right])))
        whole = [float(n.sum() + 2 * np.sum(n**2) / n.sum()) for n in (n_a, n_b)]
        together = product * _NORMAL**2 / (whole[0] * whole[1]) / float(reach[0] * reach[1])
    together = min(max(together, -1.0), 1.0)
    bounds = np.clip(bounds, *limits)
    down_a, up_a = max(a - bounds[0, 0], 0.0), max(bounds[0, 1] - a, 0.0)
    down_b, up_b = max(b - bounds[1, 0], 0.0), max(bounds[1, 1] - b, 0.0)
    below = np.sqrt(max(down_a**2 - 2 * together * down_a * up_b + up_b**2, 0.0))
    above = np.sqrt(max(up_a**2 - 2 * together * up_a * down_b + down_b**2, 0.0))
    return a - b, max(a - b - below, -1.0), min(a - b + above, 1.0)


def _pairs_of(cells: _Cells, whole: NDArray[np.float64], means: NDArray[np.float64]) -> _Pairs:
    keys, place = runs_of(cells.cluster * cells.n_strata + cells.stratum)
    cluster, stratum = np.divmod(keys, max(cells.n_strata, 1))
    size = np.bincount(place, weights=cells.n, minlength=len(keys))
    apart = ratio(np.bincount(place, weights=cells.s, minlength=len(keys)), size) - means[stratum]
    rest = 1 - size / whole[stratum]
    # A cluster that is all of a stratum does not hang on its mean: what it leans by is 0 there.
    enlarged = 1 / np.sqrt(rest, out=np.ones(len(rest)), where=rest > 1e-12) - 1
    return _Pairs(place, runs_of(cluster)[1], apart, enlarged)


def _p_value(
    pairs: _Pairs, signed: NDArray[np.float64], leaning: NDArray[np.float64], draws: NDArray[np.intp]
) -> float:
    """How often the sum over all clusters would be as large if each could have either sign.

    Args:
        pairs: Of the cells.
        signed: Of each cell, weight × (value less the mean of its stratum), the others' negative.
        leaning: Of each cell, the sum of the weights, the others' negative.
        draws: Signs.
    """
    number = len(pairs.cluster)
    own = np.bincount(pairs.place, weights=signed, minlength=number)
    hung = np.bincount(pairs.place, weights=leaning, minlength=number) * pairs.apart
    by_cluster = np.bincount(pairs.cluster, weights=own + hung * pairs.enlarged)
    return sign_flip_p(by_cluster.astype(np.float64), draws, total=float(own.sum()))
