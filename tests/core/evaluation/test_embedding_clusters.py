"""Clusters of embeddings: planted groups are told apart, always the same, and images without one are none."""

from __future__ import annotations

import shutil

import numpy as np

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation.embedding_clusters import embedding_clusters, spherical_means
from tests.second_encoder import add_encoder


def test_planted_groups_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    middles = np.eye(5, 16)
    truth = rng.integers(0, 5, 300)
    vectors = middles[truth] + rng.normal(0, 0.05, (300, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    means = spherical_means(vectors, number=5, random=np.random.default_rng(1))
    codes = (vectors @ means.T).argmax(axis=1)
    assert len(set(zip(truth.tolist(), codes.tolist(), strict=True))) == 5
    np.testing.assert_allclose(np.linalg.norm(means, axis=1), 1, atol=1e-5)
    assert len(spherical_means(vectors[:3], number=5, random=np.random.default_rng(1))) == 3


def test_the_largest_is_the_first_and_all_images_are_in_one(small_data, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    store = open_collection("small").store("pixels")
    codes = embedding_clusters(store, number=6)
    np.testing.assert_array_equal(codes, embedding_clusters(store, number=6))
    sizes = np.bincount(codes[codes >= 0])
    assert sizes.tolist() == sorted(sizes.tolist(), reverse=True)
    assert (codes >= 0).tolist() == store.valid.tolist()
    assert len(sizes) == 6


def test_an_image_without_an_embedding_is_in_none(small_data, tmp_path, monkeypatch) -> None:
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    add_encoder(open_collection("small"), noise=2.0, failed=(3, 9))
    codes = embedding_clusters(open_collection("small").store("second"), number=3)
    assert np.flatnonzero(codes < 0).tolist() == [3, 9]
