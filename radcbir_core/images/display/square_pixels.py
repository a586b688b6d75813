"""Pixels that are not square: what files say of them, and the picture without its distortion.

Owns which ratios are believed, the size at which pixels are square, and the resampling to it. It reads no file.
"""

from __future__ import annotations

import math

import numpy as np

from radcbir_core.images.decoded_image import Limits

LARGEST_RATIO = 20.0
"""A slice of a centimeter beside pixels of half a millimeter, as in coarse reformatted volumes; more is a slip."""

RESAMPLED = "Its pixels are not square, and it is resampled so that they are."
_SMALLEST_DIFFERENCE = 0.01


def is_credible(height: float, width: float) -> bool:
    """Whether a pixel can be of this height and width, in whatever unit.

    Example:
        >>> is_credible(2, 1), is_credible(0, 0), is_credible(300, 1)
        (True, False, False)
    """
    usable = math.isfinite(height) and math.isfinite(width) and height > 0 and width > 0
    return usable and 1 / LARGEST_RATIO <= height / width <= LARGEST_RATIO


def square_size(height: int, width: int, *, ratio: float, limits: Limits) -> tuple[int, int] | None:
    """The height and width that a picture has where its pixels are square; None where they are, within one percent.

    The coarser side gets more pixels, so that nothing is lost; where that were too many, the finer side gets fewer.

    Args:
        height: of the picture, in pixels.
        width: likewise.
        ratio: height of a pixel by its width.
        limits: what a picture may have.

    Example:
        >>> square_size(40, 80, ratio=2.0, limits=Limits()), square_size(40, 80, ratio=1.005, limits=Limits())
        ((80, 80), None)
        >>> square_size(40, 80, ratio=2.0, limits=Limits(max_pixels=4000))
        (40, 40)
    """
    if abs(ratio - 1) <= _SMALLEST_DIFFERENCE:
        return None
    longer = (round(height * ratio), width) if ratio > 1 else (height, round(width / ratio))
    if longer[0] * longer[1] <= limits.max_pixels:
        return longer
    return (height, max(1, round(width / ratio))) if ratio > 1 else (max(1, round(height * ratio)), width)


def resampled(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8 in another size, by Pillow's bilinear filter, which averages where it makes smaller."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))
