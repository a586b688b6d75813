"""Pictures made by code, and copies of them as people make them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.near_duplicates import cropped, curve
from radcbir_core.images.perturbations import compressed, scaled

Pixels = np.ndarray


def blobs(seed: int, side: int = 160) -> Pixels:
    """A gray picture of soft spots of many sizes, like no other."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    values = np.zeros((side, side))
    for _ in range(60):
        at, size, sign = random.random(2), random.uniform(0.015, 0.15), random.choice([-1, 1])
        values += sign * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * size**2))
    values -= values.min()
    return (40 + 170 * values / values.max()).astype(np.uint8)


COPIES: dict[str, Callable[[Pixels], Pixels]] = {
    "half the size": lambda pixels: scaled(pixels, 50),
    "twice the size": lambda pixels: scaled(pixels, 200),
    "JPEG 30": lambda pixels: compressed(pixels, 70),
    "crop to 95 %": lambda pixels: cropped(pixels, 0.95),
    "gamma 0.6": lambda pixels: curve(pixels, lambda x: x**0.6),
    "window": lambda pixels: curve(pixels, lambda x: (x - 0.15) / 0.6),
    "flipped": lambda pixels: pixels[:, ::-1],
    "upside down": lambda pixels: pixels[::-1],
    "inverted": lambda pixels: 255 - pixels,
    "all at once": lambda pixels: 255 - compressed(cropped(scaled(pixels, 80), 0.97)[:, ::-1], 40),
}
