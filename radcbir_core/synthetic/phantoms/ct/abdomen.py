"""CT of the abdomen in the soft tissue window: normal, liver lesion, kidney stone, renal cyst, ascites.

A level of 0 is the celiac trunk, where liver, spleen and stomach are widest, 1 the lower half of the kidneys. Liver and
both kidneys lie in every slice between, so that no level tells what was looked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms import canvas
from radcbir_core.synthetic.phantoms.canvas import Field
from radcbir_core.synthetic.phantoms.ct import tissue
from radcbir_core.synthetic.phantoms.ct.abdomen_lesions import Finding, Kidney, Organs, finding
from radcbir_core.synthetic.phantoms.ct.outlines import (
    Bend,
    Points,
    between_levels,
    curve,
    ellipse,
    inset,
    mirrored,
    mm,
    normals,
)
from radcbir_core.synthetic.phantoms.ct.plane import Layer, Plane, soften
from radcbir_core.synthetic.phantoms.ct.scanner import Scanner, table
from radcbir_core.synthetic.phantoms.scenes import Drawn, Scene

_LEVELS = (0.0, 1.0)
_WALL = (
    ((0, -86), (46, -90), (94, -76), (128, -38), (137, 6), (127, 48), (97, 76), (56, 88), (0, 86)),
    ((0, -80), (46, -84), (92, -72), (124, -36), (132, 6), (121, 46), (92, 74), (54, 86), (0, 84)),
)
"""Right half of the outside of the muscles, in mm from the middle of the abdomen."""
_CAVITY = (
    ((0, -80), (45, -83), (88, -69), (119, -35), (128, 6), (118, 44), (90, 66), (56, 66), (36, 46), (0, 24)),
    ((0, -72), (44, -76), (84, -64), (113, -33), (120, 6), (110, 42), (84, 62), (56, 62), (38, 46), (0, 22)),
)
"""Right half of the inside of the muscles: the spine bulges into it."""
_LIVER = (
    (
        *((-112, -36), (-90, -66), (-50, -79), (-8, -76), (30, -64), (44, -48), (14, -38), (-14, -26)),
        *((-34, -4), (-48, 14), (-64, 30), (-90, 52), (-113, 34), (-124, 4)),
    ),
    (
        *((-108, -34), (-94, -54), (-72, -66), (-46, -64), (-30, -52), (-34, -40), (-42, -28), (-46, -12)),
        *((-54, 0), (-64, 10), (-78, 24), (-97, 44), (-110, 30), (-116, 2)),
    ),
)
_SPLEEN = (
    ((108, -28), (121, 2), (115, 38), (92, 58), (70, 54), (84, 38), (97, 14), (98, -10)),
    ((112, 4), (117, 18), (114, 34), (104, 44), (94, 44), (100, 34), (106, 20), (107, 8)),
)

_LOOPS = 110
"""How many places for a loop of bowel are tried; most are taken already."""


@dataclass(frozen=True)
class _Abdomen:
    """One patient's abdomen, but for what is wrong with it."""

    size: float
    deep: float
    fat: float
    inner_fat: float
    enhanced: float
    liver: float
    organs: Bend
    bend: Bend
    kidneys: tuple[Kidney, Kidney]
    loops: np.ndarray
    filled: np.ndarray
    mesentery: np.ndarray
    oral: bool
    gallbladder: float
    stomach: float
    ribs: np.ndarray
    calcified: bool
    spleen: float
    process: float
    table_wide: float
    table_sag: float
    table_gap: float

    @classmethod
    def of(cls, generator: np.random.Generator) -> _Abdomen:
        female = generator.random() < 0.5
        # Four in five are examined in the portal venous phase, the others without contrast medium.
        enhanced = float(generator.uniform(0.75, 1.15)) if generator.random() < 0.8 else 0.0
        size = float(generator.normal(0.97 if female else 1.04, 0.05))
        radius = float(generator.normal(27, 2.2))
        kidneys = tuple(
            Kidney(
                side=side,
                x=side * float(generator.normal(63, 3)) * size,
                y=float(generator.normal(38, 3)) - (0 if side < 0 else 3),
                across=radius * float(generator.normal(0.86, 0.06)),
                down=radius * float(generator.normal(1.08, 0.06)),
                angle=side * float(generator.normal(-0.5, 0.18)),
                sinus=float(generator.uniform(0.3, 0.46)),
            )
            for side in (-1, 1)
        )
        loops = np.stack(
            [generator.uniform(-62, 98, _LOOPS), generator.uniform(-70, -4, _LOOPS), generator.uniform(6, 17, _LOOPS)]
        )
        return cls(
            size=size,
            deep=float(generator.normal(1.0, 0.07)),
            fat=float(np.clip(generator.gamma(2.2, 7), 4, 48)),
            inner_fat=float(generator.uniform(0, 1)),
            enhanced=enhanced,
            liver=float(generator.normal(0, 7)),
            organs=Bend.of(generator, length=90, height=2.6),
            bend=Bend.of(generator, length=200, height=2.8),
            kidneys=(kidneys[0], kidneys[1]),
            loops=loops,
            filled=generator.random((2, _LOOPS)),
            mesentery=generator.uniform(-1, 1, (40, 2)),
            oral=bool(generator.random() < 0.3),
            gallbladder=float(generator.uniform(6, 15)) if generator.random() < 0.6 else 0.0,
            stomach=float(generator.uniform(0.5, 1.15)),
            ribs=generator.uniform(0.5, 1.4, 12),
            calcified=bool(generator.random() < 0.3),
            spleen=float(generator.uniform(0.8, 1.12)),
            process=float(generator.uniform(18, 38)),
            table_wide=float(generator.uniform(380, 470)),
            table_sag=float(generator.uniform(10, 70)),
            table_gap=float(generator.uniform(2, 14)),
        )

    def given(self, plain: float, enhanced: float) -> float:
        """What a tissue measures with as much contrast medium as the patient was given."""
        return plain + (enhanced - plain) * self.enhanced

    def ring(self, shapes: tuple[tuple[tuple[int, int], ...], ...], level: float) -> Points:
        """A closed outline of the trunk at a level, clockwise from the front."""
        half = between_levels(level, _LEVELS, shapes) * mm([self.size, self.size * self.deep])
        return curve(mirrored(half), between=8)

    def skin(self, level: float) -> Points:
        """The outside of the patient."""
        wall = self.ring(_WALL, level)
        along = np.linspace(0, 1, len(wall), endpoint=False)
        uneven = 0.75 + 0.25 * np.abs(np.sin(2 * np.pi * along)) - 0.3 * np.cos(2 * np.pi * along) * 0.6
        return inset(wall, -(self.fat * uneven + 3))

    def parts(self, level: float) -> Organs:
        """Where the organs that can be ill lie at a level."""
        scale = mm([self.size, self.size * self.deep])
        liver = curve(between_levels(level, _LEVELS, _LIVER)) * scale
        return Organs(liver=liver, kidneys=self.kidneys, cavity=self.ring(_CAVITY, level), level=level)


def _paint_wall(layer: Layer, body: _Abdomen, level: float) -> None:
    """Skin, fat, muscles, ribs, spine."""
    skin, wall = body.skin(level), body.ring(_WALL, level)
    muscle = body.given(tissue.MUSCLE, tissue.MUSCLE_ENHANCED)
    layer.fill(skin, tissue.SKIN)
    layer.fill(inset(skin, 2.2), tissue.FAT)
    layer.fill(wall, muscle)
    cavity = body.ring(_CAVITY, level)
    # Layers of the wall, told apart by the fat between them.
    for way in (0.36, 0.68):
        line = wall * np.float32(1 - way) + _nearest(wall, cavity) * np.float32(way)
        for part in (
            line[int(0.06 * len(wall)) : int(0.3 * len(wall))],
            line[int(0.7 * len(wall)) : int(0.94 * len(wall))],
        ):
            layer.stroke(part, 0.9, tissue.FAT)
    layer.fill(cavity, tissue.FAT)
    inward = normals(wall)
    for side in (1, -1):
        for number in range(5):
            share = 0.14 + 0.058 * number
            at = round((share if side > 0 else 1 - share) * len(wall)) % len(wall)
            center = wall[at] + inward[at] * np.float32(4)
            angle = float(np.arctan2(inward[at, 0], -inward[at, 1]))
            half = (3.5 + 5.5 * float(body.ribs[number + (6 if side < 0 else 0)])) * (1 - 0.55 * level)
            layer.fill(ellipse(float(center[0]), float(center[1]), half, 3.4, angle, count=16), 560)
            layer.fill(ellipse(float(center[0]), float(center[1]), half - 1.6, 1.9, angle, count=14), tissue.MARROW)
    _paint_spine(layer, body, level, muscle)


def _nearest(outer: Points, inner: Points) -> Points:
    """For each point of a curve the nearest one of another."""
    apart = ((outer[:, None] - inner[None]) ** 2).sum(axis=2)
    return np.asarray(inner[apart.argmin(axis=1)], dtype=np.float32)


def _paint_spine(layer: Layer, body: _Abdomen, level: float, muscle: float) -> None:
    size, back = body.size, float(body.ring(_WALL, level)[:, 1].max())
    for side in (-1, 1):
        layer.fill(ellipse(side * 31 * size, back - 16, 27 * size, 15, 0.12 * side), muscle)
        layer.stroke(mm([(side * 14, back - 4), (side * 30, back - 19), (side * 50, back - 22)]), 1.2, tissue.FAT)
        psoas = 8 + 7 * level
        layer.fill(ellipse(side * (24 + 5 * level) * size, 44 * size, psoas, psoas * 1.15), muscle)
        layer.stroke(mm([(side * 9, 60 * size), (side * body.process * size, 63 * size)]), 4.5, 430)
    layer.stroke(mm([(0, 72 * size), (0, back - 6)]), 6.5, 520)
    layer.fill(ellipse(0, 62 * size, 15, 12), 560)
    layer.fill(ellipse(0, 40 * size, 21 * size, 16.5 * size), 560)
    layer.fill(ellipse(0, 40 * size, 19 * size, 14.5 * size), tissue.MARROW)
    layer.fill(ellipse(0, 61.5 * size, 9.5, 8.5), tissue.CSF + 18)


def _paint_vessels(layer: Layer, body: _Abdomen, level: float, plane: Plane) -> None:
    """Aorta, vena cava, and the vessels before them."""
    blood = body.given(tissue.BLOOD, tissue.VESSEL_ENHANCED)
    size = body.size
    for side in (1, -1):
        crus = mm([(side * 4, 12), (side * 15, 22), (side * 20, 38)])
        layer.stroke(crus * size, 5 * (1 - 0.5 * level), body.given(tissue.MUSCLE, tissue.MUSCLE_ENHANCED), plane=plane)
    layer.fill(ellipse(4 * size, 15 * size, 9.5, 9.5), blood, plane=plane)
    layer.fill(ellipse(-19 * size, 14 * size, 12, 8.5, 0.2), blood - 8 * body.enhanced, plane=plane)
    if body.calcified:
        layer.stroke(ellipse(4 * size, 15 * size, 9, 9)[2:9], 1.6, 420, plane=plane)
    layer.dots(mm([(2, -4), (-11, -7)]) * size, [3.6, 5.2], [blood, blood], plane=plane)


def _paint_bowel(layer: Layer, body: _Abdomen, level: float, plane: Plane) -> None:
    """Loops in the front of the cavity; more of them further down."""
    wall = body.given(tissue.BOWEL, 82)
    many = int(24 + 24 * level - 14 * body.inner_fat)
    placed: list[tuple[float, float, float]] = []
    blood = body.given(tissue.BLOOD, tissue.VESSEL_ENHANCED - 20)
    mesentery = mm([6, -12]) + mm(body.mesentery * [60, 38])
    layer.dots(
        mesentery * body.size,
        (0.7 + 1.3 * body.filled[1, : len(mesentery)]).tolist(),
        [blood] * len(mesentery),
        plane=plane,
    )
    for (x, y, radius), kind, tone in zip(body.loops.T, *body.filled, strict=True):
        left = 40 - 85 * level if y < -20 else 52 - 30 * level
        clear = all((x - px) ** 2 + (y - py) ** 2 > (0.84 * (radius + pr)) ** 2 for px, py, pr in placed)
        if x - radius < left - 20 or not clear or len(placed) >= many:
            continue
        if x * x / 96**2 + (y + 4) ** 2 / 66**2 > 1:
            continue
        placed.append((float(x), float(y), float(radius)))
        outline = blob_of(float(x), float(y), float(radius), float(tone))
        layer.fill(outline * body.size, wall, plane=plane)
        content = tissue.ORAL_CONTRAST * (0.6 + 0.5 * tone) if body.oral and kind < 0.6 else 15 + 30 * tone
        layer.fill(inset(outline, 2.4) * body.size, content, plane=plane)
        if kind > 0.62:
            # Gas rises to the front of a lying patient.
            level_line = y - radius * (0.8 * tone - 0.35)
            gas = inset(outline, 2.4)
            layer.fill(
                mm(np.stack([gas[:, 0], np.minimum(gas[:, 1], level_line)], axis=1)) * body.size, -900, plane=plane
            )


def blob_of(x: float, y: float, radius: float, tone: float) -> Points:
    """A loop of bowel whose shape follows from one number."""
    return ellipse(x, y, radius * (0.85 + 0.4 * tone), radius * (1.1 - 0.35 * tone), 6.28 * tone, count=28)


def _paint_stomach(layer: Layer, body: _Abdomen, level: float, plane: Plane) -> None:
    wide = float(np.clip(1.1 - 1.3 * level, 0, 1)) * body.stomach
    if wide < 0.25:
        return
    x, y = 56 * body.size, -34 * body.size
    outline = curve([(-40, -18), (-8, -26), (26, -20), (38, 4), (30, 30), (12, 34), (2, 14), (-16, 2), (-38, -4)])
    placed = outline * np.float32(wide * body.size) + mm([x, y])
    layer.fill(placed, body.given(tissue.BOWEL, 88), plane=plane)
    inside = inset(placed, 4.5)
    tone = float(body.filled[1, 0])
    layer.fill(inside, tissue.ORAL_CONTRAST * (0.5 + 0.5 * tone) if body.oral else 15 + 45 * tone, plane=plane)
    surface = y + (40 * float(body.filled[0, 1]) - 30) * wide
    layer.fill(mm(np.stack([inside[:, 0], np.minimum(inside[:, 1], surface)], axis=1)), -930, plane=plane)


def _paint_liver(layer: Layer, body: _Abdomen, organs: Organs, plane: Plane) -> None:
    liver = body.given(tissue.LIVER, tissue.LIVER_ENHANCED) + body.liver
    layer.fill(organs.liver, liver, plane=plane)
    portal = body.given(tissue.BLOOD, tissue.VESSEL_ENHANCED - 8)
    fade = 1 - 0.55 * organs.level
    hilum = mm([-34, -22]) * body.size
    branches = (
        [(0, 0), (-18, 2), (-36, -6), (-58, -4)],
        [(-18, 2), (-34, 14), (-50, 26)],
        [(-36, -6), (-46, -22), (-56, -28)],
        [(-6, -4), (2, -22), (18, -32)],
        [(-22, -28), (-18, -42)],
    )
    for number, branch in enumerate(branches):
        path = curve(mm(branch) * np.float32(body.size) + hilum, closed=False)
        layer.stroke(path, (6.5, 4.5, 3.6, 3.6, 4.0)[number] * fade, portal, plane=plane)
    # The fissure of the round ligament holds fat.
    if organs.level < 0.6:
        layer.stroke(mm([(-16, -74), (-18, -56)]) * body.size, 2.5, tissue.FAT + 40, plane=plane)


def _paint_kidney(layer: Layer, body: _Abdomen, kidney: Kidney, level: float, plane: Plane) -> None:
    outline, sinus = kidney.outline(level), kidney.hollow(level)
    # The right kidney leaves its mark in the liver, with little fat between them.
    room = 9.0 if kidney.side > 0 else 2.5 + 4 * body.inner_fat
    fatty = ellipse(kidney.x, kidney.y, kidney.across + room, kidney.down + room, kidney.angle)
    layer.fill(fatty, tissue.FAT, plane=plane)
    layer.fill(outline, body.given(tissue.KIDNEY, tissue.KIDNEY_ENHANCED), plane=plane)
    if sinus is not None:
        layer.fill(sinus, tissue.FAT + 20, plane=plane)
        blood = body.given(tissue.BLOOD, tissue.VESSEL_ENHANCED)
        vein = mm([kidney.at(-0.1, 0.05), kidney.at(-1.0, -0.1), (-8 * body.size, 6 * body.size)])
        layer.stroke(curve(vein, closed=False), 4.5 * kidney.opened(level), blood, plane=plane)
        layer.stroke(mm([kidney.at(0.1, 0.1), kidney.at(-0.75, 0.2)]), 5.0, tissue.SEROUS, plane=plane)


def _paint_middle(layer: Layer, body: _Abdomen, level: float, plane: Plane) -> None:
    """Pancreas, splenic vein, gallbladder, spleen, descending and ascending colon."""
    scale = np.float32(body.size)
    deep = mm([body.size, body.size * body.deep])
    spleen = curve(between_levels(level, _LEVELS, _SPLEEN)) * deep
    middle = spleen.mean(axis=0)
    shown = float(np.clip(1.7 - 1.5 * level, 0.0, 1.0)) * body.spleen
    if shown > 0.3:
        value = body.given(tissue.SPLEEN, tissue.SPLEEN_ENHANCED)
        layer.fill((spleen - middle) * np.float32(min(shown, 1.0)) + middle, value, plane=plane)
    if 0.1 < level < 0.8:
        pancreas = curve([(-34, -2), (-14, -16), (12, -18), (40, -8), (70, 6)], closed=False) * scale
        wide = 12.5 * float(np.interp(level, (0.1, 0.3, 0.8), (0.5, 1, 0.55)))
        tissue_value = body.given(tissue.PANCREAS, tissue.PANCREAS_ENHANCED)
        reach = int(np.interp(level, (0.1, 0.45, 0.8), (len(pancreas), len(pancreas), 0.4 * len(pancreas))))
        layer.stroke(pancreas[:reach], wide, tissue_value, plane=plane)
        lobes = pancreas[:reach:3]
        radii = (0.5 * wide * (0.7 + 0.55 * body.filled[0, : len(lobes)])).tolist()
        layer.dots(lobes, radii, [tissue_value] * len(lobes), plane=plane)
        # Fat between its lobules.
        for at, tone in zip(pancreas[2:reach:3], body.filled[1], strict=False):
            edge = at + mm([2 * tone - 1, 0.6 * wide * (1 if tone > 0.4 else -1)])
            cleft = np.stack([edge, 0.45 * edge + 0.55 * at + mm([3 - 6 * tone, 0])])
            layer.stroke(mm(cleft), 1.7, tissue.FAT + 20, plane=plane)
        vein = pancreas[8:reach] + mm([0, 6])
        if len(vein) > 2:
            layer.stroke(vein, 5, body.given(tissue.BLOOD, tissue.VESSEL_ENHANCED), plane=plane)
    if body.gallbladder and 0.2 < level < 0.8:
        sac = ellipse(-44, -40, body.gallbladder, body.gallbladder * 1.4, 0.5) * scale
        layer.fill(inset(sac, -1.2), body.given(tissue.BOWEL, 75), plane=plane)
        layer.fill(sac, tissue.SEROUS, plane=plane)
    for x, y, radius, at in ((99, 6, 11, 2), (-88, 6, 13, 3)):
        if (x < 0 and level < 0.8) or (x > 0 and level < 0.25):
            continue
        colon = ellipse(x, y + 12 * (1 - level), radius, radius * 1.1) * deep
        layer.fill(colon, body.given(tissue.BOWEL, 78), plane=plane)
        layer.fill(inset(colon, 2), (-100, -850, 30, -600)[int(4 * float(body.filled[0, at]))], plane=plane)


def _slice(body: _Abdomen, organs: Organs, lesion: Finding | None, plane: Plane) -> Field:
    level = organs.level
    layer = plane.densities(tissue.AIR)
    straight = Plane(plane.mm_per_pixel, plane.x, plane.y, plane.angle / 3)
    back = float(body.skin(level)[:, 1].max()) + body.table_gap
    table(layer, straight, back=back, width=body.table_wide, sag=body.table_sag)
    _paint_wall(layer, body, level)
    soft = plane.bent(body.organs)
    afloat = soft if lesion is None else soft.bent(*lesion.pushes)
    if lesion is not None and lesion.behind is not None:
        lesion.behind(layer, organs, plane)
    for kidney in body.kidneys:
        if kidney.side > 0:
            _paint_kidney(layer, body, kidney, level, soft)
    _paint_bowel(layer, body, level, afloat)
    _paint_stomach(layer, body, level, afloat)
    _paint_middle(layer, body, level, afloat)
    _paint_liver(layer, body, organs, afloat)
    for kidney in body.kidneys:
        if kidney.side < 0:
            _paint_kidney(layer, body, kidney, level, soft)
    _paint_vessels(layer, body, level, soft)
    return layer.done()


def _draw(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    body = _Abdomen.of(generator)
    level = float(generator.uniform(0.2, 0.85))
    skin = body.skin(level)
    extent = (float(np.ptp(skin[:, 0])), float(np.ptp(skin[:, 1])))
    scanner = Scanner.of(
        generator, extent=extent, zoom=(0.9, 1.12), window=tissue.ABDOMEN_WINDOW, noise=(5, 22), turn=2.5
    )
    lesion = None
    if pathology != "normal":
        lesion = finding(pathology, generator, body.parts(level), enhanced=body.enhanced)
    grain = canvas.texture(generator, 16, octaves=3, height=96, width=96)
    drawn = []
    for _ in range(images):
        plane = scanner.plane(generator, body.bend)
        slice_level = float(np.clip(level + generator.normal(0, 0.02), 0.15, 0.9))
        organs = body.parts(slice_level)
        densities = _slice(body, organs, lesion, plane)
        tissue_share = ((densities > -20) & (densities < 260)).astype(np.float32)
        densities = densities + soften(tissue_share, 0.7) * plane.field(grain, extent=420) * np.float32(4)
        if lesion is None:
            drawn.append(scanner.show(densities, generator, view="axial"))
            continue
        soft = plane.bent(body.organs)
        densities, mask, beside = lesion.paint(densities, organs, soft, generator)
        drawn.append(
            scanner.show(
                densities,
                generator,
                view="axial",
                lesion=mask,
                beside=beside,
                size_mm=lesion.size_mm,
                place=lesion.place,
            )
        )
    return drawn


ABDOMEN = Scene(
    modality="CT",
    anatomy="abdomen",
    pathologies=("normal", "liver lesion", "kidney stone", "renal cyst", "ascites"),
    draw=_draw,
)
"""Axial CT of the abdomen in the soft tissue window."""
