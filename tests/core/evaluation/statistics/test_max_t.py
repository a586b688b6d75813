"""Many groups at once: t and p against loops over patients, groups and draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from radcbir_core.evaluation.statistics.max_t import falls_behind


def drawn(seed: int, *, queries: int = 60, patients: int = 15, groups: int = 6):
    rng = np.random.default_rng(seed)
    members = rng.random((queries, groups)) < 0.35
    members[:, 1] = members[:, 0] | members[:, 1]  # they overlap
    values = rng.integers(0, 5, queries) / 4
    return values, members, rng.integers(0, patients, queries), rng.integers(0, 3, queries)


def slow(values, members, clusters, strata, *, draws, seed):
    """t and p, patient by patient and draw by draw."""
    patients = np.unique(clusters).tolist()
    signs = np.random.default_rng(seed).integers(0, 2, size=(len(patients), draws), dtype=np.int8) * 2 - 1
    mean = {one: np.mean([v for v, s in zip(values, strata, strict=True) if s == one]) for one in set(strata.tolist())}
    size = {one: int((strata == one).sum()) for one in mean}
    t, flipped = [], []
    for group in members.T:
        share = {one: np.mean(group[strata == one]) for one in mean}
        scores = np.zeros(len(patients))
        for query, value in enumerate(values):
            stratum, patient = strata[query], clusters[query]
            own = np.count_nonzero((strata == stratum) & (clusters == patient)) / size[stratum]
            factor = 1 / np.sqrt(1 - own) if own < 1 else 1
            residual = (value - mean[stratum]) * factor
            scores[patients.index(patient)] += (group[query] - share[stratum]) * residual
        drawn_sums = scores @ signs
        total = sum(value - mean[stratum] for value, stratum, one in zip(values, strata, group, strict=True) if one)
        deviation = np.sqrt(np.mean(drawn_sums**2))
        t.append(total / deviation)
        flipped.append(drawn_sums / deviation)
    order = np.argsort(t, kind="stable")
    p, before = np.ones(len(t)), 0.0
    for place, group in enumerate(order):
        left = order[place:]
        as_small = sum(min(flipped[other][draw] for other in left) <= t[group] + 1e-6 for draw in range(draws))
        before = p[group] = max(before, (1 + as_small) / (1 + draws))
    return np.array(t), p


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_loops_over_patients_and_draws_give(seed) -> None:
    values, members, clusters, strata = drawn(seed)
    made = falls_behind(values, sparse.csc_array(members), clusters=clusters, strata=strata, draws=40, seed=5)
    t, p = slow(values, members, clusters, strata, draws=40, seed=5)
    np.testing.assert_allclose(made.t, t, rtol=1e-4)
    np.testing.assert_allclose(made.p, p)
    means = {one: values[strata == one].mean() for one in set(strata.tolist())}
    for group, mean in zip(members.T, made.mean, strict=True):
        own = [value - means[stratum] for value, stratum in zip(values[group], strata[group], strict=True)]
        assert mean == pytest.approx(np.mean(own))


def test_what_is_all_of_its_strata_says_nothing() -> None:
    strata = np.repeat([0, 1], 10)
    members = sparse.csc_array(np.column_stack([strata == 0, np.arange(20) % 2 == 0]))
    values = (strata == 1).astype(float)
    made = falls_behind(values, members, clusters=np.arange(20), strata=strata)
    assert made.t.tolist() == [0, 0]
    assert made.p.tolist() == [1, 1]


def test_where_nothing_differs_hardly_any_collection_has_a_clear_group() -> None:
    called = 0
    rounds = 120
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        clusters = np.repeat(np.arange(50), 2)
        members = sparse.csc_array(rng.random((100, 30)) < rng.uniform(0.1, 0.6, 30))
        values = (rng.random(100) < np.repeat(rng.beta(2, 2, 50), 2)).astype(float)
        strata = np.repeat(rng.integers(0, 3, 50), 2)
        p = falls_behind(values, members, clusters=clusters, strata=strata, draws=199, seed=seed).p
        called += bool((p <= 0.05).any())
    assert called / rounds <= 0.1


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected a value without NaN, a cluster, a stratum and a line of members"):
        falls_behind(np.ones(3), sparse.csc_array(np.ones((2, 1))), clusters=np.zeros(3, int), strata=np.zeros(3, int))
