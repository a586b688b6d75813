"""Outlines in millimeters: closed curves through a few anatomical points, blobs, bands along a wall, and their bends.

Points are arrays (N, 2) of (x, y): x to the image's right, y down, which in an axial slice are the patient's left and
back. Owns geometry only: nothing here knows what it outlines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]


def mm(points: Sequence[Sequence[float]] | Sequence[float] | npt.NDArray[np.floating]) -> Points:
    """Points, or one point, written as numbers."""
    return np.asarray(points, dtype=np.float32)


@cache
def _spline(count: int, between: int, *, closed: bool) -> Points:
    """Matrix from control points to a Catmull-Rom curve through them."""
    spans = count if closed else count - 1
    matrix = np.zeros((spans * between + (not closed), count), dtype=np.float32)
    for row in range(len(matrix)):
        span, step = divmod(row, between)
        t = step / between
        weights = (
            -0.5 * t + t**2 - 0.5 * t**3,
            1 - 2.5 * t**2 + 1.5 * t**3,
            0.5 * t + 2 * t**2 - 1.5 * t**3,
            -0.5 * t**2 + 0.5 * t**3,
        )
        for offset, weight in enumerate(weights, start=-1):
            at = (span + offset) % count if closed else min(max(span + offset, 0), count - 1)
            matrix[row, at] += weight
    return matrix


def curve(controls: Sequence[Sequence[float]] | Points, *, between: int = 6, closed: bool = True) -> Points:
    """A smooth curve through points; the first is not repeated at the end."""
    points = np.asarray(controls, dtype=np.float32)
    return np.asarray(_spline(len(points), between, closed=closed) @ points, dtype=np.float32)


def mirrored(half: Sequence[Sequence[float]] | Points) -> Points:
    """A closed list of points from its half right of the midline, whose first and last point lie on the midline."""
    right = np.asarray(half, dtype=np.float32)
    left = right[-2:0:-1] * mm([-1, 1])
    return np.concatenate([right, left])


def flipped(points: Sequence[Sequence[float]] | Points) -> Points:
    """The same on the other side of the midline."""
    return np.asarray(points, dtype=np.float32) * mm([-1, 1])


@cache
def _circle(count: int) -> Points:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def ellipse(x: float, y: float, rx: float, ry: float, angle: float = 0.0, *, count: int = 40) -> Points:
    """An ellipse, turned clockwise as seen by ``angle`` radians."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[rx * c, rx * s], [-ry * s, ry * c]], dtype=np.float32)
    return np.asarray(_circle(count) @ turn + mm([x, y]), dtype=np.float32)


def blob(
    generator: np.random.Generator,
    x: float,
    y: float,
    radius: float,
    *,
    stretch: float = 1.0,
    angle: float = 0.0,
    rough: float = 0.15,
    waves: int = 5,
) -> Points:
    """A roundish outline with lobes: an ellipse whose radius waves, higher waves being weaker."""
    count = 48
    order = np.arange(2, 2 + waves, dtype=np.float32)
    phase = generator.uniform(0, 2 * np.pi, waves).astype(np.float32)
    height = generator.normal(0, rough, waves).astype(np.float32) / np.sqrt(order - 1)
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False, dtype=np.float32)
    wave = 1 + (height[:, None] * np.sin(order[:, None] * turn + phase[:, None])).sum(axis=0)
    share = np.clip(wave, 0.45, 1.6)[:, None]
    center = mm([x, y])
    around = ellipse(0, 0, radius * np.sqrt(stretch), radius / np.sqrt(stretch), angle, count=count)
    return np.asarray(around * share + center, dtype=np.float32)


def normals(points: Points) -> Points:
    """Unit normals that point inward, for a closed curve that runs clockwise as seen (x right, y down)."""
    along = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-6)
    return np.stack([-along[:, 1] / length, along[:, 0] / length], axis=1)


def inset(points: Points, depth: float | npt.NDArray[np.floating]) -> Points:
    """A closed curve moved inward by ``depth`` mm, one for all or one for each point; negative moves it outward."""
    move = np.broadcast_to(np.asarray(depth, dtype=np.float32), (len(points),))
    return np.asarray(points + normals(points) * move[:, None], dtype=np.float32)


def band(wall: Points, start: float, end: float, depth: float, *, profile: float, outside: float = 1.0) -> Points:
    """A region along the inside of a closed wall: a crescent, or a lens.

    Args:
        wall: Closed curve, clockwise as seen.
        start: Where it starts on the wall, as a share of its length; may lie beyond 0 to 1.
        end: Where it ends, above ``start``.
        depth: Largest thickness in mm.
        profile: Thickness is ``depth * sin(pi * way) ** profile``: below 1 a crescent that stays thick, above 1 a
            lens whose inner side bulges.
        outside: How far it reaches behind the wall in mm, so that no gap shows.
    """
    count = len(wall)
    indexes = np.arange(round(start * count), round(end * count) + 1)
    way = np.linspace(0, 1, len(indexes), dtype=np.float32)
    thickness = depth * np.sin(np.pi * np.clip(way, 1e-4, 1 - 1e-4)) ** profile
    inward = normals(wall)[indexes % count]
    outer = wall[indexes % count] - inward * np.float32(outside)
    inner = wall[indexes % count] + inward * thickness[:, None]
    return np.asarray(np.concatenate([outer, inner[::-1]]), dtype=np.float32)


def between_levels(level: float, levels: Sequence[float], shapes: Sequence[Sequence[Sequence[float]]]) -> Points:
    """Control points at a level between those for which they are given; all shapes have equally many points."""
    place = float(np.interp(level, levels, range(len(levels))))
    low = min(int(place), len(shapes) - 2)
    share = np.float32(place - low)
    first, second = np.asarray(shapes[low], dtype=np.float32), np.asarray(shapes[low + 1], dtype=np.float32)
    return np.asarray(first * (1 - share) + second * share, dtype=np.float32)


@dataclass(frozen=True)
class Bend:
    """A smooth displacement of the plane by a few waves: what makes one patient's organs lie other than another's."""

    waves: Points
    phases: Points
    heights: Points

    @classmethod
    def of(cls, generator: np.random.Generator, *, length: float, height: float, waves: int = 4) -> Bend:
        """Waves about ``length`` mm long that move points by about ``height`` mm."""
        directions = generator.uniform(0, 2 * np.pi, waves)
        number = 2 * np.pi / (length * generator.uniform(0.8, 1.8, waves))
        return cls(
            np.stack([np.cos(directions) * number, np.sin(directions) * number]).astype(np.float32),
            generator.uniform(0, 2 * np.pi, waves).astype(np.float32),
            generator.normal(0, height / np.sqrt(waves / 2), (waves, 2)).astype(np.float32),
        )

    def __call__(self, points: Points) -> Points:
        """The points where the bend moves them."""
        return np.asarray(points + np.sin(points @ self.waves + self.phases) @ self.heights, dtype=np.float32)


@dataclass(frozen=True)
class Push:
    """Mass effect: points around a center give way, most at the rim of what pushes."""

    x: float
    y: float
    radius: float
    strength: float

    def __call__(self, points: Points) -> Points:
        """The points where they are pushed to."""
        away = points - mm([self.x, self.y])
        distance = np.maximum(np.hypot(away[:, 0], away[:, 1]), 1.0)
        reach = np.maximum(distance - self.radius, 0) / (1.3 * self.radius + 12)
        move = self.strength * np.exp(-reach * reach) * np.minimum(distance / (0.5 * self.radius + 1), 1)
        return np.asarray(points + away / distance[:, None] * move[:, None], dtype=np.float32)
