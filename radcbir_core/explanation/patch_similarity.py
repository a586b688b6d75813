"""Patch similarity: how much each patch of an image is like the patch of the other image that it is most like.

Owns the maps for encoders that say what they make of each place (vision transformers, convolutional networks). Nothing
is hidden for them, one pass gives both; whether what they highlight has any part in the similarity is the check's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radcbir_core.encoders import Encoder
from radcbir_core.encoders.base import Float32Array, PatchEncoder
from radcbir_core.explanation.hiding import Input

FEWEST_PATCHES_A_SIDE = 7
"""A coarser grid, such as the 4 x 4 of a small convolutional network, cannot say where in an image something is."""


def patches_of(encoder: Encoder) -> PatchEncoder | None:
    """The encoder itself where it says what it makes of each place; None where it does not.

    Example:
        >>> from radcbir_core.encoders import load_encoder
        >>> patches_of(load_encoder("pixels")) is None
        True
    """
    able = isinstance(encoder, PatchEncoder) and encoder.supports_patches
    return encoder if able and isinstance(encoder, PatchEncoder) else None


def patch_vectors(encoder: PatchEncoder, images: tuple[Input, Input]) -> Float32Array:
    """(2, rows, columns, C) of both images.

    Raises:
        EncoderError: The network gives no grid.
    """
    return encoder.encode_patches(np.stack([image.channels.reshape(image.shape) for image in images]))


def best_matches(vectors: Float32Array, images: tuple[Input, Input]) -> tuple[npt.NDArray[np.float64], ...]:
    """For each cell of either image the cosine of its patch and that patch of the other which is most like it.

    Args:
        vectors: As :func:`patch_vectors` gives them.
        images: Which have them.

    Returns:
        Two (H, W) arrays in [-1, 1]; NaN where the input is no image. Patches that are mostly none match nothing.
    """
    grids = [_patches_seen(image, vectors.shape[1:3]) for image in images]
    one, two = (each.reshape(-1, vectors.shape[-1]).astype(np.float64) for each in vectors)
    cosines = one @ two.T
    to_two = np.where(grids[1].reshape(1, -1), cosines, -np.inf).max(axis=1)
    to_one = np.where(grids[0].reshape(-1, 1), cosines, -np.inf).max(axis=0)
    maps = []
    for image, best in zip(images, (to_two, to_one), strict=True):
        spread = _spread(np.clip(best, -1, 1).reshape(vectors.shape[1:3]), image.size)
        maps.append(np.where(image.seen_mask, spread, np.nan))
    return tuple(maps)


def _patches_seen(image: Input, grid: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """(rows, columns) whose middle is image; all of them where none is."""
    rows, columns = ((np.arange(count) + 0.5) / count * cells for count, cells in zip(grid, image.size, strict=True))
    inside: npt.NDArray[np.bool_] = image.seen_mask[rows.astype(np.intp)][:, columns.astype(np.intp)]
    return inside if inside.any() else np.ones_like(inside)


def _spread(grid: npt.NDArray[np.float64], size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """(rows, columns) to (H, W): each cell has the value of its patch."""
    rows, columns = (
        ((np.arange(cells) + 0.5) / cells * count).astype(np.intp)
        for count, cells in zip(grid.shape, size, strict=True)
    )
    spread: npt.NDArray[np.float64] = grid[rows][:, columns]
    return spread
