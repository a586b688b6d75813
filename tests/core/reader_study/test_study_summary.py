"""The first look: shares, and intervals that know of readers and of cases."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.reader_study.study_summary import difference_of, figures_by_condition, share_within


def table(readers: int = 3, cases: int = 8) -> pd.DataFrame:
    """Readings that are right at random; reader 0 is better with retrieval by all of them."""
    rows = []
    random = np.random.default_rng(5)
    for reader in range(readers):
        for case in range(cases):
            for condition in ("without", "with"):
                rows.append(
                    {
                        "reader": f"R{reader}",
                        "case": case + 1,
                        "patient_group": case // 2,
                        "condition": condition,
                        "correct": int(random.random() < 0.6),
                        "seconds": 1.0 + case,
                        "confidence": 1 + reader,
                    }
                )
    return pd.DataFrame(rows)


def test_figures_are_those_of_the_readings() -> None:
    read = table()
    without, with_ = figures_by_condition(read)
    assert (without.condition, with_.condition) == ("without", "with")
    for one in (without, with_):
        part = read[read["condition"] == one.condition]
        assert (one.readings, one.readers, one.cases) == (24, 3, 8)
        assert one.accuracy.value == pytest.approx(part["correct"].sum() / 24)
        assert one.accuracy.low < one.accuracy.value < one.accuracy.high
        assert (one.seconds, one.confidence) == (4.5, 2.0)


def test_an_interval_is_wider_than_one_that_knows_of_readers_or_of_cases_alone() -> None:
    read = table()
    values = read["correct"].to_numpy(dtype=float)
    both = share_within(values, read, limits=(-9.0, 9.0))
    alone = share_within(values, read, limits=(0.0, 1.0))
    for column in ("reader", "patient_group"):
        codes = pd.factorize(read[column])[0]
        low, high = mean_intervals(values[:, None], np.zeros(len(read), int), clusters=codes, n_labels=1).micro[0]
        assert alone.low < low < high < alone.high or (alone.low, alone.high) == (0.0, 1.0)
    assert both.low < alone.low or alone.low == 0.0


def test_the_distances_of_both_add_up_as_independent_ones_do() -> None:
    read = table(readers=12, cases=30)
    values = read["correct"].to_numpy(dtype=float)
    bounds = [
        mean_intervals(
            values[:, None], np.zeros(len(read), int), clusters=pd.factorize(read[column])[0], n_labels=1
        ).micro[0]
        for column in ("reader", "patient_group")
    ]
    mean = values.mean()
    found = share_within(values, read, limits=(0.0, 1.0))
    assert found.low == pytest.approx(mean - math.hypot(mean - bounds[0][0], mean - bounds[1][0]))
    assert found.high == pytest.approx(mean + math.hypot(bounds[0][1] - mean, bounds[1][1] - mean))


def test_of_a_single_reader_cases_alone_decide() -> None:
    read = table(readers=1)
    values = read["correct"].to_numpy(dtype=float)
    low, high = mean_intervals(
        values[:, None], np.zeros(len(read), int), clusters=read["patient_group"].to_numpy(), n_labels=1
    ).micro[0]
    found = share_within(values, read, limits=(0.0, 1.0))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_of_one_patient_and_one_reader_there_is_no_interval() -> None:
    read = table(readers=1, cases=1)
    found = share_within(read["correct"].to_numpy(dtype=float), read, limits=(0.0, 1.0))
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert not math.isnan(found.value)


def test_the_difference_is_over_readers_and_cases_that_have_both() -> None:
    read = table(readers=2, cases=3)
    read["correct"] = [0, 1] * 6
    pairs, gained = difference_of(read)
    assert (pairs, gained.value) == (6, 1.0)
    fewer = read.drop(index=[0, 3])  # of two cases of the first reader, one condition is missing
    pairs, gained = difference_of(fewer)
    assert (pairs, gained.value) == (4, 1.0)
    assert difference_of(read[read["condition"] == "with"])[0] == 0


def test_nothing_was_read() -> None:
    empty = table().iloc[:0]
    assert figures_by_condition(empty) == []
    pairs, gained = difference_of(empty)
    assert pairs == 0
    assert math.isnan(gained.value)
