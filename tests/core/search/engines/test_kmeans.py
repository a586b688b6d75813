"""Centers against plain rounds in double precision, and the nearest of them against all distances."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.search.engines import kmeans
from radcbir_core.search.engines.kmeans import centers_of, nearest_centers


def by_hand(sample: np.ndarray, number: int, seed: int) -> np.ndarray:
    sample = sample.astype(np.float64)
    begun = np.sort(np.random.default_rng(seed).choice(len(sample), size=number, replace=False))
    centers = sample[begun].copy()
    for _ in range(8):
        nearest = np.array([np.argmin([np.sum((vector - center) ** 2) for center in centers]) for vector in sample])
        centers = np.array([sample[nearest == center].mean(axis=0) for center in range(number)])
    return centers


def test_centers_are_those_of_plain_rounds(monkeypatch) -> None:
    monkeypatch.setattr(kmeans, "_BLOCK", 50)
    random = np.random.default_rng(3)
    sample = random.normal(size=(180, 5)).astype("f4")
    told: list[float] = []
    centers = centers_of(sample, 6, seed=1, told=told.append)
    np.testing.assert_allclose(centers, by_hand(sample, 6, 1), atol=1e-4)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)
    assert (centers_of(sample, 6, seed=1) == centers).all(), "the same bytes each time"


def test_a_center_that_loses_all_its_vectors_begins_anew() -> None:
    """Copies: centers that begin at the same place, of which one takes all."""
    sample = np.repeat(np.eye(4, dtype=np.float32), [30, 1, 1, 1], axis=0)
    centers = centers_of(sample, 4, seed=0)
    assert sorted(map(tuple, centers.tolist())) == sorted(map(tuple, np.eye(4).tolist()))


@pytest.mark.parametrize("number", [0, 1, 77])
def test_the_nearest_center_of_each(monkeypatch, number) -> None:
    monkeypatch.setattr(kmeans, "_BLOCK", 20)
    random = np.random.default_rng(5)
    vectors, centers = random.normal(size=(number, 7)).astype("f4"), random.normal(size=(9, 7)).astype("f4")
    nearest, half = nearest_centers(vectors, centers)
    distances = ((vectors[:, None].astype(float) - centers[None]) ** 2).sum(axis=2)
    assert nearest.tolist() == distances.argmin(axis=1).tolist()
    own = (vectors.astype(float) ** 2).sum(axis=1)
    np.testing.assert_allclose(half, (distances.min(axis=1) - own) / 2 if number else [], atol=1e-5)
