"""Confusion against a slow oracle in plain Python."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core import arrays
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.confusion import confusion
from radcbir_core.evaluation.statistics.averages import means_of

NAMES = ("normal", "mass, left", "<b>x</b>", "肺炎")


def oracle_shares(hits, query_labels, gallery_labels, k):
    """{(query label, hit label): share}."""
    queries = Counter(label for label in query_labels if label >= 0)
    pairs = Counter(
        (label, gallery_labels[row])
        for found, label in zip(hits, query_labels, strict=True)
        for row in found[:k]
        if label >= 0 and row >= 0 and gallery_labels[row] >= 0
    )
    return {pair: count / (k * queries[pair[0]]) for pair, count in pairs.items()}


@st.composite
def searches(draw):
    size = draw(st.integers(1, 10))
    labels = np.array(draw(st.lists(st.integers(-1, 3), min_size=size, max_size=size)), dtype=np.int32)
    n_queries = draw(st.integers(0, 8))
    query_labels = np.array(draw(st.lists(st.integers(-1, 3), min_size=n_queries, max_size=n_queries)), dtype=np.int32)
    width = draw(st.integers(1, 5))
    rows = st.lists(st.integers(-1, size - 1), min_size=width, max_size=width)
    hits = np.array([draw(rows) for _ in range(n_queries)], dtype=np.int32).reshape(n_queries, width)
    return hits, query_labels, labels, draw(st.integers(1, width))


def test_shares_are_of_the_first_k_hits_of_the_label():
    #                   0  1  2  3   4
    labels = np.array([0, 0, 1, 2, -1])
    hits = np.array([[1, 2, 3], [2, 3, 0], [0, 4, -1]])
    found = confusion(hits, np.array([0, 0, 1]), gallery_labels=labels, labels=NAMES, k=2)
    np.testing.assert_allclose(found.matrix(), [[1 / 4, 2 / 4, 1 / 4, 0], [1 / 2, 0, 0, 0], [np.nan] * 4, [np.nan] * 4])
    assert found.n_queries.tolist() == [2, 1, 0, 0]
    assert found.top().values.tolist() == [
        ["normal", "mass, left", 0.5, 2],
        ["normal", "<b>x</b>", 0.25, 2],
        ["mass, left", "normal", 0.5, 1],
    ]
    assert found.top(limit=1)["taken_for"].tolist() == ["mass, left", "normal"]


def test_ranks_may_count_differently():
    labels = np.array([0, 0, 1, 2])
    hits, own = np.array([[1, 2], [2, -1]]), np.array([0, 0])
    found = confusion(hits, own, gallery_labels=labels, labels=NAMES, k=2, weights=np.array([3, 1]))
    np.testing.assert_allclose(found.shares, [0.75 / 2, (0.25 + 0.75) / 2])
    assert found.counts.tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"Expected one weight a rank \(2\)"):
        confusion(hits, own, gallery_labels=labels, labels=NAMES, k=2, weights=np.ones(3))


def test_ties_follow_the_order_of_the_labels():
    labels = np.array([0, 1, 2, 3])
    found = confusion(np.array([[3, 1, 2]]), np.array([0]), gallery_labels=labels, labels=NAMES, k=3)
    assert found.top(limit=2)["taken_for"].tolist() == ["mass, left", "<b>x</b>"]


@settings(max_examples=200, deadline=None)
@given(searches(), st.integers(1, 12))
def test_shares_equal_the_oracle_whatever_the_chunk(case, elements):
    hits, query_labels, labels, k = case
    before = arrays._CHUNK_ELEMENTS
    arrays._CHUNK_ELEMENTS = elements
    try:
        found = confusion(hits, query_labels, gallery_labels=labels, labels=NAMES, k=k)
    finally:
        arrays._CHUNK_ELEMENTS = before
    expected = oracle_shares(hits.tolist(), query_labels.tolist(), labels.tolist(), k)
    pairs = list(zip(found.query_codes.tolist(), found.hit_codes.tolist(), strict=True))
    assert dict(zip(pairs, found.shares.tolist(), strict=True)) == pytest.approx(expected)
    assert pairs == sorted(pairs)

    table = found.matrix()
    asked = found.n_queries > 0
    assert np.isnan(table[~asked]).all()
    assert (table[asked].sum(axis=1) <= 1 + 1e-12).all()
    # The diagonal is P@k, computed elsewhere.
    same = (np.append(labels, -1)[hits[:, :k]] == query_labels[:, None]) & (query_labels >= 0)[:, None]
    precision = same.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(np.diag(table), means_of(precision, query_labels, n_labels=4).label[:, 0])

    top = found.top(limit=2)
    for name, rows in top.groupby("label"):
        code = NAMES.index(name)
        others = sorted((share for pair, share in expected.items() if pair[0] == code != pair[1]), reverse=True)
        assert rows["share"].tolist() == pytest.approx(others[:2])
        assert name not in rows["taken_for"].tolist()
        assert (rows["n_queries"] == found.n_queries[code]).all()
    assert top["label"].tolist() == sorted(top["label"], key=NAMES.index)


def test_nothing_to_confuse():
    found = confusion(np.empty((0, 3), int), np.empty(0, int), gallery_labels=np.array([0]), labels=("a",), k=3)
    assert np.isnan(found.matrix()).all()
    assert found.top().columns.tolist() == ["label", "taken_for", "share", "n_queries"]
    assert len(found.top()) == 0
    none = confusion(np.array([[0]]), np.array([-1]), gallery_labels=np.array([-1]), labels=(), k=1)
    assert none.matrix().shape == (0, 0)


def test_two_thousand_labels():
    source = np.random.default_rng(0)
    size, n_labels = 50_000, 2000
    labels = source.integers(0, n_labels, size).astype(np.int32)
    hits = source.integers(0, size, (size, 10), dtype=np.int32)
    found = confusion(hits, labels, gallery_labels=labels, labels=[str(code) for code in range(n_labels)], k=10)
    assert len(found.top(limit=3)) == 3 * n_labels
    np.testing.assert_allclose(np.bincount(found.query_codes, weights=found.shares), 1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: confusion(np.array([[0]]), np.array([0]), gallery_labels=np.array([0]), labels=NAMES, k=2),
            EvaluationError,
            "Expected every k to be a whole number from 1 to 1, the hits a query has, but k = 2. "
            "Choose a smaller k, or search for more hits.",
        ),
        (
            lambda: confusion(np.array([[0]]), np.array([0]), gallery_labels=np.array([4]), labels=NAMES, k=1),
            ValueError,
            "Expected label codes below 4, but a label code = 4. Pass the names of all labels.",
        ),
        (
            lambda: confusion(np.array([[1]]), np.array([0]), gallery_labels=np.array([0]), labels=NAMES, k=1),
            ValueError,
            "Expected rows from 0 to 0, or -1 as padding, but hit_rows = 1 somewhere. Pass hits of this collection.",
        ),
        (
            lambda: confusion(np.array([[0]]), np.array([0]), gallery_labels=np.array([0]), labels=NAMES, k=1).top(
                limit=0
            ),
            ValueError,
            "Expected at least 1, but limit = 0. Ask for one confusion a label or more.",
        ),
    ],
)
def test_errors_say_what_was_expected_and_found(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
