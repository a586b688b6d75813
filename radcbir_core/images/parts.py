"""Large pictures part by part, so that what is made on the way to their values is never all there at once.

Owns how a picture is cut for that. It knows no formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL.Image import Image

PART_PIXELS = 1 << 20
"""Pixels of one part; of a smaller picture there is one."""


def by_parts(image: Image, values_of: Callable[[Image], np.ndarray]) -> np.ndarray:
    """The values of a loaded image, of which each part is cut out and given to a function by itself.

    Pillow makes two copies of what numpy asks it for.

    Args:
        image: of any mode.
        values_of: (h, w) or (h, w, C) values of an image of (h, w) pixels, which depend on no other pixels.

    Returns:
        (H, W) or (H, W, C), of the type that the function gives.
    """
    width, height = image.size
    if width * height <= PART_PIXELS:
        return values_of(image)
    values: np.ndarray | None = None
    for box in boxes(width, height):
        part = values_of(image.crop(box))
        if values is None:
            values = np.empty((height, width, *part.shape[2:]), part.dtype)
        values[box[1] : box[3], box[0] : box[2]] = part
    assert values is not None  # noqa: S101 - for the type checker: an image has pixels
    return values


def boxes(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, right and bottom of each part; whole rows where these are short enough."""
    across = min(width, PART_PIXELS)
    down = max(1, PART_PIXELS // across)
    for top in range(0, height, down):
        for left in range(0, width, across):
            yield left, top, min(left + across, width), min(top + down, height)
