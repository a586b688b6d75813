"""The scene of the breast: axial, both breasts hanging down of a prone patient, after contrast.

A malignant tumor is an irregular or spiculated mass, or a rim, that enhances early and strongly (Morris et al., ACR
BI-RADS MRI, 2013). As usual the picture is turned so that the breasts point up. Distances are mm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, blur, texture
from radcbir_core.synthetic.phantoms.mr.scanner import acquire, draw_scanner
from radcbir_core.synthetic.phantoms.mr.slices import Blob, Slice, draw_blob
from radcbir_core.synthetic.phantoms.mr.tissues import (
    AIR,
    BONE,
    FAT,
    GLANDULAR,
    LIVER,
    MUSCLE,
    SKIN,
    VENOUS_BLOOD,
    PulseSequence,
    Tissue,
    gradient_echo_t1,
)
from radcbir_core.synthetic.phantoms.scenes import NORMAL, Drawn, Scene

PATHOLOGIES = (NORMAL, "malignant tumor")
MM = 1.5
"""Size of a painted pixel."""


@dataclass(frozen=True, kw_only=True)
class _Chest:
    """A patient's chest: sizes in mm; gland is the share of a breast that is glandular tissue."""

    width: float
    wall: float
    length: float
    breadth: float
    apart: float
    gland: float
    fat: float
    uptake: float
    fields: tuple[Field, Field]
    lower: bool
    lean: tuple[float, float]
    blunt: float
    vessels: int


@dataclass(frozen=True, kw_only=True)
class _Tumor:
    side: float
    shape: Blob
    spikes: tuple[tuple[float, float], ...]
    uptake: float
    rim: bool
    satellite: Blob | None


def _draw_chest(generator: np.random.Generator) -> _Chest:
    return _Chest(
        width=float(np.clip(generator.normal(135, 10), 112, 155)),
        wall=float(generator.normal(0, 5)),
        length=float(np.clip(generator.normal(78, 20), 40, 118)),
        breadth=float(np.clip(generator.normal(52, 7), 38, 64)),
        apart=float(generator.normal(72, 5)),
        gland=float(generator.beta(1.6, 1.8)),
        fat=float(np.clip(generator.gamma(4, 3.5), 5, 32)),
        uptake=float(np.clip(generator.gamma(2, 0.045), 0.02, 0.2)),
        fields=(texture(generator, 15, octaves=5), texture(generator, 15, octaves=5)),
        lower=bool(generator.random() < 0.4),
        lean=(float(generator.normal(0, 5)), float(generator.normal(0, 5))),
        blunt=float(np.clip(generator.normal(1.0, 0.22), 0.55, 1.45)),
        vessels=int(generator.integers(2, 7)),
    )


def _outline(chest: _Chest, sign: float, offset: float) -> list[tuple[float, float]]:
    """A breast from its medial to its lateral root; the nipple is the highest point."""
    x, b = sign * chest.apart, chest.breadth * (1 - 0.02 * abs(offset))
    length = chest.length * (1 - 0.03 * abs(offset))
    tip = chest.lean[0 if sign < 0 else 1]
    # Each corner: how far from the axis in breadths, towards the side, how far the tip takes it along, how high.
    corners = (
        (-1.25, 0.0, -6 / length), (-0.86, 0.0, 0.22), (-0.5 - 0.24 * chest.blunt, 0.5, 0.6),
        (-0.36 * chest.blunt, 1.0, 0.93),
        (0.0, 1.0, 1.0), (0.36 * chest.blunt, 1.0, 0.92), (0.5 + 0.28 * chest.blunt, 0.5, 0.58), (0.98, 0.0, 0.18),
        (1.12, 0.0, -26 / length),
    )  # fmt: skip
    return [(x + sign * b * out + tip * share, 8.0 - length * high) for out, share, high in corners]


def _paint(painted: Slice, chest: _Chest, offset: float, generator: np.random.Generator) -> None:
    w = chest.width
    fine = np.asarray(1 + 0.06 * texture(generator, 10, octaves=3), dtype=np.float32)
    trunk = [
        (-w, 40),
        (-w * 0.8, 14),
        (-w * 0.4, 6),
        (0, 10),
        (w * 0.4, 6),
        (w * 0.8, 14),
        (w, 40),
        (w * 1.04, 90),
        (w, 190),
        (-w, 190),
        (-w * 1.04, 90),
    ]
    breasts = [_outline(chest, sign, offset) for sign in (-1.0, 1.0)]
    skin = painted.region(trunk)
    for outline in breasts:
        skin = np.maximum(skin, painted.region([*outline, (float(np.mean([p[0] for p in outline])), 45.0)]))
    painted.paint(skin, SKIN)
    eroded = np.clip((blur(skin, 1.0) - 0.72) * 4.5, 0, 1)
    painted.paint(np.asarray(eroded, dtype=np.float32), FAT, fine)
    _glands(painted, chest, breasts, np.asarray(eroded, dtype=np.float32), offset)
    _thorax(painted, chest, fine, generator)


def _glands(
    painted: Slice, chest: _Chest, breasts: list[list[tuple[float, float]]], inside: Field, offset: float
) -> None:
    """Glandular tissue that converges on the nipple, with vessels."""
    gland = replace(GLANDULAR, uptake=chest.uptake)
    field = np.float32(np.cos(0.12 * offset)) * chest.fields[0] + np.float32(np.sin(0.12 * offset)) * chest.fields[1]
    for outline, sign in zip(breasts, (-1.0, 1.0), strict=True):
        tip = outline[4]
        root = (sign * (chest.apart + 4), 2.0)
        middle = (tip[0] * 0.55 + root[0] * 0.45, tip[1] * 0.55 + root[1] * 0.45)
        size = 0.45 + 0.5 * chest.gland
        cone = painted.region(
            [
                (tip[0], tip[1] + 2),
                (middle[0] + chest.breadth * size * 0.8, middle[1] - 4),
                (root[0] + chest.breadth * size * 0.85, root[1] - 12),
                (root[0], root[1] - 6),
                (root[0] - chest.breadth * size * 0.8, root[1] - 12),
                (middle[0] - chest.breadth * size * 0.75, middle[1] - 4),
            ]
        )
        share = (
            np.clip((field + np.float32(2.6 * chest.gland - 1.3)) * np.float32(0.8) + 0.5, 0, 1)
            * blur(cone, 4.5)
            * inside
        )
        painted.paint(np.asarray(share, dtype=np.float32), gland)
        painted.paint(painted.ellipse(tip[0], tip[1] + 1.5, 5, 3.5), replace(SKIN, uptake=0.35))
        painted.paint(
            painted.path(
                [(root[0] - 4 * sign, root[1] - 10), (middle[0] + 6 * sign, middle[1]), (tip[0], tip[1] + 6)], 1.5
            )
            * np.float32(0.35),
            gland,
        )
        for index in range(chest.vessels):
            # Vessels run from the chest wall's sides along the skin and turn towards the nipple.
            turn = 2.4 * index + chest.lean[0]
            flank = np.cos(turn)
            x = root[0] + chest.breadth * 0.72 * flank
            reach = 0.35 + 0.4 * abs(np.sin(1.7 * turn))
            line = [
                (x, -2.0),
                (x - 3 * flank + 3 * np.sin(5 * turn), -chest.length * reach * 0.45),
                (x * 0.75 + tip[0] * 0.25 + 3 * np.cos(4 * turn), -chest.length * reach * 0.8),
                (x * 0.45 + tip[0] * 0.55, -chest.length * reach),
            ]
            thick = 0.9 + 0.7 * abs(np.cos(3 * turn))
            painted.paint(painted.path(line, thick) * inside * np.float32(0.35 + 0.3 * reach), VENOUS_BLOOD)


def _thorax(painted: Slice, chest: _Chest, fine: Field, generator: np.random.Generator) -> None:
    """Pectoral muscles, ribs, sternum, lungs, heart or liver."""
    w, top = chest.width * 0.9, 14 + chest.fat * 0.5 + chest.wall * 0.6
    wall = [
        (-w, 80),
        (-w * 0.86, top + 26),
        (-w * 0.5, top + 6),
        (0, top),
        (w * 0.5, top + 6),
        (w * 0.86, top + 26),
        (w, 80),
        (w * 0.98, 190),
        (-w * 0.98, 190),
    ]
    painted.paint(painted.region(wall), MUSCLE, fine)
    inner = [(x * 0.9, y + 13 if y < 185 else y + 30) for x, y in wall]
    painted.paint(painted.region([(x * 0.945, y + 6 if y < 185 else y + 30) for x, y in wall]), FAT, 0.9)
    cavity = painted.region(inner)
    painted.paint(cavity, AIR)
    painted.paint(painted.ellipse(0, top + 7, 17, 6), BONE)
    painted.paint(painted.ellipse(0, top + 7, 14, 4), Tissue(t1=450, t2=60, density=0.7, fat=0.5))
    for sign in (-1.0, 1.0):
        for x, y in ((0.42, top + 12), (0.74, top + 28), (0.88, 78)):
            painted.paint(painted.ellipse(sign * x * w, y, 9, 3.2, angle=sign * (0.25 + 0.8 * (x - 0.4))), BONE)
        painted.paint(painted.ellipse(sign * 22, top + 16, 2.6), VENOUS_BLOOD)
    haze = np.asarray(0.035 * np.clip(1 + texture(generator, 14, octaves=2), 0, 3), dtype=np.float32)
    painted.paint(cavity * haze, VENOUS_BLOOD)
    if chest.lower:
        painted.paint(painted.ellipse(-w * 0.38, 92, w * 0.5, 46, angle=0.15) * cavity, replace(LIVER), fine)
        painted.paint(painted.ellipse(w * 0.34, 66, w * 0.3, 24, angle=0.3) * cavity, MUSCLE, fine)
    else:
        heart = painted.ellipse(w * 0.16 + chest.wall, top + 52, 48 + chest.wall, 34, angle=0.5, width=3) * cavity
        painted.paint(heart, replace(MUSCLE, uptake=0.35))
        painted.paint(painted.ellipse(w * 0.05, top + 44, 22, 16, angle=0.5, width=4), VENOUS_BLOOD, 0.8)
        painted.paint(painted.ellipse(w * 0.24, top + 60, 24, 15, angle=0.5, width=4), VENOUS_BLOOD, 0.8)
    painted.paint(painted.ellipse(w * 0.1, 128, 12), VENOUS_BLOOD)


def _draw_tumor(generator: np.random.Generator, chest: _Chest) -> _Tumor:
    side = float(generator.choice([-1.0, 1.0]))
    radius = float(np.clip(generator.normal(12.5, 3.0), 8.0, 0.36 * chest.breadth))
    along = float(generator.uniform(0.25, 0.68))
    tip = chest.lean[0 if side < 0 else 1]
    x = side * chest.apart + tip * along + float(generator.uniform(-0.42, 0.42)) * chest.breadth * (1.05 - along)
    y = 8.0 - chest.length * along
    shape = draw_blob(
        generator, x, y=y, radius=radius, aspect=float(generator.uniform(1, 1.4)), irregularity=0.12, harmonics=7
    )
    count = int(generator.integers(5, 12)) if generator.random() < 0.65 else 0
    spikes = tuple(
        (float(angle), float(generator.uniform(1.35, 1.9))) for angle in generator.uniform(0, 2 * np.pi, count)
    )
    turn = float(generator.uniform(0, 2 * np.pi))
    satellite = draw_blob(
        generator, x + 1.7 * radius * np.cos(turn), y=y + 1.7 * radius * np.sin(turn), radius=radius * 0.32
    )
    return _Tumor(
        side=side,
        shape=shape,
        spikes=spikes,
        uptake=float(generator.uniform(0.6, 1.5)),
        rim=bool(generator.random() < 0.35),
        satellite=satellite if generator.random() < 0.25 else None,
    )


def _paint_tumor(painted: Slice, tumor: _Tumor, offset: float, generator: np.random.Generator) -> None:
    scale = 1 - 0.04 * abs(offset)
    shape = replace(tumor.shape, radius=tumor.shape.radius * scale)
    tissue = Tissue(t1=1150, t2=80, density=0.88, uptake=tumor.uptake)
    for angle, reach in tumor.spikes:
        far = (shape.x + shape.radius * reach * np.cos(angle), shape.y + shape.radius * reach * np.sin(angle))
        near = (shape.x + shape.radius * 0.6 * np.cos(angle), shape.y + shape.radius * 0.6 * np.sin(angle))
        painted.paint(painted.path([near, far], 1.3) * np.float32(0.7), tissue)
    distance = painted.blob(shape, near=6)
    inside = painted.soft(distance, 2.0)
    painted.paint(inside, tissue, 1 + np.float32(0.08) * texture(generator, 6, octaves=2))
    if tumor.rim:
        painted.paint(
            painted.soft(distance + 0.42 * shape.radius, 3.0) * np.float32(0.9),
            Tissue(t1=1500, t2=120, density=0.9, uptake=0.08),
        )
    if tumor.satellite is not None:
        painted.paint(painted.soft(painted.blob(tumor.satellite, near=4), 2.0), tissue)
    painted.mark(inside)


def _paint_all(painted: Slice, chest: _Chest, tumor: _Tumor | None, offset: float, seed: int) -> None:
    """Everything; the seed makes the slices before and after contrast the same."""
    generator = np.random.default_rng(seed)
    _paint(painted, chest, offset, generator)
    if tumor is not None:
        _paint_tumor(painted, tumor, offset, generator)


def _display(sequence: PulseSequence) -> float:
    """Signal shown as white: that of a strongly enhancing tumor."""
    return sequence.signal(Tissue(t1=1150, t2=80, density=0.88, uptake=1.0))


def draw(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    """The images of one patient: neighboring slices."""
    chest = _draw_chest(generator)
    subtracted = bool(generator.random() < 0.25)
    sequence = gradient_echo_t1(generator, fat_suppression=float(generator.uniform(0.78, 0.95)))
    tumor = _draw_tumor(generator, chest)
    display = float(generator.uniform(0.42, 0.85))
    scanner = draw_scanner(
        generator, zoom=(0.98, 1.28), turn_degrees=2.5, shift=4.0, coil_at=(0.0, -0.1), surface=(0.1, 0.8)
    )
    drawn = []
    for _ in range(images):
        offset = float(generator.normal(0, 1.0))
        painted = Slice(sequence=sequence, mm=MM, down=18.0)
        seed = int(generator.integers(2**32))
        _paint_all(painted, chest, tumor if pathology != NORMAL else None, offset, seed)
        if subtracted:
            # The same slice before contrast is taken away from it.
            before = Slice(sequence=replace(sequence, contrast=False), mm=MM, down=18.0)
            _paint_all(before, chest, tumor if pathology != NORMAL else None, offset, seed)
            painted.signal = np.maximum(painted.signal - np.float32(0.93) * before.signal, 0)
        drawn.append(
            acquire(
                scanner,
                painted,
                generator=generator,
                view="axial T1 with contrast, subtracted" if subtracted else f"axial {sequence.name}",
                bright=_display(sequence) * display,
                diseased=pathology != NORMAL,
                place="" if pathology == NORMAL else f"{'right' if tumor.side < 0 else 'left'} breast",
            )
        )
    return drawn


SCENE = Scene(modality="MR", anatomy="breast", pathologies=PATHOLOGIES, draw=draw)
