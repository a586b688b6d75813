"""What lies over an image and was never in the patient: noise, and text that was burned in.

Owns the arithmetic on pixels. Nothing here is drawn by chance: noise is seeded by the image's own pixels, so that the
same image gets the same noise on every machine and in every run.
"""

from __future__ import annotations

import hashlib
import math
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Pixels = npt.NDArray[np.uint8]

WORDS: Final = "PORTABLE"
"""In the upper left corner; of nobody."""
MARKER: Final = "L"
"""In the upper right corner, as a side marker."""
_DRAWN_AT: Final = 16
"""Letters are drawn at least so high, in pixels, and made smaller where they are to be."""


def noisy(pixels: Pixels, percent: float) -> Pixels:
    """The image with Gaussian noise, the same in all colors, cut off at black and white.

    The stronger noise of one image is the weaker one, multiplied.

    Args:
        pixels: ``(H, W)`` or ``(H, W, 3)`` uint8.
        percent: Its standard deviation, of the range from black to white.
    """
    if not percent:
        return pixels
    digest = hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).digest()
    drawn = np.random.default_rng(np.frombuffer(digest, dtype=np.uint32)).standard_normal(pixels.shape[:2])
    noise = drawn * (percent / 100 * 255)
    both = pixels + (noise if pixels.ndim == 2 else noise[:, :, None])
    result: Pixels = np.rint(np.clip(both, 0, 255)).astype(np.uint8)
    return result


def with_text(pixels: Pixels, percent: float) -> Pixels:
    """The image with white letters, outlined in black, in its upper corners.

    Args:
        pixels: ``(H, W)`` or ``(H, W, 3)`` uint8.
        percent: The letters' size, of the shorter side; at least a pixel.
    """
    if not percent:
        return pixels
    height, width = pixels.shape[:2]
    size = max(1.0, min(height, width) * percent / 100)
    scale = math.ceil(_DRAWN_AT / min(size, _DRAWN_AT))
    lines = min(height, math.ceil(2 * size))
    white, covered = _letters(width * scale, lines * scale, size=size * scale)
    shrink = partial(Image.Image.resize, size=(width, lines), resample=Image.Resampling.BOX)
    shade, share = (np.asarray(shrink(mask), dtype=np.float64) / 255 for mask in (white, covered))
    if pixels.ndim == 3:
        shade, share = shade[:, :, None], share[:, :, None]
    made = pixels.copy()
    # Where the outline covers, the letters' own share is white and the rest black.
    made[:lines] = np.rint(pixels[:lines] * (1 - share) + 255 * shade)
    return made


def _letters(width: int, height: int, *, size: float) -> tuple[Image.Image, Image.Image]:
    """Two masks of the corners' text: the letters, and the letters with their outline."""
    masks = Image.new("L", (width, height)), Image.new("L", (width, height))
    font, margin = ImageFont.load_default(size=size), size / 2
    for mask, outline in zip(masks, (0, max(1, round(size / 10))), strict=True):
        pen = ImageDraw.Draw(mask)
        for across, words, anchor in ((margin, WORDS, "la"), (width - margin, MARKER, "ra")):
            pen.text((across, margin), words, font=font, anchor=anchor, fill=255, stroke_width=outline)
    return masks
