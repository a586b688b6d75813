"""Where a body lies on the detector: from centimeters to pixels and back.

Owns projection only. The axes of a body: x to the right of the image, y down, z toward the front of the patient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radcbir_core.synthetic.phantoms.canvas import Field, grid

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A view of a body: scale, position, turn in the plane, and the little turn that no patient avoids.

    Attributes:
        mm_per_pixel: Size of a pixel at the patient.
        cx: Where the body's origin is, in pixels.
        cy: Where the body's origin is, in pixels.
        turn: Clockwise in the plane of the image, radians.
        yaw: About the vertical axis, radians: what lies in front moves to the right.
        tilt: About the horizontal axis, radians: what lies in front moves down.
        mirror: Whether the image is flipped, as for the other hand.
    """

    mm_per_pixel: float
    cx: float
    cy: float
    turn: float = 0.0
    yaw: float = 0.0
    tilt: float = 0.0
    mirror: bool = False

    @property
    def scale(self) -> float:
        """Pixels per centimeter."""
        return 10 / self.mm_per_pixel

    def pixels(self, points: npt.ArrayLike) -> Points:
        """(N, 2) pixels of (N, 2) or (N, 3) points in cm; depth moves a point as the yaw and the tilt say."""
        at = np.asarray(points, dtype=np.float64)
        x, y = at[:, 0], at[:, 1]
        if at.shape[1] == 3:
            x, y = x + at[:, 2] * np.sin(self.yaw), y + at[:, 2] * np.sin(self.tilt)
        if self.mirror:
            x = -x
        c, s = np.cos(self.turn), np.sin(self.turn)
        return np.stack([self.cx + self.scale * (c * x - s * y), self.cy + self.scale * (s * x + c * y)], axis=1)

    def centimeters(self, *, depth: float = 0.0) -> tuple[Field, Field]:
        """(x, y) of every pixel in cm, in a plane ``depth`` cm in front of the body's middle; each (SIDE, SIDE)."""
        rows, columns = grid()
        u, v = (
            (columns - np.float32(self.cx)) / np.float32(self.scale),
            (rows - np.float32(self.cy)) / np.float32(self.scale),
        )
        c, s = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        x, y = c * u + s * v, c * v - s * u
        if self.mirror:
            x = -x
        return x - np.float32(depth * np.sin(self.yaw)), y - np.float32(depth * np.sin(self.tilt))
