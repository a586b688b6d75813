"""CT of the head in the brain window: normal, hemorrhage, infarct, mass.

A level of -1 is the skull base, 0 the basal ganglia, 0.5 the bodies of the lateral ventricles, 1 the vertex. Signs as
in Osborn's Brain: fresh blood is bright, in the brain, as a crescent (subdural) or as a lens (epidural); an infarct is
a dark wedge out to the cortex of one artery's territory; a mass enhances, or is dark, with edema and mass effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms import canvas
from radcbir_core.synthetic.phantoms.canvas import Field
from radcbir_core.synthetic.phantoms.ct import tissue
from radcbir_core.synthetic.phantoms.ct.head_lesions import Cut, Finding, finding
from radcbir_core.synthetic.phantoms.ct.outlines import (
    Bend,
    Points,
    between_levels,
    curve,
    ellipse,
    inset,
    mirrored,
    mm,
)
from radcbir_core.synthetic.phantoms.ct.plane import Layer, Plane, mixed, soften
from radcbir_core.synthetic.phantoms.ct.scanner import Scanner
from radcbir_core.synthetic.phantoms.scenes import Drawn, Scene

_LEVELS = (-0.6, 0.0, 0.5, 1.0)
_INNER_TABLE = (
    ((0, -76), (24, -73), (42, -57), (50, -36), (63, -16), (68, 8), (64, 36), (48, 62), (22, 76), (0, 79)),
    ((0, -84), (26, -80), (47, -61), (58, -36), (66, -6), (68, 22), (61, 50), (43, 73), (19, 84), (0, 85)),
    ((0, -84), (27, -80), (49, -61), (61, -34), (68, -4), (69, 24), (61, 53), (42, 75), (19, 85), (0, 86)),
    ((0, -74), (25, -70), (45, -53), (56, -29), (62, -2), (62, 23), (54, 48), (37, 67), (17, 75), (0, 76)),
)
"""Right half of the inside of the skull in mm, at each level."""


def _shown_at(level: float, *edges: float) -> float:
    """How fully a structure is in a slice: 0 below and above its edges, 1 between the inner two."""
    return float(np.interp(level, edges, (0, 1, 1, 0)))


@dataclass(frozen=True)
class _Head:
    """One patient's head, but for what is wrong with it."""

    size: float
    narrow: float
    skull: float
    scalp: float
    atrophy: float
    contrast: bool
    calcified: bool
    grey: float
    white: float
    sulci: np.ndarray
    bend: Bend
    fine: Bend
    holder: bool
    holder_gap: float
    holder_wide: float

    @classmethod
    def of(cls, generator: np.random.Generator) -> _Head:
        base = float(generator.normal(0, 1.5))
        count = int(generator.integers(22, 32))
        places = (np.arange(count) + generator.uniform(-0.3, 0.3, count)) / count
        return cls(
            size=float(generator.normal(1.0, 0.045)),
            narrow=float(generator.normal(1.0, 0.04)),
            skull=float(generator.uniform(4.5, 9)),
            scalp=float(generator.uniform(3, 9)),
            atrophy=float(generator.beta(1.1, 2.2)),
            contrast=bool(generator.random() < 0.6),
            calcified=bool(generator.random() < 0.5),
            grey=tissue.GREY_MATTER + base,
            white=tissue.WHITE_MATTER + base + float(generator.normal(0, 0.8)),
            sulci=np.stack([places, generator.uniform(0.5, 1.4, count), generator.normal(0, 1, count)]),
            bend=Bend.of(generator, length=150, height=1.5),
            fine=Bend.of(generator, length=35, height=1.0, waves=6),
            holder=bool(generator.random() < 0.65),
            holder_gap=float(generator.uniform(8, 26)),
            holder_wide=float(generator.uniform(1.0, 1.2)),
        )

    def inner(self, level: float) -> Points:
        """The inside of the skull, clockwise from the front."""
        half = between_levels(level, _LEVELS, _INNER_TABLE) * mm([self.size * self.narrow, self.size])
        return curve(mirrored(half), between=12)


def _paint_skull(layer: Layer, head: _Head, inner: Points, level: float) -> None:
    along = np.linspace(0, 1, len(inner), endpoint=False)
    # Frontal and occipital bone are thicker than the temporal squama.
    bone = head.skull * (1 + 0.35 * np.cos(4 * np.pi * along)) * (1 + 0.5 * max(level - 0.6, 0))
    temporal = np.exp(-(((np.abs(along - 0.5) - 0.27) / 0.08) ** 2)) * 6.5 * _shown_at(level, -2, -1, -0.1, 0.7)
    layer.fill(inset(inner, -bone - temporal - head.scalp), tissue.SKIN)
    layer.fill(inset(inner, -bone - temporal - np.maximum(head.scalp - 2.2, 0.4)), tissue.FAT)
    layer.fill(inset(inner, -bone - temporal - 0.8), tissue.MUSCLE)
    layer.fill(inset(inner, -bone), tissue.BONE)
    sinus = _shown_at(level, -2, -1, -0.2, 0.05)
    if sinus > 0.1:
        front = float(inner[0, 1]) - 0.55 * float(bone[0])
        for side, wide in ((1, 11), (-1, 8)):
            layer.fill(ellipse(side * 9, front, wide * sinus, 0.32 * float(bone[0]), 0.1 * side), tissue.AIR)


def _paint_cortex(layer: Layer, head: _Head, brain: Points, plane: Plane) -> None:
    """Grey matter all over, white matter inside it with fingers into the gyri, and sulci between these."""
    count = len(brain)
    layer.fill(brain, head.grey, plane=plane)
    places, lengths, tilts = head.sulci
    along = np.arange(count) / count
    gap = np.abs((along[:, None] - places[None, :] + 0.5) % 1 - 0.5) * len(places)
    deep = (np.exp(-((gap / 0.33) ** 2)) * lengths[None, :] * 13).max(axis=1)
    layer.fill(inset(brain, 5.5 + deep), head.white, plane=plane)
    paths: list[Points] = []
    widths: list[float] = []
    inward = inset(brain, 1.0) - brain
    tangent = np.roll(brain, -2, axis=0) - brain
    for place, length, tilt in zip(places, lengths, tilts, strict=True):
        at = round(place * count) % count
        ways = np.linspace(-0.5, 13 * length, 5)[:, None]
        sway = np.sin(ways / 5 + tilt) * 0.35 + 0.1 * tilt * ways / 5
        paths.append(np.asarray(brain[at] + inward[at] * ways + tangent[at] * sway * 0.6, dtype=np.float32))
        widths.append(0.5 + 0.4 * length + 2.3 * head.atrophy * length)
    layer.strokes(paths, widths, [tissue.CSF + 6] * len(paths), plane=plane)


def _paint_midline(layer: Layer, head: _Head, inner: Points, level: float, plane: Plane) -> None:
    front, back = float(inner[:, 1].min()), float(inner[:, 1].max())
    closed = _shown_at(level, 0.6, 0.85, 3, 4)
    ends = (front * (0.42 * (1 - closed)) + 2 * closed, back * (0.45 * (1 - closed)) + 2 * closed)
    wide = 1.5 + 2.4 * head.atrophy
    dura = tissue.DURA + (25 if head.contrast else 0)
    for start, end in ((front, ends[0]), (back, ends[1])):
        path = mm([(0, start + (end - start) * way) for way in np.linspace(0, 1, 9)])
        layer.stroke(path, 6.5 + wide, head.grey, plane=plane)
        layer.stroke(path, wide, tissue.CSF, plane=plane)
        for at in (0.25, 0.5, 0.8):
            y = start + (end - start) * at
            layer.stroke(mm([(-7, y), (0, y + 2), (8, y)]), 0.6 * wide, tissue.CSF + 8, plane=plane)
        layer.stroke(path, 0.8, dura, plane=plane)
    sinus = 150.0 if head.contrast else 58.0
    layer.fill(mm([(-5, back + 1), (5, back + 1), (0, back - 8)]), sinus, plane=plane)


_FRONTAL_HORN = ((3, -20), (5, -33), (14, -43), (19, -40), (15, -30), (8, -18), (4, -10))
_ATRIUM = ((17, 18), (24, 24), (31, 36), (30, 52), (26, 54), (23, 42), (16, 30))
_BODY = ((2, -34), (9, -42), (14, -34), (13, -12), (16, 10), (25, 30), (23, 42), (15, 34), (7, 14), (2, -10))
_LENTIFORM = ((19, -12), (27, -20), (35, -12), (35, 4), (28, 10), (20, 0))


def _paint_deep(layer: Layer, head: _Head, level: float, plane: Plane) -> None:
    """Deep grey matter, ventricles, cisterns, Sylvian fissures."""
    wide = 0.62 + 0.75 * head.atrophy
    nuclei = _shown_at(level, -0.45, -0.15, 0.25, 0.45)
    horns, atria = _shown_at(level, -0.35, -0.1, 0.3, 0.55), _shown_at(level, -0.2, 0.0, 0.3, 0.55)
    bodies, insula = _shown_at(level, 0.25, 0.45, 0.6, 0.85), _shown_at(level, -0.6, -0.3, 0.2, 0.42)
    for side in (mm([1, 1]), mm([-1, 1])):
        if nuclei > 0.3:
            layer.fill(ellipse(13, -29, 6 * nuclei, 11 * nuclei, 0.25) * side, head.grey + 1, plane=plane)
            layer.fill(ellipse(11, 9, 9.5 * nuclei, 15 * nuclei, -0.25) * side, head.grey, plane=plane)
            lentiform = mm(_LENTIFORM).mean(axis=0)
            shape = curve((mm(_LENTIFORM) - lentiform) * nuclei + lentiform)
            layer.fill(shape * side, head.grey + 1, plane=plane)
        if insula > 0.3:
            layer.stroke(mm([(41, -22), (39, -6), (41, 12)]) * side, 8 * insula, head.grey, plane=plane)
            fissure = curve([(64, -22), (52, -20), (43, -18), (42, -4), (45, 14)], closed=False) * side
            layer.stroke(fissure, (1.6 + 5 * head.atrophy) * insula, tissue.CSF, plane=plane)
        for corners, shown in ((_FRONTAL_HORN, horns), (_ATRIUM, atria), (_BODY, bodies)):
            if shown > 0.15:
                points = mm(corners)
                center = points.mean(axis=0)
                ventricle = curve((points - center) * mm([wide * shown, shown * (0.8 + 0.2 * wide)]) + center)
                layer.fill(ventricle * side, tissue.CSF, plane=plane)
        if atria > 0.4 and head.calcified:
            layer.dots(mm([(25, 38)]) * side, [2.6], [tissue.CALCIFICATION], plane=plane)
    third = _shown_at(level, -0.45, -0.2, 0.1, 0.3)
    if third > 0.2:
        layer.stroke(mm([(0, -8), (0, 14)]), (1.5 + 6 * head.atrophy) * third, tissue.CSF, plane=plane)
        if head.calcified:
            layer.dots(mm([(0, 22)]), [2.8], [tissue.CALCIFICATION], plane=plane)
    if horns > 0.4:
        layer.stroke(mm([(0, -34), (0, -12)]), 1.4, head.white, plane=plane)


def _paint_base(layer: Layer, head: _Head, level: float, plane: Plane) -> None:
    """Cisterns around the midbrain, circle of Willis, and the ridges of the skull base."""
    low = _shown_at(level, -2, -1, -0.35, -0.12)
    if low < 0.2:
        return
    star = curve([(0, -22), (9, -12), (17, -9), (8, -2), (6, 6), (-6, 6), (-8, -2), (-17, -9), (-9, -12)])
    layer.fill(star * np.float32(0.75 + 0.5 * low), tissue.CSF, plane=plane)
    midbrain = curve([(0, 0), (10, 2), (16, 12), (11, 24), (0, 26), (-11, 24), (-16, 12), (-10, 2)])
    layer.fill(midbrain * np.float32(1.08), tissue.CSF, plane=plane)
    layer.fill(midbrain, head.grey - 3, plane=plane)
    smile = curve([(-20, 16), (-12, 27), (0, 31), (12, 27), (20, 16)], closed=False)
    layer.stroke(smile, 2 + 3 * head.atrophy, tissue.CSF, plane=plane)
    vessel = 140.0 if head.contrast else 46.0
    layer.dots(mm([(0, -2), (8, -14), (-8, -14)]), [2.0, 2.0, 2.0], [vessel] * 3, plane=plane)
    tent = curve([(6, 32), (30, 40), (54, 44)], closed=False)
    for side in (mm([1, 1]), mm([-1, 1])):
        layer.stroke(tent * side, 1.4, tissue.DURA + (20 if head.contrast else 0), plane=plane)
        ridge = _shown_at(level, -2, -1, -0.42, -0.24)
        if ridge > 0.25:
            wing = curve([(56, -34), (40, -32), (28 - 8 * ridge, -24)], closed=False)
            layer.stroke(wing * side, 7 * ridge, tissue.BONE)
            petrous = mm([(66, 20), (68, 36), (52, 34), (66 - 44 * ridge, 16), (54, 18)])
            layer.fill(petrous * side, tissue.BONE)
            layer.dots(mm([(60, 28), (56, 25)]) * side, [2.4, 1.8], [-600, -300])


def _vessels(layer: Layer, head: _Head, level: float, plane: Plane) -> None:
    """Enhanced arteries of the Sylvian fissure."""
    if not head.contrast or not -0.3 < level < 0.35:
        return
    for side in (1, -1):
        centers = mm([(46, -16), (44, -2), (47, 10), (57, -20)]) * mm([side, 1])
        layer.dots(centers, [1.2, 1.0, 1.1, 1.0], [130.0] * 4, plane=plane)


def _paint_holder(layer: Layer, head: _Head, inner: Points, plane: Plane) -> None:
    wide = (float(inner[:, 0].max()) + head.skull + head.scalp + 8) * head.holder_wide
    back = float(inner[:, 1].max()) + head.skull + head.scalp + 5
    shell = curve(
        [
            *((-wide, back - 70 - head.holder_gap), (-wide, back - 45), (-0.6 * wide, back), (0, back + 12)),
            *((0.6 * wide, back), (wide, back - 45), (wide, back - 70 - head.holder_gap)),
        ],
        closed=False,
    )
    layer.stroke(shell, 2.4, tissue.HOLDER + 300, plane=plane)


def _slice(head: _Head, lesion: Finding | None, plane: Plane, level: float) -> tuple[Field, Field, Points]:
    """Hounsfield units without the lesion, the brain's share of each pixel, and the inside of the skull."""
    inner = head.inner(level)
    layer = plane.densities(tissue.AIR)
    if head.holder:
        _paint_holder(layer, head, inner, Plane(plane.mm_per_pixel, plane.x, plane.y, plane.angle))
    _paint_skull(layer, head, inner, level)
    layer.fill(inner, tissue.CSF)
    moved = plane.bent(head.fine) if lesion is None else plane.bent(head.fine, *lesion.pushes)
    brain = inset(inner, 1.0 + 3.2 * head.atrophy)
    inside = plane.shares()
    inside.fill(inner)
    soft = plane.densities(tissue.CSF)
    _paint_cortex(soft, head, brain, moved)
    _paint_deep(soft, head, level, moved)
    _paint_midline(soft, head, inner, level, moved)
    _vessels(soft, head, level, moved)
    share = inside.done()
    _paint_base(soft, head, level, moved)
    # Grey and white matter fade into each other across a slice of some millimeters.
    matter = soften(soft.done(), 0.9 / plane.mm_per_pixel)
    return mixed(layer.done(), share, matter), share, inner


def _draw(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    head = _Head.of(generator)
    extent = (2 * 80 * head.size * head.narrow, 2 * (86 * head.size + head.skull + head.scalp))
    scanner = Scanner.of(
        generator, extent=extent, zoom=(1.0, 1.3), window=tissue.BRAIN_WINDOW, noise=(1.6, 5.0), turn=5.0
    )
    level = float(generator.uniform(-0.4, 0.95))
    lesion = None
    if pathology != "normal":
        lesion = finding(pathology, generator, head.inner(level), level=level, contrast=head.contrast)
    grain = canvas.texture(generator, 40, octaves=4, height=96, width=96)
    drawn = []
    for _ in range(images):
        plane = scanner.plane(generator, head.bend)
        slice_level = level + float(generator.normal(0, 0.035))
        densities, share, inner = _slice(head, lesion, plane, slice_level)
        densities = densities + share * plane.field(grain, extent=220) * np.float32(1.2)
        # Beam hardening leaves the brain brighter next to bone (Barrett and Keat, RadioGraphics 2004).
        densities += share * soften((densities > 300).astype(np.float32), 4.0) * np.float32(9)
        if lesion is None:
            drawn.append(scanner.show(densities, generator, view="axial"))
            continue
        size = float(generator.uniform(0.9, 1.05))
        densities, mask = lesion.paint(densities, Cut(share, plane, inner, size, generator))
        drawn.append(
            scanner.show(
                densities, generator, view="axial", lesion=mask, beside=share * (densities < 130), place=lesion.place
            )
        )
    return drawn


HEAD = Scene(modality="CT", anatomy="head", pathologies=("normal", "hemorrhage", "infarct", "mass"), draw=_draw)
"""Axial CT of the head."""
