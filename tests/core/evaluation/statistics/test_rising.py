"""Rising curves against the min-max formula of isotonic regression, in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.evaluation.statistics.rising import BLOCK, MOST_BLOCKS, rising_curve


def slow_curve(numbers, outcomes):
    """Blocks in order, one pair more of either kind in each, and max over i of min over j of the mean from i to j."""
    pairs = sorted(zip(numbers, outcomes, strict=True))
    number = min(max(len(pairs) // BLOCK, 1), MOST_BLOCKS)
    limits = [pairs[place * len(pairs) // number - 1][0] for place in range(1, number)]
    blocks = []
    for value, outcome in pairs:
        place = sum(value > limit for limit in limits)
        if not blocks or blocks[-1][0] != place:
            blocks.append((place, []))
        blocks[-1][1].append((value, outcome))
    sums = [(1 + sum(o for _, o in these), 2 + len(these)) for _, these in blocks]

    def mean(start, stop):
        return sum(s for s, _ in sums[start : stop + 1]) / sum(n for _, n in sums[start : stop + 1])

    size = len(blocks)
    rising = [max(min(mean(i, j) for j in range(k, size)) for i in range(k + 1)) for k in range(size)]
    return [sum(v for v, _ in these) / len(these) for _, these in blocks], rising, [len(t) for _, t in blocks]


@given(st.integers(0, 10_000), st.integers(1, 700), st.sampled_from([1000, 20, 3]))
def test_it_is_what_plain_python_says(seed, size, values) -> None:
    random = np.random.default_rng(seed)
    numbers = random.integers(0, values, size) / values
    outcomes = random.uniform(size=size) < numbers * random.uniform()
    curve = rising_curve(numbers, outcomes)
    points, shares, counts = slow_curve(numbers.tolist(), outcomes.tolist())
    assert curve.points.tolist() == pytest.approx(points)
    assert curve.shares.tolist() == pytest.approx(shares)
    assert curve.counts.tolist() == counts
    order = random.permutation(size)
    again = rising_curve(numbers[order], outcomes[order])
    assert again.points.tolist() == pytest.approx(points)
    assert again.shares.tolist() == pytest.approx(shares)


def test_it_finds_the_shares_that_pairs_were_drawn_by() -> None:
    random = np.random.default_rng(0)
    numbers = random.uniform(size=20_000)
    curve = rising_curve(numbers, random.uniform(size=20_000) < numbers**2)
    there = np.linspace(0.05, 0.95, 19)
    assert np.abs(curve.at(there) - there**2).max() < 0.06
    assert (np.diff(curve.shares) >= 0).all()
    assert 0 < curve.shares[0] < curve.shares[-1] < 1


def test_what_it_cannot_be_made_of_is_refused() -> None:
    for numbers, outcomes in (([], []), ([0.5], [1, 0])):
        with pytest.raises(ValueError, match="Expected as many outcomes as numbers and at least one"):
            rising_curve(np.array(numbers), np.array(outcomes))
