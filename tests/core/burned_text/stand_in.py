"""A detector without networks: it takes the white rectangles that :func:`written` paints for lines of text."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from radcbir_core.burned_text.text_rule import Place


class StandIn:
    """Takes each rectangle of pure white for a line of text of as many symbols as it is told."""

    def __init__(self, *, symbols: int = 6, name: str = "stand-in 1") -> None:
        self.name = name
        self.symbols = symbols
        self.asked = 0

    def __call__(self, pixels: np.ndarray) -> list[Place]:
        self.asked += 1
        gray = pixels if pixels.ndim == 2 else pixels.min(axis=2)
        rows, columns = np.nonzero(gray >= 250)
        if not len(rows):
            return []
        height, width = gray.shape
        box = (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
        return [Place(tuple(map(float, box)), (box[3] - box[1]) * height / min(gray.shape), 8.0, self.symbols, 0.9)]


def written(size=(200, 160), *, text: bool = True, seed: int = 0) -> Image.Image:
    """A dim picture, with a white line of text (of the stand-in's kind) at the lower left."""
    noise = np.random.default_rng(seed).integers(20, 120, (size[1], size[0]), dtype=np.uint8)
    image = Image.fromarray(noise)
    if text:
        ImageDraw.Draw(image).rectangle((10, size[1] - 20, 89, size[1] - 11), fill=255)
    return image
