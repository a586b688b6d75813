"""Silhouettes and the matrix of labels against loops over all pairs of images, and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import silhouette_samples

from radcbir_core.evaluation.metrics import silhouette
from radcbir_core.evaluation.metrics.silhouette import places_of
from radcbir_core.search.backend import ArrayVectors


def slow(vectors, labels, n_labels, apart):
    """For each image, label → mean similarity; and the same by pair of labels."""
    unit = [v / np.linalg.norm(v) for v in vectors.astype(float)]
    by_image, pairs = [], {}
    for i, mine in enumerate(labels):
        found = {}
        for j, other in enumerate(labels):
            if i == j or mine < 0 or other < 0 or apart[i] == apart[j] >= 0:
                continue
            found.setdefault(other, []).append(float(unit[i] @ unit[j]))
            pairs.setdefault((mine, other), []).append(float(unit[i] @ unit[j]))
        by_image.append({label: sum(values) / len(values) for label, values in found.items()})
    matrix = [
        [sum(pairs[a, b]) / len(pairs[a, b]) if (a, b) in pairs else math.nan for b in range(n_labels)]
        for a in range(n_labels)
    ]
    return by_image, np.array(matrix)


@given(
    rows=st.integers(1, 25),
    kind=st.sampled_from([np.float16, np.float32]),
    grouped=st.booleans(),
    block=st.integers(1, 9),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_it_is_what_all_pairs_say(rows, kind, grouped, block, seed) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(rows, 5)).astype(kind)
    labels = random.integers(-1, 4, rows)
    groups = random.integers(-1, 5, rows) if grouped else np.full(rows, -1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(silhouette, "_BLOCK", block)
        patch.setattr(silhouette, "_ELEMENTS", 20)
        found = places_of(ArrayVectors(vectors), labels, n_labels=4, apart=groups if grouped else None)
    by_image, matrix = slow(vectors, labels.tolist(), 4, groups.tolist())
    np.testing.assert_allclose(found.matrix, matrix, atol=1e-9)
    for row, means in enumerate(by_image):
        own = means.get(labels[row], math.nan)
        others = {label: value for label, value in means.items() if label != labels[row]}
        other = max(others.values(), default=math.nan)
        assert found.own[row] == pytest.approx(own, abs=1e-9, nan_ok=True)
        assert found.other[row] == pytest.approx(other, abs=1e-9, nan_ok=True)
        assert (found.nearest[row] == -1) == (not others)
        if others:
            assert others[found.nearest[row]] == pytest.approx(other, abs=1e-9)
        expected = (own - other) / max(1 - own, 1 - other) if not math.isnan(own + other) else math.nan
        assert found.silhouette[row] == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_without_exclusions_it_is_scikit_learn_s() -> None:
    random = np.random.default_rng(0)
    vectors, labels = random.normal(size=(80, 6)), np.arange(80) % 5
    vectors += np.eye(6)[labels]
    found = places_of(ArrayVectors(vectors), labels, n_labels=5)
    np.testing.assert_allclose(found.silhouette, silhouette_samples(vectors, labels, metric="cosine"), atol=1e-9)


def test_two_labels_in_one_point_are_on_the_border() -> None:
    found = places_of(ArrayVectors(np.ones((4, 2))), np.array([0, 0, 1, 1]), n_labels=2)
    assert found.silhouette.tolist() == [0] * 4


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match="Expected one label below 1 and one group an image"):
        places_of(ArrayVectors(np.eye(2)), np.array([0, 1]), n_labels=1)
