"""A map over its image: what is drawn for eyes.

Owns bringing a map from the encoder's input to the image, its colors, and the picture of a pair. Orange is above 0,
blue below (Okabe and Ito, "Color Universal Design", 2008: told apart with the common kinds of color blindness),
strength is how much; the highlighted area has an outline, so that color is not alone.
"""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from radcbir_core.explanation.explaining import Explanation
from radcbir_core.images.fitting import Box

Pixels = npt.NDArray[np.uint8]

ABOVE: Final = (230, 159, 0)
BELOW: Final = (86, 180, 233)
OUTLINE: Final = (255, 255, 255)
SIDE: Final = 720
"""The longer side of a drawn image, pixels."""
_GAP: Final = 16


def scale_of(explanation: Explanation) -> tuple[float, float]:
    """The values of both maps that get no color and the full color.

    Occlusion: 0, and the largest fall or rise. Patches: the least and the largest cosine, because patches of one
    network are all somewhat alike.
    """
    values = np.concatenate([side.values[~np.isnan(side.values)] for side in explanation.sides])
    if explanation.method == "patches":
        return float(values.min()), float(values.max())
    return 0.0, float(np.abs(values).max())


def on_image(values: npt.NDArray[np.float64], box: Box, *, height: int, width: int) -> npt.NDArray[np.float64]:
    """A map of an encoder's input, as one of the image.

    Args:
        values: (H, W).
        box: The place of the input in the image, in its pixels.
        height: Of the image.
        width: Of the image.

    Returns:
        (height, width), NaN where the encoder sees nothing of the image.

    Example:
        >>> on_image(np.array([[1.0, 2.0]]), (0, -1, 1, 3), height=1, width=4).tolist()
        [[1.0, 2.0, 2.0, nan]]
    """
    made = np.full((height, width), np.nan)
    top, left, bottom, right = box
    rows = np.floor((np.arange(height) + 0.5 - top) / (bottom - top) * values.shape[0]).astype(np.intp)
    columns = np.floor((np.arange(width) + 0.5 - left) / (right - left) * values.shape[1]).astype(np.intp)
    there = np.ix_((rows >= 0) & (rows < values.shape[0]), (columns >= 0) & (columns < values.shape[1]))
    made[there] = values[rows[there[0].ravel()]][:, columns[there[1].ravel()]]
    return made


def for_drawing(pixels: Pixels) -> Pixels:
    """An image at a size at which lines over it are thin: its longer side from half of :data:`SIDE` to that, pixels.

    Example:
        >>> for_drawing(np.zeros((32, 64), dtype=np.uint8)).shape
        (180, 360)
    """
    image = Image.fromarray(pixels)
    longer = max(image.size)
    wanted = min(SIDE, max(SIDE // 2, longer))
    if wanted == longer:
        return pixels
    size = (max(1, round(image.width * wanted / longer)), max(1, round(image.height * wanted / longer)))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def overlay(pixels: Pixels, explanation: Explanation, at: int, *, opacity: float = 0.6) -> Pixels:
    """One image of a pair with its map over it, at most :data:`SIDE` pixels a side.

    Args:
        pixels: (H, W) or (H, W, 3) uint8, the image that was explained, or the same in another size.
        explanation: Of the pair.
        at: 0 for the query, 1 for the hit.
        opacity: Of the strongest color, 0 to 1.

    Returns:
        (h, w, 3) uint8. What the encoder does not see is darker.
    """
    side = explanation.sides[at]
    small = Image.fromarray(pixels).convert("RGB")
    small.thumbnail((SIDE, SIDE))
    width, height = small.size
    down, across = height / side.image[0], width / side.image[1]
    top, left, bottom, right = side.box
    box = (top * down, left * across, bottom * down, right * across)
    none, full = scale_of(explanation)
    values = on_image(side.values, box, height=height, width=width)
    levels = np.clip((values - none) / (full - none), -1, 1) if full > none else np.zeros(values.shape)
    strength = (opacity * np.abs(np.nan_to_num(levels)))[:, :, None]
    color = np.where(levels[:, :, None] < 0, np.array(BELOW), np.array(ABOVE))
    shades = np.asarray(small, dtype=np.float64) * np.where(np.isnan(values), 0.4, 1.0)[:, :, None]
    made = shades * (1 - strength) + color * strength
    area = np.nan_to_num(on_image(side.area.astype(np.float64), box, height=height, width=width)) > 0.5
    made[edge_of(area)] = OUTLINE
    return made.round().astype(np.uint8)


def edge_of(area: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The pixels of an area that have a neighbor outside it.

    Example:
        >>> edge_of(np.ones((3, 3), dtype=bool)).sum(), edge_of(np.zeros((3, 3), dtype=bool)).sum()
        (np.int64(8), np.int64(0))
    """
    padded = np.pad(area, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return area & ~inner


def side_by_side(query: Pixels, hit: Pixels, explanation: Explanation, *, opacity: float = 0.6) -> Pixels:
    """Both images with their maps, the query on the left, as one picture.

    Args:
        query: Its pixels.
        hit: Its pixels.
        explanation: Of the two.
        opacity: As for :func:`overlay`.

    Returns:
        (h, w, 3) uint8; the lower end of the lower image is black.
    """
    parts = [overlay(pixels, explanation, at, opacity=opacity) for at, pixels in enumerate((query, hit))]
    height = max(len(part) for part in parts)
    filled = [np.pad(part, ((0, height - len(part)), (0, 0), (0, 0))) for part in parts]
    return np.concatenate([filled[0], np.zeros((height, _GAP, 3), dtype=np.uint8), filled[1]], axis=1)


def as_png(pixels: Pixels) -> bytes:
    """Pixels as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
