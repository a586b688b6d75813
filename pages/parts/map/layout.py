"""The points of a map as the browser gets them: whole numbers, sorted into cells.

Owns the grid, the order and the views that a map starts with. Places travel as pairs of int16 steps, in the order of
256 x 256 cells, row by row, so that the browser finds those of a part of the map without looking at the others. Which
image a position in that order is, only the server knows; codes of colors and filters follow the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

_LARGEST: Final = 32_767
_AT_ONCE: Final = 1 << 16
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
        steps: ``(2, P)`` int16, x and y of each position; ``(3, P)`` with z in three dimensions.
        origin: The place of step 0 in all directions.
        step: How far two steps are apart; the same in all directions.
        home: The part of the map to show first, in steps: all, but for a few points that are far from the others.
        all: What holds all points, in steps.
    """

    rows: npt.NDArray[np.int32]
    steps: npt.NDArray[np.int16]
    origin: tuple[float, ...]
    step: float
    home: Box
    all: Box

    @cached_property
    def sent(self) -> bytes:
        """What the browser gets: all x, then all y, then all z if there are any, the lowest byte first."""
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


def layout_of(*axes: npt.NDArray[np.floating]) -> Layout:
    """Lay the points of a map into cells.

    Args:
        *axes: x and y, or x, y and z, each ``(N,)``; NaN where an image has no place. In three dimensions, the cells
            are those of x and y, and steps are so large that the points can be turned.

    >>> layout = layout_of(np.array([0.0, np.nan, 4.0]), np.array([0.0, np.nan, 0.0]))
    >>> layout.rows.tolist(), layout.steps.tolist()
    ([0, 2], [[-32767, 32767], [0, 0]])
    """
    placed = np.isfinite(axes[0])
    for axis in axes[1:]:
        placed &= np.isfinite(axis)
    rows = np.flatnonzero(placed).astype(np.int32)
    if not rows.size:
        nowhere = (-1.0, -1.0, 1.0, 1.0)
        return Layout(rows, np.empty((len(axes), 0), dtype=np.int16), (0.0,) * len(axes), 1.0, nowhere, nowhere)
    places = axes if len(rows) == len(axes[0]) else tuple(axis[rows] for axis in axes)
    low, high = (np.array([float(edge(axis)) for axis in places]) for edge in (np.min, np.max))
    middle = (low + high) / 2
    reach = _reach(places, middle) if len(axes) > 2 else (high - low) / 2
    step = float(reach.max()) / _LARGEST or 1.0
    steps = np.empty((len(axes), len(rows)), dtype=np.int16)
    cells = np.empty(len(rows), dtype=np.uint16)
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        for number, axis in enumerate(places):
            exact = (axis[part].astype(np.float64) - middle[number]) / step
            steps[number, part] = np.rint(exact, out=exact).clip(-_LARGEST, _LARGEST, out=exact)
        column, row = ((steps[number, part].astype(np.int32) + 32_768) >> 8 for number in (0, 1))
        cells[part] = row * 256 + column
    order = np.argsort(cells, kind="stable")  # numbers of 16 bits are sorted by counting
    steps = steps.take(order, axis=1)
    home, everything = _views_from_any_side(reach / step) if len(axes) > 2 else _views(steps)
    return Layout(rows.take(order), steps, tuple(middle.tolist()), step, home, everything)


def _reach(places: Sequence[npt.NDArray[np.floating]], middle: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far each point is from the middle."""
    squares = np.zeros(len(places[0]))
    for axis, center in zip(places, middle, strict=True):
        squares += (axis - center) ** 2
    return np.sqrt(squares)


def _views_from_any_side(reach: npt.NDArray[np.float64]) -> tuple[Box, Box]:
    """What to show first, and what holds all, however it is turned; of how far each point is from the middle."""
    all_of_it = float(reach.max())
    near = min(float(np.quantile(reach, 1 - 2 * _APART)) * (1 + _MARGIN), all_of_it)
    home = near if all_of_it > _WORTH * near > 0 else all_of_it
    return (-home, -home, home, home), (-all_of_it, -all_of_it, all_of_it, all_of_it)


def _views(steps: npt.NDArray[np.int16]) -> tuple[Box, Box]:
    """What to show first, and what holds all."""
    ends = np.array([_quantiles(axis, (0, _APART, 1 - _APART, 1)) for axis in steps])
    low, inner_low, inner_high, high = ends.T
    margin = _MARGIN * (inner_high - inner_low)
    near = [np.maximum(inner_low - margin, low), np.minimum(inner_high + margin, high)]
    worth = (high - low).max() > _WORTH * (near[1] - near[0]).max() > 0
    everything = _box(low, high)
    return (_box(*near) if worth else everything), everything


def _quantiles(steps: npt.NDArray[np.int16], shares: Sequence[float]) -> list[float]:
    """As NumPy's, by counting how often each of the few numbers is there.

    >>> _quantiles(np.array([-5, 1, 2, 7], np.int16), (0, 0.5, 0.75, 1))
    [-5.0, 1.5, 3.25, 7.0]
    """
    until = np.cumsum(np.bincount(steps.astype(np.int32) + 32_768, minlength=65_536))
    places = np.array(shares) * (len(steps) - 1)
    before, after = (np.searchsorted(until, edge(places), side="right") - 32_768.0 for edge in (np.floor, np.ceil))
    return [float(one) for one in before + (after - before) * (places - np.floor(places))]


def _box(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> Box:
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
