"""What can be wrong in a CT of the abdomen, and the shape of the organs that it is found in.

Signs as radiology textbooks give them (e.g. Webb, Brant and Major, Fundamentals of Body CT): a liver metastasis takes
less contrast medium than the liver, a hemangioma takes it from the rim; a stone is denser than anything around it and
may dam up urine; a simple cyst is round, thin-walled water; ascites is water around liver and spleen and beside the
colon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms import canvas
from radcbir_core.synthetic.phantoms.canvas import Field, log_uniform
from radcbir_core.synthetic.phantoms.ct import tissue
from radcbir_core.synthetic.phantoms.ct.outlines import Points, blob, curve, ellipse, inset, mm, normals
from radcbir_core.synthetic.phantoms.ct.plane import Layer, Plane, mixed, soften


@dataclass(frozen=True)
class Kidney:
    """A kidney in the plane: an ellipse that opens towards the spine where the level is that of its hilum.

    Attributes:
        side: 1 for the left one, at the image's right, -1 for the right one.
        x: Center in mm.
        y: Center in mm.
        across: Half width.
        down: Half height.
        angle: Turned clockwise as seen.
        sinus: Width of the hollow that holds fat, vessels and pelvis, as a share of the kidney's.
    """

    side: int
    x: float
    y: float
    across: float
    down: float
    angle: float
    sinus: float

    def opened(self, level: float) -> float:
        """How wide the hollow is at a level, 0 to 1."""
        return float(np.interp(level, (0.05, 0.35, 0.8, 1.1), (0.45, 1, 1, 0.45)))

    def at(self, out: float, down: float) -> tuple[float, float]:
        """A point as shares of the half axes: 1 is the outer rim, -1 the one at the spine."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        u, v = self.side * out * self.across, down * self.down
        return float(self.x + c * u - s * v), float(self.y + s * u + c * v)

    def outline(self, level: float) -> Points:
        """The outside."""
        share = float(np.interp(level, (0.0, 0.4, 0.7, 1.1), (0.84, 1, 1, 0.85)))
        return ellipse(self.x, self.y, self.across * share, self.down * share, self.angle)

    def hollow(self, level: float) -> Points:
        """The sinus, which reaches the rim at the spine."""
        wide = self.sinus * self.opened(level)
        corners = [(-1.05, -0.28), (-0.45, -0.5), (0.08, -0.75), (0.34, -0.3), (0.4, 0.05), (0.3, 0.45)]
        corners += [(0.02, 0.75), (-0.45, 0.5), (-1.05, 0.28)]
        return curve(
            [self.at(out if out < -1 else out * (0.6 + 0.8 * wide), down * 1.15 * wide) for out, down in corners]
        )

    def flesh(self, plane: Plane, level: float) -> Field:
        """The share of each pixel that is kidney and not the hollow in it."""
        layer = plane.shares()
        layer.fill(self.outline(level))
        layer.fill(self.hollow(level), 0.0)
        return layer.done()


@dataclass(frozen=True)
class Organs:
    """What can be ill, in the plane of one slice."""

    liver: Points
    kidneys: tuple[Kidney, Kidney]
    cavity: Points
    level: float


Painter = Callable[[Field, Organs, Plane, np.random.Generator], tuple[Field, Field, Field]]
"""``paint(densities, organs, plane, generator)``: densities with the lesion, the lesion, what it is compared with."""


@dataclass(frozen=True)
class Drift:
    """Moves what floats in fluid: towards the front and the middle."""

    inward: float
    up: float

    def __call__(self, points: Points) -> Points:
        """The points where they drift to."""
        return np.asarray(points * mm([1 - self.inward, 1 - 0.5 * self.inward]) - mm([0, self.up]), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One patient's lesion.

    Attributes:
        place: In words.
        size_mm: Largest extent.
        paint: Puts it into a slice.
        behind: Paints what lies behind all organs.
        pushes: What moves the organs that can move.
    """

    place: str
    size_mm: float | None
    paint: Painter
    behind: Callable[[Layer, Organs, Plane], None] | None = None
    pushes: tuple[Drift, ...] = ()


def finding(pathology: str, generator: np.random.Generator, organs: Organs, *, enhanced: float) -> Finding:
    """Draws a patient's lesion.

    Args:
        pathology: liver lesion, kidney stone, renal cyst or ascites.
        generator: All randomness.
        organs: Where the organs lie.
        enhanced: How much contrast medium there is, 0 for none.
    """
    if pathology == "liver lesion":
        return _liver_lesion(generator, organs, enhanced)
    side = int(generator.integers(2))
    if pathology == "kidney stone":
        return _stone(generator, organs, side)
    if pathology == "renal cyst":
        return _cyst(generator, organs, side)
    return _ascites(generator)


def _painted(plane: Plane, *outlines: Points) -> Field:
    layer = plane.shares()
    for outline in outlines:
        layer.fill(outline)
    return layer.done()


def _liver_lesion(generator: np.random.Generator, organs: Organs, enhanced: float) -> Finding:
    kind = ("metastases", "single", "hemangioma", "cyst")[int(generator.choice(4, p=(0.4, 0.25, 0.15, 0.2)))]
    count = int(generator.integers(2, 7)) if kind == "metastases" else 1
    inward = normals(organs.liver)
    spots: list[tuple[float, float, float]] = []
    for _ in range(300):
        if len(spots) == count:
            break
        radius = log_uniform(generator, 12, 31) if not spots else log_uniform(generator, 6, 20)
        at = int(generator.integers(len(organs.liver)))
        point = organs.liver[at] + inward[at] * np.float32(generator.uniform(0.75, 2.2) * radius)
        away = point - organs.liver
        nearest = int(np.argmin((away * away).sum(axis=1)))
        inside = float((away[nearest] * inward[nearest]).sum())
        apart = all(np.hypot(point[0] - x, point[1] - y) > 0.9 * (radius + r) for x, y, r in spots)
        if inside > 0.7 * radius and apart:
            spots.append((float(point[0]), float(point[1]), radius))
    if not spots:
        spots.append((float(organs.liver[:, 0].mean()), float(organs.liver[:, 1].mean()), 14.0))
    rough = 0.03 if kind == "cyst" else 0.09
    shapes = [
        blob(generator, x, y, radius, stretch=float(generator.uniform(1, 1.3)), rough=rough) for x, y, radius in spots
    ]
    drop = float(generator.uniform(34, 62)) if enhanced else float(generator.uniform(20, 34))
    core = float(generator.uniform(0.2, 0.6)) if kind != "cyst" and generator.random() < 0.5 else 0.0
    soft = float(generator.uniform(0.6, 2.2))
    knots = generator.uniform(0, 2 * np.pi, 6)

    def paint(below: Field, organs: Organs, plane: Plane, generator: np.random.Generator) -> tuple[Field, Field, Field]:
        size = np.float32(generator.uniform(0.9, 1.04))
        placed = [shape.mean(axis=0) + (shape - shape.mean(axis=0)) * size for shape in shapes]
        liver = _painted(plane, organs.liver)
        others, largest = _painted(plane, *placed) * liver, _painted(plane, placed[0]) * liver
        level = float(np.median(below[liver > 0.9]))
        value = tissue.SEROUS if kind == "cyst" else level - drop
        mask = soften(others, soft / plane.mm_per_pixel)
        out = mixed(below, mask, value + 3 * canvas.smooth_noise(generator, 6))
        if core:
            out = mixed(
                out, soften(_painted(plane, *[inset(s, (1 - core) * 10) for s in placed]), 1.5) * mask, value - 24
            )
        if kind == "hemangioma" and enhanced:
            layer = plane.shares()
            radius = spots[0][2]
            middle = placed[0].mean(axis=0)
            centers = middle + mm(np.stack([np.cos(knots), np.sin(knots)], axis=1)) * np.float32(0.82 * radius)
            layer.dots(centers, [0.26 * radius] * 6, [1.0] * 6)
            out = mixed(out, layer.done() * largest, tissue.VESSEL_ENHANCED)
        # Only what is in the liver, and no other lesion, is what it is compared with.
        beside = np.where((others > 0.05) & (largest < 0.5), 0, liver).astype(np.float32)
        return out, largest, beside

    place = "left liver lobe" if spots[0][0] > -25 else "right liver lobe"
    return Finding(place=place, size_mm=None, paint=paint)


def _side(kidney: Kidney) -> str:
    return "left" if kidney.side > 0 else "right"


def _stone(generator: np.random.Generator, organs: Organs, which: int) -> Finding:
    kidney = organs.kidneys[which]
    staghorn = generator.random() < 0.4
    value = log_uniform(generator, *tissue.STONE)
    length = log_uniform(generator, 18, 32) if staghorn else log_uniform(generator, 8, 17)
    out, down = float(generator.uniform(-0.25, 0.2)), float(generator.uniform(-0.35, 0.35))
    dammed = float(generator.uniform(0.5, 1.0)) if generator.random() < 0.55 else 0.0
    turn = float(generator.uniform(-0.5, 0.5))
    round_stone = blob(generator, 0, 0, length / 2, stretch=float(generator.uniform(1, 1.5)), rough=0.1)

    def paint(below: Field, organs: Organs, plane: Plane, generator: np.random.Generator) -> tuple[Field, Field, Field]:
        kidney = organs.kidneys[which]
        level = organs.level
        size = float(generator.uniform(0.88, 1.05))
        if dammed:
            hollow = kidney.hollow(level)
            middle = hollow.mean(axis=0)
            pelvis = (hollow - middle) * np.float32(0.85 + 0.35 * dammed) + middle
            inside = _painted(plane, kidney.outline(level), kidney.hollow(level))
            below = mixed(below, soften(_painted(plane, pelvis), 0.5) * inside, tissue.SEROUS)
        center = mm(kidney.at(out, down))
        layer = plane.shares()
        if staghorn:
            half = size * length / 2
            for angle, reach in ((-1.2, 1.0), (0.1, 0.7), (1.3, 1.0), (3.1, 0.8)):
                turned = angle + turn if kidney.side > 0 else np.pi - angle - turn
                tip = center + mm([np.cos(turned), np.sin(turned)]) * np.float32(half * reach)
                layer.stroke(np.stack([center, tip]), 0.34 * length, 1.0)
                layer.dots(tip[None], [0.22 * length], [1.0])
        else:
            layer.fill(center + round_stone * np.float32(size))
        mask = layer.done()
        around = kidney.flesh(plane, level)
        return mixed(below, mask, value), mask, around

    return Finding(place=f"{_side(kidney)} kidney", size_mm=None, paint=paint)


def _room(generator: np.random.Generator, kidney: Kidney, cavity: Points, radius: float) -> tuple[float, float]:
    """Where on a kidney something round fits into the abdomen: its direction, and its distance from the middle."""
    wall = normals(cavity)
    best, most = (0.0, 0.8), -np.inf
    for _ in range(30):
        turn, far = float(generator.uniform(-1.9, 1.7)), float(generator.uniform(0.6, 1.15))
        x, y = _grown(kidney, turn, far, radius)
        away = mm([x, y]) - cavity
        nearest = int(np.argmin((away * away).sum(axis=1)))
        room = float((away[nearest] * wall[nearest]).sum()) - radius
        if room > most:
            best, most = (turn, far), room
        if room > -0.1 * radius:
            break
    return best


def _grown(kidney: Kidney, turn: float, far: float, radius: float) -> tuple[float, float]:
    """The center of a cyst: larger ones grow out of the kidney rather than into the spine."""
    x, y = kidney.at(far * float(np.cos(turn)), far * float(np.sin(turn)))
    return x + kidney.side * 0.25 * radius * float(np.cos(turn)), y


def _cyst(generator: np.random.Generator, organs: Organs, which: int) -> Finding:
    kidney = organs.kidneys[which]
    radius = log_uniform(generator, 12, 34)
    turn, far = _room(generator, kidney, organs.cavity, radius)
    value = float(generator.normal(tissue.SEROUS - 2, 4))
    second = log_uniform(generator, 6, 13) if generator.random() < 0.3 else 0.0

    def paint(below: Field, organs: Organs, plane: Plane, generator: np.random.Generator) -> tuple[Field, Field, Field]:
        kidney = organs.kidneys[which]
        size = float(generator.uniform(0.88, 1.04))
        x, y = _grown(kidney, turn, far, radius)
        outline = ellipse(x, y, radius * size, radius * size * 0.97)
        inside = _painted(plane, inset(organs.cavity, -1.5))
        mask = _painted(plane, outline) * inside
        below = mixed(below, _painted(plane, inset(outline, -1.0)) * inside - mask, 45.0)
        out = mixed(below, mask, value)
        if second:
            small = kidney.at(0.6 * float(np.cos(turn + 2.2)), 0.6 * float(np.sin(turn + 2.2)))
            out = mixed(out, _painted(plane, ellipse(small[0], small[1], second, second)), value)
        around = kidney.flesh(plane, organs.level)
        return out, mask, around

    return Finding(place=f"{_side(kidney)} kidney", size_mm=None, paint=paint)


def _ascites(generator: np.random.Generator) -> Finding:
    amount = log_uniform(generator, 0.4, 1.0)
    value = float(generator.normal(tissue.SEROUS, 4))
    middle = blob(generator, 8, -24, 1.0, stretch=1.6, rough=0.08)
    depth = 5 + 17 * amount

    def sea(organs: Organs) -> Points:
        """The peritoneal cavity: all in front of the kidneys, and the gutters beside them."""
        cavity = organs.cavity
        return np.stack([cavity[:, 0], np.minimum(cavity[:, 1], 30 + 16 * (np.abs(cavity[:, 0]) > 70))], axis=1)

    def behind(layer: Layer, organs: Organs, plane: Plane) -> None:
        layer.fill(mm(sea(organs)), value)
        # Fat of the mesentery floats with the bowel.
        center = middle.mean(axis=0)
        layer.fill(center + (middle - center) * np.float32(74 - 34 * amount) * mm([1.0, 0.85]), tissue.FAT, plane=plane)

    def paint(below: Field, organs: Organs, plane: Plane, generator: np.random.Generator) -> tuple[Field, Field, Field]:
        del generator
        inside = _painted(plane, mm(sea(organs)))
        mask = ((np.abs(below - value) < 9) & (inside > 0.9)).astype(np.float32)
        return below, mask, inside

    drift = Drift(inward=0.0085 * depth, up=0.1 * depth)
    return Finding(place="peritoneal cavity", size_mm=round(depth, 1), paint=paint, behind=behind, pushes=(drift,))
