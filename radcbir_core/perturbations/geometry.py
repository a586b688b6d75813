"""Changes of where things are: flips, turns about the middle, crops of the middle.

Owns the arithmetic on pixels. What a person can choose of it, and in which words, is kinds.py's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]


def flipped_left_to_right(pixels: Pixels) -> Pixels:
    """The mirror image.

    Example:
        >>> flipped_left_to_right(np.array([[1, 2, 3]], dtype=np.uint8)).tolist()
        [[3, 2, 1]]
    """
    return np.ascontiguousarray(pixels[:, ::-1])


def upside_down(pixels: Pixels) -> Pixels:
    """The image with its last line first; not turned, but mirrored at a horizontal line.

    Example:
        >>> upside_down(np.array([[1], [2]], dtype=np.uint8)).tolist()
        [[2], [1]]
    """
    return np.ascontiguousarray(pixels[::-1])


def rotated(pixels: Pixels, degrees: float) -> Pixels:
    """The image turned clockwise about its middle, on a canvas of the same size.

    What leaves the canvas is cut off; what was outside is filled with the median shade of the image's border, so that
    no black wedges come to an image on white. Bicubic, as Pillow does it; a square turned by right angles is exact.

    Args:
        pixels: ``(H, W)`` or ``(H, W, 3)`` uint8.
        degrees: Any.

    Example:
        >>> rotated(np.array([[1, 2], [3, 4]], dtype=np.uint8), 90).tolist()
        [[3, 1], [4, 2]]
    """
    if degrees % 360 == 0:
        return pixels
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    shade = np.rint(np.median(border, axis=0)).astype(int)
    fill = int(shade) if pixels.ndim == 2 else tuple(shade.tolist())
    turned = Image.fromarray(pixels).rotate(-degrees, resample=Image.Resampling.BICUBIC, fillcolor=fill)
    return np.asarray(turned)


def cropped(pixels: Pixels, percent: float) -> Pixels:
    """The middle of an image.

    Args:
        pixels: ``(H, W)`` or ``(H, W, 3)`` uint8.
        percent: Of the height and of the width that are cut off, half of it at either end; from 0 to below 100. At
            least one pixel is left.

    Example:
        >>> cropped(np.arange(16, dtype=np.uint8).reshape(4, 4), 50).tolist()
        [[5, 6], [9, 10]]
    """
    height, width = (max(1, round(length * (1 - percent / 100))) for length in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]
