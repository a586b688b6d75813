"""Patch similarity: against a plain loop, over planted places, and without what was added around an image."""

from __future__ import annotations

import numpy as np

from radcbir_core.encoders import load_encoder
from radcbir_core.explanation.hiding import Input
from radcbir_core.explanation.patch_similarity import best_matches, patch_vectors, patches_of
from tests.core.explanation.made_encoders import Patches


def inputs(vectors: np.ndarray, seen=((0, 0, 8, 8), (0, 0, 8, 8))) -> tuple[Input, Input]:
    one, two = (Input(np.zeros((1, 8, 8), dtype=np.float32), (64,), (0, 0, 8, 8), part, (8, 8)) for part in seen)
    return one, two


def made(seed: int, rows: int, columns: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(2, rows, columns, 5))
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def test_each_patch_has_its_best_match() -> None:
    vectors = made(0, 4, 2)
    maps = best_matches(vectors, inputs(vectors))
    for at, found in enumerate(maps):
        for y in range(8):
            for x in range(8):
                mine = vectors[at, y // 2, x // 4]
                best = max(float(mine @ theirs) for theirs in vectors[1 - at].reshape(-1, 5))
                assert abs(found[y, x] - best) < 1e-6


def test_what_was_added_around_an_image_matches_nothing() -> None:
    vectors = made(1, 4, 4)
    vectors[1, 0] = vectors[0, 2]  # above the second image, which begins below its first row of patches
    maps = best_matches(vectors, inputs(vectors, seen=((0, 0, 8, 8), (2, 0, 8, 8))))
    assert maps[0][4:6].max() < 0.99
    assert np.isnan(maps[1][:2]).all()
    assert not np.isnan(maps[1][2:]).any()


def test_who_has_patches(mini) -> None:
    assert patches_of(load_encoder("pixels")) is None
    encoder = load_encoder("radcbir-mini", device="cpu")  # a small vision transformer here
    able = patches_of(encoder)
    assert able is encoder
    random = np.random.default_rng(2)
    images = tuple(Input.of(encoder, random.integers(0, 256, (32, 32), dtype=np.uint8)) for _ in range(2))
    vectors = patch_vectors(able, images)
    assert vectors.shape[:3] == (2, 4, 4)
    same = best_matches(np.stack([vectors[0], vectors[0]]), (images[0], images[0]))
    np.testing.assert_allclose(same[0], 1, atol=1e-5)


def test_a_planted_patch_is_found_wherever_it_is() -> None:
    encoder = Patches()
    random = np.random.default_rng(3)
    one, two = (random.integers(0, 256, (32, 32), dtype=np.uint8) for _ in range(2))
    two[20:24, 8:12] = one[4:8, 24:28]
    images = Input.of(encoder, one), Input.of(encoder, two)
    maps = best_matches(patch_vectors(encoder, images), images)
    places = [np.argwhere(found > 0.999) for found in maps]
    assert (places[0].min(axis=0).tolist(), places[0].max(axis=0).tolist()) == ([4, 24], [7, 27])
    assert (places[1].min(axis=0).tolist(), places[1].max(axis=0).tolist()) == ([20, 8], [23, 11])
