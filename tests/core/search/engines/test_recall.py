"""Recall against a count by hand: what is as similar as the last exact hit is found, whichever row it is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.search.backend import EXACT_RECALL, ArrayVectors, Hits, unit
from radcbir_core.search.engines.exact import Exact
from radcbir_core.search.engines.recall import neighbor_recall, recall_of, true_similarities
from radcbir_core.search.engines.searcher import Searcher


class Forgetful(Exact):
    """An engine that has lost every third row."""

    name = "forgetful"
    method = "approximate"
    filters = frozenset()

    def search(self, queries, *, k, allowed=None, exclusions=()) -> Hits:
        return super().search(queries, k=k, allowed=np.arange(self.shape[0]) % 3 != 0)


@pytest.fixture
def vectors() -> np.ndarray:
    made = np.random.default_rng(0).normal(size=(90, 8))
    made[80:] = made[:10]  # copies
    return unit(made, dimension=8)


def test_recall_is_that_of_a_search_by_hand(vectors) -> None:
    searcher = Searcher(Forgetful(ArrayVectors(vectors)), valid=np.ones(90, dtype=bool))
    similarities = vectors @ vectors.T
    by_hand = []
    for depth in (1, 10):
        shares = []
        for row in range(90):
            others = [other for other in range(90) if other != row]
            there = min(depth, len(others))
            last = sorted((similarities[row, other] for other in others), reverse=True)[there - 1]
            kept = sorted((other for other in others if other % 3), key=lambda other: -similarities[row, other])[:depth]
            shares.append(sum(similarities[row, other] >= last - 1e-6 for other in kept) / there)
        by_hand.append(np.mean(shares))
    assert all(0.5 < share < 0.9 for share in by_hand), "copies may stand for each other, and the rest is lost"
    measured = recall_of(searcher, sample=90)
    assert [measured.at_1, measured.at_10, measured.at_100] == pytest.approx([*by_hand, 1]), (
        "who wants more than it has is searched exactly"
    )
    assert recall_of(searcher, sample=20) == recall_of(searcher, sample=20)
    assert recall_of(Searcher(Exact(ArrayVectors(vectors)), valid=np.ones(90, dtype=bool))) == EXACT_RECALL
    one = Searcher(Exact(ArrayVectors(vectors)), valid=np.arange(90) == 3)
    assert math.isnan(recall_of(one).at_10)


@given(st.data())
def test_it_counts_as_a_slow_count_does(data) -> None:
    """Similarities of few values, so that ties are common; fewer hits than k, and none."""
    width = data.draw(st.integers(1, 6))
    line = st.lists(st.integers(0, 4), max_size=width).map(lambda values: sorted(values, reverse=True))
    exact, found = data.draw(line), data.draw(line)
    tables = [np.array([[*values, *[np.nan] * (width - len(values))]]) / 8 for values in (found, exact)]
    recall = neighbor_recall(*tables, range(1, width + 1))[0]
    for k in range(1, width + 1):
        if not exact:
            assert math.isnan(recall[k - 1])
            continue
        wanted = exact[:k]
        good = [value for value in found[:k] if value >= wanted[-1]]
        assert recall[k - 1] == pytest.approx(min(len(good), len(wanted)) / len(wanted))


def test_tables_that_do_not_fit_are_refused() -> None:
    one = np.zeros((1, 2))
    for found, exact, ks in ((one, one[:, :1], (1,)), (one, one, (3,)), (one, one, (0,)), (one[0], one[0], (1,))):
        with pytest.raises(ValueError, match=r"Expected two tables of one shape and k's of up to as many hits"):
            neighbor_recall(found, exact, ks)


def test_similarities_of_pairs_are_their_cosines(vectors, monkeypatch) -> None:
    monkeypatch.setattr("radcbir_core.search.engines.recall._PAIRS_AT_ONCE", 7)
    hits = np.random.default_rng(1).integers(-1, 90, (12, 3)).astype(np.int32)
    rows = np.arange(12) * 3
    found = true_similarities(ArrayVectors(vectors.astype(np.float16)), rows, hits)
    half = vectors.astype(np.float16).astype(np.float64)
    for query, row in enumerate(rows):
        for rank, hit in enumerate(hits[query]):
            if hit < 0:
                assert math.isnan(found[query, rank])
            else:
                cosine = half[row] @ half[hit] / np.linalg.norm(half[row]) / np.linalg.norm(half[hit])
                assert found[query, rank] == pytest.approx(cosine, abs=1e-6)
