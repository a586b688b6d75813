"""P@k of single labels against hand-counted cases, a slow oracle in plain Python, and the paper's own evaluator."""

from __future__ import annotations

import csv
import gzip
import itertools
import math
import random
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core import arrays
from radcbir_core.arrays import check_codes, row_chunks
from radcbir_core.collections.manifests.manifest import Codes
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.precision_at_k import (
    DIVISORS,
    EMPTY_RULES,
    precision_at_k,
)
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.relevance import Relevance, available_to, relevant_hits
from radcbir_core.evaluation.statistics.averages import means_of

# --- the oracle: one query at a time, in plain Python ---------------------------------------------------------------


def same_label(labels) -> Relevance:
    """What is relevant where each image has one label, or none (-1)."""
    codes = np.asarray(labels, dtype=np.int32)
    return Relevance.of_codes(Codes(tuple(f"{code:03}" for code in range(int(codes.max(initial=-1)) + 1)), codes))


def oracle_relevant(hits, rows, labels):
    return [
        [hit >= 0 and labels[row] >= 0 and labels[hit] == labels[row] for hit in found]
        for found, row in zip(hits, rows, strict=True)
    ]


def oracle_available(rows, labels, gallery, groups):
    counts = []
    for own in rows:
        count = 0
        for row, other in enumerate(labels):
            if labels[own] < 0 or other != labels[own] or not gallery[row] or row == own:
                continue
            if any(group[own] >= 0 and group[own] == group[row] for group in groups):
                continue
            count += 1
        counts.append(count)
    return counts


def oracle_precision(relevant, k, available, *, divisor="k", empty="skip"):
    values = []
    for number, found in enumerate(relevant):
        if available[number] == 0:
            values.append(math.nan if empty == "skip" else 0.0)
        else:
            size = k if divisor == "k" else min(k, available[number])
            values.append(sum(found[:size]) / size)
    return values


@st.composite
def collections(draw):
    """A small collection with hits as some encoder might return them: any rows, in any order, short lists padded."""
    size = draw(st.integers(1, 14))
    codes = st.lists(st.integers(-1, 3), min_size=size, max_size=size).map(np.array)
    labels = draw(codes)
    groups = draw(st.lists(codes, max_size=3))
    gallery = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    queries = draw(st.lists(st.integers(0, size - 1), min_size=0, max_size=8))
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
        "hits": hits,
    }


def relevant_in(case) -> np.ndarray:
    return relevant_hits(case["hits"], query_rows=case["query_rows"], relevance=same_label(case["labels"]))


def available_in(labels, rows, gallery=None, groups=()) -> list[int]:
    everything = np.ones(len(labels), dtype=bool) if gallery is None else gallery
    return available_to(rows, relevance=same_label(labels), gallery=everything, groups=groups).relevant.tolist()


# --- relevance --------------------------------------------------------------------------------------------------------


def test_a_hit_is_relevant_when_it_has_the_label_of_the_query():
    labels = np.array([0, 1, 0, -1], dtype=np.int32)
    hits = np.array([[2, 1, 3], [0, 3, -1], [0, 1, 2]], dtype=np.int32)
    found = relevant_hits(hits, query_rows=np.array([0, 1, 3]), relevance=same_label(labels))
    assert found.dtype == np.bool_
    assert found.tolist() == [[True, False, False], [False, False, False], [False, False, False]]


def test_padding_is_not_relevant_even_when_the_last_image_would_be():
    hits = np.array([[-1, -1]])
    assert not relevant_hits(hits, query_rows=np.array([1]), relevance=same_label([1, 0])).any()


def test_no_queries_and_nothing_in_the_gallery():
    nobody = np.empty(0, int)
    assert relevant_hits(np.empty((0, 5), int), query_rows=nobody, relevance=same_label([0])).shape == (0, 5)
    assert not relevant_hits(np.full((2, 3), -1), query_rows=np.array([0, 1]), relevance=same_label([0, -1])).any()
    assert available_in([0, -1], np.array([0, 1]), np.zeros(2, dtype=bool)) == [0, 0]


@settings(max_examples=150, deadline=None)
@given(collections(), st.integers(1, 20), st.sampled_from(DIVISORS), st.sampled_from(EMPTY_RULES))
def test_relevance_and_p_at_k_equal_the_oracle_whatever_the_chunk(case, elements, divisor, empty):
    before = arrays._CHUNK_ELEMENTS
    arrays._CHUNK_ELEMENTS = elements
    try:
        relevant = relevant_in(case)
        ks = range(1, relevant.shape[1] + 1)
        # Hits beyond what is available cannot be relevant: the oracle is asked with at least as many.
        available = np.maximum(relevant.sum(axis=1), case["query_rows"] % 3)
        found = precision_at_k(relevant, ks, available=available, divisor=divisor, empty=empty)
    finally:
        arrays._CHUNK_ELEMENTS = before
    assert relevant.tolist() == oracle_relevant(case["hits"].tolist(), case["query_rows"], case["labels"])
    for column, k in enumerate(ks):
        expected = oracle_precision(relevant.tolist(), k, available, divisor=divisor, empty=empty)
        np.testing.assert_array_equal(found[:, column], expected)


# --- what is available ------------------------------------------------------------------------------------------------


def test_available_leaves_out_the_query_its_groups_and_what_is_not_in_the_gallery():
    #                    0  1  2  3  4  5   6
    labels = np.array([0, 0, 0, 0, 0, 1, -1])
    patient = np.array([1, 1, 2, 2, -1, 1, 1])
    duplicate = np.array([-1, 5, 5, -1, -1, -1, -1])
    rows = np.arange(7)
    everything = np.ones(7, dtype=bool)
    assert available_in(labels, rows) == [4, 4, 4, 4, 4, 0, 0]
    assert available_in(labels, rows, groups=[patient]) == [3, 3, 3, 3, 4, 0, 0]
    # Row 1 loses row 0 (patient) and row 2 (duplicate); row 2 loses row 3 (patient) and row 1 (duplicate).
    assert available_in(labels, rows, groups=[patient, duplicate]) == [3, 2, 2, 3, 4, 0, 0]
    train = everything.copy()
    train[[0, 3]] = False
    # Rows 0 and 3 are not in the gallery, and so have nothing of themselves to lose.
    assert available_in(labels, rows, train) == [3, 2, 2, 3, 2, 0, 0]
    assert available_in(labels, rows, train, [patient]) == [2, 2, 2, 2, 2, 0, 0]


def test_an_image_excluded_for_two_reasons_counts_once():
    same = np.array([4, 4, 9])
    assert available_in(np.zeros(3, dtype=int), np.arange(3), groups=[same, same, same]) == [1, 1, 2]


@settings(max_examples=300, deadline=None)
@given(collections())
def test_available_equals_the_oracle(case):
    found = available_in(case["labels"], case["query_rows"], case["gallery"], case["groups"])
    assert found == oracle_available(case["query_rows"], case["labels"], case["gallery"], case["groups"])


def test_available_equals_the_oracle_with_four_overlapping_groups():
    source = random.Random(3)
    size = 120
    labels = np.array([source.randint(-1, 3) for _ in range(size)])
    groups = [np.array([source.randint(-1, size // 8) for _ in range(size)], dtype=np.int32) for _ in range(4)]
    gallery = np.array([source.random() < 0.7 for _ in range(size)])
    rows = np.arange(size)
    found = available_in(labels, rows, gallery, groups)
    assert found == oracle_available(rows, labels, gallery, groups)
    assert len(set(found)) > 10


@settings(max_examples=100, deadline=None)
@given(collections())
def test_without_exclusions_all_others_of_the_label_are_available(case):
    labels = case["labels"]
    assert available_in(labels, np.arange(len(labels))) == [
        np.sum(labels == label) - 1 if label >= 0 else 0 for label in labels
    ]


@settings(max_examples=100, deadline=None)
@given(collections())
def test_each_further_exclusion_leaves_as_much_or_less(case):
    rows = np.arange(len(case["labels"]))
    left = [
        np.array(available_in(case["labels"], rows, groups=case["groups"][:number]))
        for number in range(len(case["groups"]) + 1)
    ]
    for more, less in itertools.pairwise(left):
        assert (less <= more).all()
        assert (less >= 0).all()


# --- P@k --------------------------------------------------------------------------------------------------------------


def test_p_at_k_divides_by_k_and_missing_hits_are_misses():
    relevant = np.array([[True, False, True, False], [True, True, False, False], [False] * 4])
    found = precision_at_k(relevant, (1, 2, 4), available=np.array([5, 2, 1]))
    assert found.tolist() == [[1, 0.5, 0.5], [1, 1, 0.5], [0, 0, 0]]


def test_p_at_k_by_available_looks_at_no_more_hits_than_there_are_relevant_images():
    relevant = np.array([[False, True, True, False], [True, False, False, False], [False] * 4])
    found = precision_at_k(relevant, (1, 2, 4), divisor="available", available=np.array([2, 1, 1]))
    # The first has two available: its third hit is relevant and yet beyond min(4, 2).
    assert found.tolist() == [[0, 0.5, 0.5], [1, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize("divisor", DIVISORS)
def test_a_query_that_has_nothing_to_find_is_left_out_or_counts_0(divisor):
    relevant = np.array([[True, False], [False, False], [False, False]])
    there = np.array([1, 0, 3])
    skipped = precision_at_k(relevant, (1, 2), available=there, divisor=divisor)
    assert np.isnan(skipped).tolist() == [[False, False], [True, True], [False, False]]
    zero = precision_at_k(relevant, (1, 2), available=there, divisor=divisor, empty="zero")
    np.testing.assert_array_equal(zero, np.nan_to_num(skipped))
    # The mean over queries: of the two that could be answered, or of all three.
    codes = np.zeros(3, dtype=int)
    assert means_of(skipped, codes, n_labels=1).micro[0] == 0.5
    assert means_of(zero, codes, n_labels=1).micro[0] == pytest.approx(1 / 3)
    assert means_of(skipped, codes, n_labels=1).n_queries.tolist() == [2, 2]


@settings(max_examples=150, deadline=None)
@given(collections(), st.randoms(use_true_random=False), st.sampled_from(DIVISORS), st.sampled_from(EMPTY_RULES))
def test_p_at_k_is_a_share_and_follows_its_query(case, source, divisor, empty):
    relevant = relevant_in(case)
    ks = range(1, relevant.shape[1] + 1)
    available = relevant.sum(axis=1) + source.randint(0, 3)
    order = np.array(source.sample(range(len(relevant)), len(relevant)), dtype=int)
    found = precision_at_k(relevant, ks, available=available, divisor=divisor, empty=empty)
    shares = found[~np.isnan(found)]
    assert ((shares >= 0) & (shares <= 1)).all()
    left_out = [count == 0 and empty == "skip" for count in available]
    assert np.isnan(found).any(axis=1).tolist() == np.isnan(found).all(axis=1).tolist() == left_out
    moved = precision_at_k(relevant[order], ks, available=available[order], divisor=divisor, empty=empty)
    np.testing.assert_array_equal(moved, found[order])


@settings(max_examples=100, deadline=None)
@given(collections())
def test_both_divisors_agree_where_at_least_k_are_available(case):
    relevant = relevant_in(case)
    k = relevant.shape[1]
    plenty = np.full(len(relevant), k)
    by_available = precision_at_k(relevant, (k,), divisor="available", available=plenty)
    np.testing.assert_array_equal(by_available, precision_at_k(relevant, (k,), available=plenty))


# --- size -------------------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_queries_stay_small():
    source = np.random.default_rng(0)
    size = 100_000
    labels = source.integers(-1, 161, size).astype(np.int32)
    patients = source.integers(-1, size // 10, size).astype(np.int32)
    hits = source.integers(-1, size, (size, 100), dtype=np.int32)
    rows = np.arange(size)
    tracemalloc.start()
    relevance = same_label(labels)
    relevant = relevant_hits(hits, query_rows=rows, relevance=relevance)
    everything = np.ones(size, dtype=bool)
    available = available_to(rows, relevance=relevance, gallery=everything, groups=[patients, patients // 3]).relevant
    available = np.maximum(available, relevant.sum(axis=1))
    found = precision_at_k(relevant, (1, 3, 5, 10), divisor="available", available=available)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.shape == (size, 4)
    assert peak < 150e6  # 10 MB of it are the result of relevant_hits


def test_chunks_cover_every_row_once():
    for n_rows, n_columns in ((0, 3), (7, 0), (10, 4_000_000), (5, 9_000_000), (9_000_001, 1)):
        covered = [row for rows in row_chunks(n_rows, n_columns) for row in (rows.start, rows.stop)]
        assert covered[::2] == [0, *covered[1:-1:2]] if n_rows else covered == []
        assert not n_rows or covered[-1] == n_rows


# --- errors -----------------------------------------------------------------------------------------------------------

BOOL = np.ones((2, 3), dtype=bool)
CODES = np.array([0, 1])
PLENTY = np.array([3, 3])


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
            lambda: relevant_hits(np.zeros((3, 1), int), query_rows=CODES, relevance=same_label(CODES)),
            ValueError,
            "Expected an integer table with one row a query (2), but hit_rows = int64 of shape (3, 1). "
            "Pass the hits of exactly these queries.",
        ),
        (
            lambda: relevant_hits(np.zeros((2, 1)), query_rows=CODES, relevance=same_label(CODES)),
            ValueError,
            "but hit_rows = float64 of shape (2, 1).",
        ),
        (
            lambda: relevant_hits(np.array([[0], [2]]), query_rows=CODES, relevance=same_label(CODES)),
            ValueError,
            "Expected rows from 0 to 1, or -1 as padding, but hit_rows = 2 somewhere. Pass hits of this collection.",
        ),
        (
            lambda: relevant_hits(np.array([[0], [-2]]), query_rows=CODES, relevance=same_label(CODES)),
            ValueError,
            "but hit_rows = -2 somewhere.",
        ),
        (
            lambda: available_in(CODES, np.array([0, 2])),
            ValueError,
            "Expected rows from 0 to 1, but query_rows = 0 to 2. Pass queries of this collection.",
        ),
        (
            lambda: available_in(CODES, CODES, np.array([1, 0])),
            ValueError,
            "Expected a bool an image, but gallery = int64. Pass a mask.",
        ),
        (
            lambda: available_in(CODES, CODES, groups=[np.zeros(3, int)]),
            ValueError,
            "Expected one value an image (2), but len(groups[0]) = 3. Pass it for the whole collection.",
        ),
        (
            lambda: precision_at_k(BOOL.astype(int), (1,), available=PLENTY),
            ValueError,
            "Expected a bool table of queries by hits, but relevant = int64 of shape (2, 3). "
            "Pass the result of relevant_hits.",
        ),
        (
            lambda: precision_at_k(BOOL, (), available=PLENTY),
            EvaluationError,
            "Expected at least one k, but ks is empty. Name one, such as 10.",
        ),
        *(
            (
                lambda k=k: precision_at_k(BOOL, (1, k), available=PLENTY),
                EvaluationError,
                f"Expected every k to be a whole number from 1 to 3, the hits a query has, but k = {k}. "
                "Choose a smaller k, or search for more hits.",
            )
            for k in (0, 4, -1, 1.5, True)
        ),
        (
            lambda: Protocol.of(divisor="hits"),
            EvaluationError,
            'Expected "k" or "available", but divisor = \'hits\'. Use one of the two.',
        ),
        (
            lambda: Protocol.of(empty="drop"),
            EvaluationError,
            'Expected "skip" (queries without a relevant image are left out) or "zero" (they count 0), but '
            "empty = 'drop'. Use one of the two.",
        ),
        (
            lambda: precision_at_k(BOOL, (1,), available=np.array([3])),
            ValueError,
            "Expected one count of at least 0 a query (2), but available has 1 values from 0. "
            "Pass what available_to counts for these queries.",
        ),
        (
            lambda: precision_at_k(BOOL, (1,), available=np.array([3, 2])),
            ValueError,
            "Expected no more relevant hits than are available, but query 1 has 3 of 2. "
            "Use the same gallery and exclusions for both.",
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
    relevance = same_label(labels)
    relevant = relevant_hits(hits, query_rows=queries, relevance=relevance)
    available = available_to(queries, relevance=relevance, gallery=train).relevant
    found = precision_at_k(relevant, ks, divisor="available", available=available)

    assert len(expected) == 99
    means = means_of(found, labels[queries], n_labels=len(relevance.labels))
    np.testing.assert_allclose(means.micro, expected["micro_precision_mean"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(means.macro, expected["macro_precision_mean"], rtol=0, atol=1e-9)
    # The spread over queries, and the mean spread within a label, hold only if each single P@N is right.
    per_query = pd.DataFrame(found)
    np.testing.assert_allclose(per_query.std(), expected["micro_precision_std"], rtol=0, atol=1e-9)
    within = per_query.groupby(labels[queries]).std().mean()
    np.testing.assert_allclose(within, expected["macro_precision_std"], rtol=0, atol=1e-9)


def test_the_two_divisors_part_only_where_fewer_than_k_are_available() -> None:
    """One by one, by the definition: where a < k, the other looks at the first a hits alone, and divides by a."""
    randomly = np.random.default_rng(5)
    n_images, k = 90, 5
    labels = randomly.choice(8, size=n_images, p=[0.3, 0.3, 0.2, 0.1, 0.04, 0.03, 0.02, 0.01])
    similarity = randomly.normal(size=(n_images, n_images)) + 2 * (labels[:, None] == labels)
    relevant, available, expected = [], [], {"k": [], "available": []}
    for query in range(n_images):
        others = [row for row in np.argsort(-similarity[query]).tolist() if row != query]
        answers = [bool(labels[row] == labels[query]) for row in others]
        there = sum(answers)
        relevant.append(answers[:k])
        available.append(there)
        first = min(k, there)
        expected["k"].append(sum(answers[:k]) / k if there else math.nan)
        expected["available"].append(sum(answers[:first]) / first if there else math.nan)
    counts = np.array(available)
    by = {
        divisor: precision_at_k(np.array(relevant), (k,), available=counts, divisor=divisor)[:, 0]
        for divisor in ("k", "available")
    }
    for divisor, values in by.items():
        np.testing.assert_allclose(values, expected[divisor], atol=1e-12)
    parted = np.nan_to_num(by["k"] - by["available"]) != 0
    assert parted.any()
    assert (counts[parted] < k).all()
    # It goes either way: one relevant image on rank 2 of 5 is 1/5 of five places and 0 of the first one.
    low = precision_at_k(np.array([[False, True, False]]), (3,), available=np.array([1]), divisor="available")
    assert low.tolist() == [[0.0]]
