"""The drawing tools that all phantoms share: shapes, smooth random fields, blur, resampling, and the lesion's measures.

Owns nothing radiological: what a density, a T2 or an echo is, the modules of the modalities say. Arrays are float32,
coordinates are pixels with the center of the upper left pixel at (0, 0), x to the right and y down.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from radcbir_core.synthetic.phantoms.scenes import SIDE, Lesion

Field = npt.NDArray[np.float32]


def log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    """A number between two, as often between 1 and 2 as between 2 and 4."""
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


@cache
def grid(height: int = SIDE, width: int = SIDE) -> tuple[Field, Field]:
    """(y, x) of every pixel, each (height, width); shared and read-only."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y.flags.writeable = x.flags.writeable = False
    return y, x


def smooth_step(distance: Field, softness: float = 1.0) -> Field:
    """From a signed distance in pixels (negative inside) to a share 0 to 1, with an edge ``softness`` pixels wide."""
    share = np.clip(0.5 - distance / np.float32(max(softness, 1e-3)), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), dtype=np.float32)


def chord(distance_share: Field) -> Field:
    """Thickness of an ellipsoid of half depth 1 seen from the front, from the squared radius (1 at its edge).

    ``2 * sqrt(1 - r²)`` inside, 0 outside: times half depth and density it is a line integral.
    """
    return 2 * np.sqrt(np.maximum(1 - distance_share, 0))


def smooth_noise(generator: np.random.Generator, scale: float, *, height: int = SIDE, width: int = SIDE) -> Field:
    """A random field of mean about 0 and deviation about 1 whose blobs are about ``scale`` pixels wide."""
    if scale <= 1.5:
        return generator.standard_normal((height, width), dtype=np.float32)
    rows, columns = int(np.ceil(height / scale)) + 3, int(np.ceil(width / scale)) + 3
    coarse = generator.standard_normal((rows, columns), dtype=np.float32)
    y0, x0 = generator.random(2)
    box = (1 + x0, 1 + y0, 1 + x0 + width / scale, 1 + y0 + height / scale)
    fine = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC, box=box)
    # Interpolation takes a share of the deviation; 0.72 is what bicubic leaves on average.
    return np.asarray(fine, dtype=np.float32) / np.float32(0.72)


def texture(
    generator: np.random.Generator, coarsest: float, *, octaves: int = 3, height: int = SIDE, width: int = SIDE
) -> Field:
    """Several smooth fields on top of each other, each half as wide and half as strong; deviation about 1."""
    total = np.zeros((height, width), dtype=np.float32)
    for octave in range(octaves):
        total += smooth_noise(generator, coarsest / 2**octave, height=height, width=width) * np.float32(0.5**octave)
    return total / np.float32(np.sqrt(sum(0.25**octave for octave in range(octaves))))


@cache
def _blur_matrix(size: int, sigma: float) -> Field:
    steps = np.arange(size, dtype=np.float32)
    weights = np.exp(-0.5 * ((steps[:, None] - steps[None, :]) / sigma) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def blur(image: Field, sigma: float, sigma_x: float | None = None) -> Field:
    """Gaussian blur, ``sigma`` pixels along y and ``sigma_x`` (the same by default) along x; edges keep their mean.

    Deviations are rounded to 1/20 pixel, so that the kernels of a few hundred are all that is kept.
    """
    down, across = round(sigma * 20) / 20, round((sigma if sigma_x is None else sigma_x) * 20) / 20
    if down > 0:
        image = _blur_matrix(image.shape[0], down) @ image
    if across > 0:
        image = image @ _blur_matrix(image.shape[1], across).T
    return np.asarray(image, dtype=np.float32)


def sample(image: Field, y: Field, x: Field, *, outside: float = 0.0) -> Field:
    """The image at real coordinates, bilinear; ``outside`` beyond its edges."""
    height, width = image.shape
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    xc, yc = np.clip(x, 0, width - 1.001), np.clip(y, 0, height - 1.001)
    left, top = xc.astype(np.int32), yc.astype(np.int32)
    fx, fy = xc - left, yc - top
    flat = image.ravel()
    at = top * width + left
    upper = flat[at] * (1 - fx) + flat[at + 1] * fx
    lower = flat[at + width] * (1 - fx) + flat[at + width + 1] * fx
    return np.where(inside, upper * (1 - fy) + lower * fy, np.float32(outside)).astype(np.float32)


def to_pixels(image: Field) -> npt.NDArray[np.uint8]:
    """0 to 1 as grey levels 0 to 255; what is beyond is clipped."""
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def measured(
    shown: Field, mask: Field, *, mm_per_pixel: float, place: str = "", size_mm: float | None = None, ring: float = 6.0
) -> Lesion:
    """The ground truth of a lesion from where it is in the displayed image.

    Args:
        shown: (H, W) the image before noise, 0 to 1.
        mask: (H, W) the lesion's share of each pixel, 0 to 1, with at least one above 0.5.
        mm_per_pixel: Size of a pixel.
        place: In words.
        size_mm: If known better than from the mask, from which the longest diagonal of its bounding box is an upper
            bound; the largest of width and height is taken.
        ring: Width of the surroundings that it is compared with, in pixels.

    Raises:
        ValueError: The mask has no pixel of the image.
    """
    inside = mask > 0.5
    if not inside.any():
        raise ValueError("Expected a lesion inside the image, but its mask is empty. Draw it further inside.")
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    extent = max(rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)
    wide = blur(mask, ring / 2) > 0.02
    around = wide & (mask < 0.05)
    background = float(shown[around].mean()) if around.any() else float(shown.mean())
    height, width = mask.shape
    ys, xs = np.nonzero(inside)
    return Lesion(
        size_mm=round(float(extent * mm_per_pixel if size_mm is None else size_mm), 1),
        contrast=round(float(np.clip(shown[inside].mean() - background, -1, 1)), 4),
        x=round(float((xs.mean() + 0.5) / width), 4),
        y=round(float((ys.mean() + 0.5) / height), 4),
        place=place,
    )
