"""Mean similarities against loops over all pairs of images, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.evaluation.metrics import similarity
from radcbir_core.evaluation.metrics.similarity import label_similarities
from radcbir_core.search.backend import ArrayVectors


def slow(vectors, labels, n_labels, apart) -> tuple[list[float], list[int], list[float], list[int]]:
    within, between = [0.0] * n_labels, [0.0] * n_labels
    n_within, n_between = [0] * n_labels, [0] * n_labels
    for i, first in enumerate(labels):
        for j, second in enumerate(labels):
            if i == j or first < 0 or second < 0 or apart[i] == apart[j] >= 0:
                continue
            a, b = vectors[i].astype(float), vectors[j].astype(float)
            cosine = float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))
            if first == second:
                within[first] += cosine
                n_within[first] += 1
            else:
                between[first] += cosine
                n_between[first] += 1
    return within, n_within, between, n_between


@given(
    rows=st.integers(1, 25),
    kind=st.sampled_from([np.float16, np.float32]),
    grouped=st.booleans(),
    block=st.integers(1, 9),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_sums_are_those_of_all_pairs(rows, kind, grouped, block, seed) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(rows, 5)).astype(kind)
    labels, groups = random.integers(-1, 4, rows), random.integers(-1, 5, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "_BLOCK", block)
        found = label_similarities(ArrayVectors(vectors), labels, n_labels=4, apart=groups if grouped else None)
    expected = slow(vectors, labels.tolist(), 4, groups.tolist() if grouped else [-1] * rows)
    np.testing.assert_allclose(found.within, expected[0], atol=1e-9)
    assert found.within_pairs.tolist() == expected[1]
    np.testing.assert_allclose(found.between, expected[2], atol=1e-9)
    assert found.between_pairs.tolist() == expected[3]
    assert found.images.tolist() == [int((labels == label).sum()) for label in range(4)]


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match=r"but len\(labels\) = 3"):
        label_similarities(ArrayVectors(np.eye(2)), np.zeros(3, dtype=int), n_labels=1)
    with pytest.raises(ValueError, match="Expected label codes below 1, but labels = 1"):
        label_similarities(ArrayVectors(np.eye(2)), np.array([0, 1]), n_labels=1)
