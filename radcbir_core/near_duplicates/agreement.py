"""Whether two pictures are one: laid onto each other as well as can be, how much their patches agree.

Owns the measure and its thresholds. Four directions are tried (as it is, flipped either way, and both), each with
either sign. The best is then moved and stretched a little, as a cropped picture asks for, first coarsely, then in
detail: a pair that agrees at 16 pixels a side goes on to 32, and one that agrees there to 64. Two chests of different
patients agree at 32 pixels nearly as well as a chest and its cropped copy; at 64 pixels they do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from radcbir_core.near_duplicates.signatures import Grays, Patches, halved, normalized

LEAST_ROUGH: Final = 0.4
"""Correlation at 16 pixels a side below which two pictures are not looked at further."""
LEAST_DETAILED: Final = 0.85
"""Correlation at 64 pixels a side from which two pictures are one."""
LEAST_SMALL: Final = 0.95
"""Correlation at 32 pixels a side from which they are, where one of them has no more detail than that."""
SMALL: Final = 40
"""Pixels of the shorter side up to which a picture has no more detail."""

_LEAST_COARSE: Final = 0.76
_LEAST_MEDIUM: Final = 0.80
_MOST_STRETCH: Final = 0.12
_MOST_MOVE: Final = 0.08  # of the side
_LEAST_OVERLAP: Final = 1e-9


Rows = npt.NDArray[np.int64]
_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True)
class Pictures:
    """Pictures at three sizes.

    Attributes:
        small: ``(P, 16, 16)``, normalized, of norm 1 (or all 0).
        grays: Rows → ``(R, 64, 64)`` uint8, read where they are wanted.
        shorter: ``(P,)`` the shorter side of each picture, in pixels.
    """

    small: npt.NDArray[np.float16]
    grays: Callable[[Rows], Grays]
    shorter: npt.NDArray[np.int32]


class Place(NamedTuple):
    """How the second of two pictures lies on the first.

    Attributes:
        correlation: ``(B,)`` where they overlap.
        zoom: ``(B, 2)``, down and across; 1 is not stretched.
        move: ``(B, 2)``, down and across, in parts of the side.
    """

    correlation: npt.NDArray[np.float32]
    zoom: npt.NDArray[np.float32]
    move: npt.NDArray[np.float32]


def agree(pictures: Pictures, first: Rows, second: Rows) -> npt.NDArray[np.bool_]:
    """Which pairs of pictures are one picture.

    Args:
        pictures: At three sizes.
        first: ``(B,)`` one picture of each pair.
        second: ``(B,)`` the other.
    """
    same = np.zeros(len(first), dtype=np.bool_)
    small = pictures.small[first].astype(np.float32), pictures.small[second].astype(np.float32)
    direction, correlation = best_direction(*small)
    at = np.flatnonzero(np.abs(correlation) >= LEAST_ROUGH)
    place = aligned(small[0][at], turned(small[1][at], direction[at]), steps=4)
    for level, least, steps in (("medium", _LEAST_COARSE, 2), ("fine", _LEAST_MEDIUM, 1)):
        left = place.correlation >= least
        at = at[left]
        start = Place(*(values[left] for values in place))
        # Of the pairs of one part many have a picture in common: each is normalized once.
        rows, places = np.unique(np.concatenate([first[at], second[at]]), return_inverse=True)
        grays = pictures.grays(rows)
        patches = normalized(halved(grays) if level == "medium" else grays)
        one, other = patches[places[: len(at)]], patches[places[len(at) :]]
        place = aligned(one, turned(other, direction[at]), steps=steps, start=start)
        few = np.minimum(pictures.shorter[first[at]], pictures.shorter[second[at]]) <= SMALL
        if level == "medium":
            same[at] = few & (place.correlation >= LEAST_SMALL)
            place.correlation[few] = -1
        else:
            same[at] = place.correlation >= LEAST_DETAILED
    return same


def best_direction(first: Patches, second: Patches) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Of the four directions of ``second`` the one in which it agrees most, and the correlation, negative if inverted.

    Args:
        first: ``(B, S, S)``, of norm 1.
        second: As many.

    Returns:
        ``(B,)`` directions: bit 0 stands for flipped left to right, bit 1 for upside down; and ``(B,)`` correlations.
    """
    every = (second, second[:, :, ::-1], second[:, ::-1], second[:, ::-1, ::-1])
    values = np.stack([np.einsum("byx,byx->b", first, one) for one in every], axis=1)
    best = np.abs(values).argmax(axis=1)
    return best, np.take_along_axis(values, best[:, None], axis=1)[:, 0]


def turned(patches: npt.NDArray[_Kind], directions: npt.NDArray[np.intp]) -> npt.NDArray[_Kind]:
    """Each patch in its own direction, as :func:`best_direction` counts them."""
    result = patches.copy()
    for direction, across, down in ((1, -1, 1), (2, 1, -1), (3, -1, -1)):
        mine = directions == direction
        result[mine] = patches[mine][:, ::down, ::across]
    return result


def aligned(first: Patches, second: Patches, *, steps: int, start: Place | None = None) -> Place:
    """Move and stretch each second patch onto the first, whichever sign it has, and say how much they agree then.

    By Gauss-Newton steps (Lucas and Kanade, *An Iterative Image Registration Technique*, IJCAI 1981); the best place of
    all steps counts.

    Args:
        first: ``(B, S, S)``.
        second: As many.
        steps: How many.
        start: The place that a smaller patch has found.
    """
    number, side = len(first), first.shape[1]
    at = np.arange(side, dtype=np.float32) - (side - 1) / 2
    zoom = np.ones((number, 2), dtype=np.float32) if start is None else start.zoom.copy()
    move = np.zeros((number, 2), dtype=np.float32) if start is None else start.move * side
    best = Place(np.full(number, -1, dtype=np.float32), zoom.copy(), move / side)
    sign = np.ones(number, dtype=np.float32)
    for step in range(steps + 1):
        places = (side - 1) / 2 + at * zoom[:, :, None] + move[:, :, None]
        inside = (places > -0.5) & (places < side - 0.5)
        weight = (inside[:, 0, :, None] & inside[:, 1, None]).astype(np.float32)
        taps = np.maximum(1 - np.abs(np.clip(places, 0, side - 1)[..., None] - np.arange(side, dtype=np.float32)), 0)
        moved = taps[:, 0] @ second @ taps[:, 1].transpose(0, 2, 1)
        total = np.maximum(weight.sum(axis=(1, 2), keepdims=True), 1)
        target = (first - (first * weight).sum(axis=(1, 2), keepdims=True) / total) * weight
        moved = (moved - (moved * weight).sum(axis=(1, 2), keepdims=True) / total) * weight
        both, own, others = (
            np.einsum("byx,byx->b", *pair) for pair in ((target, moved), (target, target), (moved, moved))
        )
        if step == 0:
            sign = np.where(both < 0, -1, 1).astype(np.float32)
        correlation = sign * both / np.sqrt(np.maximum(own * others, _LEAST_OVERLAP))
        better = correlation > best.correlation
        best.correlation[better], best.zoom[better] = correlation[better], zoom[better]
        best.move[better] = move[better] / side
        if step < steps:
            gain = (both / np.maximum(others, _LEAST_OVERLAP))[:, None, None]
            change = _step(gain * moved, target - gain * moved, at)
            move = np.clip(move + change[:, :2], -_MOST_MOVE * side, _MOST_MOVE * side)
            zoom = np.clip(zoom + change[:, 2:], 1 - _MOST_STRETCH, 1 + _MOST_STRETCH)
    return best


def _step(patches: Patches, error: Patches, at: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """``(B, 4)``; the change of move and zoom, down and across, that takes away most of the error."""
    number, side = len(patches), patches.shape[1]
    slopes = np.zeros((number, 4, side, side), dtype=np.float32)
    slopes[:, 0, 1:-1] = (patches[:, 2:] - patches[:, :-2]) / 2
    slopes[:, 1, :, 1:-1] = (patches[:, :, 2:] - patches[:, :, :-2]) / 2
    slopes[:, 2] = slopes[:, 0] * at[:, None]
    slopes[:, 3] = slopes[:, 1] * at[None]
    flat = slopes.reshape(number, 4, side * side)
    normal = flat @ flat.transpose(0, 2, 1)
    diagonal = np.diagonal(normal, axis1=1, axis2=2)[:, :, None]
    normal += np.eye(4, dtype=np.float32) * (1e-3 * diagonal + 1e-9)  # a patch without slopes stays where it is
    change: npt.NDArray[np.float32] = np.linalg.solve(normal, flat @ error.reshape(number, side * side, 1))[:, :, 0]
    return change
