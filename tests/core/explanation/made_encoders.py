"""Encoders of which it is known where a similarity comes from, and pairs of images that share one place."""

from __future__ import annotations

import numpy as np

from radcbir_core.encoders.families.pixels import SIDE, PixelsEncoder

PLACES = ((2, 22), (20, 4))
"""Upper left corner of the shared patch in the first and in the second image."""
PATCH = 6


class Constant(PixelsEncoder):
    """Every image is the same."""

    def encode_prepared(self, batch):
        return np.tile(np.eye(1, self.dimension, dtype=np.float32), (len(batch), 1))


class Patches(PixelsEncoder):
    """Says of each of 8 x 8 patches its 16 shades, less their mean."""

    supports_patches = True
    a_side = 8

    def encode_patches(self, batch):
        each = SIDE // self.a_side
        tiles = batch.reshape(-1, self.a_side, each, self.a_side, each).swapaxes(2, 3)
        flat = tiles.reshape(len(batch), self.a_side, self.a_side, -1)
        flat = flat - flat.mean(axis=-1, keepdims=True)
        return flat / np.maximum(np.linalg.norm(flat, axis=-1, keepdims=True), 1e-9)


class Bright(Patches):
    """An image is how bright its left third is: patches match where they are alike, and that has no part in it."""

    def encode_prepared(self, batch):
        images = batch.reshape(-1, SIDE, SIDE)
        made = np.zeros((len(batch), self.dimension), dtype=np.float32)
        made[:, 0], made[:, 1] = 1, images[:, :, :10].mean(axis=(1, 2)) / 255
        return made / np.linalg.norm(made, axis=1, keepdims=True)


def sharing_one_place(*, same: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Two 32 x 32 images of faint noise that have one bright patch in common, at the same place or at two."""
    random = np.random.default_rng(5)
    patch = random.integers(150, 256, (PATCH, PATCH))
    patch[::2] = 255
    images = []
    for y, x in (PLACES[:1] * 2) if same else PLACES:
        image = random.integers(0, 40, (SIDE, SIDE))
        image[y : y + PATCH, x : x + PATCH] = patch
        images.append(image.astype(np.uint8))
    return images[0], images[1]
