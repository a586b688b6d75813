"""Outlines and strokes: smooth curves through points, ribbons of varying width, many of them filled at once.

Owns geometry in pixels. One canvas is drawn for many shapes, since most of the time of a shape is its canvas.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from radcbir_core.synthetic.phantoms.canvas import Field
from radcbir_core.synthetic.phantoms.scenes import SIDE

Points = npt.NDArray[np.float64]
_SCALE = 3


def curve(points: npt.ArrayLike, *, closed: bool = False, steps: int = 8) -> Points:
    """A Catmull-Rom curve through (N, D) points, ``steps`` points between two of them."""
    at = np.asarray(points, dtype=np.float64)
    padded = np.concatenate([at[-1:], at, at[:2]]) if closed else np.concatenate([at[:1], at, at[-1:]])
    p0, p1, p2, p3 = padded[:-3, None], padded[1:-2, None], padded[2:-1, None], padded[3:, None]
    t = (np.arange(steps) / steps)[None, :, None]
    smooth = 0.5 * (
        2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    flat = smooth.reshape(-1, at.shape[1])
    return flat if closed else np.concatenate([flat, at[-1:]])


def normals(path: Points, *, closed: bool = False) -> Points:
    """(N, 2) unit vectors at right angles to a path of (N, 2) points."""
    if closed:
        along = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    else:
        along = np.empty_like(path)
        along[1:-1] = path[2:] - path[:-2]
        along[0], along[-1] = path[1] - path[0], path[-1] - path[-2]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    return np.asarray(across / np.maximum(np.hypot(across[:, :1], across[:, 1:]), 1e-9), dtype=np.float64)


def ribbon(path: Points, half_width: npt.ArrayLike) -> Points:
    """The outline of a path of (N, 2) points that is ``half_width`` (a number or N of them) wide to either side."""
    away = normals(path) * np.reshape(np.asarray(half_width, dtype=np.float64), (-1, 1))
    return np.concatenate([path + away, (path - away)[::-1]])


def inset(outline: Points, distance: npt.ArrayLike) -> Points:
    """A closed outline of (N, 2) points moved inward by ``distance`` (a number or N of them)."""
    following = np.roll(outline, -1, axis=0)
    area = float((outline[:, 0] * following[:, 1] - following[:, 0] * outline[:, 1]).sum())
    inward = normals(outline, closed=True) * (1 if area > 0 else -1)
    return outline + inward * np.broadcast_to(np.asarray(distance, dtype=np.float64), (len(outline),))[:, None]


def fill(outlines: Sequence[npt.ArrayLike], values: Sequence[float] | None = None) -> Field:
    """Filled outlines on one canvas, (SIDE, SIDE): the share of each pixel that any of them covers.

    Args:
        outlines: Of (N, 2) pixels.
        values: What each of them counts, 0 to 1; later ones lie on top. All count 1 by default.
    """
    canvas = Image.new("L", (SIDE * _SCALE, SIDE * _SCALE))
    pencil = ImageDraw.Draw(canvas)
    for index, outline in enumerate(outlines):
        ink = 255 if values is None else int(255 * values[index] + 0.5)
        pencil.polygon(((np.asarray(outline) + 0.5) * _SCALE).ravel().tolist(), fill=ink)
    return np.asarray(canvas.reduce(_SCALE), dtype=np.float32) / np.float32(255)


def strokes(paths: Sequence[npt.ArrayLike], widths: Sequence[float], values: Sequence[float]) -> Field:
    """Lines on one canvas, (SIDE, SIDE), each with its width in pixels and its value 0 to 1; later ones lie on top.

    A line thinner than the canvas can draw is drawn fainter instead.
    """
    canvas = Image.new("L", (SIDE * _SCALE, SIDE * _SCALE))
    pencil = ImageDraw.Draw(canvas)
    for path, width, value in zip(paths, widths, values, strict=True):
        fine = width * _SCALE
        ink, thick = int(255 * value * min(1.0, fine) + 0.5), max(1, int(fine + 0.5))
        flat = ((np.asarray(path) + 0.5) * _SCALE).ravel().tolist()
        pencil.line(flat, fill=ink, width=thick, joint="curve" if fine > 4 and len(flat) > 4 else None)
    return np.asarray(canvas.reduce(_SCALE), dtype=np.float32) / np.float32(255)


def table(knots: Sequence[float], values: Sequence[float], at: Field) -> Field:
    """Values between knots at every place of a field, smoothly; by a table of 512 entries, since that is fast."""
    low, high = knots[0], knots[-1]
    fine = np.linspace(low, high, 512)
    entries = np.interp(fine, knots, values)
    entries = np.convolve(np.pad(entries, 12, mode="edge"), np.hanning(27)[1:-1] / np.hanning(27).sum(), mode="valid")
    index = np.clip((at - np.float32(low)) * np.float32(511 / (high - low)), 0, 511).astype(np.int32)
    return np.asarray(entries.astype(np.float32)[index], dtype=np.float32)
