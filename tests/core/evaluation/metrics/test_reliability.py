"""Calibration errors against plain Python, and what their bounds say of chances that are true and that are not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.evaluation.metrics.reliability import BINS, bin_of, calibration_error, error_bounds

TENTHS = st.integers(0, 1000).map(lambda number: number / 1000)
PAIRS = st.lists(st.tuples(TENTHS, st.booleans()), min_size=1, max_size=60)


def slow_error(pairs):
    """Guo et al., equation 3, by plain Python."""
    bins = {}
    for chance, outcome in pairs:
        place = next((number for number in range(10) if chance < (number + 1) / 10 - 1e-9), 9)
        bins.setdefault(place, []).append((chance, outcome))
    return sum(
        len(these) / len(pairs) * abs(sum(o for _, o in these) / len(these) - sum(c for c, _ in these) / len(these))
        for these in bins.values()
    )


@given(PAIRS)
def test_the_error_is_that_of_plain_python(pairs) -> None:
    chances, outcomes = (np.array(values, dtype=float) for values in zip(*pairs, strict=True))
    assert calibration_error(chances, outcomes) == pytest.approx(slow_error(pairs), abs=1e-12)


def test_each_tenth_begins_a_bin_whatever_its_last_bit() -> None:
    tenths = np.array([number / 10 for number in range(11)])
    assert bin_of(tenths).tolist() == [*range(10), 9]
    assert bin_of(np.nextafter(tenths[1:-1], 0)).tolist() == list(range(1, 10))
    assert bin_of(tenths[1:] - 1e-6).tolist() == list(range(10))
    assert BINS == 10


def test_of_nothing_there_is_no_error() -> None:
    assert math.isnan(calibration_error(np.empty(0), np.empty(0)))


@given(PAIRS, st.integers(2, 9))
def test_bounds_hold_the_error(pairs, patients) -> None:
    chances, outcomes = (np.array(values, dtype=float) for values in zip(*pairs, strict=True))
    clusters = np.arange(len(pairs)) % patients
    bounds = error_bounds(chances, outcomes, clusters=clusters)
    error = calibration_error(chances, outcomes)
    if len(pairs) < 2:
        assert math.isnan(bounds.low)
        return
    assert 0 <= bounds.low <= error + 1e-12
    assert bounds.high >= error - 1e-12
    assert bounds.by_noise >= 0


def test_what_is_off_by_more_than_noise_is_told_from_what_is_true() -> None:
    random = np.random.default_rng(3)
    true = random.uniform(0.2, 0.8, 4000)
    outcomes = random.uniform(size=4000) < true
    clusters = np.arange(4000) // 4
    right, wrong = (error_bounds(said, outcomes, clusters=clusters) for said in (true, true + 0.15))
    assert right.low == 0
    assert 0.1 < wrong.low < 0.15 < wrong.high
    assert error_bounds(true, outcomes, clusters=clusters) == right  # the same draws each time


def test_patients_who_agree_make_it_less_sure() -> None:
    random = np.random.default_rng(4)
    outcomes = np.repeat(random.uniform(size=60) < 0.5, 20)
    chances = np.full(1200, 0.5)
    each = error_bounds(chances, outcomes, clusters=np.arange(1200))
    together = error_bounds(chances, outcomes, clusters=np.repeat(np.arange(60), 20))
    assert together.high > 2 * each.high
    assert together.by_noise > 2 * each.by_noise
