"""What chance reaches, against all ways to draw; and the random rankings."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.evaluation.statistics.chance import expected_precision, expected_success, random_hits
from radcbir_core.search.backend import Exclusion


@st.composite
def galleries(draw):
    images = draw(st.integers(1, 6))
    return draw(st.integers(0, images)), images, draw(st.integers(1, 8))


@given(galleries())
def test_the_expectation_is_the_mean_over_all_ways_to_draw(gallery) -> None:
    available, images, k = gallery
    relevant = [True] * available + [False] * (images - available)
    drawn = list(itertools.permutations(relevant, min(k, images)))
    by_k = np.mean([sum(ranking) / k for ranking in drawn])
    found = expected_precision(np.array([available]), np.array([images]), (k,), empty="zero")
    assert found[0, 0] == pytest.approx(by_k)
    found = expected_precision(np.array([available]), np.array([images]), (k,))
    assert found[0, 0] == pytest.approx(by_k if available else math.nan, nan_ok=True)
    found = expected_precision(np.array([available]), np.array([images]), (k,), divisor="available")
    size = min(k, available)
    if size:
        assert found[0, 0] == pytest.approx(np.mean([sum(ranking[:size]) / size for ranking in drawn]))
    else:
        assert math.isnan(found[0, 0])
        divided = expected_precision(np.array([0]), np.array([images]), (k,), divisor="available", empty="zero")
        assert divided.tolist() == [[0]]
    success = expected_success(np.array([available]), np.array([images]), k)
    assert success[0] == pytest.approx(np.mean([any(ranking) for ranking in drawn]))


def test_no_image_at_all() -> None:
    nothing = np.array([0])
    assert expected_precision(nothing, nothing, (1, 10), empty="zero").tolist() == [[0, 0]]
    assert expected_success(nothing, nothing, 3).tolist() == [0]


def exclusions(groups, rows):
    return [Exclusion(np.arange(len(groups)), rows), Exclusion(groups, groups[rows])]


def test_a_random_ranking_holds_what_is_allowed_and_each_image_once() -> None:
    random = np.random.default_rng(2)
    gallery = random.random(300) < 0.5
    patient = random.integers(-1, 40, 300)
    rows = np.arange(300)
    hits = random_hits(rows, k=20, gallery=gallery, exclusions=exclusions(patient, rows))
    for row in rows:
        line = hits.rows[row].tolist()
        assert len(set(line)) == 20 == hits.counts[row]
        assert all(gallery[hit] and hit != row for hit in line)
        assert all(patient[hit] != patient[row] or patient[row] < 0 for hit in line)
    assert np.isnan(hits.similarities).all()


def test_it_is_always_the_same_and_a_longer_one_begins_alike() -> None:
    gallery, rows = np.ones(120, dtype=bool), np.arange(120)
    itself = [Exclusion(rows, rows)]
    long = random_hits(rows, k=100, gallery=gallery, exclusions=itself).rows
    for k in (1, 10, 60):
        assert np.array_equal(random_hits(rows, k=k, gallery=gallery, exclusions=itself).rows, long[:, :k])
    some = np.array([17, 3])
    assert np.array_equal(
        random_hits(some, k=100, gallery=gallery, exclusions=[Exclusion(rows, some)]).rows, long[some]
    )


def test_where_little_is_left_all_of_it_comes() -> None:
    gallery = np.zeros(5000, dtype=bool)
    gallery[[3, 70, 900, 4999]] = True
    groups = np.full(5000, 0)
    groups[[70, 900]] = 1
    rows = np.array([3, 1])
    hits = random_hits(rows, k=6, gallery=gallery, exclusions=exclusions(groups, rows))
    assert [sorted(line) for line in hits.rows.tolist()] == [[-1, -1, -1, -1, 70, 900]] * 2
    assert hits.counts.tolist() == [2, 2]
    empty = random_hits(rows, k=2, gallery=np.zeros(5000, dtype=bool))
    assert empty.counts.tolist() == [0, 0]


def test_every_image_is_equally_likely_at_every_rank() -> None:
    """6,000 queries over 12 images: each stands about 500 times at each rank; five standard deviations are 107."""
    gallery = np.zeros(6000, dtype=bool)
    gallery[:12] = True
    hits = random_hits(np.arange(6000), k=12, gallery=gallery)
    for rank in (0, 1, 11):
        counts = np.bincount(hits.rows[:, rank], minlength=12)
        assert np.abs(counts - 500).max() < 107
    relevant = hits.rows < 3
    assert relevant[:, :4].any(axis=1).mean() == pytest.approx(
        expected_success(np.array([3]), np.array([12]), 4)[0], abs=0.03
    )
