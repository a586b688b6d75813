"""Occlusion: where hiding a small square lowers the similarity of two images, and by how much.

Owns the squares and the map made of them. After Zeiler and Fergus, "Visualizing and Understanding Convolutional
Networks" (2014), section 3.3, with the similarity to another image in the place of the score of a class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radcbir_core.encoders import Encoder
from radcbir_core.encoders.base import Float32Array
from radcbir_core.explanation.hiding import Fill, Input, Mask, Rect, Told, left_when_hidden, nobody


@dataclass(frozen=True)
class Squares:
    """Which squares are hidden.

    Attributes:
        patch: Side of a square, as a share of the shorter side of the encoder's input.
        stride: From one to the next, as such a share.
    """

    patch: float
    stride: float

    def cells(self, size: tuple[int, int]) -> tuple[int, int]:
        """Side and stride in cells of an input of a height and width; at least one.

        Example:
            >>> Squares(0.1875, 0.0625).cells((128, 128)), Squares(0.1875, 0.0625).cells((32, 32))
            ((24, 8), (6, 2))
        """
        shorter = min(size)
        return max(1, round(self.patch * shorter)), max(1, round(self.stride * shorter))

    def places(self, image: Input) -> list[Rect]:
        """The squares over what is image, row by row; those at the far edges end with it, so that all is covered."""
        side, stride = self.cells(image.size)
        top, left, bottom, right = image.seen
        return [
            (y, x, min(y + side, bottom), min(x + side, right))
            for y in _starts(top, bottom, side, stride)
            for x in _starts(left, right, side, stride)
        ]


def _starts(first: int, last: int, side: int, stride: int) -> list[int]:
    end = max(first, last - side)
    starts = list(range(first, end + 1, stride))
    return starts if starts[-1] == end else [*starts, end]


def occlusion_map(
    encoder: Encoder,
    image: Input,
    *,
    other: Float32Array,
    similarity: float,
    squares: Squares,
    fill: Fill,
    told: Told = nobody,
) -> npt.NDArray[np.float64]:
    """By how much the similarity falls when a square at a place is hidden.

    Args:
        encoder: Of both images.
        image: In which squares are hidden.
        other: (D,) embedding of the other image.
        similarity: Of the two as they are.
        squares: Which ones.
        fill: What stands there instead.
        told: How many more squares have been hidden.

    Returns:
        (H, W) mean over the squares that cover a cell, in units of cosine: above 0 where hiding makes the two less
        alike, below 0 where more; NaN where the input is no image.
    """
    side, _ = squares.cells(image.size)
    places = squares.places(image)
    left = left_when_hidden(encoder, image, _masks(places, image.size), other=other, fill=fill, side=side, told=told)
    total, covering = np.zeros(image.size), np.zeros(image.size)
    for (y, x, bottom, right), drop in zip(places, similarity - left, strict=True):
        total[y:bottom, x:right] += drop
        covering[y:bottom, x:right] += 1
    return np.where(covering > 0, total / np.maximum(covering, 1), np.nan)


def _masks(places: list[Rect], size: tuple[int, int]) -> Iterator[Mask]:
    for top, left, bottom, right in places:
        mask = np.zeros(size, dtype=np.bool_)
        mask[top:bottom, left:right] = True
        yield mask
