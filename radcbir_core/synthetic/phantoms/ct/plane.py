"""The plane of a slice: where millimeters of the patient lie in the image, and layers on which outlines are painted.

Outlines are painted at three times the resolution and averaged down, which is partial volume within the plane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from radcbir_core.synthetic.phantoms.canvas import Field
from radcbir_core.synthetic.phantoms.ct.outlines import Points, mm
from radcbir_core.synthetic.phantoms.scenes import SIDE

_FINER = 3


@dataclass(frozen=True)
class Plane:
    """How a patient lies in an image.

    Attributes:
        mm_per_pixel: Size of a pixel.
        x: Where the patient's origin lies, in pixels.
        y: The same, down.
        angle: How far the patient is turned, clockwise as seen, in radians.
        bends: What moves points of the patient before they are put into the image, in this order.
    """

    mm_per_pixel: float
    x: float
    y: float
    angle: float = 0.0
    bends: tuple[Callable[[Points], Points], ...] = ()

    def bent(self, *bends: Callable[[Points], Points]) -> Plane:
        """The same plane with tissue that is moved before all else moves it."""
        return replace(self, bends=(*bends, *self.bends))

    def pixels(self, points: Points) -> Points:
        """Points (N, 2) in mm as pixels."""
        for bend in self.bends:
            points = bend(points)
        c, s = np.cos(self.angle) / self.mm_per_pixel, np.sin(self.angle) / self.mm_per_pixel
        turn = np.array([[c, s], [-s, c]], dtype=np.float32)
        return np.asarray(points @ turn + mm([self.x, self.y]), dtype=np.float32)

    def field(self, coarse: Field, *, extent: float) -> Field:
        """A coarse square field of the patient, ``extent`` mm wide around the origin, in the image; not bent."""
        rows = coarse.shape[0]
        scale = rows / extent
        c, s = np.cos(self.angle) * self.mm_per_pixel * scale, np.sin(self.angle) * self.mm_per_pixel * scale
        data = (
            *(c, s, rows / 2 - c * (self.x + 0.5) - s * (self.y + 0.5)),
            *(-s, c, rows / 2 + s * (self.x + 0.5) - c * (self.y + 0.5)),
        )
        image = Image.fromarray(coarse).transform(
            (SIDE, SIDE), Image.Transform.AFFINE, data, resample=Image.Resampling.BICUBIC
        )
        return np.asarray(image, dtype=np.float32)

    def heights(self) -> Field:
        """How far towards the back each pixel lies from the origin, in mm; neither bent nor turned."""
        y = (np.arange(SIDE, dtype=np.float32) - np.float32(self.y)) * np.float32(self.mm_per_pixel)
        return np.broadcast_to(y[:, None], (SIDE, SIDE))

    def densities(self, background: float) -> Layer:
        """A layer on which Hounsfield units are painted."""
        return Layer(self, Image.new("F", (SIDE * _FINER, SIDE * _FINER), background))

    def shares(self) -> Layer:
        """A layer on which shares of 0 to 1 are painted, over 0."""
        return Layer(self, Image.new("L", (SIDE * _FINER, SIDE * _FINER)))


def soften(image: Field, sigma: float, sigma_x: float | None = None) -> Field:
    """Gaussian blur by short kernels, which for a few pixels is far faster than ``canvas.blur``."""
    for axis, deviation in enumerate((sigma, sigma if sigma_x is None else sigma_x)):
        reach = int(np.ceil(2.8 * deviation))
        if deviation < 0.15 or reach < 1:
            continue
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
        weights = (weights / weights.sum()).astype(np.float32)
        length = image.shape[axis]
        padded = np.pad(image, [(reach, reach) if axis == at else (0, 0) for at in range(2)], mode="edge")
        total = np.zeros_like(image)
        for start, weight in enumerate(weights):
            part = padded[start : start + length] if axis == 0 else padded[:, start : start + length]
            total += weight * part
        image = total
    return np.asarray(image, dtype=np.float32)


def mixed(below: Field, share: Field, value: float | npt.NDArray[np.floating]) -> Field:
    """``below`` where the share is 0, ``value`` where it is 1."""
    return np.asarray(below + share * (value - below), dtype=np.float32)


class Layer:
    """Something to paint on: later shapes hide earlier ones."""

    def __init__(self, plane: Plane, image: Image.Image) -> None:
        self.plane = plane
        self._image = image
        self._pen = ImageDraw.Draw(image)
        self._byte = image.mode == "L"

    def _ink(self, value: float) -> float:
        return int(np.clip(value, 0, 1) * 255 + 0.5) if self._byte else float(value)

    def _fine(self, points: Points, plane: Plane | None) -> list[tuple[float, float]]:
        placed = ((plane or self.plane).pixels(points) + 0.5) * _FINER - 0.5
        return [(x, y) for x, y in placed.tolist()]

    def fill(self, outline: Points, value: float = 1.0, *, plane: Plane | None = None) -> None:
        """Paints the inside of a closed outline; ``plane`` if its tissue is moved otherwise than the layer's."""
        self._pen.polygon(self._fine(outline, plane), fill=self._ink(value))

    def stroke(self, path: Points, width: float, value: float = 1.0, *, plane: Plane | None = None) -> None:
        """Paints a line ``width`` mm wide."""
        self.strokes([path], [width], [value], plane=plane)

    def strokes(
        self, paths: Sequence[Points], widths: Sequence[float], values: Sequence[float], *, plane: Plane | None = None
    ) -> None:
        """Paints many lines, each with its width in mm and its value, one after the other."""
        if not paths:
            return
        placed = self._fine(np.concatenate(paths), plane)
        scale = _FINER / self.plane.mm_per_pixel
        start = 0
        for path, width, value in zip(paths, widths, values, strict=True):
            end = start + len(path)
            thickness = width * scale
            # What is thinner than a fine pixel covers less of it.
            ink = value * thickness if self._byte and thickness < 1 else value
            self._pen.line(placed[start:end], fill=self._ink(ink), width=max(1, round(thickness)), joint="curve")
            start = end

    def dots(
        self, centers: Points, radii: Sequence[float], values: Sequence[float], *, plane: Plane | None = None
    ) -> None:
        """Paints filled circles, each with its radius in mm and its value."""
        if not len(centers):
            return
        scale = _FINER / self.plane.mm_per_pixel
        for (x, y), radius, value in zip(self._fine(centers, plane), radii, values, strict=True):
            r = max(radius * scale, 0.5)
            self._pen.ellipse((x - r, y - r, x + r, y + r), fill=self._ink(value))

    def done(self) -> Field:
        """What was painted, averaged down to the image's pixels."""
        painted = np.asarray(self._image.reduce(_FINER), dtype=np.float32)
        return painted / np.float32(255) if self._byte else painted
