"""Confident learning over neighbors against plain Python; planted wrong labels are found."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.evaluation.metrics.label_noise import label_noise


def slow(hits, own, gallery, k):
    """(p of the own label, suggested, p of it, score) of each query, as the docstring says, in fractions."""
    votes = [[gallery[row] for row in line[:k] if row >= 0 and gallery[row] >= 0] for line in hits]

    def p(query, label):
        return Fraction(votes[query].count(label), max(len(votes[query]), 1))

    thresholds = {}
    for label in set(own):
        mine = [p(query, label) for query in range(len(own)) if own[query] == label]
        thresholds[label] = sum(mine) / len(mine)
    answers = []
    for query, label in enumerate(own):
        passing = [
            (p(query, other), -votes[query].index(other), other)
            for other in set(votes[query])
            if other in thresholds and p(query, other) >= thresholds[other]
        ]
        others = [one for one in passing if one[2] != label]
        mine = p(query, label)
        if not others or (mine >= thresholds[label] and mine >= max(others)[0]):
            answers.append((mine, -1, math.nan, math.nan))
        else:
            best, _, other = max(others)
            answers.append((mine, other, best, best + thresholds[label] - mine))
    return answers


@st.composite
def searches(draw):
    size = draw(st.integers(2, 9))
    labels = draw(st.lists(st.integers(-1, 3), min_size=size, max_size=size))
    queries = [row for row in range(size) if labels[row] >= 0]
    width = draw(st.integers(1, 6))
    rows = st.lists(st.integers(-1, size - 1), min_size=width, max_size=width)
    return [draw(rows) for _ in queries], [labels[row] for row in queries], labels, draw(st.integers(1, width))


@given(searches())
def test_it_is_what_the_definition_says(search) -> None:
    hits, own, gallery, k = search
    if not own:
        return
    answers = slow(hits, own, gallery, k)
    noise = label_noise(np.array(hits), np.array(own), gallery_labels=np.array(gallery), n_labels=4, k=k)
    for query, (mine, other, best, score) in enumerate(answers):
        assert noise.own[query] == pytest.approx(float(mine))
        assert noise.suggested[query] == other
        assert noise.p_suggested[query] == pytest.approx(float(best), nan_ok=True)
        assert noise.score[query] == pytest.approx(float(score), nan_ok=True)


def test_planted_labels_are_the_first_suspects() -> None:
    """Forty images of four labels that find their own; the labels of three are changed."""
    truth = np.repeat(np.arange(4), 10)
    alike = [np.flatnonzero(truth == label) for label in range(4)]
    hits = np.array([alike[label][alike[label] != row] for row, label in enumerate(truth)])
    labels = truth.copy()
    planted = [3, 17, 30]
    labels[planted] = (truth[planted] + 1) % 4
    noise = label_noise(hits, labels, gallery_labels=labels, n_labels=4, k=9)
    assert sorted(np.argsort(-np.nan_to_num(noise.score, nan=-1))[:3].tolist()) == planted
    assert noise.suggested[planted].tolist() == truth[planted].tolist()
    assert (noise.score[planted] > 1.5).all()


def test_a_label_that_is_never_found_scores_low() -> None:
    """Labels 0 and 1 find their own; the images of label 2 find label 0 alone, and so does one image of label 1."""
    labels = np.array([0] * 6 + [1] * 6 + [2] * 3)
    pool = {0: [0, 1, 2, 3, 4, 5], 1: [6, 7, 8, 9, 10, 11], 2: [0, 1, 2, 3, 4, 5]}
    hits = np.array([[other for other in pool[label] if other != row][:5] for row, label in enumerate(labels)])
    hits[11] = [0, 1, 2, 3, 4]
    noise = label_noise(hits, labels, gallery_labels=labels, n_labels=3, k=5)
    assert noise.suggested[11:].tolist() == [0, 0, 0, 0]
    assert noise.score[11] > noise.score[12] == pytest.approx(1)


def test_without_labeled_hits_nothing_is_suspect() -> None:
    noise = label_noise(np.full((2, 3), -1), np.array([0, 1]), gallery_labels=np.array([0, 1]), n_labels=2, k=3)
    assert noise.suggested.tolist() == [-1, -1]
    assert noise.own.tolist() == [0, 0]
