"""The cluster bootstrap against every possible resample, a slow oracle, and what an interval has to be."""

from __future__ import annotations

import itertools
import math
import re
import statistics
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.evaluation.statistics import intervals as module
from radcbir_core.evaluation.statistics.averages import means_of
from radcbir_core.evaluation.statistics.intervals import mean_intervals


def oracle_means(values, labels, clusters, times, n_labels):
    """Every label's mean of one draw, then micro and macro: each image counts as often as its cluster was drawn."""
    kept = [
        (value, label)
        for value, label, cluster in zip(values, labels, clusters, strict=True)
        for _ in range(times[cluster])
        if label >= 0 and not math.isnan(value)
    ]
    by_label = [[value for value, own in kept if own == label] for label in range(n_labels)]
    means = [statistics.fmean(own) if own else math.nan for own in by_label]
    known = [mean for mean in means if not math.isnan(mean)]
    return [
        *means,
        statistics.fmean(value for value, _ in kept) if kept else math.nan,
        statistics.fmean(known) if known else math.nan,
    ]


# --- the draws --------------------------------------------------------------------------------------------------------


def test_each_draw_is_the_mean_of_what_was_drawn(monkeypatch):
    source = np.random.default_rng(5)
    size, n_labels, draws = 40, 4, 7
    values = source.random((size, 2))
    values[source.random(size) < 0.2] = np.nan
    labels, clusters = source.integers(0, n_labels, size), source.integers(0, 9, size)
    clusters = np.unique(clusters, return_inverse=True)[1]
    n_clusters = clusters.max() + 1
    monkeypatch.setattr(module, "_CHUNK_ELEMENTS", 3 * n_clusters)  # three draws at a time: 3 + 3 + 1
    drawn = module._resample(values, labels, clusters, lines=np.arange(size), n_labels=n_labels, draws=draws, seed=11)

    chosen = np.random.default_rng(11).integers(0, n_clusters, size=(draws, n_clusters))
    for draw, column in itertools.product(range(draws), range(2)):
        times = np.bincount(chosen[draw], minlength=n_clusters)
        expected = oracle_means(values[:, column], labels, clusters, times, n_labels)
        np.testing.assert_allclose(drawn[draw, :, column], expected)


def test_the_bounds_are_percentiles_around_the_median():
    """Label 1 is of two patients of four, and so missing from some of the draws."""
    values = np.array([1.0, 0.0, 0.0, 1.0, 1.0, 0.5, 0.0])
    labels = np.array([0, 0, 0, 1, 1, 0, 1])
    clusters = np.array([0, 0, 1, 1, 2, 3, 2])
    bounds = mean_intervals(values[:, None], labels, clusters=clusters, n_labels=2, draws=500, seed=1)
    chosen = np.random.default_rng(1).integers(0, 4, size=(500, 4))
    drawn = np.array([oracle_means(values, labels, clusters, np.bincount(c, minlength=4), 2) for c in chosen])
    assert np.isnan(drawn[:, 1]).any()
    low, middle, high = np.nanquantile(drawn, [0.025, 0.5, 0.975], axis=0)
    estimates = np.array(oracle_means(values, labels, clusters, [1, 1, 1, 1], 2))
    expected = np.clip([estimates + low - middle, estimates + high - middle], 0, 1).T
    np.testing.assert_allclose([*bounds.label[:, 0], bounds.micro[0], bounds.macro[0]], expected)


def test_patients_that_agree_in_themselves_make_the_interval_wider_than_images_do():
    source = np.random.default_rng(2)
    patients = np.repeat(np.arange(50), 20)
    values = np.repeat((source.random(50) < 0.5).astype(float), 20)[:, None]
    labels = np.zeros(1000, dtype=int)
    by_patient = mean_intervals(values, labels, clusters=patients, n_labels=1)
    by_image = mean_intervals(values, labels, clusters=np.arange(1000), n_labels=1)
    share = values.mean()
    # The normal approximation of a share, over 50 patients and over 1,000 images.
    for found, count in ((by_patient, 50), (by_image, 1000)):
        expected = 2 * 1.96 * math.sqrt(share * (1 - share) / count)
        assert found.micro[0, 1] - found.micro[0, 0] == pytest.approx(expected, rel=0.15)
    assert (by_patient.n_clusters, by_image.n_clusters) == (50, 1000)


def test_ninety_five_of_a_hundred_intervals_hold_the_truth():
    source = np.random.default_rng(8)
    held = 0
    for seed in range(200):
        chance = source.beta(2, 2, 60)  # each patient has a chance of its own; the mean of them is 0.5
        values = (source.random((60, 5)) < chance[:, None]).astype(float).reshape(-1, 1)
        found = mean_intervals(
            values, np.zeros(300, dtype=int), clusters=np.arange(300) // 5, n_labels=1, draws=300, seed=seed
        )
        held += found.micro[0, 0] <= 0.5 <= found.micro[0, 1]
    assert 0.90 <= held / 200 <= 0.985


# --- what an interval has to be ---------------------------------------------------------------------------------------


@st.composite
def evaluations(draw):
    size = draw(st.integers(0, 25))
    share = st.one_of(st.just(math.nan), st.sampled_from([0.0, 0.2, 0.5, 1.0]))
    values = np.array(draw(st.lists(share, min_size=size, max_size=size)), dtype=float).reshape(-1, 1)
    codes = st.lists(st.integers(-1, 3), min_size=size, max_size=size)
    labels = np.array(draw(codes), dtype=int)
    clusters = np.array(draw(st.lists(st.integers(0, 9), min_size=size, max_size=size)), dtype=int)
    return values, labels, clusters


@settings(max_examples=100, deadline=None)
@given(evaluations(), st.randoms(use_true_random=False))
def test_bounds_are_ordered_shares_and_undefined_for_a_single_cluster(case, source):
    values, labels, clusters = case
    found = mean_intervals(values, labels, clusters=clusters, n_labels=4, draws=60)
    for bounds in (found.micro, found.macro, *found.label):
        kept = bounds[~np.isnan(bounds).any(axis=1)]
        assert ((kept >= 0) & (kept <= 1)).all()
        assert (kept[:, 0] <= kept[:, 1]).all()
        assert np.isnan(bounds).all() or not np.isnan(bounds).any()
    means = means_of(values, labels, n_labels=4)
    for bounds, mean in ((found.micro, means.micro), (found.macro, means.macro), (found.label, means.label)):
        low, high = bounds[..., 0], bounds[..., 1]
        assert (np.isnan(low) | ((low <= mean) & (mean <= high))).all(), "an interval holds its estimate"
    labeled = (labels >= 0) & ~np.isnan(values[:, 0])
    assert found.n_clusters == len(set(clusters[labeled].tolist()))
    for code in range(4):
        assert found.label_clusters[code] == len(set(clusters[labeled & (labels == code)].tolist()))
        if found.label_clusters[code] < 2:
            assert np.isnan(found.label[code]).all()
    # Renaming the clusters in their order changes nothing, and neither do the unlabeled queries.
    again = mean_intervals(values[labeled], labels[labeled], clusters=clusters[labeled] * 10 + 3, n_labels=4, draws=60)
    np.testing.assert_array_equal(again.micro, found.micro)
    np.testing.assert_array_equal(again.label, found.label)


def test_the_interval_holds_the_mean():
    source = np.random.default_rng(4)
    values, labels = source.integers(0, 11, (600, 4)) / 10, source.integers(0, 5, 600)
    found = mean_intervals(values, labels, clusters=source.integers(0, 80, 600), n_labels=5)
    means = means_of(values, labels, n_labels=5)
    for bounds, mean in ((found.micro, means.micro), (found.macro, means.macro), (found.label, means.label)):
        assert (bounds[..., 0] < mean).all()
        assert (mean < bounds[..., 1]).all()


def test_the_macro_interval_lies_around_its_mean_where_rare_labels_drop_out_of_the_draws():
    """26 labels of which most have a single patient, who is always found: draws without them lie below the mean."""
    labels = np.concatenate([np.zeros(40, dtype=int), np.arange(1, 26)])
    values = np.concatenate([np.zeros(40), np.ones(25)])[:, None]
    found = mean_intervals(values, labels, clusters=np.arange(65), n_labels=26)
    low, high = found.macro[0]
    assert low < means_of(values, labels, n_labels=26).macro[0] < high


def test_only_the_columns_that_are_asked_for_have_bounds():
    source = np.random.default_rng(3)
    values, labels, clusters = source.random((50, 3)), source.integers(0, 3, 50), np.arange(50) // 2
    every = mean_intervals(values, labels, clusters=clusters, n_labels=3)
    some = mean_intervals(values, labels, clusters=clusters, n_labels=3, columns=[2, 0])
    for name in ("micro", "macro", "label"):
        part, whole = getattr(some, name), getattr(every, name)
        np.testing.assert_allclose(part[..., [0, 2], :], whole[..., [0, 2], :])
        assert np.isnan(part[..., 1, :]).all()


def test_queries_of_several_labels_are_resampled_once():
    source = np.random.default_rng(3)
    values = source.random((50, 2))
    lines, labels = np.repeat(np.arange(50), 2), np.tile([0, 1], 50)
    clusters = np.arange(50) // 2
    both = mean_intervals(values, labels, clusters=clusters, n_labels=2, lines=lines)
    alone = mean_intervals(values, np.zeros(50, dtype=int), clusters=clusters, n_labels=1)
    np.testing.assert_allclose(both.micro, alone.micro)
    np.testing.assert_allclose(both.label[0], alone.label[0])
    np.testing.assert_allclose(both.macro, alone.macro)


def test_one_patient_gives_no_interval_and_agreeing_patients_one_of_no_width():
    values, labels = np.array([[1.0], [0.0], [1.0], [1.0]]), np.array([0, 0, 1, 1])
    found = mean_intervals(values, labels, clusters=np.array([0, 0, 1, 2]), n_labels=3)
    assert np.isnan(found.label[0]).all()
    assert found.label[1].tolist() == [[1.0, 1.0]]
    assert np.isnan(found.label[2]).all()
    assert found.label_clusters.tolist() == [1, 2, 0]
    alone = mean_intervals(values, labels, clusters=np.zeros(4, dtype=int), n_labels=2)
    assert alone.n_clusters == 1
    assert np.isnan(alone.micro).all()
    assert np.isnan(alone.macro).all()


def test_a_label_of_nothing_available_has_no_interval():
    values = np.array([[np.nan], [np.nan], [1.0], [0.0]])
    found = mean_intervals(values, np.array([0, 0, 1, 1]), clusters=np.arange(4), n_labels=2)
    assert np.isnan(found.label[0]).all()
    assert found.label[1].tolist() == [[0.0, 1.0]]
    np.testing.assert_array_equal(found.micro, found.label[1])


def test_no_queries_no_intervals():
    found = mean_intervals(np.empty((0, 2)), np.empty(0, int), clusters=np.empty(0, int), n_labels=2)
    assert found.n_clusters == 0
    assert found.micro.shape == (2, 2)
    assert np.isnan(found.micro).all()
    assert found.label.shape == (2, 2, 2)


def test_a_seed_decides_and_more_confidence_is_wider():
    source = np.random.default_rng(0)
    values, labels, clusters = source.random((300, 1)), np.zeros(300, dtype=int), np.arange(300)
    first, again, other = (
        mean_intervals(values, labels, clusters=clusters, n_labels=1, seed=seed) for seed in (3, 3, 4)
    )
    assert first.micro.tobytes() == again.micro.tobytes()
    assert first.micro.tobytes() != other.micro.tobytes()
    narrow = mean_intervals(values, labels, clusters=clusters, n_labels=1, seed=3, confidence=0.5)
    assert first.micro[0, 0] < narrow.micro[0, 0] < narrow.micro[0, 1] < first.micro[0, 1]


def test_twenty_thousand_clusters_stay_small():
    source = np.random.default_rng(0)
    size = 20_000
    values, labels = source.integers(0, 11, (size, 4)) / 10, source.integers(0, 161, size)
    tracemalloc.start()
    mean_intervals(values, labels, clusters=np.arange(size), n_labels=161)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6  # the weights of all draws at once would be 160 MB, thrice


# --- errors -----------------------------------------------------------------------------------------------------------

VALUES = np.zeros((2, 1))
CODES = np.array([0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: mean_intervals(VALUES, CODES, clusters=np.array([0, -1]), n_labels=2),
            "Expected one cluster of at least 0 a query (2), but clusters has 2 values from -1. "
            "Pass those of clusters_of for these queries.",
        ),
        (
            lambda: mean_intervals(VALUES, CODES, clusters=np.array([0]), n_labels=2),
            "Expected one cluster of at least 0 a query (2), but clusters has 1 values from 0.",
        ),
        (
            lambda: mean_intervals(VALUES, CODES, clusters=CODES, n_labels=1),
            "Expected label codes below 1, but query_labels = 1 somewhere. "
            "Pass the number of labels that the codes belong to.",
        ),
        (
            lambda: mean_intervals(VALUES, CODES, clusters=CODES, n_labels=2, draws=0),
            "Expected at least one draw, but draws = 0. Use 1000 or more.",
        ),
        (
            lambda: mean_intervals(VALUES, CODES, clusters=CODES, n_labels=2, confidence=95),
            "Expected a share above 0 and below 1, but confidence = 95. Use 0.95.",
        ),
        (
            lambda: mean_intervals(VALUES[:1], CODES, clusters=CODES, n_labels=2),
            "Expected a table with one row a query (2), but values has shape (1, 1).",
        ),
    ],
)
def test_errors_say_what_was_expected_and_found(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
