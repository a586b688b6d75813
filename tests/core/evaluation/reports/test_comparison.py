"""The comparison of two encoders against loops in plain Python."""

from __future__ import annotations

import itertools
import math
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.errors import EvaluationError, StaleError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.comparison import (
    COMPARISON_COLUMNS,
    Comparison,
    label_note,
    labels_of,
    verdict,
)
from radcbir_core.evaluation.reports.disagreements import disagreements, ranked_pair
from radcbir_core.evaluation.reports.neighborhoods import Neighborhoods
from radcbir_core.evaluation.reports.precision import Precision, of_level
from radcbir_core.evaluation.statistics.intervals import DIFFERENCES, mean_intervals
from tests.core.evaluation.reports.slow_comparison import mean, slow_queries
from tests.second_encoder import add_encoder


def slow_means(queries, k, side):
    """averaging or label → mean, of one side (0, 1) or of the differences (2)."""
    value = {row: (*found[2][k], found[2][k][1] - found[2][k][0])[side] for row, found in queries.items()}
    labels = sorted({found[0] for found in queries.values()})
    result = {label: mean([value[row] for row, found in queries.items() if found[0] == label]) for label in labels}
    macro = mean([result[label] for label in labels])
    return result | {"micro": mean(list(value.values())), "macro": macro}


@pytest.mark.parametrize(
    ("name", "divisor", "versus", "empty"),
    [
        *itertools.product(["leave-one-out", "split"], ["k", "available"], ["second", "chance"], ["skip"]),
        ("leave-one-out", "k", "second", "zero"),
        ("leave-one-out", "available", "chance", "zero"),
    ],
)
def test_every_figure_agrees_with_plain_python(with_failures, name, divisor, versus, empty) -> None:
    a, b = with_failures[0], None if versus == "chance" else with_failures[1]
    protocol = Protocol.of(name, divisor=divisor, empty=empty)
    found = Comparison(versus, protocol).run(a)
    assert tuple(found.table.columns) == COMPARISON_COLUMNS
    assert (found.facts["a"], found.facts["b"]) == ("pixels", versus)
    bounded = found.table.dropna(subset="low")
    assert ((bounded["low"] <= bounded["difference"]) & (bounded["difference"] <= bounded["high"])).all()
    for level in ("modality", "anatomy", "label"):
        queries = slow_queries(a, b, protocol, level)
        table = of_level(found.tables["queries"], level)
        assert table["row"].tolist() == list(queries)
        assert table["label"].tolist() == [value[0] for value in queries.values()]
        for k in protocol.ks:
            for side, column in enumerate(("a", "b")):
                wanted = [value[2][k][side] for value in queries.values()]
                assert table[f"{column}@{k}"].tolist() == pytest.approx(wanted, abs=1e-12, nan_ok=True)
            rows = found.table[(found.table["level"] == level) & (found.table["k"] == k)]
            for side, column in enumerate(("a", "b", "difference")):
                means = slow_means(queries, k, side)
                names = [row["label"] or row["averaging"] for row in rows.to_dict("records")]
                assert names == ["micro", "macro", *sorted(set(means) - {"micro", "macro"})]
                assert rows[column].tolist() == pytest.approx([means[name] for name in names], abs=1e-12, nan_ok=True)
            asked = [v for v in queries.values() if not math.isnan(v[2][k][0])]
            patients = [len({v[1] for v in asked if label in ("micro", "macro", v[0])}) for label in names]
            assert rows["n_patients"].tolist() == patients


def test_intervals_are_those_of_the_differences_of_single_queries(pair) -> None:
    a, b = pair
    rows = Comparison("second", Protocol.of(ks=(1, 10))).run(a).table
    queries = list(slow_queries(a, b, Protocol.of(ks=(1, 10)), "label").values())
    change = np.array([[values[10][1] - values[10][0]] for *_, values in queries])
    names, labels = np.unique([label for label, *_ in queries], return_inverse=True)
    patients = np.unique([patient for _, patient, _ in queries], return_inverse=True)[1]
    bounds = mean_intervals(change, labels, clusters=patients, n_labels=len(names), limits=(-1, 1))
    rows = rows[(rows["level"] == "label") & (rows["k"] == 10)].set_index("label")
    for label, expected in zip(names, bounds.label[:, 0], strict=True):
        np.testing.assert_allclose(rows.loc[label, ["low", "high"]].astype(float), expected)
    for averaging, expected in (("micro", bounds.micro[0]), ("macro", bounds.macro[0])):
        row = rows[rows["averaging"] == averaging].iloc[0]
        assert (row["low"], row["high"]) == pytest.approx(expected)
        assert row["low"] < row["difference"] < row["high"]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([-1.0, -0.3, 0.0, 0.1, 1.0]), st.integers(0, 2), st.integers(0, 5)), min_size=1)
)
def test_the_interval_of_a_difference_holds_it(case: list[tuple[float, int, int]]) -> None:
    change, labels, clusters = (np.array(part) for part in zip(*case, strict=True))
    bounds = mean_intervals(change[:, None], labels, clusters=clusters, n_labels=3, limits=DIFFERENCES)
    by_label = [change[labels == label].mean() if (labels == label).any() else math.nan for label in range(3)]
    for (low, high), difference in zip(
        np.vstack([bounds.label[:, 0], bounds.micro, bounds.macro]),
        [*by_label, change.mean(), np.nanmean(by_label)],
        strict=True,
    ):
        assert math.isnan(low) or -1 <= low <= difference + 1e-12 <= high + 2e-12 <= 1 + 2e-12


def test_the_paired_interval_is_narrower_than_two_separate_ones() -> None:
    """Forty patients, hard and easy ones; B is a little better for each."""
    random = np.random.default_rng(0)
    hard = random.random(40) * 0.8
    first, second = hard, hard + 0.1
    labels, clusters = np.zeros(40, int), np.arange(40)
    one, other = (mean_intervals(p[:, None], labels, clusters=clusters, n_labels=1).micro[0] for p in (first, second))
    pair = mean_intervals((second - first)[:, None], labels, clusters=clusters, n_labels=1, limits=DIFFERENCES)
    low, high = pair.micro[0]
    assert low < 0.1 < high
    assert one[1] > other[0], "the two overlap"
    assert high - low < min(one[1] - one[0], other[1] - other[0])
    assert pair.label_clusters.tolist() == [40]


def test_an_encoder_against_its_twin_differs_nowhere(pair) -> None:
    a = pair[0]
    add_encoder(a.collection, "twin", noise=0.0)
    twin = a.collection.store("twin")
    table = Comparison("twin").run(a).table
    assert (table["difference"].abs() < 1e-12).all()
    assert (table["p"].dropna() == 1).all()
    assert {verdict(row.low, row.high) for row in table.itertuples()} <= {"open", "none"}
    found = disagreements(a, Comparison("twin"), level="label", k=1)
    assert len(found.only_a) == len(found.only_b) == 0
    pairwise = ranked_pair(a, Comparison("twin"), 5, k=10, level="label")
    assert (pairwise.overlap, pairwise.shared) == (pytest.approx(1), 10)
    assert twin.encoder_id == "twin"
    assert (Neighborhoods("twin").run(a).table["agreement"] == 1).all()


def test_swapping_the_encoders_turns_the_signs(pair) -> None:
    one, other = Comparison("second").run(pair[0]).table, Comparison("pixels").run(pair[1]).table
    assert other["difference"].to_numpy() == pytest.approx(-one["difference"].to_numpy())
    assert other["p"].to_numpy() == pytest.approx(one["p"].to_numpy(), nan_ok=True)
    assert other["a"].to_numpy() == pytest.approx(one["b"].to_numpy())


def test_without_failures_each_side_is_the_encoder_s_own_evaluation(pair) -> None:
    table = Comparison("second").run(pair[0]).table
    for store, column in zip(pair, ("a", "b"), strict=True):
        own = Precision().run(store).table
        assert table[column].to_numpy() == pytest.approx(own["precision"].to_numpy(), nan_ok=True)
        assert table["n_queries"].tolist() == own["n_queries"].tolist()


def test_labels_come_with_b_s_largest_gain_first(pair) -> None:
    labels = labels_of(Comparison("second").run(pair[0]), "label", 5)
    assert labels["difference"].round(12).is_monotonic_decreasing  # equal ones differ by a rounding
    assert set(labels["averaging"]) == {"label"}
    assert (labels["p_holm"] >= labels["p"]).all()
    assert "intervals" in label_note(labels)


def test_what_is_kept_goes_when_one_of_the_two_is_made_again(pair) -> None:
    a, b = pair
    first = Comparison("second").run(a)
    shutil.rmtree(b.folder)
    add_encoder(a.collection, noise=3.0)
    told: list[str] = []
    anew = Comparison("second").run(a, progress=lambda step, done, total: told.append(step))
    assert "comparison" in told
    assert not anew.table["b"].equals(first.table["b"])


def test_own_evaluations_that_are_kept_are_used(pair) -> None:
    a = pair[0]
    fresh = Comparison("second").compute(a)
    for store in pair:
        Precision().run(store)
    again = Comparison("second").compute(a)
    pd.testing.assert_frame_equal(again.table, fresh.table)
    pd.testing.assert_frame_equal(again.tables["queries"], fresh.tables["queries"])


def test_what_one_must_know_is_said(with_failures) -> None:
    a = with_failures[0]
    notes = " ".join(Comparison("second").run(a).notes)
    assert "3 that only pixels could, and 0 that only second could, are left out" in notes
    assert "10 of 61 images have no patient_id" in notes
    assert "it is computed, not drawn" in " ".join(Comparison("chance").run(a).notes)


def test_what_cannot_be_compared_is_refused(pair) -> None:
    a, b = pair
    with pytest.raises(EvaluationError, match="Expected two different encoders, but both are pixels"):
        Comparison("pixels").run(a)
    (b.folder / "neighbor_ids.npy").unlink()
    with pytest.raises(StaleError, match=r"that of second is missing or older. Build small with second again"):
        Comparison("second").run(a)
    with pytest.raises(StaleError, match="that of second"):
        Neighborhoods("second").run(a)
    with pytest.raises(EvaluationError, match="Expected two different encoders, but these are pixels and none"):
        Neighborhoods().run(a)
