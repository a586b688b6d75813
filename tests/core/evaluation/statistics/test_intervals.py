"""The intervals against the formulas written out one patient at a time, and what an interval has to be."""

from __future__ import annotations

import math
import re
import statistics
import tracemalloc
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from radcbir_core.evaluation.statistics.averages import means_of
from radcbir_core.evaluation.statistics.intervals import cell_intervals, mean_intervals

Z = 1.959963984540054


def oracle_label(patients, low=0.0, high=1.0):
    """Bounds of one label from the values of each patient."""
    count = len(patients)
    if count < 2:
        return math.nan, math.nan
    sizes, sums = [len(own) for own in patients], [math.fsum(own) for own in patients]
    queries = sum(sizes)
    b = sum(n * n for n in sizes) / queries
    whole = queries + 2 * b
    c = (sum(sums) + b * (low + high)) / whole
    # The two further patients are like any other: one of b queries that all hit, one of b that all miss.
    every = [*zip(sizes, sums, strict=True), (b, b * high), (b, b * low)]
    variance = sum((s - c * n) ** 2 / (1 - n / whole) for n, s in every) / whole**2
    as_good = queries**2 / sum(n * n for n in sizes)
    unlike = 1 - as_good / count
    quantile = (1 - unlike) * Z + unlike * stats.t.ppf(0.975, as_good + 5)
    reach = quantile * math.sqrt(variance)
    return max(c - reach, low), min(c + reach, high)


def oracle_macro(by_label, low=0.0, high=1.0):
    """Bounds of the macro mean; ``by_label[label][patient]`` is a list of values."""
    number = len(by_label)
    if number == 1:
        return oracle_label(list(next(iter(by_label.values())).values()), low, high)
    signed = low < 0
    means, squares, influence, pairs, weight = {}, {}, defaultdict(float), [], defaultdict(float)
    for label, patients in by_label.items():
        values = [value for own in patients.values() for value in own]
        means[label] = statistics.fmean(values)
        squares[label] = statistics.fmean([value**2 for value in values]) if signed else means[label]
        for patient, own in patients.items():
            error = (math.fsum(own) - means[label] * len(own)) / (number * len(values))
            influence[patient] += error
            pairs.append(error)
            weight[patient] += len(own) / (number * len(values))
    macro, square = statistics.fmean(means.values()), statistics.fmean(squares.values())
    own_variance = 0.0
    for label, patients in by_label.items():
        p, size, count = means[label], sum(map(len, patients.values())), len(patients)
        room = squares[label] - p**2
        as_good = size**2 / sum(len(own) ** 2 for own in patients.values())
        g, m = 1.0, 0.0
        if count > 1:
            m = count * (squares[label] if signed else room)
            if room > 1e-12:
                errors = sum((math.fsum(own) - p * len(own)) ** 2 for own in patients.values())
                g = count / (count - 1) * errors / size**2 * as_good / room
        g = min(1.0, (m * g + 1) / (m + 1))
        drawn, drawn_square = (as_good * p + macro) / (as_good + 1), (as_good * squares[label] + square) / (as_good + 1)
        most = max(drawn_square - drawn**2, 0) / (1 - as_good / (as_good + 1) ** 2)
        own_variance += most * g / as_good / number**2
    variance = own_variance + sum(v**2 for v in influence.values()) - sum(error**2 for error in pairs)
    variance = max(variance, own_variance / 2)
    equal = 1 / sum(w**2 for w in weight.values())
    c = (equal * macro + low + high) / (equal + 2)
    whole = (variance * equal**2 + (high - c) ** 2 + (c - low) ** 2 + equal * (macro - c) ** 2) / (equal + 2) ** 2
    return max(c - Z * math.sqrt(whole), low), min(c + Z * math.sqrt(whole), high)


def oracle(values, labels, clusters, *, low=0.0, high=1.0):
    """(micro, macro, {label: bounds}) of one value a query, each query of one label."""
    whole, by_label = defaultdict(list), defaultdict(lambda: defaultdict(list))
    for value, label, cluster in zip(values, labels, clusters, strict=True):
        if label >= 0 and not math.isnan(value):
            whole[cluster].append(value)
            by_label[label][cluster].append(value)
    nothing = (math.nan, math.nan)
    micro = oracle_label(list(whole.values()), low, high)
    macro = oracle_macro(by_label, low, high) if len(whole) > 1 else nothing
    return micro, macro, {label: oracle_label(list(own.values()), low, high) for label, own in by_label.items()}


# --- the formulas -----------------------------------------------------------------------------------------------------


@st.composite
def evaluations(draw, values=(math.nan, 0.0, 0.2, 0.5, 1.0)):
    size = draw(st.integers(0, 25))
    table = np.array(draw(st.lists(st.sampled_from(values), min_size=size, max_size=size)), dtype=float).reshape(-1, 1)
    codes = st.lists(st.integers(-1, 3), min_size=size, max_size=size)
    labels = np.array(draw(codes), dtype=int)
    clusters = np.array(draw(st.lists(st.integers(0, 9), min_size=size, max_size=size)), dtype=int)
    return table, labels, clusters


def assert_is_the_oracle(bounds, case, *, low=0.0, high=1.0):
    values, labels, clusters = case
    micro, macro, by_label = oracle(values[:, 0].tolist(), labels.tolist(), clusters.tolist(), low=low, high=high)
    np.testing.assert_allclose(bounds.micro[0], micro, atol=1e-9)
    np.testing.assert_allclose(bounds.macro[0], macro, atol=1e-9)
    for label in range(4):
        np.testing.assert_allclose(bounds.label[label, 0], by_label.get(label, (math.nan, math.nan)), atol=1e-9)


@settings(max_examples=200, deadline=None)
@given(evaluations())
def test_the_bounds_are_those_of_the_formulas(case):
    values, labels, clusters = case
    assert_is_the_oracle(mean_intervals(values, labels, clusters=clusters, n_labels=4), case)


@settings(max_examples=200, deadline=None)
@given(evaluations(values=(math.nan, -1.0, -0.3, 0.0, 0.1, 1.0)))
def test_the_bounds_of_differences_are_those_of_the_formulas(case):
    values, labels, clusters = case
    bounds = mean_intervals(values, labels, clusters=clusters, n_labels=4, limits=(-1, 1))
    assert_is_the_oracle(bounds, case, low=-1.0)


def test_a_label_by_hand():
    """Three patients of two queries each: all hit, one of two, none."""
    values = np.array([[1.0], [1.0], [1.0], [0.0], [0.0], [0.0]])
    low, high = mean_intervals(values, np.zeros(6, int), clusters=np.arange(6) // 2, n_labels=1).micro[0]
    # Five patients of two queries with 2, 1, 0, 2 and 0 hits: mean 1/2, squared deviations 1 + 0 + 1 + 1 + 1 = 4, each
    # patient 1/5 of the whole: variance 4 / (4/5) / 100 = 1/20. All patients of one size: the normal quantile.
    assert (low, high) == pytest.approx((0.5 - Z / math.sqrt(20), 0.5 + Z / math.sqrt(20)))


def test_patients_that_agree_in_themselves_make_the_interval_wider_than_images_do():
    source = np.random.default_rng(2)
    patients = np.repeat(np.arange(50), 20)
    values = np.repeat((source.random(50) < 0.5).astype(float), 20)[:, None]
    labels = np.zeros(1000, dtype=int)
    by_patient = mean_intervals(values, labels, clusters=patients, n_labels=1)
    by_image = mean_intervals(values, labels, clusters=np.arange(1000), n_labels=1)
    share = values.mean()
    # The normal approximation of a share, over 50 patients and over 1,000 images.
    for bounds, count in ((by_patient, 50), (by_image, 1000)):
        expected = 2 * 1.96 * math.sqrt(share * (1 - share) / count)
        assert bounds.micro[0, 1] - bounds.micro[0, 0] == pytest.approx(expected, rel=0.05)
    assert (by_patient.n_clusters, by_image.n_clusters) == (50, 1000)


@pytest.mark.parametrize("correlation", [0.2, 0.8])
@pytest.mark.parametrize("truth", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("patients", [5, 20, 60])
def test_ninety_three_of_a_hundred_intervals_hold_the_truth(patients, truth, correlation):
    """3,000 labels at once, whose patients have chances of their own."""
    random = np.random.default_rng([patients, round(truth * 100), round(correlation * 10)])
    counts = random.integers(1, 21, (3000, patients))
    cluster = np.repeat(np.arange(counts.size), counts.ravel())
    run = np.repeat(np.arange(3000), counts.sum(axis=1))
    strength = (1 - correlation) / correlation
    own = random.beta(truth * strength, (1 - truth) * strength, counts.size)
    values = (random.random(len(cluster)) < own[cluster]).astype(float)[:, None]
    bounds = mean_intervals(values, run, clusters=cluster, n_labels=3000).label[:, 0]
    held = np.mean((bounds[:, 0] <= truth) & (truth <= bounds[:, 1]))
    assert held >= 0.925, "93 in 100, less what 3,000 runs may be off"


def test_macro_intervals_hold_the_truth_of_rare_labels():
    """Twelve labels that nearly all are right, most of them with one or two patients."""
    held = 0
    for run in range(150):
        random = np.random.default_rng(run)
        truth = random.uniform(0.85, 0.99, 12)
        frequency = 1 / np.arange(1, 13)
        labels = random.choice(12, 60, p=frequency / frequency.sum())
        own = random.beta(2 * truth[labels], 2 * (1 - truth[labels]))
        values = (random.random((60, 3)) < own[:, None]).astype(float).reshape(-1, 1)
        bounds = mean_intervals(values, np.repeat(labels, 3), clusters=np.repeat(np.arange(60), 3), n_labels=12)
        held += bounds.macro[0, 0] <= truth[np.unique(labels)].mean() <= bounds.macro[0, 1]
    assert held / 150 >= 0.92


# --- what an interval has to be ---------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(evaluations())
def test_bounds_hold_their_mean_and_are_undefined_for_a_single_cluster(case):
    values, labels, clusters = case
    bounds = mean_intervals(values, labels, clusters=clusters, n_labels=4)
    means = means_of(values, labels, n_labels=4)
    for own, mean in ((bounds.micro, means.micro), (bounds.macro, means.macro), (bounds.label, means.label)):
        low, high = own[..., 0], own[..., 1]
        defined = ~np.isnan(low)
        assert (defined == ~np.isnan(high)).all()
        assert ((low <= mean) & (mean <= high))[defined].all(), "an interval holds its estimate"
        assert ((low >= 0) & (high <= 1) & (high - low > 0.01))[defined].all(), "and has a width"
    labeled = (labels >= 0) & ~np.isnan(values[:, 0])
    assert bounds.n_clusters == len(set(clusters[labeled].tolist()))
    for code in range(4):
        assert bounds.label_clusters[code] == len(set(clusters[labeled & (labels == code)].tolist()))
        assert np.isnan(bounds.label[code]).all() == (bounds.label_clusters[code] < 2)
    # Renaming the clusters in their order changes nothing, and neither do the unlabeled queries.
    again = mean_intervals(values[labeled], labels[labeled], clusters=clusters[labeled] * 10 + 3, n_labels=4)
    np.testing.assert_array_equal(again.micro, bounds.micro)
    np.testing.assert_array_equal(again.label, bounds.label)


@settings(max_examples=50, deadline=None)
@given(evaluations())
def test_hits_and_misses_are_mirror_images(case):
    values, labels, clusters = case
    hits = mean_intervals(values, labels, clusters=clusters, n_labels=4)
    misses = mean_intervals(1 - values, labels, clusters=clusters, n_labels=4)
    for name in ("micro", "macro", "label"):
        np.testing.assert_allclose(getattr(misses, name), 1 - getattr(hits, name)[..., ::-1], atol=1e-9)


def test_queries_of_several_labels_count_once_in_the_micro_mean():
    source = np.random.default_rng(3)
    values = source.random((50, 2))
    lines, labels = np.repeat(np.arange(50), 2), np.tile([0, 1], 50)
    clusters = np.arange(50) // 2
    both = mean_intervals(values, labels, clusters=clusters, n_labels=2, lines=lines)
    alone = mean_intervals(values, np.zeros(50, dtype=int), clusters=clusters, n_labels=1)
    np.testing.assert_allclose(both.micro, alone.micro)
    np.testing.assert_allclose(both.label[0], alone.label[0])
    np.testing.assert_allclose(both.label[1], alone.label[0])
    assert both.n_clusters == alone.n_clusters == 25
    # Two labels of the same patients, all of whose deviations are shared: no surer than one label.
    assert ((both.macro[:, 1] - both.macro[:, 0]) > 0.9 * (alone.micro[:, 1] - alone.micro[:, 0])).all()


def test_one_patient_gives_no_interval_and_agreeing_patients_a_wide_one():
    values, labels = np.array([[1.0], [0.0], [1.0], [1.0]]), np.array([0, 0, 1, 1])
    bounds = mean_intervals(values, labels, clusters=np.array([0, 0, 1, 2]), n_labels=3)
    assert np.isnan(bounds.label[0]).all()
    low, high = bounds.label[1, 0]
    assert (low < 0.3, high) == (True, 1.0)
    assert np.isnan(bounds.label[2]).all()
    assert bounds.label_clusters.tolist() == [1, 2, 0]
    alone = mean_intervals(values, labels, clusters=np.zeros(4, dtype=int), n_labels=2)
    assert alone.n_clusters == 1
    assert np.isnan(alone.micro).all()
    assert np.isnan(alone.macro).all()


def test_a_label_of_nothing_available_has_no_interval():
    values = np.array([[np.nan], [np.nan], [1.0], [0.0]])
    bounds = mean_intervals(values, np.array([0, 0, 1, 1]), clusters=np.arange(4), n_labels=2)
    assert np.isnan(bounds.label[0]).all()
    np.testing.assert_array_equal(bounds.micro, bounds.label[1])
    np.testing.assert_array_equal(bounds.macro, bounds.label[1])


def test_no_queries_no_intervals():
    bounds = mean_intervals(np.empty((0, 2)), np.empty(0, int), clusters=np.empty(0, int), n_labels=2)
    assert bounds.n_clusters == 0
    assert bounds.micro.shape == (2, 2)
    assert np.isnan(bounds.micro).all()
    assert bounds.label.shape == (2, 2, 2)


def test_more_confidence_is_wider():
    source = np.random.default_rng(0)
    values, labels, clusters = source.random((300, 1)), np.zeros(300, dtype=int), np.arange(300)
    wide = mean_intervals(values, labels, clusters=clusters, n_labels=1).micro[0]
    narrow = mean_intervals(values, labels, clusters=clusters, n_labels=1, confidence=0.5).micro[0]
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_twenty_thousand_clusters_stay_small():
    source = np.random.default_rng(0)
    size = 20_000
    values, labels = source.integers(0, 11, (size, 4)) / 10, source.integers(0, 161, size)
    tracemalloc.start()
    mean_intervals(values, labels, clusters=np.arange(size), n_labels=161)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


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
            lambda: mean_intervals(VALUES - 1, CODES, clusters=CODES, n_labels=2),
            "Expected values from 0 to 1, but there are some outside. Pass those of a metric.",
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


def test_cells_of_a_sparse_table_have_the_intervals_of_the_whole_one() -> None:
    random = np.random.default_rng(5)
    labels, clusters = random.integers(-1, 3, 80), random.integers(0, 25, 80)
    table = random.random((80, 4)) / 4 * (random.random((80, 4)) < 0.3)
    lines, columns = np.nonzero(table)
    cells, bounds = cell_intervals(
        table[lines, columns], labels, columns, lines=lines, clusters=clusters, n_labels=3, n_columns=4
    )
    whole = mean_intervals(table, labels, clusters=clusters, n_labels=3).label
    expected = [label * 4 + column for label in range(3) for column in range(4) if table[labels == label, column].any()]
    assert cells.tolist() == expected
    np.testing.assert_allclose(bounds, whole.reshape(12, 2)[expected])


def test_cells_of_one_patient_have_no_interval() -> None:
    one = np.zeros(2, dtype=int)
    cells, bounds = cell_intervals(np.ones(2), one, one, lines=np.arange(2), clusters=one, n_labels=1, n_columns=1)
    assert cells.tolist() == [0]
    assert np.isnan(bounds).all()
