"""P@k against hand-counted cases, a slow oracle in plain Python, and the paper's own evaluator."""

from __future__ import annotations

import csv
import gzip
import itertools
import math
import random
import re
import statistics
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core import arrays
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.precision import (
    available_relevant,
    check_codes,
    check_divisor,
    label_precision,
    label_totals,
    macro_precision,
    micro_precision,
    precision_at_k,
    relevant_hits,
    row_chunks,
    summarize,
)
from radcbir_core.evaluation.statistics.intervals import precision_intervals

# --- the oracle: one query at a time, in plain Python ---------------------------------------------------------------


def oracle_relevant(hits, query_labels, gallery_labels):
    return [
        [row >= 0 and label >= 0 and gallery_labels[row] == label for row in found]
        for found, label in zip(hits, query_labels, strict=True)
    ]


def oracle_available(query_labels, gallery_labels, query_rows, gallery, groups):
    counts = []
    for label, own in zip(query_labels, query_rows, strict=True):
        count = 0
        for row, other in enumerate(gallery_labels):
            if label < 0 or other != label or not gallery[row] or row == own:
                continue
            if own >= 0 and any(group[own] >= 0 and group[own] == group[row] for group in groups):
                continue
            count += 1
        counts.append(count)
    return counts


def oracle_precision(relevant, k, available=None):
    values = []
    for number, found in enumerate(relevant):
        size = k if available is None else min(k, available[number])
        values.append(math.nan if size == 0 else sum(found[:size]) / size)
    return values


def oracle_averages(values, labels):
    by_label = {}
    for value, label in zip(values, labels, strict=True):
        if label >= 0 and not math.isnan(value):
            by_label.setdefault(label, []).append(value)
    everything = [value for kept in by_label.values() for value in kept]
    micro = statistics.fmean(everything) if everything else math.nan
    macro = statistics.fmean(statistics.fmean(kept) for kept in by_label.values()) if by_label else math.nan
    return micro, macro, by_label


@st.composite
def collections(draw):
    """A small collection with hits as some encoder might return them: any rows, in any order, short lists padded."""
    size = draw(st.integers(1, 14))
    codes = st.lists(st.integers(-1, 3), min_size=size, max_size=size).map(np.array)
    labels = draw(codes)
    groups = draw(st.lists(codes, max_size=3))
    gallery = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    queries = draw(st.lists(st.integers(-1, size - 1), min_size=0, max_size=8))
    query_labels = np.array([labels[row] if row >= 0 else draw(st.integers(-1, 3)) for row in queries], dtype=int)
    width = draw(st.integers(1, 6))
    hits = np.full((len(queries), width), -1, dtype=np.int32)
    for number in range(len(queries)):
        found = draw(st.lists(st.integers(0, size - 1), max_size=width, unique=True))
        hits[number, : len(found)] = found
    return {
        "labels": labels,
        "groups": groups,
        "gallery": gallery,
        "query_rows": np.array(queries, dtype=int),
        "query_labels": query_labels,
        "hits": hits,
    }


# --- relevance --------------------------------------------------------------------------------------------------------


def test_a_hit_is_relevant_when_it_has_the_label_of_the_query():
    labels = np.array([0, 1, 0, -1], dtype=np.int32)
    hits = np.array([[2, 1, 3], [0, 3, -1], [0, 1, 2]], dtype=np.int32)
    found = relevant_hits(hits, np.array([0, 1, -1]), gallery_labels=labels)
    assert found.dtype == np.bool_
    assert found.tolist() == [[True, False, False], [False, False, False], [False, False, False]]


def test_padding_is_not_relevant_even_when_the_last_image_would_be():
    hits = np.array([[-1, -1]])
    assert not relevant_hits(hits, np.array([0]), gallery_labels=np.array([1, 0])).any()


def test_no_queries_and_no_gallery():
    assert relevant_hits(np.empty((0, 5), int), np.empty(0, int), gallery_labels=np.array([0])).shape == (0, 5)
    empty = np.empty(0, dtype=int)
    assert not relevant_hits(np.full((2, 3), -1), np.array([0, -1]), gallery_labels=empty).any()
    assert available_relevant(np.array([0, -1]), empty, query_rows=np.array([-1, -1])).tolist() == [0, 0]


@settings(max_examples=150, deadline=None)
@given(collections(), st.integers(1, 20))
def test_relevance_and_p_at_k_equal_the_oracle_whatever_the_chunk(case, elements):
    before = arrays._CHUNK_ELEMENTS
    arrays._CHUNK_ELEMENTS = elements
    try:
        relevant = relevant_hits(case["hits"], case["query_labels"], gallery_labels=case["labels"])
        ks = range(1, relevant.shape[1] + 1)
        # Hits beyond what is available cannot be relevant: the oracle is asked with at least as many.
        available = np.maximum(relevant.sum(axis=1), case["query_rows"] % 3)
        by_k = precision_at_k(relevant, ks)
        by_available = precision_at_k(relevant, ks, divisor="available", available=available)
    finally:
        arrays._CHUNK_ELEMENTS = before
    assert relevant.tolist() == oracle_relevant(case["hits"].tolist(), case["query_labels"], case["labels"])
    for column, k in enumerate(ks):
        np.testing.assert_array_equal(by_k[:, column], oracle_precision(relevant.tolist(), k))
        np.testing.assert_array_equal(by_available[:, column], oracle_precision(relevant.tolist(), k, available))


# --- what is available ------------------------------------------------------------------------------------------------


def test_available_leaves_out_the_query_its_groups_and_what_is_not_in_the_gallery():
    #                    0  1  2  3  4  5   6
    labels = np.array([0, 0, 0, 0, 0, 1, -1])
    patient = np.array([1, 1, 2, 2, -1, 1, 1])
    duplicate = np.array([-1, 5, 5, -1, -1, -1, -1])
    rows = np.arange(7)
    everything = np.ones(7, dtype=bool)
    count = available_relevant
    assert count(labels, labels, query_rows=rows).tolist() == [4, 4, 4, 4, 4, 0, 0]
    assert count(labels, labels, query_rows=rows, groups=[patient]).tolist() == [3, 3, 3, 3, 4, 0, 0]
    # Row 1 loses row 0 (patient) and row 2 (duplicate); row 2 loses row 3 (patient) and row 1 (duplicate).
    both = count(labels, labels, query_rows=rows, groups=[patient, duplicate])
    assert both.tolist() == [3, 2, 2, 3, 4, 0, 0]
    train = everything.copy()
    train[[0, 3]] = False
    # Rows 0 and 3 are not in the gallery, and so have nothing of themselves to lose.
    assert count(labels, labels, query_rows=rows, gallery=train).tolist() == [3, 2, 2, 3, 2, 0, 0]
    assert count(labels, labels, query_rows=rows, gallery=train, groups=[patient]).tolist() == [2, 2, 2, 2, 2, 0, 0]


def test_an_image_excluded_for_two_reasons_counts_once():
    labels = np.zeros(3, dtype=int)
    same = np.array([4, 4, 9])
    assert available_relevant(labels, labels, query_rows=np.arange(3), groups=[same, same, same]).tolist() == [1, 1, 2]


def test_a_query_from_outside_loses_nothing():
    labels = np.array([0, 0, 1])
    found = available_relevant(np.array([0, 1, 7]), labels, query_rows=np.full(3, -1), groups=[np.array([0, 0, 0])])
    assert found.tolist() == [2, 1, 0]


@settings(max_examples=300, deadline=None)
@given(collections())
def test_available_equals_the_oracle(case):
    found = available_relevant(
        case["query_labels"],
        case["labels"],
        query_rows=case["query_rows"],
        gallery=case["gallery"],
        groups=case["groups"],
    )
    assert found.tolist() == oracle_available(
        case["query_labels"], case["labels"], case["query_rows"], case["gallery"], case["groups"]
    )


def test_available_equals_the_oracle_with_four_overlapping_groups():
    source = random.Random(3)
    size = 120
    labels = np.array([source.randint(-1, 3) for _ in range(size)])
    groups = [np.array([source.randint(-1, size // 8) for _ in range(size)], dtype=np.int32) for _ in range(4)]
    gallery = np.array([source.random() < 0.7 for _ in range(size)])
    rows = np.arange(size)
    found = available_relevant(labels, labels, query_rows=rows, gallery=gallery, groups=groups)
    assert found.tolist() == oracle_available(labels, labels, rows, gallery, groups)
    assert len(set(found.tolist())) > 10


@settings(max_examples=100, deadline=None)
@given(collections())
def test_without_exclusions_all_others_of_the_label_are_available(case):
    labels = case["labels"]
    found = available_relevant(labels, labels, query_rows=np.arange(len(labels)))
    assert found.tolist() == [np.sum(labels == label) - 1 if label >= 0 else 0 for label in labels]


@settings(max_examples=100, deadline=None)
@given(collections())
def test_each_further_exclusion_leaves_as_much_or_less(case):
    rows = np.arange(len(case["labels"]))
    left = [
        available_relevant(case["labels"], case["labels"], query_rows=rows, groups=case["groups"][:number])
        for number in range(len(case["groups"]) + 1)
    ]
    for more, less in itertools.pairwise(left):
        assert (less <= more).all()
        assert (less >= 0).all()


# --- P@k --------------------------------------------------------------------------------------------------------------


def test_p_at_k_divides_by_k_and_missing_hits_are_misses():
    relevant = np.array([[True, False, True, False], [True, True, False, False], [False] * 4])
    assert precision_at_k(relevant, (1, 2, 4)).tolist() == [[1, 0.5, 0.5], [1, 1, 0.5], [0, 0, 0]]


def test_p_at_k_by_available_looks_at_no_more_hits_than_there_are_relevant_images():
    relevant = np.array([[False, True, True, False], [True, False, False, False], [False] * 4])
    found = precision_at_k(relevant, (1, 2, 4), divisor="available", available=np.array([2, 1, 0]))
    # The first has two available: its third hit is relevant and yet beyond min(4, 2).
    assert found[:2].tolist() == [[0, 0.5, 0.5], [1, 1, 1]]
    assert np.isnan(found[2]).all()


@settings(max_examples=150, deadline=None)
@given(collections(), st.randoms(use_true_random=False))
def test_p_at_k_is_a_share_and_follows_its_query(case, source):
    relevant = relevant_hits(case["hits"], case["query_labels"], gallery_labels=case["labels"])
    ks = range(1, relevant.shape[1] + 1)
    available = relevant.sum(axis=1) + source.randint(0, 3)
    order = np.array(source.sample(range(len(relevant)), len(relevant)), dtype=int)
    for by in ({}, {"divisor": "available"}):
        extra = {"available": available} if by else {}
        moved = {"available": available[order]} if by else {}
        found = precision_at_k(relevant, ks, **by, **extra)
        shares = found[~np.isnan(found)]
        assert ((shares >= 0) & (shares <= 1)).all()
        assert np.isnan(found).any(axis=1).tolist() == (
            [count == 0 for count in available] if by else [False] * len(found)
        )
        np.testing.assert_array_equal(precision_at_k(relevant[order], ks, **by, **moved), found[order])


@settings(max_examples=100, deadline=None)
@given(collections())
def test_both_divisors_agree_where_at_least_k_are_available(case):
    relevant = relevant_hits(case["hits"], case["query_labels"], gallery_labels=case["labels"])
    k = relevant.shape[1]
    plenty = np.full(len(relevant), k)
    by_available = precision_at_k(relevant, (k,), divisor="available", available=plenty)
    np.testing.assert_array_equal(by_available, precision_at_k(relevant, (k,)))


# --- averages ---------------------------------------------------------------------------------------------------------


def test_micro_counts_queries_and_macro_counts_labels():
    values = np.array([[1.0], [1.0], [1.0], [0.0], [0.7], [np.nan]])
    labels = np.array([0, 0, 0, 2, -1, 2])
    assert micro_precision(values, labels).tolist() == [0.75]
    assert macro_precision(values, labels).tolist() == [0.5]
    np.testing.assert_array_equal(label_precision(values, labels, n_labels=4), [[1.0], [np.nan], [0.0], [np.nan]])
    sums, counts = label_totals(values, labels, n_labels=4)
    assert sums.ravel().tolist() == [3, 0, 0, 0]
    assert counts.ravel().tolist() == [3, 0, 1, 0]


def test_averages_of_nothing_are_nan():
    for values, labels in (([[0.5]], [-1]), ([[np.nan]], [0]), (np.empty((0, 1)), [])):
        codes = np.array(labels, dtype=int)
        assert np.isnan(micro_precision(np.array(values), codes)).all()
        assert np.isnan(macro_precision(np.array(values), codes)).all()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.one_of(st.just(math.nan), st.floats(0, 1)), st.integers(-1, 4)), max_size=30))
def test_averages_equal_the_oracle(rows):
    values = [value for value, _ in rows]
    labels = np.array([label for _, label in rows], dtype=int)
    table = np.array(values, dtype=float).reshape(-1, 1)
    micro, macro, by_label = oracle_averages(values, labels)
    np.testing.assert_allclose(micro_precision(table, labels), [micro], atol=1e-12)
    np.testing.assert_allclose(macro_precision(table, labels), [macro], atol=1e-12)
    means = label_precision(table, labels, n_labels=5)[:, 0]
    for label in range(5):
        expected = statistics.fmean(by_label[label]) if label in by_label else math.nan
        np.testing.assert_allclose(means[label], expected, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_with_one_label_micro_is_macro(values):
    table, labels = np.array(values).reshape(-1, 1), np.zeros(len(values), dtype=int)
    np.testing.assert_allclose(micro_precision(table, labels), macro_precision(table, labels))


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_table_names_every_mean_and_counts_its_queries():
    values = np.array([[1.0, 0.5], [0.0, 0.5], [np.nan, np.nan], [1.0, 1.0]])
    found = summarize(values, np.array([0, 2, 2, -1]), ks=(1, 2), labels=("a, b", "never", '<b>"é"'))
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
    found = summarize(np.array([[np.nan]]), np.array([0]), ks=(1,), labels=("rare",))
    assert found["n_queries"].tolist() == [0, 0, 0]
    assert found["precision"].isna().all()
    assert found["label"].tolist() == ["", "", "rare"]


def test_the_table_takes_up_the_intervals():
    values = np.array([[1.0], [0.0], [1.0], [1.0]])
    labels, clusters = np.array([0, 0, 0, 2]), np.array([0, 1, 2, 3])
    bounds = precision_intervals(values, labels, clusters=clusters, n_labels=3)
    found = summarize(values, labels, ks=(1,), labels=("a", "b", "c"), intervals=bounds)
    assert found["averaging"].tolist() == ["micro", "macro", "label", "label"]
    expected = np.concatenate([bounds.micro, bounds.macro, bounds.label[0], bounds.label[2]])
    np.testing.assert_array_equal(found[["low", "high"]].to_numpy(), expected)
    with pytest.raises(
        ValueError, match=re.escape("Expected intervals of 4 labels and 1 k's, but intervals.label has")
    ):
        summarize(values, labels, ks=(1,), labels=("a", "b", "c", "d"), intervals=bounds)


def test_a_table_of_no_queries_is_two_rows_of_nan():
    found = summarize(np.empty((0, 1)), np.empty(0, dtype=int), ks=(1,), labels=())
    assert found["averaging"].tolist() == ["micro", "macro"]
    assert found["precision"].isna().all()
    assert found["n_queries"].tolist() == [0, 0]


# --- size -------------------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_queries_are_quick_and_small():
    source = np.random.default_rng(0)
    size = 100_000
    labels = source.integers(-1, 161, size).astype(np.int32)
    patients = source.integers(-1, size // 10, size).astype(np.int32)
    hits = source.integers(-1, size, (size, 100), dtype=np.int32)
    rows = np.arange(size)
    tracemalloc.start()
    started = time.process_time()
    relevant = relevant_hits(hits, labels, gallery_labels=labels)
    available = available_relevant(labels, labels, query_rows=rows, groups=[patients, patients // 3])
    available = np.maximum(available, relevant.sum(axis=1))
    found = precision_at_k(relevant, (1, 3, 5, 10), divisor="available", available=available)
    seconds = time.process_time() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.shape == (size, 4)
    assert peak < 150e6  # 10 MB of it are the result of relevant_hits
    assert seconds < 10  # half of one when nothing else runs


def test_chunks_cover_every_row_once():
    for n_rows, n_columns in ((0, 3), (7, 0), (10, 4_000_000), (5, 9_000_000), (9_000_001, 1)):
        covered = [row for rows in row_chunks(n_rows, n_columns) for row in (rows.start, rows.stop)]
        assert covered[::2] == [0, *covered[1:-1:2]] if n_rows else covered == []
        assert not n_rows or covered[-1] == n_rows


# --- errors -----------------------------------------------------------------------------------------------------------

BOOL = np.ones((2, 3), dtype=bool)
CODES = np.array([0, 1])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: check_codes(np.array([0.5]), name="query_labels"),
            ValueError,
            "Expected a one-dimensional integer array, but query_labels = float64 of shape (1,). "
            "Pass one code an image.",
        ),
        (
            lambda: check_codes(np.array([-2]), name="query_labels"),
            ValueError,
            "Expected codes of at least 0, or -1 for none, but query_labels = -2 at the lowest. "
            "Mark what is not known with -1.",
        ),
        (
            lambda: relevant_hits(np.zeros((3, 1), int), CODES, gallery_labels=CODES),
            ValueError,
            "Expected an integer table with one row a query (2), but hit_rows = int64 of shape (3, 1). "
            "Pass the hits of exactly these queries.",
        ),
        (
            lambda: relevant_hits(np.zeros((2, 1)), CODES, gallery_labels=CODES),
            ValueError,
            "but hit_rows = float64 of shape (2, 1).",
        ),
        (
            lambda: relevant_hits(np.array([[0], [2]]), CODES, gallery_labels=CODES),
            ValueError,
            "Expected rows from 0 to 1, or -1 as padding, but hit_rows = 2 somewhere. Pass hits of this collection.",
        ),
        (
            lambda: relevant_hits(np.array([[0], [-2]]), CODES, gallery_labels=CODES),
            ValueError,
            "but hit_rows = -2 somewhere.",
        ),
        (
            lambda: available_relevant(CODES, CODES, query_rows=np.array([0])),
            ValueError,
            "Expected one row a query (2), but len(query_rows) = 1. Pass -1 for a query from outside the collection.",
        ),
        (
            lambda: available_relevant(CODES, CODES, query_rows=np.array([0, 2])),
            ValueError,
            "Expected rows below 2, but query_rows = 2 somewhere. Pass queries of this collection.",
        ),
        (
            lambda: available_relevant(CODES, CODES, query_rows=CODES, gallery=np.array([1, 0])),
            ValueError,
            "Expected one bool an image (2), but gallery = int64 of shape (2,). Pass a mask over the whole collection.",
        ),
        (
            lambda: available_relevant(CODES, CODES, query_rows=CODES, groups=[np.zeros(3, int)]),
            ValueError,
            "Expected one group code an image (2), but len(groups[0]) = 3. Pass groups of the whole collection.",
        ),
        (
            lambda: precision_at_k(BOOL.astype(int), (1,)),
            ValueError,
            "Expected a bool table of queries by hits, but relevant = int64 of shape (2, 3). "
            "Pass the result of relevant_hits.",
        ),
        (
            lambda: precision_at_k(BOOL, ()),
            EvaluationError,
            "Expected at least one k, but ks is empty. Name one, such as 10.",
        ),
        *(
            (
                lambda k=k: precision_at_k(BOOL, (1, k)),
                EvaluationError,
                f"Expected every k to be a whole number from 1 to 3, the hits a query has, but k = {k}. "
                "Choose a smaller k, or search for more hits.",
            )
            for k in (0, 4, -1, 1.5, True)
        ),
        (
            lambda: check_divisor("hits"),
            EvaluationError,
            'Expected "k" or "available", but divisor = \'hits\'. Use one of the two.',
        ),
        (
            lambda: precision_at_k(BOOL, (1,), divisor="available"),
            ValueError,
            "Expected available with divisor \"available\" and only then, but divisor = 'available'. "
            "Pass the result of available_relevant.",
        ),
        (
            lambda: precision_at_k(BOOL, (1,), available=CODES),
            ValueError,
            "Expected available with divisor \"available\" and only then, but divisor = 'k'. Leave available out.",
        ),
        (
            lambda: precision_at_k(BOOL, (1,), divisor="available", available=np.array([3])),
            ValueError,
            "Expected one count of at least 0 a query (2), but available has 1 values from 0. "
            "Pass the result of available_relevant for these queries.",
        ),
        (
            lambda: precision_at_k(BOOL, (1,), divisor="available", available=np.array([3, 2])),
            ValueError,
            "Expected no more relevant hits than are available, but query 1 has 3 of 2. "
            "Use the same gallery and exclusions for both.",
        ),
        (
            lambda: micro_precision(np.zeros((3, 1)), CODES),
            ValueError,
            "Expected a table with one row a query (2), but precision has shape (3, 1). "
            "Pass the result of precision_at_k for these queries.",
        ),
        (
            lambda: macro_precision(np.array([[1.5], [0]]), CODES),
            ValueError,
            "Expected P@k from 0 to 1, but precision has values outside. Pass the result of precision_at_k.",
        ),
        (
            lambda: label_precision(np.zeros((2, 1)), CODES, n_labels=1),
            ValueError,
            "Expected label codes below 1, but query_labels = 1 somewhere. Pass the labels that the codes belong to.",
        ),
        (
            lambda: summarize(np.zeros((2, 1)), CODES, ks=(1, 2), labels="ab"),
            ValueError,
            "Expected one column a k (2), but precision has shape (2, 1). "
            "Pass the k's that precision_at_k was called with.",
        ),
    ],
)
def test_errors_say_what_was_expected_and_found(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


# --- the paper's evaluator ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parity(real_images: Path) -> Path:
    folder = real_images.parent / "parity"
    if not (folder / "expected_knn.csv.gz").is_file():
        pytest.skip(f"the answers of the paper's evaluator are not at hand: {folder} has no expected_knn.csv.gz")
    return folder


def test_available_agrees_with_the_evaluator_of_the_paper(parity):
    frame = pd.read_csv(parity / "ds.csv")
    one_hot = frame.iloc[:, 5:].to_numpy()
    assert (one_hot.sum(axis=1) == 1).all()
    labels = one_hot.argmax(axis=1).astype(np.int32)
    row_of = {path: row for row, path in enumerate(frame["filepath"])}
    with gzip.open(parity / "expected_knn.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        table = [[row_of[path] for path in line] for line in list(csv.reader(stream))[1:]]
    queries, hits = np.array([line[0] for line in table]), np.array([line[1:] for line in table], dtype=np.int32)
    train = (frame["split"] == "train").to_numpy()
    assert hits.shape == (600, 100)
    assert train[hits].all()
    assert not train[queries].any()

    expected = pd.read_csv(parity / "expected_precision.csv", index_col=0)
    ks = range(1, len(expected) + 1)
    relevant = relevant_hits(hits, labels[queries], gallery_labels=labels)
    available = available_relevant(labels[queries], labels, query_rows=queries, gallery=train)
    found = precision_at_k(relevant, ks, divisor="available", available=available)

    assert len(expected) == 99
    micro, macro = micro_precision(found, labels[queries]), macro_precision(found, labels[queries])
    np.testing.assert_allclose(micro, expected["micro_precision_mean"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(macro, expected["macro_precision_mean"], rtol=0, atol=1e-9)
    # The spread over queries, and the mean spread within a label, hold only if each single P@N is right.
    per_query = pd.DataFrame(found)
    np.testing.assert_allclose(per_query.std(), expected["micro_precision_std"], rtol=0, atol=1e-9)
    within = per_query.groupby(labels[queries]).std().mean()
    np.testing.assert_allclose(within, expected["macro_precision_std"], rtol=0, atol=1e-9)
