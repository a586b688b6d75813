"""Parts of a picture painted black.

Owns how boxes are painted, into pixels and into thumbnails. Where something is to be hidden is its caller's to know;
the files that pictures come from are never written.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from radcbir_core.images.thumbnailing import FORMATS, jpeg_of

THOUSAND: Final = 1000

Boxes = npt.NDArray[np.int16]
"""``(B, 4)``: left, top, right and bottom of each box, in thousandths of the picture's width and height."""

_AROUND: Final = 1  # pixels: made small, a letter reaches as far beyond its own place


def no_boxes() -> Boxes:
    """An empty list of boxes."""
    return np.empty((0, 4), dtype=np.int16)


def blacked_out(pixels: npt.NDArray[np.uint8], boxes: Boxes) -> npt.NDArray[np.uint8]:
    """The picture with black boxes; the picture itself where there are none.

    Args:
        pixels: ``(H, W)`` or ``(H, W, 3)`` uint8.
        boxes: What to hide; a box takes every pixel that it touches, and one around.

    Example:
        >>> blacked_out(np.full((4, 10), 9, np.uint8), np.array([[400, 0, 500, 100]], np.int16))[:3].tolist()
        [[9, 9, 9, 0, 0, 0, 9, 9, 9, 9], [9, 9, 9, 0, 0, 0, 9, 9, 9, 9], [9, 9, 9, 9, 9, 9, 9, 9, 9, 9]]
    """
    if not len(boxes):
        return pixels
    painted = pixels.copy()
    for rows, columns in _covered(boxes, width=pixels.shape[1], height=pixels.shape[0]):
        painted[rows, columns] = 0
    return painted


def blacked_out_thumbnail(thumbnail: bytes, boxes: Boxes) -> bytes:
    """A thumbnail with black boxes, as a JPEG; the same bytes where there are none.

    Args:
        thumbnail: As the thumbnails of this version or one before.
        boxes: As for :func:`blacked_out`.

    Raises:
        OSError: It is damaged.
        ValueError: Likewise.
        SyntaxError: Likewise.
    """
    if not len(boxes):
        return thumbnail
    with Image.open(io.BytesIO(thumbnail), formats=FORMATS) as image:
        pixels = np.asarray(image if image.mode in {"L", "RGB"} else image.convert("RGB"))
    return jpeg_of(Image.fromarray(blacked_out(pixels, boxes)))


def _covered(boxes: Boxes, *, width: int, height: int) -> Iterator[tuple[slice, slice]]:
    for left, top, right, bottom in boxes.astype(np.int64).tolist():
        yield (
            slice(max(0, top * height // THOUSAND - _AROUND), -(-bottom * height // THOUSAND) + _AROUND),
            slice(max(0, left * width // THOUSAND - _AROUND), -(-right * width // THOUSAND) + _AROUND),
        )
