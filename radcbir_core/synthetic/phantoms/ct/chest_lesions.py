"""What can be wrong in a CT of the chest.

Signs as in the Fleischner Society's glossary of terms for thoracic imaging (Hansell et al., Radiology 2008): a nodule
is a rounded opacity, well or poorly defined, up to 3 cm; ground-glass opacity leaves bronchi and vessels visible;
emphysema is lung darker than normal without walls, with bullae where these are seen; an effusion is fluid that settles
at the back of a lying patient, with a crescent for a front.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms import canvas
from radcbir_core.synthetic.phantoms.canvas import Field, log_uniform
from radcbir_core.synthetic.phantoms.ct import tissue
from radcbir_core.synthetic.phantoms.ct.outlines import Bend, Points, blob, inset, mm, normals
from radcbir_core.synthetic.phantoms.ct.plane import Plane, mixed, soften


@dataclass(frozen=True)
class Lungs:
    """The outlines of both lungs, clockwise as seen; the left one is at the image's right."""

    left: Points
    right: Points

    def of(self, side: int) -> Points:
        """The left lung if ``side`` is positive, else the right one."""
        return self.left if side > 0 else self.right


@dataclass(frozen=True)
class Cut:
    """The slice that a lesion is painted into.

    Attributes:
        lungs: Outlines of both lungs.
        share: Their share of each pixel.
        plane: Where the patient lies in it.
        generator: All randomness.
    """

    lungs: Lungs
    share: Field
    plane: Plane
    generator: np.random.Generator


Painter = Callable[[Field, Cut], tuple[Field, Field]]
"""``paint(densities, cut)``: the densities with the lesion, and the lesion's share of each pixel."""


def _nothing(below: Field, _cut: Cut) -> tuple[Field, Field]:
    return below, np.zeros_like(below)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One patient's lesion.

    Attributes:
        place: In words.
        within: Changes the lung, before its vessels are painted over it.
        over: Changes all that lies in the lung's outline, vessels too.
        vessels: Width of the lung's vessels, as a share of the normal one.
        size_mm: Largest extent, if known better than from the mask.
    """

    place: str
    within: Painter = _nothing
    over: Painter = _nothing
    vessels: float = 1.0
    size_mm: float | None = None


def finding(pathology: str, generator: np.random.Generator, lungs: Lungs, *, level: float) -> Finding:
    """Draws a patient's lesion.

    Args:
        pathology: nodule, ground-glass opacity, emphysema or pleural effusion.
        generator: All randomness.
        lungs: Outlines of both lungs.
        level: Of the slice: 0 the aortic arch, 1 the ventricles.
    """
    side = 1 if generator.random() < 0.5 else -1
    if pathology == "nodule":
        return _nodule(generator, lungs, side, level)
    if pathology == "ground-glass opacity":
        return _ground_glass(generator, lungs, side, level)
    if pathology == "emphysema":
        return _emphysema(generator, lungs, side, level)
    return _effusion(generator, side)


def _lobe(side: int, y: float, level: float) -> str:
    """The lobe that a spot lies in: upper lobes in front, lower lobes behind, the further down the slice the more."""
    name = "left" if side > 0 else "right"
    if y > 70 - 75 * level:
        return f"{name} lower lobe"
    return f"{name} {'middle' if side < 0 and level > 0.6 else 'upper'} lobe"


def _spot(generator: np.random.Generator, lung: Points, clearance: float, deepest: float) -> tuple[float, float]:
    """A point in a lung at least ``clearance`` from its outline, or as far as there is one."""
    inward = normals(lung)
    best, most = lung.mean(axis=0), -1.0
    for _ in range(40):
        at = int(generator.integers(len(lung)))
        point = lung[at] + inward[at] * np.float32(generator.uniform(clearance, max(deepest, clearance + 1)))
        away = point - lung
        nearest = int(np.argmin((away * away).sum(axis=1)))
        room = float(np.hypot(*away[nearest])) * float(np.sign((away[nearest] * inward[nearest]).sum()))
        if room > most:
            best, most = point, room
        if room >= clearance:
            break
    return float(best[0]), float(best[1])


def _nodule(generator: np.random.Generator, lungs: Lungs, side: int, level: float) -> Finding:
    lung = lungs.of(side)
    radius = log_uniform(generator, 9, 15.5)
    x, y = _spot(generator, lung, radius + 2, 38)
    kind = ("smooth", "lobed", "spiculated")[int(generator.choice(3, p=(0.4, 0.3, 0.3)))]
    rough = {"smooth": 0.03, "lobed": 0.1, "spiculated": 0.1}[kind]
    shape = blob(generator, x, y, radius, stretch=float(generator.uniform(1, 1.25)), rough=rough, waves=7)
    value = float(generator.uniform(-60, 60))
    center = mm([x, y])
    rays = []
    if kind == "spiculated":
        for angle in np.linspace(0, 2 * np.pi, int(generator.integers(9, 15)), endpoint=False):
            turned = angle + generator.normal(0, 0.15)
            direction = mm([np.cos(turned), np.sin(turned)])
            far = radius * float(generator.uniform(1.3, 1.7))
            rays.append(np.stack([center + direction * (0.6 * radius), center + direction * far]).astype(np.float32))
    hole = float(generator.uniform(0.3, 0.55)) if kind != "smooth" and generator.random() < 0.15 else 0.0

    def over(below: Field, cut: Cut) -> tuple[Field, Field]:
        size = np.float32(cut.generator.uniform(0.88, 1.04))
        layer = cut.plane.shares()
        layer.strokes(rays, [1.4] * len(rays), [0.8] * len(rays))
        layer.fill(center + (shape - center) * size)
        mask = layer.done()
        inside = cut.plane.shares()
        inside.fill(center + (shape - center) * size)
        below = mixed(below, mask, value + 20 * canvas.smooth_noise(cut.generator, 6))
        if hole:
            empty = cut.plane.shares()
            empty.fill(center + (shape - center) * size * np.float32(hole))
            below = mixed(below, empty.done(), tissue.AIR + 40)
        return below, inside.done()

    return Finding(place=_lobe(side, y, level), over=over)


def _ground_glass(generator: np.random.Generator, lungs: Lungs, side: int, level: float) -> Finding:
    count = int(generator.integers(1, 5))
    patches: list[Points] = []
    places: list[str] = []
    for number in range(count):
        lung_side = side if number == 0 or generator.random() < 0.5 else -side
        lung = lungs.of(lung_side)
        radius = log_uniform(generator, 18, 44) * (1.0 if number == 0 else 0.8)
        x, y = _spot(generator, lung, 0.35 * radius, 40)
        stretch, angle = float(generator.uniform(1, 1.6)), float(generator.uniform(0, np.pi))
        patches.append(blob(generator, x, y, radius, stretch=stretch, angle=angle, rough=0.16, waves=7))
        places.append(_lobe(lung_side, y, level))
    value = tissue.GROUND_GLASS + float(generator.uniform(-75, 110))
    soft = log_uniform(generator, 1.2, 5)
    ragged = Bend.of(generator, length=26, height=2.5, waves=6)
    streaky = float(generator.uniform(20, 70))
    grain = canvas.texture(generator, 14, octaves=4, height=128, width=128)

    def within(below: Field, cut: Cut) -> tuple[Field, Field]:
        size = np.float32(cut.generator.uniform(0.92, 1.04))
        plane = cut.plane.bent(ragged)
        layer, first = plane.shares(), plane.shares()
        for number, patch in enumerate(patches):
            middle = patch.mean(axis=0)
            layer.fill(middle + (patch - middle) * size)
            if number == 0:
                first.fill(middle + (patch - middle) * size)
        mask = soften(layer.done(), soft / plane.mm_per_pixel)
        haze = value + np.float32(streaky) * plane.field(grain, extent=330)
        return mixed(below, mask, haze), first.done() * cut.share

    return Finding(place=places[0], within=within)


def _emphysema(generator: np.random.Generator, lungs: Lungs, side: int, level: float) -> Finding:
    holes: list[Points] = []
    bullae: list[Points] = []
    worse = float(generator.uniform(0.5, 1))
    for lung_side in (side, -side):
        lung = lungs.of(lung_side)
        low, high = lung.min(axis=0), lung.max(axis=0)
        amount = 1.0 if lung_side == side else worse
        for _ in range(int(generator.integers(60, 130) * amount)):
            x, y = generator.uniform(low, high)
            radius = log_uniform(generator, 2.5, 7.5)
            holes.append(blob(generator, float(x), float(y), radius, rough=0.2))
        for _ in range(int(generator.integers(2, 6)) if lung_side == side else int(generator.integers(0, 4))):
            radius = log_uniform(generator, 8, 25)
            x, y = _spot(generator, lung, 0.55 * radius, 0.8 * radius)
            bullae.append(blob(generator, x, y, radius, stretch=float(generator.uniform(1, 1.5)), rough=0.08))
    value = float(generator.normal(tissue.EMPHYSEMA, 8))
    general = float(generator.uniform(15, 45))

    def within(below: Field, cut: Cut) -> tuple[Field, Field]:
        layer = cut.plane.shares()
        for hole in holes:
            layer.fill(hole)
        dark = soften(layer.done(), 0.7 / cut.plane.mm_per_pixel) * np.float32(0.92)
        return mixed(below - np.float32(general), dark, value), np.zeros_like(dark)

    def over(below: Field, cut: Cut) -> tuple[Field, Field]:
        walls, empty = cut.plane.shares(), cut.plane.shares()
        for bulla in bullae:
            walls.fill(bulla)
            walls.fill(inset(bulla, 1.3), 0.0)
            empty.fill(inset(bulla, 0.8))
        below = mixed(below, empty.done(), value - 10)
        below = mixed(below, walls.done() * np.float32(0.55), -350.0)
        marks = cut.plane.shares()
        for outline in (*holes, *bullae):
            marks.fill(outline)
        lung = cut.plane.shares()
        lung.fill(cut.lungs.of(side))
        return below, marks.done() * lung.done()

    name = "left" if side > 0 else "right"
    place = f"{name} {'upper lobe' if level < 0.5 else 'lung'}"
    largest = max(float(np.ptp(outline, axis=0).max()) for outline in bullae)
    thin = float(generator.uniform(0.6, 0.8))
    return Finding(place=place, within=within, over=over, vessels=thin, size_mm=round(largest, 1))


def _effusion(generator: np.random.Generator, side: int) -> Finding:
    both = generator.random() < 0.35
    depths = {side: log_uniform(generator, 14, 58)}
    if both:
        depths[-side] = depths[side] * float(generator.uniform(0.5, 0.95))
    curved, tilt = float(generator.uniform(0.35, 0.8)), float(generator.normal(0, 0.1))
    value = float(generator.normal(tissue.SEROUS + 4, 6))
    collapsed = float(generator.uniform(3, 14))

    def fluid(lung: Points, depth: float, lung_side: int) -> Points:
        """The region behind a meniscus that climbs along the wall, outward."""
        back, outer = float(lung[:, 1].max()), float(np.abs(lung[:, 0]).max())
        inner = float(np.abs(lung[:, 0]).min())
        way = np.linspace(-0.1, 1.1, 15)
        x = inner + (outer - inner) * way
        front = back - depth - 26 * curved * ((way - 0.45) / 0.55) ** 2 * np.sign(way - 0.45 + 1e-6).clip(0.25, 1)
        front += tilt * (x - (inner + outer) / 2)
        edge = np.stack([lung_side * x, front], axis=1)
        corners = mm([(lung_side * (outer + 30), back + 30), (lung_side * (inner - 20), back + 30)])
        return np.concatenate([mm(edge), corners])

    def over(below: Field, cut: Cut) -> tuple[Field, Field]:
        size = float(cut.generator.uniform(0.88, 1.08))
        worst: Field | None = None
        for lung_side, depth in depths.items():
            lung = cut.lungs.of(lung_side)
            outline = cut.plane.shares()
            outline.fill(lung)
            inside = outline.done()
            region, squeezed = cut.plane.shares(), cut.plane.shares()
            region.fill(fluid(lung, depth * size, lung_side))
            squeezed.fill(fluid(lung, depth * size + collapsed, lung_side))
            fade = soften(squeezed.done(), 2.2 / cut.plane.mm_per_pixel) * inside
            mask = region.done() * inside
            below = mixed(below, fade * np.float32(0.5), -150.0)
            below = mixed(below, mask, value)
            worst = mask if worst is None else worst
        return below, worst if worst is not None else np.zeros_like(below)

    name = "both pleural spaces" if both else f"{'left' if side > 0 else 'right'} pleural space"
    return Finding(place=name, over=over, size_mm=round(depths[side], 1))
