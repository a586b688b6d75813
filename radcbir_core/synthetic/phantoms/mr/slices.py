"""One slice through a body: shapes in mm from its middle, painted with tissues into a signal and a lesion's mask.

Signals of tissues that share a voxel add up, so that a smooth mask is a partial volume. Nothing here knows anatomy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from radcbir_core.synthetic.phantoms.canvas import Field, grid, sample, smooth_step
from radcbir_core.synthetic.phantoms.mr.tissues import PulseSequence, Tissue
from radcbir_core.synthetic.phantoms.scenes import SIDE

MIDDLE = (SIDE - 1) / 2


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A closed shape that bulges irregularly: an ellipse whose radius waves with the angle.

    Attributes:
        x: Center in mm.
        y: Center in mm.
        radius: Mean radius in mm.
        aspect: Long half axis over short one.
        angle: Of the long axis from the x axis, in radians, clockwise as seen.
        waves: Share of the radius by which harmonics 2, 3, ... bulge, as complex numbers.
    """

    x: float
    y: float
    radius: float
    aspect: float = 1.0
    angle: float = 0.0
    waves: tuple[complex, ...] = ()


def draw_blob(
    generator: np.random.Generator,
    x: float,
    *,
    y: float,
    radius: float,
    aspect: float = 1.0,
    angle: float | None = None,
    irregularity: float = 0.12,
    harmonics: int = 6,
) -> Blob:
    """A blob with random waves; ``irregularity`` is about the deviation of its radius."""
    strengths = irregularity / np.arange(2, 2 + harmonics) ** 0.5
    waves = strengths * (generator.standard_normal(harmonics) + 1j * generator.standard_normal(harmonics)) * 0.7
    turned = float(generator.uniform(0, np.pi)) if angle is None else angle
    return Blob(x=x, y=y, radius=radius, aspect=aspect, angle=turned, waves=tuple(complex(wave) for wave in waves))


def smooth_closed(points: Sequence[Sequence[float]] | np.ndarray, steps: int = 5) -> np.ndarray:
    """A smooth closed line through the points (Catmull-Rom), ``steps`` points for each given one."""
    p1 = np.asarray(points, dtype=np.float64)
    p0, p2, p3 = np.roll(p1, 1, axis=0), np.roll(p1, -1, axis=0), np.roll(p1, -2, axis=0)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    path = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    return np.asarray(path.transpose(1, 0, 2).reshape(-1, 2))


def smooth_open(points: Sequence[Sequence[float]] | np.ndarray, steps: int = 4) -> np.ndarray:
    """A smooth open line through the points (Catmull-Rom)."""
    given = np.asarray(points, dtype=np.float64)
    padded = np.vstack([2 * given[0] - given[1], given, 2 * given[-1] - given[-2]])
    p0, p1, p2, p3 = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    path = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    return np.vstack([path.transpose(1, 0, 2).reshape(-1, 2), given[-1:]])


@dataclass(kw_only=True)
class Slice:
    """A slice that is being painted.

    Attributes:
        sequence: What turns tissues into signal.
        mm: Size of a pixel.
        down: How far the origin of the shapes lies beneath the middle of the picture, in mm.
        signal: What is painted so far; air at first.
        lesion: (224, 224) share of each pixel that is the lesion to be measured.
    """

    sequence: PulseSequence
    mm: float
    down: float = 0.0
    signal: Field = field(default_factory=lambda: np.zeros((SIDE, SIDE), dtype=np.float32))
    lesion: Field = field(default_factory=lambda: np.zeros((SIDE, SIDE), dtype=np.float32))

    def paint(self, mask: Field, tissue: Tissue, texture: Field | float = 1.0) -> None:
        """Lays a tissue over what is there, where the mask says; ``texture`` multiplies its signal."""
        self.signal += mask * (np.float32(self.sequence.signal(tissue)) * texture - self.signal)

    def mark(self, mask: Field) -> None:
        """Adds to the lesion's mask."""
        np.maximum(self.lesion, mask, out=self.lesion)

    @property
    def x(self) -> Field:
        """Distance from the middle to the right, in mm."""
        return (grid()[1] - np.float32(MIDDLE)) * np.float32(self.mm)

    @property
    def y(self) -> Field:
        """Distance from the origin downwards, in mm."""
        return (grid()[0] - np.float32(MIDDLE)) * np.float32(self.mm) - np.float32(self.down)

    def soft(self, distance: np.ndarray, width: float = 1.2) -> Field:
        """From a signed distance in mm (negative inside) to a mask with an edge ``width`` mm wide."""
        return smooth_step(np.asarray(distance, dtype=np.float32), max(width, self.mm))

    def ellipse(
        self, x: float, y: float, rx: float, ry: float | None = None, *, angle: float = 0.0, width: float = 1.2
    ) -> Field:
        """Mask of an ellipse; only its bounding box is computed."""
        ry = rx if ry is None else ry
        mask = np.zeros((SIDE, SIDE), dtype=np.float32)
        reach = max(rx, ry) + width + self.mm
        left, right = self._clipped(x - reach), self._clipped(x + reach) + 1
        top, bottom = self._clipped(y + self.down - reach), self._clipped(y + self.down + reach) + 1
        dx = (np.arange(left, right, dtype=np.float32) - np.float32(MIDDLE)) * np.float32(self.mm) - np.float32(x)
        dy = (np.arange(top, bottom, dtype=np.float32) - np.float32(MIDDLE)) * np.float32(self.mm)
        dy -= np.float32(y + self.down)
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        u = (c * dx[None, :] + s * dy[:, None]) / np.float32(max(rx, 0.1))
        v = (c * dy[:, None] - s * dx[None, :]) / np.float32(max(ry, 0.1))
        radius = np.sqrt(u * u + v * v)
        slope = np.sqrt((u / np.float32(max(rx, 0.1))) ** 2 + (v / np.float32(max(ry, 0.1))) ** 2)
        distance = (radius - 1) * radius / np.maximum(slope, 1e-5)
        # At the very center the slope vanishes, and with it the product that should be the inner radius.
        distance = np.where(radius < 1e-3, np.float32(-min(rx, ry)), distance)
        mask[top:bottom, left:right] = self.soft(np.asarray(distance, dtype=np.float32), width)
        return mask

    def _clipped(self, mm: float) -> int:
        return int(np.clip(round(mm / self.mm + MIDDLE), 0, SIDE - 1))

    def region(self, points: Sequence[Sequence[float]] | np.ndarray, *, rounded: bool = True) -> Field:
        """Mask of a closed outline in mm, rounded through its points or straight between them."""
        outline = smooth_closed(points) if rounded else np.asarray(points, dtype=np.float64)
        return self._rastered(outline, None)

    def path(self, points: Sequence[Sequence[float]] | np.ndarray, width: float, *, rounded: bool = True) -> Field:
        """Mask of a line ``width`` mm wide through points in mm."""
        outline = smooth_open(points) if rounded and len(points) > 2 else np.asarray(points, dtype=np.float64)
        return self._rastered(outline, width)

    def _rastered(self, outline: np.ndarray, width: float | None) -> Field:
        mask = np.zeros((SIDE, SIDE), dtype=np.float32)
        pixels = (outline + np.array([0.0, self.down])) / self.mm + MIDDLE
        margin = 2 + (0 if width is None else width / self.mm)
        left, top = np.clip(np.floor(pixels.min(axis=0) - margin), 0, SIDE - 1).astype(int)
        right, bottom = np.clip(np.ceil(pixels.max(axis=0) + margin), 0, SIDE - 1).astype(int) + 1
        scale = 3
        canvas = Image.new("L", (int(right - left) * scale, int(bottom - top) * scale))
        at = [(float((px - left + 0.5) * scale), float((py - top + 0.5) * scale)) for px, py in pixels]
        if width is None:
            ImageDraw.Draw(canvas).polygon(at, fill=255)
        else:
            thick = max(1, round(width / self.mm * scale))
            pen = ImageDraw.Draw(canvas)
            pen.line(at, fill=255, width=thick, joint="curve")
            for px, py in (at[0], at[-1]):
                pen.ellipse((px - thick / 2, py - thick / 2, px + thick / 2, py + thick / 2), fill=255)
        mask[top:bottom, left:right] = np.asarray(canvas.reduce(scale), dtype=np.float32) / np.float32(255)
        return mask

    def blob(self, shape: Blob, *, near: float | None = None) -> Field:
        """Roughly the signed distance to a blob in mm, negative inside.

        Args:
            shape: The blob.
            near: Distances beyond about so many mm are not asked for: they are a large number, and quicker to have.
        """
        top, bottom, left, right = 0, SIDE, 0, SIDE
        if near is not None:
            # Twice the long half axis holds the deepest bulge that the waves of a lesion make.
            reach = 2.0 * shape.radius * float(np.sqrt(shape.aspect)) + near
            left, right = self._clipped(shape.x - reach), self._clipped(shape.x + reach) + 1
            top = self._clipped(shape.y + self.down - reach)
            bottom = self._clipped(shape.y + self.down + reach) + 1
        c, s = np.cos(shape.angle), np.sin(shape.angle)
        dx = self.x[top:bottom, left:right] - np.float32(shape.x)
        dy = self.y[top:bottom, left:right] - np.float32(shape.y)
        stretch = np.sqrt(shape.aspect)
        u = (dx * np.float32(c) + dy * np.float32(s)) / np.float32(stretch)
        v = (dy * np.float32(c) - dx * np.float32(s)) * np.float32(stretch)
        radius = np.maximum(np.hypot(u, v), np.float32(1e-3))
        turn = (u + 1j * v) / radius
        power, bulge = turn * turn, np.ones_like(radius)
        for wave in shape.waves:
            bulge += (power * np.complex64(wave)).real
            power = power * turn
        distance = np.full((SIDE, SIDE), np.float32(1e3))
        # 0.45: a bulge deeper than that would tie the shape off.
        distance[top:bottom, left:right] = radius - np.float32(shape.radius) * np.maximum(bulge, np.float32(0.45))
        return distance

    def fade(self, start: float, end: float) -> None:
        """Lets the signal fade out between two heights in mm, as it does where the coil ends."""
        self.signal *= smooth_step(self.y - np.float32((start + end) / 2), end - start)

    def push(self, x: float, y: float, *, reach: float, shift: float, where: Field | float = 1.0) -> None:
        """Pushes what is painted away from a point, as a growing mass does: by ``shift`` mm at most, near ``reach``."""
        # Beyond 3.2 reaches the push is below 3 % of its top.
        far = 3.2 * reach
        left, right = self._clipped(x - far), self._clipped(x + far) + 1
        top, bottom = self._clipped(y + self.down - far), self._clipped(y + self.down + far) + 1
        part = np.s_[top:bottom, left:right]
        dx, dy = self.x[part] - np.float32(x), self.y[part] - np.float32(y)
        squared = (dx * dx + dy * dy) / np.float32(reach * reach)
        # r·exp((1 - r²)/2) has its top, 1, at r = 1.
        strength = np.float32(shift / reach / self.mm) * np.exp((1 - squared) / 2)
        strength = strength * (where if isinstance(where, float) else where[part])
        rows, columns = grid()
        self.signal[part] = sample(self.signal, rows[part] - dy * strength, columns[part] - dx * strength)
