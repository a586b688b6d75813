"""CSLS against plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.search.backend import Hits
from radcbir_core.search.hubness.csls import by_csls, usual_similarity


def test_the_order_is_that_of_the_definition() -> None:
    random = np.random.default_rng(0)
    rows = np.stack([random.permutation(30)[:8] for _ in range(20)]).astype(np.int32)
    similarities = -np.sort(-random.random((20, 8)).astype(np.float32), axis=1)
    counts = random.integers(0, 9, 20).astype(np.int32)
    for line, count in enumerate(counts):
        rows[line, count:], similarities[line, count:] = -1, np.nan
    usual = random.random(30)
    hits = Hits(rows, similarities, counts)
    ordered = hits.in_order(by_csls(hits, usual))
    for line, count in enumerate(counts):
        mine = list(zip(rows[line, :count].tolist(), similarities[line, :count].tolist(), strict=True))
        mine.sort(key=lambda hit: -(2 * hit[1] - usual[hit[0]]))
        assert ordered.rows[line].tolist() == [row for row, _ in mine] + [-1] * (8 - count)
        assert ordered.similarities[line, :count].tolist() == pytest.approx([similarity for _, similarity in mine])
    assert ordered.counts.tolist() == counts.tolist()


def test_equal_ones_keep_their_order() -> None:
    hits = Hits(np.array([[3, 1, 2]]), np.array([[0.5, 0.5, 0.5]]), np.array([3]))
    assert by_csls(hits, np.zeros(4)).tolist() == [[0, 1, 2]]


def test_the_usual_similarity_is_a_mean_of_what_there_is() -> None:
    table = np.array([[0.9, 0.5, 0.1], [0.4, np.nan, np.nan], [np.nan] * 3])
    assert usual_similarity(table).tolist() == pytest.approx([0.5, 0.4, 0.0])
