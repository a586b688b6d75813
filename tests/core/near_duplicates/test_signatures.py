"""Patches that do not know brightness, signatures that do not know directions."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from radcbir_core.images.thumbnailing import thumbnail_of
from radcbir_core.near_duplicates import signatures as module
from radcbir_core.near_duplicates.signatures import SIDE, gray_patch, halved, normalized, of_norm_one, signatures
from tests.core.near_duplicates.copies import blobs


@pytest.fixture(scope="module")
def grays():
    return np.stack([gray_patch(thumbnail_of(blobs(seed)))[0] for seed in range(6)])


def test_a_patch_is_a_gray_square_of_one_size_and_says_how_large_the_picture_was() -> None:
    patch, shorter = gray_patch(thumbnail_of(np.tile(blobs(0, 96)[:48, :, None], (1, 1, 3))))
    assert patch.shape == (SIDE, SIDE)
    assert patch.dtype == np.uint8
    assert shorter == 48


def test_what_is_no_picture_has_no_patch() -> None:
    buffer = io.BytesIO()
    Image.new("L", (4, 4)).save(buffer, "PNG")
    assert [gray_patch(content) for content in (b"", b"no picture", buffer.getvalue())] == [None, None, None]


def test_brightness_and_contrast_change_nothing_and_inverting_changes_the_sign(grays) -> None:
    patches = normalized(grays)
    np.testing.assert_allclose(normalized(grays * 0.5 + 60), patches, atol=2e-3)
    np.testing.assert_allclose(normalized(255 - grays), -patches, atol=1e-5)
    np.testing.assert_allclose(np.sqrt((patches**2).sum(axis=(1, 2))), 1, rtol=1e-4)
    np.testing.assert_allclose(patches.mean(axis=(1, 2)), 0, atol=1e-6)


def test_smoothing_is_the_weighted_mean_of_the_surroundings() -> None:
    patches = np.random.default_rng(0).random((2, 8, 8)).astype(np.float32)
    blur = module._blur(8)
    np.testing.assert_allclose(blur.sum(axis=1), 1, rtol=1e-6)
    slow = [[[sum(blur[y, v] * one[v, u] * blur[x, u] for v in range(8) for u in range(8)) for x in range(8)]
             for y in range(8)] for one in patches]  # fmt: skip
    np.testing.assert_allclose(module._smooth(patches, blur), slow, rtol=1e-5)


def test_a_picture_with_nothing_in_it_has_a_patch_and_a_signature_of_zeros() -> None:
    flat = np.full((1, 32, 32), 90)
    noise = flat + np.random.default_rng(0).integers(0, 2, flat.shape)
    for grays in (flat, noise):
        assert not normalized(grays).any()
        assert not signatures(normalized(grays)).any()
    assert not of_norm_one(np.ones((1, 4, 4), dtype=np.float32)).any()


def test_half_a_patch_is_means_of_four() -> None:
    assert halved(np.arange(16).reshape(1, 4, 4)).tolist() == [[[2.5, 4.5], [10.5, 12.5]]]


def test_signatures_are_the_same_flipped_and_inverted_and_others_for_other_pictures(grays) -> None:
    patches = normalized(halved(grays))
    own = signatures(patches)
    for turned in (patches[:, ::-1], patches[:, :, ::-1], patches[:, ::-1, ::-1], -patches):
        np.testing.assert_allclose(signatures(turned), own, atol=1e-4)
    assert np.triu(own @ own.T, 1).max() < 0.9
    np.testing.assert_allclose(np.linalg.norm(own, axis=1), 1, rtol=1e-5)
