"""The randomization test against all ways to swap; Holm's correction by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.evaluation.statistics.randomization import DRAWS, drawn_signs, holm, sign_flip_p, swap_p_values


def slow(values, clusters):
    """p over all ways to give each cluster's differences one sign."""
    names = sorted(set(clusters))
    observed = abs(sum(values))
    ways = [
        abs(sum(value * signs[names.index(cluster)] for value, cluster in zip(values, clusters, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(names))
    ]
    return np.mean([way >= observed - 1e-9 for way in ways])


queries = st.lists(st.tuples(st.sampled_from([-1, -0.5, -0.1, 0, 0.3, 1]), st.integers(0, 6)), min_size=1, max_size=12)


@given(queries)
def test_it_agrees_with_going_through_all_ways(found) -> None:
    values, clusters = zip(*found, strict=True)
    p = swap_p_values(np.array(values)[:, None], np.zeros(len(values), int), clusters=np.array(clusters), n_labels=1)
    assert p[0, 0] == pytest.approx(slow(values, clusters))


def test_drawing_and_the_normal_limit_agree_with_the_binomial_distribution() -> None:
    """Patients that all differ by one query: swapping them is tossing coins."""
    for size, wins in ((40, 28), (200, 120), (600, 340)):
        values = np.array([1.0] * wins + [-1.0] * (size - wins))[:, None]
        exact = 2 * sum(math.comb(size, n) for n in range(wins, size + 1)) / 2**size
        p = swap_p_values(values, np.zeros(size, int), clusters=np.arange(size), n_labels=1)[0, 0]
        assert p == pytest.approx(exact, rel=0.35, abs=0.003)
    certain = swap_p_values(np.ones((5000, 1)), np.zeros(5000, int), clusters=np.arange(5000), n_labels=1)
    assert 0 < certain[0, 0] < 1e-12


@pytest.mark.parametrize("size", [13, 16, 100, 193, 200])
def test_drawn_signs_are_counted_one_by_one(size) -> None:
    """Each draw's signs, taken from their bits, times the sums."""
    random = np.random.default_rng(size)
    sums = random.choice([-1.0, -0.3, 0.2, 0.7, 1.0], size)
    numbers = drawn_signs()
    signs = np.stack([np.where(numbers[place // 8] >> (place % 8) & 1, 1.0, -1.0) for place in range(size)])
    assert signs.shape == (size, DRAWS)
    assert np.abs(signs.mean(axis=1)).max() < 0.05, "as often one as the other"
    as_large = np.count_nonzero(np.abs(sums @ signs) >= abs(sums.sum()) - 1e-9)
    assert sign_flip_p(sums, numbers) == (1 + as_large) / (1 + DRAWS)


def test_images_of_one_patient_are_one_piece_of_evidence() -> None:
    many = swap_p_values(np.ones((30, 1)), np.zeros(30, int), clusters=np.arange(30), n_labels=1)[0, 0]
    one = swap_p_values(np.ones((30, 1)), np.zeros(30, int), clusters=np.zeros(30, int), n_labels=1)[0, 0]
    assert many < 0.001
    assert one == 1


def test_each_label_and_each_k_by_itself_and_without_nan() -> None:
    table = np.array([[1.0, 0], [1, 0], [1, np.nan], [-1, 0.5], [np.nan, np.nan]])
    labels = np.array([0, 0, 0, 2, 3])
    p = swap_p_values(table, labels, clusters=np.arange(5), n_labels=5)
    assert p[0].tolist() == [0.25, 1]
    assert np.isnan(p[[1, 3, 4]]).all()
    assert p[2].tolist() == [1, 1]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected one line, one label and one cluster a query"):
        swap_p_values(np.ones((3, 1)), np.zeros(3, int), clusters=np.zeros(2, int), n_labels=1)


def test_holm_by_hand() -> None:
    """0.005 · 4, 0.01 · 3, 0.03 · 2, and the last, which must not be below the one before."""
    found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([])).size == 0
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_never_makes_a_p_smaller(values) -> None:
    p = np.array(values)
    found = holm(p)
    assert (found >= p).all()
    assert (np.diff(found[np.argsort(p, kind="stable")]) >= 0).all()
