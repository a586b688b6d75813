"""The points of a map as the browser gets them: whole numbers, sorted into cells.

Owns the grid, the order and the views that a map starts with. Places travel as pairs of int16 steps, in the order of
256 x 256 cells, row by row, so that the browser finds those of a part of the map without looking at the others. Which
image a position in that order is, only the server knows; codes of colors and filters follow the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

_LARGEST: Final = 32_767
_APART: Final = 0.001
"""The share of the points, at each side, that the first view may leave out."""
_WORTH: Final = 1.1
"""It leaves them out only where the rest becomes larger by this factor."""
_MARGIN: Final = 0.06

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The points of a map in the order of their cells.

    Attributes:
        rows: ``(P,)`` int32; position → row of the image. Images without a place have no position.
        steps: ``(2, P)`` int16, x and y of each position.
        origin: The place of step (0, 0).
        step: How far two steps are apart; the same in both directions.
        home: The part of the map to show first, in steps: all, but for a few points that are far from the others.
        all: What holds all points, in steps.
    """

    rows: npt.NDArray[np.int32]
    steps: npt.NDArray[np.int16]
    origin: tuple[float, float]
    step: float
    home: Box
    all: Box

    @cached_property
    def sent(self) -> bytes:
        """What the browser gets: all x, then all y, the lowest byte first."""
        return self.steps.astype("<i2", copy=False).tobytes()

    @cached_property
    def digest(self) -> str:
        """Of the order and the places."""
        known = blake2b(self.sent, digest_size=16)
        known.update(self.rows.tobytes())
        return known.hexdigest()

    def codes(self, codes: npt.NDArray[np.uint8]) -> bytes:
        """A byte an image, ``(N,)``, in the order of the positions."""
        return codes[self.rows].tobytes()

    def mask(self, chosen: npt.NDArray[np.bool_]) -> bytes:
        """Which images, ``(N,)``, as a bit a position, the first in the highest bit of the first byte."""
        return np.packbits(chosen[self.rows]).tobytes()


def layout_of(x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> Layout:
    """Lay the points of a map into cells.

    Args:
        x: ``(N,)``; NaN where an image has no place.
        y: ``(N,)``.

    >>> layout = layout_of(np.array([0.0, np.nan, 4.0]), np.array([0.0, np.nan, 0.0]))
    >>> layout.rows.tolist(), layout.steps.tolist()
    ([0, 2], [[-32767, 32767], [0, 0]])
    """
    placed = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    places = np.stack([x[placed], y[placed]]).astype(np.float64)
    if not placed.size:
        nowhere = (-1.0, -1.0, 1.0, 1.0)
        return Layout(placed.astype(np.int32), places.astype(np.int16), (0.0, 0.0), 1.0, nowhere, nowhere)
    low, high = places.min(axis=1), places.max(axis=1)
    origin = (low + high) / 2
    step = float((high - low).max()) / (2 * _LARGEST) or 1.0
    steps = np.rint((places - origin[:, None]) / step).clip(-_LARGEST, _LARGEST).astype(np.int16)
    cells = (steps.astype(np.int32) + 32_768) >> 8
    # Of 16 bits, so that they are sorted by counting.
    order = np.argsort((cells[1] * 256 + cells[0]).astype(np.uint16), kind="stable")
    steps = np.ascontiguousarray(steps[:, order])
    home, everything = _views(steps)
    return Layout(placed[order].astype(np.int32), steps, (float(origin[0]), float(origin[1])), step, home, everything)


def _views(steps: npt.NDArray[np.int16]) -> tuple[Box, Box]:
    """What to show first, and what holds all."""
    low, high = steps.min(axis=1).astype(np.float64), steps.max(axis=1).astype(np.float64)
    inner_low, inner_high = np.quantile(steps, [_APART, 1 - _APART], axis=1)
    margin = _MARGIN * (inner_high - inner_low)
    near = [np.maximum(inner_low - margin, low), np.minimum(inner_high + margin, high)]
    worth = (high - low).max() > _WORTH * (near[1] - near[0]).max() > 0
    everything = _box(low, high)
    return (_box(*near) if worth else everything), everything


def _box(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> Box:
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
