"""CT of the chest in the lung window: normal, nodule, ground-glass opacity, emphysema, pleural effusion.

A level of 0 is the aortic arch, 0.5 the hila, 1 the ventricles. The patient lies on the back with raised arms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms import canvas
from radcbir_core.synthetic.phantoms.canvas import Field
from radcbir_core.synthetic.phantoms.ct import tissue
from radcbir_core.synthetic.phantoms.ct.chest_lesions import Cut, Lungs, finding
from radcbir_core.synthetic.phantoms.ct.outlines import (
    Bend,
    Points,
    between_levels,
    curve,
    ellipse,
    flipped,
    inset,
    mirrored,
    mm,
    normals,
)
from radcbir_core.synthetic.phantoms.ct.plane import Layer, Plane, mixed
from radcbir_core.synthetic.phantoms.ct.scanner import Scanner, table
from radcbir_core.synthetic.phantoms.scenes import Drawn, Scene

_LEVELS = (0.0, 0.5, 1.0)
_LEFT_LUNG = (
    (
        *((8, -62), (40, -68), (74, -56), (98, -28), (107, 4), (100, 42), (78, 72), (48, 86)),
        *((27, 78), (20, 60), (24, 42), (36, 22), (38, -2), (27, -24), (10, -44)),
    ),
    (
        *((16, -74), (50, -80), (88, -66), (116, -34), (126, 5), (118, 46), (92, 80), (55, 95)),
        *((30, 86), (22, 64), (27, 44), (42, 22), (56, -4), (48, -34), (28, -56)),
    ),
    (
        *((58, -70), (74, -74), (97, -60), (118, -34), (130, 5), (122, 48), (95, 84), (58, 100)),
        *((32, 90), (23, 66), (30, 50), (58, 44), (85, 14), (86, -24), (72, -52)),
    ),
)
"""Outline of the left lung at each level, in mm from the middle of the chest, clockwise from the front."""
_RIGHT_LUNG = (
    (
        *((6, -62), (40, -68), (74, -56), (98, -28), (107, 4), (100, 42), (78, 72), (48, 86)),
        *((27, 78), (19, 60), (17, 40), (20, 18), (24, -2), (22, -24), (9, -44)),
    ),
    (
        *((8, -74), (50, -80), (88, -66), (116, -34), (126, 5), (118, 46), (92, 80), (55, 95)),
        *((30, 86), (20, 62), (19, 42), (31, 20), (42, -4), (38, -34), (18, -56)),
    ),
    (
        *((30, -74), (60, -78), (94, -62), (120, -34), (130, 5), (122, 48), (95, 84), (58, 100)),
        *((32, 90), (21, 66), (21, 50), (36, 30), (48, 4), (50, -28), (42, -54)),
    ),
)
"""The right lung as if it were on the left."""
_WALL = (
    ((0, -72), (40, -80), (76, -66), (104, -34), (113, 4), (106, 46), (82, 80), (48, 98), (0, 104)),
    ((0, -84), (52, -90), (94, -74), (123, -38), (133, 5), (125, 50), (97, 87), (56, 105), (0, 110)),
    ((0, -80), (60, -86), (101, -68), (126, -38), (137, 5), (129, 52), (100, 92), (58, 110), (0, 114)),
)
"""Right half of the outside of the ribs."""
_SKIN = (
    ((0, -82), (50, -94), (106, -84), (150, -44), (163, 6), (146, 62), (106, 102), (54, 122), (0, 120)),
    ((0, -97), (58, -104), (108, -90), (146, -46), (157, 6), (144, 62), (106, 104), (56, 124), (0, 124)),
    ((0, -95), (62, -101), (110, -84), (142, -44), (152, 6), (142, 62), (106, 106), (58, 126), (0, 127)),
)
"""Right half of the skin of a lean patient."""


@dataclass(frozen=True)
class _Chest:
    """One patient's chest, but for what is wrong with it."""

    size: float
    deep: float
    fat: float
    breasts: float
    lung: float
    dependent: float
    heart: float
    ribs: np.ndarray
    rib_phase: float
    contrast: bool
    bend: Bend
    table_wide: float
    table_sag: float
    table_gap: float
    unfolded: float

    @classmethod
    def of(cls, generator: np.random.Generator) -> _Chest:
        female = generator.random() < 0.5
        return cls(
            size=float(generator.normal(0.95 if female else 1.04, 0.05)),
            deep=float(generator.normal(1.0, 0.06)),
            fat=float(np.clip(generator.gamma(2.2, 5), 0, 32)),
            breasts=float(generator.uniform(4, 22)) if female else 0.0,
            lung=float(generator.normal(tissue.LUNG + 12, 16)),
            dependent=float(generator.uniform(15, 75)),
            heart=float(np.clip(generator.normal(1.0, 0.07), 0.84, 1.14)),
            ribs=generator.uniform(0.6, 1.4, 24),
            rib_phase=float(generator.random()),
            contrast=bool(generator.random() < 0.5),
            bend=Bend.of(generator, length=170, height=2.6),
            table_wide=float(generator.uniform(380, 470)),
            table_sag=float(generator.uniform(10, 70)),
            table_gap=float(generator.uniform(2, 14)),
            unfolded=float(generator.normal(0, 1)),
        )

    @property
    def scale(self) -> Points:
        """From the drawing's millimeters to the patient's, across and down."""
        return mm([self.size, self.size * self.deep])

    def lungs(self, level: float) -> Lungs:
        """Both lungs at a level."""
        left, right = between_levels(level, _LEVELS, _LEFT_LUNG), between_levels(level, _LEVELS, _RIGHT_LUNG)
        # A larger heart takes its room from the lungs beside it.
        for points, most in ((left, 9.0), (right, 4.0)):
            points[10:, 0] += np.float32((self.heart - 1) * most * 8 * max(level - 0.2, 0))
        return Lungs(left=curve(left) * self.scale, right=flipped(curve(right) * self.scale)[::-1])

    def ring(self, shapes: tuple[tuple[tuple[int, int], ...], ...], level: float) -> Points:
        """A closed outline of the trunk at a level, clockwise from the front."""
        return curve(mirrored(between_levels(level, _LEVELS, shapes) * self.scale), between=9)

    def skin(self, level: float) -> Points:
        """The outside of the patient."""
        skin = self.ring(_SKIN, level)
        along = np.linspace(0, 1, len(skin), endpoint=False)
        front = np.exp(-(((along - 0.115) / 0.07) ** 2)) + np.exp(-(((along - 0.885) / 0.07) ** 2))
        side = np.abs(np.sin(2 * np.pi * along))
        breast = self.breasts * np.clip(1.3 - 2.2 * abs(level - 0.6), 0, 1) * front
        return inset(skin, -(self.fat * (0.65 + 0.35 * side) + breast))


def _paint_wall(layer: Layer, chest: _Chest, level: float) -> None:
    """Skin, fat, muscles, ribs."""
    skin = chest.skin(level)
    layer.fill(skin, tissue.SKIN)
    layer.fill(inset(skin, 2.2), tissue.FAT)
    wall = chest.ring(_WALL, level)
    along = np.linspace(0, 1, len(wall), endpoint=False)
    mid = np.abs(along - 0.5)
    high = float(np.clip(1 - level * 1.6, 0, 1))
    pectoral = np.exp(-(((mid - 0.4) / 0.05) ** 2)) * (4 + 12 * high)
    dorsal = np.exp(-(((mid - 0.16) / 0.055) ** 2)) * (5 + 11 * high) + np.exp(-((mid / 0.06) ** 2)) * 8
    layer.fill(inset(wall, -np.minimum(2 + pectoral + dorsal, 18)), tissue.MUSCLE)
    layer.fill(inset(wall, -(0.5 + 0.25 * (pectoral + dorsal))), tissue.FAT + 40)
    layer.fill(wall, tissue.MUSCLE)
    inward = normals(wall)
    count = 11
    for side in (1, -1):
        for number in range(count):
            share = 0.06 + 0.36 * (number + chest.rib_phase) / count
            at = round((share if side > 0 else 1 - share) * len(wall)) % len(wall)
            center = wall[at] + inward[at] * np.float32(4.2)
            angle = float(np.arctan2(inward[at, 0], -inward[at, 1]))
            half = 4.5 + 5.5 * float(chest.ribs[number + (12 if side < 0 else 0)]) * (1.3 if share > 0.3 else 0.8)
            layer.fill(ellipse(float(center[0]), float(center[1]), half, 3.6, angle, count=18), 620)
            layer.fill(ellipse(float(center[0]), float(center[1]), half - 1.6, 2.0, angle, count=14), tissue.MARROW)
    if level < 0.42:
        blade = curve([(92, 92), (108, 84), (122, 66), (130, 46)], closed=False) * chest.scale
        for flip in (mm([1, 1]), mm([-1, 1])):
            layer.stroke(blade * flip, 5, 520)


def _paint_spine(layer: Layer, chest: _Chest, level: float) -> None:
    size, down = chest.scale
    y = float(np.interp(level, _LEVELS, (62, 68, 72))) * float(down)
    for side in (-1, 1):
        layer.fill(ellipse(side * 24 * size, y + 36, 19 * size, 12, 0.25 * side), tissue.MUSCLE)
        layer.stroke(mm([(side * 8, y + 14), (side * 34, y + 24)]), 8, 520)
    layer.stroke(mm([(0, y + 26), (0, y + 46)]), 7, 560)
    layer.fill(ellipse(0, y + 18, 15, 12), 620)
    layer.fill(ellipse(0, y, 18 * size, 15 * size), 620)
    layer.fill(ellipse(0, y, 16 * size, 13 * size), tissue.MARROW)
    layer.fill(ellipse(0, y + 18, 9, 8), tissue.CSF + 20)
    front = float(chest.ring(_WALL, level)[0, 1])
    layer.fill(ellipse(0, front + 7, 19 * size, 7), 560)
    layer.fill(ellipse(0, front + 7, 16 * size, 4.5), tissue.MARROW)


def _paint_middle(layer: Layer, chest: _Chest, level: float) -> None:
    """Heart and vessels in the fat between the lungs, trachea and bronchi."""
    blood = 190.0 if chest.contrast else tissue.BLOOD
    size = chest.size
    unfold = 1.0 + 0.06 * chest.unfolded
    layer.fill(ellipse(26 * size, 50 * size, 12 * unfold, 12 * unfold), blood)
    layer.dots(mm([(6 * size, 42 * size)]), [6.0], [tissue.MUSCLE])
    if level < 0.22:
        arch = curve([(-14, -20), (2, -26), (18, -10), (32, 22), (28, 42), (16, 40), (10, 10), (-8, -4)]) * size
        layer.fill(arch, blood)
        layer.fill(ellipse(-22 * size, -16 * size, 9, 8), blood)
    elif level < 0.62:
        layer.fill(ellipse(-6 * size, -22 * size, 16 * unfold, 16 * unfold), blood)
        layer.fill(curve([(14, -34), (34, -30), (40, -8), (26, 8), (2, 6), (-26, 8), (-30, 0), (4, -6)]) * size, blood)
        layer.fill(ellipse(-24 * size, -8 * size, 9, 10), blood)
    if level >= 0.45:
        share = float(np.clip((level - 0.45) / 0.25, 0, 1)) * chest.heart
        heart = curve([(-34, -30), (-8, -58), (34, -56), (72, -32), (76, 2), (50, 30), (8, 36), (-26, 24), (-38, -4)])
        middle = mm([18, -6])
        layer.fill(((heart - middle) * share + middle) * size, tissue.MUSCLE + (50 if chest.contrast else 0))
        if share > 0.6:
            layer.fill(ellipse(36 * size, -14 * size, 26 * share, 16 * share, 0.6), blood)
            layer.fill(ellipse(-6 * size, -26 * size, 19 * share, 15 * share, -0.4), blood)
    if level < 0.4:
        layer.fill(ellipse(-1, 16 * size, 10.5 * size, 10 * size), tissue.MUSCLE)
        layer.fill(ellipse(-1, 16 * size, 8.6 * size, 8.2 * size), tissue.AIR)


_BRONCHI = (0.36, 0.6, 0.85)
"""Levels at which the main bronchi begin, lie at the hila, and have divided."""


def _paint_bronchi(layer: Layer, chest: _Chest, level: float, wide: float) -> None:
    """Main and upper lobe bronchi of both sides, ``wide`` times as wide as they are inside."""
    apart = float(np.interp(level, _BRONCHI, (13, 27, 40))) * chest.size
    radius = float(np.interp(level, _BRONCHI, (7.5, 5.5, 3.5))) * wide
    for side in (1, -1):
        for x, y, share in ((apart, 24.0, 1.0), (apart + 11, 14.0, 0.55)):
            layer.fill(ellipse(side * x, y * chest.size, radius * share, radius * share * 0.85, 0.4 * side))


def _branches(
    generator: np.random.Generator, start: Points, heading: float, width: float, depth: int
) -> list[tuple[Points, float]]:
    """One vessel and its branches: paths that taper, each with its width in mm."""
    length = float(generator.uniform(9, 28)) * (0.8 if depth else 1.0)
    turns = heading + np.cumsum(generator.normal(0, 0.16, 5))
    steps = np.stack([np.cos(turns), np.sin(turns)], axis=1) * length / 5
    path = np.concatenate([start[None], start + np.cumsum(steps, axis=0)]).astype(np.float32)
    branches = [(path, width)]
    if depth < 3 and generator.random() > 0.12 * depth:
        for _ in range(2):
            turn = float(turns[-1] + generator.normal(0, 0.55))
            branches += _branches(generator, path[-1], turn, width * float(generator.uniform(0.5, 0.75)), depth + 1)
    return branches


def _tree(chest: _Chest, generator: np.random.Generator) -> tuple[list[tuple[Points, float]], Points, np.ndarray]:
    """Vessels of both lungs in the plane, and where others cross it, with their radii."""
    paths: list[tuple[Points, float]] = []
    for side in (1, -1):
        count = int(generator.integers(4, 7))
        for number in range(count):
            heading = -1.35 + 2.9 * (number + float(generator.uniform(0.1, 0.9))) / count
            start = mm([side * (36 + 8 * np.cos(heading)), 14 + 16 * np.sin(heading)]) * chest.scale
            turned = heading if side > 0 else np.pi - heading
            paths += _branches(generator, start, turned, float(generator.uniform(1.5, 3.6)), 0)
    crossing = generator.uniform(-1, 1, (220, 2)) * [128, 98]
    radii = 0.5 + generator.gamma(1.5, 0.36, 220) * np.exp(-np.abs(np.abs(crossing[:, 0]) - 45) / 60)
    return paths, mm(crossing * chest.scale), radii


def _paint_vessels(
    layer: Layer, tree: tuple[list[tuple[Points, float]], Points, np.ndarray], *, less: float, plane: Plane
) -> None:
    paths, crossing, radii = tree
    layer.strokes(
        [path for path, _ in paths],
        [width * less for _, width in paths],
        [0.92 * less if width > 1.2 else 0.7 * less for _, width in paths],
        plane=plane,
    )
    layer.dots(crossing, (radii * less).tolist(), [0.85 * less] * len(radii), plane=plane)


def _body(chest: _Chest, lungs: Lungs, plane: Plane, level: float) -> tuple[Field, Field]:
    """Hounsfield units without the lungs, and the lungs' share of each pixel."""
    layer = plane.densities(tissue.AIR)
    straight = Plane(plane.mm_per_pixel, plane.x, plane.y, plane.angle / 3)
    back = float(chest.skin(level)[:, 1].max()) + chest.table_gap
    table(layer, straight, back=back, width=chest.table_wide, sag=chest.table_sag)
    _paint_wall(layer, chest, level)
    layer.fill(inset(chest.ring(_WALL, level), 9), tissue.FAT + 20)
    _paint_spine(layer, chest, level)
    _paint_middle(layer, chest, level)
    shares = plane.shares()
    shares.fill(lungs.left)
    shares.fill(lungs.right)
    share = shares.done()
    below = mixed(layer.done(), share, chest.lung)
    return below, share


def _draw(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    chest = _Chest.of(generator)
    level = float(generator.uniform(0.02, 1.0))
    skin = chest.skin(level)
    extent = (float(np.ptp(skin[:, 0])), float(np.ptp(skin[:, 1])))
    scanner = Scanner.of(
        generator, extent=extent, zoom=(0.84, 1.06), window=tissue.LUNG_WINDOW, noise=(8, 55), turn=2.5
    )
    tree = _tree(chest, generator)
    lesion = None
    if pathology != "normal":
        lesion = finding(pathology, generator, chest.lungs(level), level=level)
    cloud = canvas.texture(generator, 22, octaves=4, height=128, width=128)
    drawn = []
    for _ in range(images):
        plane = scanner.plane(generator, chest.bend)
        slice_level = float(np.clip(level + generator.normal(0, 0.025), 0, 1))
        lungs = chest.lungs(slice_level)
        densities, share = _body(chest, lungs, plane, slice_level)
        stir = plane.bent(Bend.of(generator, length=70, height=1.6))
        vessels = plane.shares()
        _paint_vessels(vessels, tree, less=1.0 if lesion is None else lesion.vessels, plane=stir)
        # Blood settles, and so lung is denser towards the back.
        slope = np.clip(plane.heights() / 100, -1, 1) * np.float32(chest.dependent / 2)
        lung = chest.lung + slope + plane.field(cloud, extent=330) * np.float32(14)
        mask = beside = None
        if lesion is not None:
            lung, mask = lesion.within(lung, Cut(lungs, share, plane, generator))
        lung = mixed(lung, vessels.done(), 40.0)
        densities = mixed(densities, share, lung)
        if _BRONCHI[0] < slice_level < _BRONCHI[-1]:
            for wide, value in ((1.35, tissue.MUSCLE - 40), (1.0, tissue.AIR)):
                airways = plane.shares()
                _paint_bronchi(airways, chest, slice_level, wide)
                densities = mixed(densities, airways.done(), value)
        if lesion is not None and mask is not None:
            densities, more = lesion.over(densities, Cut(lungs, share, plane, generator))
            mask, beside = np.maximum(mask, more) * share, share
        drawn.append(
            scanner.show(
                densities,
                generator,
                view="axial",
                lesion=mask,
                beside=beside,
                size_mm=None if lesion is None else lesion.size_mm,
                place="" if lesion is None else lesion.place,
            )
        )
    return drawn


CHEST = Scene(
    modality="CT",
    anatomy="chest",
    pathologies=("normal", "nodule", "ground-glass opacity", "emphysema", "pleural effusion"),
    draw=_draw,
)
"""Axial CT of the chest in the lung window."""
