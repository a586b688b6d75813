"""Means over queries and labels against a slow oracle, and the table of them."""

from __future__ import annotations

import math
import re
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.evaluation.statistics.averages import means_of, summarize
from radcbir_core.evaluation.statistics.intervals import mean_intervals


def oracle_averages(values, labels):
    by_label = {}
    for value, label in zip(values, labels, strict=True):
        if label >= 0 and not math.isnan(value):
            by_label.setdefault(label, []).append(value)
    everything = [value for kept in by_label.values() for value in kept]
    micro = statistics.fmean(everything) if everything else math.nan
    macro = statistics.fmean(statistics.fmean(kept) for kept in by_label.values()) if by_label else math.nan
    return micro, macro, by_label


def test_micro_counts_queries_and_macro_counts_labels():
    values = np.array([[1.0], [1.0], [1.0], [0.0], [0.7], [np.nan]])
    labels = np.array([0, 0, 0, 2, -1, 2])
    means = means_of(values, labels, n_labels=4)
    assert means.micro.tolist() == [0.75]
    assert means.macro.tolist() == [0.5]
    np.testing.assert_array_equal(means.label, [[1.0], [np.nan], [0.0], [np.nan]])
    assert means.n_queries.tolist() == [4]
    assert means.label_queries.ravel().tolist() == [3, 0, 1, 0]


def test_a_query_of_several_labels_counts_once_in_micro_and_under_each_in_macro():
    values = np.array([[1.0], [0.0], [0.5]])
    lines, labels = np.array([0, 0, 1, 2]), np.array([0, 1, 1, -1])
    means = means_of(values, labels, n_labels=2, lines=lines)
    assert means.label.ravel().tolist() == [1.0, 0.5]
    assert means.macro.tolist() == [0.75]
    assert means.micro.tolist() == [0.5]  # the third query counts under no label, and so not at all
    assert means.n_queries.tolist() == [2]
    assert means.label_queries.ravel().tolist() == [1, 2]


def test_averages_of_nothing_are_nan():
    for values, labels in (([[0.5]], [-1]), ([[np.nan]], [0]), (np.empty((0, 1)), [])):
        codes = np.array(labels, dtype=int)
        means = means_of(np.array(values), codes, n_labels=1)
        assert np.isnan(means.micro).all()
        assert np.isnan(means.macro).all()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.one_of(st.just(math.nan), st.floats(0, 1)), st.integers(-1, 4)), max_size=30))
def test_averages_equal_the_oracle(rows):
    values = [value for value, _ in rows]
    labels = np.array([label for _, label in rows], dtype=int)
    table = np.array(values, dtype=float).reshape(-1, 1)
    micro, macro, by_label = oracle_averages(values, labels)
    found = means_of(table, labels, n_labels=5)
    np.testing.assert_allclose(found.micro, [micro], atol=1e-12)
    np.testing.assert_allclose(found.macro, [macro], atol=1e-12)
    means = found.label[:, 0]
    for label in range(5):
        expected = statistics.fmean(by_label[label]) if label in by_label else math.nan
        np.testing.assert_allclose(means[label], expected, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_with_one_label_micro_is_macro(values):
    table, labels = np.array(values).reshape(-1, 1), np.zeros(len(values), dtype=int)
    means = means_of(table, labels, n_labels=1)
    np.testing.assert_allclose(means.micro, means.macro)


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_table_names_every_mean_and_counts_its_queries():
    values = np.array([[1.0, 0.5], [0.0, 0.5], [np.nan, np.nan], [1.0, 1.0]])
    found = summarize(values, np.array([0, 2, 2, -1]), columns={"k": (1, 2)}, labels=("a, b", "never", '<b>"é"'))
    assert found.columns.tolist() == ["label", "k", "precision", "n_queries", "averaging"]
    assert found.values.tolist() == [
        ["", 1, 0.5, 2, "micro"],
        ["", 2, 0.5, 2, "micro"],
        ["", 1, 0.5, 2, "macro"],
        ["", 2, 0.5, 2, "macro"],
        ["a, b", 1, 1.0, 1, "label"],
        ["a, b", 2, 0.5, 1, "label"],
        ['<b>"é"', 1, 0.0, 1, "label"],
        ['<b>"é"', 2, 0.5, 1, "label"],
    ]


def test_a_label_whose_queries_have_nothing_available_keeps_its_row():
    found = summarize(np.array([[np.nan]]), np.array([0]), columns={"k": (1,)}, labels=("rare",))
    assert found["n_queries"].tolist() == [0, 0, 0]
    assert found["precision"].isna().all()
    assert found["label"].tolist() == ["", "", "rare"]


def test_the_table_takes_up_the_intervals():
    values = np.array([[1.0], [0.0], [1.0], [1.0]])
    labels, clusters = np.array([0, 0, 0, 2]), np.array([0, 1, 2, 3])
    bounds = mean_intervals(values, labels, clusters=clusters, n_labels=3)
    found = summarize(values, labels, columns={"k": (1,)}, labels=("a", "b", "c"), intervals=bounds)
    assert found["averaging"].tolist() == ["micro", "macro", "label", "label"]
    expected = np.concatenate([bounds.micro, bounds.macro, bounds.label[0], bounds.label[2]])
    np.testing.assert_array_equal(found[["low", "high"]].to_numpy(), expected)
    with pytest.raises(
        ValueError, match=re.escape("Expected intervals of 4 labels and 1 values, but intervals.label has")
    ):
        summarize(values, labels, columns={"k": (1,)}, labels=("a", "b", "c", "d"), intervals=bounds)


def test_a_table_of_no_queries_is_two_rows_of_nan():
    found = summarize(np.empty((0, 1)), np.empty(0, dtype=int), columns={"k": (1,)}, labels=())
    assert found["averaging"].tolist() == ["micro", "macro"]
    assert found["precision"].isna().all()
    assert found["n_queries"].tolist() == [0, 0]


def test_the_table_counts_queries_that_have_nothing_to_find():
    values, empty = np.array([[1.0], [np.nan], [np.nan], [0.0]]), np.array([False, True, True, False])
    found = summarize(values, np.array([0, 0, 1, -1]), labels=("a", "b"), columns={"k": (1,)}, empty=empty)
    assert found["n_queries"].tolist() == [1, 1, 1, 0]
    assert found["n_empty"].tolist() == [2, 2, 1, 1]
    # The second query shows both labels: once in micro, under each in theirs.
    lines, labels = np.array([0, 1, 1]), np.array([0, 0, 1])
    found = summarize(values[:2], labels, labels=("a", "b"), columns={"k": (1,)}, lines=lines, empty=empty[:2])
    assert found["n_empty"].tolist() == [1, 1, 1, 1]


VALUES, CODES = np.zeros((2, 1)), np.array([0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: means_of(np.zeros((3, 1)), CODES, n_labels=2),
            "Expected a table with one row a query (2), but values has shape (3, 1). "
            "Pass the values of exactly these queries.",
        ),
        (
            lambda: means_of(np.array([[1.5], [0]]), CODES, n_labels=2),
            "Expected values from 0 to 1, but there are some outside. Pass those of a metric.",
        ),
        (
            lambda: means_of(VALUES, CODES, n_labels=1),
            "Expected label codes below 1, but query_labels = 1 somewhere. "
            "Pass the number of labels that the codes belong to.",
        ),
        (
            lambda: means_of(VALUES, CODES, n_labels=2, lines=np.array([0, 2])),
            "Expected lines of queries from 0 to 1, but lines = 0 to 2. Pass the query of each line.",
        ),
        (
            lambda: summarize(VALUES, CODES, columns={"k": (1, 2)}, labels="ab"),
            "Expected one word a value (1), but columns has 2 for k. Say what each value is.",
        ),
    ],
)
def test_errors_say_what_was_expected_and_found(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
