"""Of which images the layout is computed at first, and in which order the others join in."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.projection.drawn_rows import drawn_by_label, rounds_of


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=30), st.integers(1, 600), st.integers(0, 1000))
def test_as_many_as_asked_for_and_of_every_label_some(sizes, most, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes)) - 1
    drawn = drawn_by_label(labels, most, seed=seed)
    assert len(drawn) == min(most, len(labels))
    assert (np.diff(drawn) > 0).all()
    assert drawn.min() >= 0
    assert drawn.max() < len(labels)
    kept = np.bincount(labels[drawn] + 1, minlength=len(sizes))
    least = most // (4 * len(sizes))
    assert (kept >= np.minimum(sizes, least)).all()
    if most >= len(sizes):
        assert (kept >= 1).all()
    assert drawn_by_label(labels, most, seed=seed).tolist() == drawn.tolist()


def test_a_rare_label_is_taken_whole_and_frequent_ones_by_their_frequency():
    labels = np.repeat([0, 1, 2], [60_000, 30_000, 20])
    kept = np.bincount(labels[drawn_by_label(labels, 9_000)])
    assert kept.tolist()[2] == 20
    # 750 of each of both, and the other 7,480 in the proportion of what is left, 59,250 to 29,250.
    assert kept.tolist()[:2] == [750 + 5008, 750 + 2472]


def test_another_seed_draws_others():
    labels = np.zeros(1000, dtype=int)
    one, other = (drawn_by_label(labels, 100, seed=seed) for seed in (0, 1))
    assert 0 < len(np.intersect1d(one, other)) < 40


def oracle_rounds(ids, drawn, rows):
    """Image by image."""
    reached, left, rounds = set(np.flatnonzero(drawn).tolist()), rows.tolist(), []
    while True:
        near = [row for row in left if any(other in reached for other in ids[row].tolist())]
        if not near:
            return rounds, left
        rounds.append(near)
        reached |= set(near)
        left = [row for row in left if row not in near]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 30), st.integers(1, 3), st.integers(0, 10_000))
def test_rounds_equal_the_oracle(number, width, seed):
    source = np.random.default_rng(seed)
    ids = source.integers(-1, number, (number, width))
    drawn = source.random(number) < 0.2
    rows = np.flatnonzero(~drawn & (source.random(number) < 0.9))
    rounds, left = rounds_of(ids, drawn, rows)
    assert ([part.tolist() for part in rounds], left.tolist()) == oracle_rounds(ids, drawn, rows)
