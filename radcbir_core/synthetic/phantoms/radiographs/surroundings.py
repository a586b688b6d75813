"""What is in a radiograph beside the patient: cables, catheters, collimation, side markers; never text.

Drawn from the same distributions whatever the finding, so that nothing here tells the label.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, grid, smooth_step
from radcbir_core.synthetic.phantoms.radiographs.frame import Frame, Points
from radcbir_core.synthetic.phantoms.radiographs.shapes import curve, fill, strokes
from radcbir_core.synthetic.phantoms.scenes import SIDE


@dataclass(frozen=True, kw_only=True)
class Border:
    """The edge of the exposed field.

    Attributes:
        half_width: In pixels.
        half_height: In pixels.
        cx: Middle in pixels.
        cy: Middle in pixels.
        turn: Radians.
        gray: What lies beyond, 0 black to 1 white.
        softness: Width of the edge in pixels.
    """

    half_width: float
    half_height: float
    cx: float
    cy: float
    turn: float
    gray: float
    softness: float


def draw_border(generator: np.random.Generator, *, chance: float = 0.35, narrow: float = 0.12) -> Border | None:
    """A collimated or turned field, sometimes; at most ``narrow`` of the side is lost on each side."""
    if generator.random() >= chance:
        return None
    half = SIDE / 2
    lost = generator.uniform(-0.04, narrow, 4) * SIDE
    return Border(
        half_width=half - (lost[0] + lost[1]) / 2,
        half_height=half - (lost[2] + lost[3]) / 2,
        cx=half + (lost[0] - lost[1]) / 2,
        cy=half + (lost[2] - lost[3]) / 2,
        turn=generator.normal(0, 0.025),
        gray=float(generator.choice([0.0, 0.02, 0.95, 1.0], p=[0.4, 0.25, 0.15, 0.2])),
        softness=generator.uniform(1.0, 4.0),
    )


def moved(border: Border | None, generator: np.random.Generator) -> Border | None:
    """The border of a patient as one image has it: nearly the same."""
    if border is None:
        return None
    cx, cy, turn = generator.normal(0, (1.5, 1.5, 0.006))
    return replace(border, cx=border.cx + float(cx), cy=border.cy + float(cy), turn=border.turn + float(turn))


def framed(shown: Field, border: Border | None) -> Field:
    """The displayed image with what lies beyond the border in its gray."""
    if border is None:
        return shown
    y, x = grid()
    c, s = np.float32(np.cos(border.turn)), np.float32(np.sin(border.turn))
    dx, dy = x - np.float32(border.cx), y - np.float32(border.cy)
    outside = np.maximum(
        np.abs(c * dx + s * dy) - np.float32(border.half_width),
        np.abs(c * dy - s * dx) - np.float32(border.half_height),
    )
    inside = smooth_step(outside, border.softness)
    return np.asarray(shown * inside + np.float32(border.gray) * (1 - inside), dtype=np.float32)


def marker(generator: np.random.Generator, *, chance: float = 0.6) -> Field | None:
    """A lead marker without text near a corner: a bar, a disk, an arrow or an angle; share of each pixel."""
    if generator.random() >= chance:
        return None
    size = generator.uniform(3.0, 7.0)
    x = generator.uniform(8, 34) if generator.random() < 0.5 else SIDE - generator.uniform(8, 34)
    y = generator.uniform(8, 40) if generator.random() < 0.8 else SIDE - generator.uniform(8, 30)
    turn = generator.normal(0, 0.5)
    shapes: dict[str, list[tuple[float, float]]] = {
        "bar": [(-0.35, -1), (0.35, -1), (0.35, 1), (-0.35, 1)],
        "angle": [(-0.7, -1), (-0.35, -1), (-0.35, 0.7), (0.7, 0.7), (0.7, 1), (-0.7, 1)],
        "arrow": [(0, -1.2), (0.7, -0.2), (0.25, -0.2), (0.25, 1), (-0.25, 1), (-0.25, -0.2), (-0.7, -0.2)],
        "disk": [(float(np.cos(a)), float(np.sin(a))) for a in np.linspace(0, 2 * np.pi, 20)],
    }
    outline = shapes[str(generator.choice(sorted(shapes)))]
    c, s = np.cos(turn), np.sin(turn)
    turned = [(x + size * (c * u - s * v), y + size * (s * u + c * v)) for u, v in outline]
    return fill([turned]) * np.float32(generator.uniform(0.6, 1.0))


@dataclass(frozen=True, kw_only=True)
class Cables:
    """Cables, electrodes and catheters on or in a patient, in cm.

    Attributes:
        paths: Of (N, 3) points.
        widths: In cm.
        values: Share of the strongest, 0 to 1.
    """

    paths: tuple[Points, ...]
    widths: tuple[float, ...]
    values: tuple[float, ...]


def draw_cables(generator: np.random.Generator) -> Cables | None:
    """ECG leads, a central line, a tube in the airway or the stomach, a pacemaker: some patients have some."""
    paths: list[Points] = []
    widths: list[float] = []
    values: list[float] = []

    def add(points: list[tuple[float, float, float]], width: float, value: float) -> None:
        paths.append(curve(points))
        widths.append(width)
        values.append(value)

    if generator.random() < 0.22:
        for _ in range(int(generator.integers(1, 5))):
            side = 1 if generator.random() < 0.5 else -1
            x, y = side * generator.uniform(5, 14), generator.uniform(3, 24)
            away = (generator.uniform(-16, 16), generator.uniform(24, 34))
            half = (0.5 * (x + away[0]) + generator.normal(0, 3), 0.5 * (y + away[1]) + generator.normal(0, 2))
            add([(x, y, 11), (*half, 11), (*away, 11)], 0.18, generator.uniform(0.25, 0.5))
            around = np.linspace(0, 2 * np.pi, 12)
            ring = np.column_stack([x + 0.55 * np.cos(around), y + 0.55 * np.sin(around), np.full(12, 11.0)])
            paths.append(ring)
            widths.append(0.3)
            values.append(generator.uniform(0.4, 0.9))
    if generator.random() < 0.14:
        tip = generator.uniform(8, 12.5)
        add([(-9, -3, 3), (-5.5, 1.8, 4), (-2.6, 4.5, 3), (-2.1, tip, 1)], 0.2, generator.uniform(0.25, 0.5))
    if generator.random() < 0.1:
        add([(0.4, -13, 0), (-0.2, -4, 0), (0.2, generator.uniform(2.5, 5.5), 0)], 0.35, 0.3)
    if generator.random() < 0.1:
        add([(0.5, -13, -2), (0.2, 4, -3), (0.6, 16, -3), (1.5, 25, 0), (5.5, 28.5, 2)], 0.28, 0.4)
    if generator.random() < 0.04:
        box = curve([(8, 4, 10), (12, 4, 10), (12.4, 6.5, 10), (10, 8, 10), (8, 6.6, 10)], closed=True)
        paths.append(np.concatenate([box, box[:1]]))
        widths.append(1.0)
        values.append(1.0)
        add([(9, 5, 9), (4, 3, 4), (-2, 7, 2), (-1.5, 15, 1), (4, 20, 5)], 0.2, 0.7)
    return Cables(paths=tuple(paths), widths=tuple(widths), values=tuple(values)) if paths else None


def metal(cables: Cables | None, frame: Frame) -> Field | float:
    """The cables along the ray, as an equivalent of bone in cm."""
    if cables is None:
        return 0.0
    flat = [frame.pixels(path) for path in cables.paths]
    return strokes(flat, [width * frame.scale for width in cables.widths], cables.values) * np.float32(3.0)
