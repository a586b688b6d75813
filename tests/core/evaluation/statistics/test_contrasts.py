"""Differences of groups against loops over queries, bounds by hand, and p against all ways to flip signs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from radcbir_core.evaluation.statistics.contrasts import contrasts
from radcbir_core.evaluation.statistics.intervals import mean_intervals


def drawn(seed: int, *, queries: int = 60, patients: int = 12, groups: int = 3, strata: int = 4):
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, patients, queries)
    values = rng.integers(0, 6, queries) / 5
    values[rng.random(queries) < 0.1] = np.nan
    return values, rng.integers(0, groups, queries), cluster, rng.integers(0, strata, queries)


def slow_difference(values, groups, group, strata):
    """The difference of Mantel and Haenszel, stratum by stratum."""
    above = below = 0.0
    for stratum in set(strata.tolist()):
        own, others = [], []
        for value, of, where in zip(values, groups, strata, strict=True):
            if where == stratum and not np.isnan(value):
                (own if of == group else others).append(value)
        if own and others:
            weight = len(own) * len(others) / (len(own) + len(others))
            above += weight * (np.mean(own) - np.mean(others))
            below += weight
    return above / below if below else np.nan


@pytest.mark.parametrize("seed", range(5))
def test_the_difference_is_that_of_mantel_and_haenszel(seed) -> None:
    values, groups, clusters, strata = drawn(seed)
    made = contrasts(values, groups, clusters=clusters, n_groups=4, strata=strata)
    plain = contrasts(values, groups, clusters=clusters, n_groups=4)
    for group in range(4):
        np.testing.assert_allclose(made.difference[group], slow_difference(values, groups, group, strata), atol=1e-12)
        alone = slow_difference(values, groups, group, np.zeros(len(values), dtype=int))
        np.testing.assert_allclose(plain.difference[group], alone, atol=1e-12)
        if group < 3:
            assert made.low[group] <= made.difference[group] <= made.high[group]
            assert made.low[group] < made.high[group]
            mine = (groups == group) & ~np.isnan(values)
            assert plain.n_queries[group] == mine.sum()
            assert plain.n_clusters[group] == len(set(clusters[mine]))
    assert np.isnan(made.difference[3])
    assert made.n_queries[3] == 0


def test_the_bounds_are_put_together_from_those_of_both_sides() -> None:
    """Where no patient is on both sides."""
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(20), 3)
    groups = (clusters % 2).astype(int)
    values = rng.integers(0, 2, 60).astype(float)
    made = contrasts(values, groups, clusters=clusters, n_groups=2)
    sides = mean_intervals(values[:, None], groups, clusters=clusters, n_labels=2).label[:, 0]
    means = [values[groups == side].mean() for side in (0, 1)]
    difference = means[0] - means[1]
    low = difference - np.hypot(means[0] - sides[0, 0], sides[1, 1] - means[1])
    high = difference + np.hypot(sides[0, 1] - means[0], means[1] - sides[1, 0])
    np.testing.assert_allclose([made.low[0], made.high[0]], [low, high], atol=1e-9)
    np.testing.assert_allclose([made.low[1], made.high[1]], [-high, -low], atol=1e-9)


def test_patients_on_both_sides_who_differ_from_each_other_make_it_surer() -> None:
    """Each patient has a level of its own, and the same step from one view to the other."""
    level = np.linspace(0.1, 0.8, 15)
    values = np.concatenate([level, level + 0.1])
    groups, clusters = np.repeat([0, 1], 15), np.tile(np.arange(15), 2)
    paired = contrasts(values, groups, clusters=clusters, n_groups=2)
    apart = contrasts(values, groups, clusters=np.arange(30), n_groups=2)
    assert paired.high[0] - paired.low[0] < 0.7 * (apart.high[0] - apart.low[0])
    assert paired.p[0] < 0.001 < apart.p[0]


def test_p_is_that_of_all_ways_to_flip_the_patients() -> None:
    values, groups, clusters, _ = drawn(7, queries=40, patients=8, groups=2)
    mean = np.nanmean(values)
    number = {side: np.count_nonzero((groups == side) & ~np.isnan(values)) for side in (0, 1)}
    whole = number[0] + number[1]
    total, flipped = 0.0, []
    for patient in range(8):
        mine = [i for i in range(40) if clusters[i] == patient and not np.isnan(values[i])]
        lean = [number[1] / whole if groups[i] == 0 else -number[0] / whole for i in mine]
        apart = np.mean(values[mine]) - mean
        score = sum(w * (values[i] - mean) for w, i in zip(lean, mine, strict=True))
        total += score
        flipped.append(score + sum(lean) * apart * (1 / np.sqrt(1 - len(mine) / whole) - 1))
    ways = [
        abs(sum(s * f for s, f in zip(signs, flipped, strict=True))) for signs in itertools.product((-1, 1), repeat=8)
    ]
    expected = np.mean([way >= abs(total) - 1e-9 for way in ways])
    assert contrasts(values, groups, clusters=clusters, n_groups=2).p[0] == pytest.approx(max(expected, 2 / 256))


def test_where_nothing_differs_few_p_are_small() -> None:
    """Labels of unlike difficulty, patients who are alike, groups that mean nothing."""
    small = 0
    rounds = 150
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        clusters = np.repeat(np.arange(40), 3)
        strata = np.repeat(rng.integers(0, 4, 40), 3)
        rate = np.clip(np.array([0.2, 0.5, 0.7, 0.9])[strata] + np.repeat(rng.normal(0, 0.15, 40), 3), 0, 1)
        values = (rng.random(120) < rate).astype(float)
        groups = np.repeat(rng.integers(0, 2, 40), 3)
        small += contrasts(values, groups, clusters=clusters, n_groups=2, strata=strata).p[0] <= 0.05
    assert small / rounds <= 0.09


def test_a_group_whose_labels_nobody_else_has_is_not_compared() -> None:
    values, groups = np.array([1.0, 0, 1, 0]), np.array([0, 0, 1, 1])
    made = contrasts(values, groups, clusters=np.arange(4), n_groups=2, strata=groups)
    assert np.isnan(made.difference).all()
    assert np.isnan(made.p).all()
    assert made.n_queries.tolist() == [0, 0]


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected one group, cluster and stratum a query"):
        contrasts(np.ones(3), np.zeros(2, int), clusters=np.zeros(3, int), n_groups=1)
    with pytest.raises(ValueError, match="Expected codes of at least 0"):
        contrasts(np.ones(2), np.array([-1, 0]), clusters=np.zeros(2, int), n_groups=1)
