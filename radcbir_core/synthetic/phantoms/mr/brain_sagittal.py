"""Sagittal slices of the head: midsagittal with face and neck, and through one hemisphere; the face is at the left."""

from __future__ import annotations

import numpy as np

from radcbir_core.synthetic.phantoms.mr.head import Anatomy, Head, cortex, cranium, soft_parts, vessels
from radcbir_core.synthetic.phantoms.mr.slices import Blob, Slice
from radcbir_core.synthetic.phantoms.mr.tissues import (
    AIR,
    BONE,
    CEREBROSPINAL_FLUID,
    DEEP_GRAY_MATTER,
    DISC,
    FAT,
    FATTY_MARROW,
    FLOW_VOID,
    GRAY_MATTER,
    MUCOSA,
    MUSCLE,
    PITUITARY,
    SKIN,
    VENOUS_BLOOD,
    VERTEBRAL_MARROW,
    WHITE_MATTER,
)

CENTER = (8.0, -36.0)
"""Middle of the cranial cavity in mm."""

MIDLINE, HEMISPHERE = "midline", "hemisphere"
LEVELS = (MIDLINE, HEMISPHERE)


def paint_sagittal(painted: Slice, head: Head, *, level: str, offset: float, generator: np.random.Generator) -> Anatomy:
    """A sagittal slice; ``offset`` is how far it is from its middle, in slices."""
    long, tall = head.length * 1.02, 70 * head.height
    shrink = 1.0 if level == MIDLINE else 0.96 - 0.006 * offset
    outline = Blob(
        x=CENTER[0],
        y=CENTER[1],
        radius=float(np.sqrt(long * tall)) * shrink,
        aspect=long / tall,
        angle=0.12,
        waves=head.waves,
    )
    midline = level == MIDLINE
    _face_and_neck(painted, head, generator, midline=midline)
    depth = cranium(painted, head, outline, where=painted.soft(painted.y - 2 - 0.22 * painted.x, 30))
    layers = 1.8 + head.scalp + head.skull
    cavity = Blob(
        x=CENTER[0], y=CENTER[1], radius=outline.radius - layers, aspect=outline.aspect, angle=0.12, waves=head.waves
    )
    base = _base(painted, generator, midline=midline)
    inside = np.asarray(painted.soft(-depth) * (1 - base), dtype=np.float32)
    phase = (5.5 if midline else 7.0) + 0.12 * offset
    white = cortex(painted, head, cavity, inside=inside, depth=depth, phase=phase, generator=generator, fold_depth=28)
    if midline:
        _midline(painted, head, offset)
    else:
        _hemisphere(painted, head, offset)
    vessels(painted, head, cavity, generator=generator, inside=inside, phase=phase)
    painted.fade(75, 122)
    return Anatomy(brain=inside, depth=depth, white=white, cavity=cavity)


def _face_and_neck(painted: Slice, head: Head, generator: np.random.Generator, *, midline: bool) -> None:
    """Profile of face and neck with what is drawn no finer in it."""
    nose = float(generator.normal(-106, 3)) if midline else -90.0
    profile = [
        (-70, -50), (-82, -25), (-84, -6), (nose + 8, 18), (nose, 28), (nose + 14, 36), (-92, 46), (-95, 54), (-89, 62),
        (-91, 78), (-78, 88), (-50, 92), (-40, 105), (-42, 140), (70, 140), (62, 100),
        (66, 70), (84, 30), (90, -20), (20, -60),
    ]  # fmt: skip
    parts = soft_parts(generator, 12)
    body = painted.region(profile)
    painted.paint(body, SKIN)
    small = [((x + 5) * 0.965 - 5, (y - 20) * 0.97 + 20 if y < 100 else y) for x, y in profile]
    painted.paint(painted.region(small), FAT)
    smaller = [((x + 5) * (0.94 - 0.008 * head.scalp) - 5, (y - 20) * 0.93 + 20 if y < 100 else y) for x, y in profile]
    flesh = painted.region(smaller)
    painted.paint(flesh, MUSCLE, 0.9 + 0.15 * parts)
    painted.paint(flesh * parts * np.float32(0.65), FAT)
    if not midline:
        painted.paint(painted.ellipse(-66, -4, 18, 17), FAT)
        painted.paint(painted.ellipse(-73, -5, 12), MUSCLE)
        painted.paint(painted.ellipse(-73, -5, 10.6), CEREBROSPINAL_FLUID)
        painted.paint(painted.path([(-60, -3), (-42, 0)], 3.2), WHITE_MATTER)
        painted.paint(painted.ellipse(-58, 34, 17, 14), AIR)
        painted.paint(painted.path([(-80, 66), (-40, 72), (-14, 62), (-12, 30)], 9), BONE)
        painted.paint(painted.path([(-78, 66), (-40, 72), (-15, 60)], 5), FATTY_MARROW)
        return
    mucosa = soft_parts(generator, 6)
    nasal = painted.region([(-95, 28), (-82, 4), (-50, 0), (-26, 8), (-28, 32), (-60, 38)])
    painted.paint(nasal, MUCOSA, 0.6 + 0.2 * mucosa)
    painted.paint(nasal * np.clip((mucosa - 0.25) * 4, 0, 1), AIR)
    for y in (8.0, 20.0, 30.0):
        # The turbinates, one above the other.
        shell = [(-84 + 0.3 * y, y + 3), (-62, y - 1), (-40, y + 1)]
        painted.paint(painted.path(shell, 4.0 + 3.0 * float(generator.random())) * nasal, MUCOSA, 0.65)
    painted.paint(
        painted.region(
            [(-30, 10), (-14, 10), (-12, 26), (-20, 40), (-16, 70), (-22, 100), (-28, 100), (-24, 60), (-30, 36)]
        ),
        AIR,
    )
    painted.paint(painted.path([(-86, 42), (-55, 40), (-32, 44)], 5), BONE)
    painted.paint(painted.path([(-86, 42), (-55, 40), (-38, 42)], 2.4), FATTY_MARROW)
    painted.paint(painted.ellipse(-55, 62, 29, 18, angle=0.2), MUSCLE, 0.9 + 0.25 * parts)
    painted.paint(painted.ellipse(-82, 82, 8, 8), FATTY_MARROW)
    # Vertebrae with their canal.
    painted.paint(painted.path([(12, 34), (16, 70), (12, 142)], 17), CEREBROSPINAL_FLUID)
    for index in range(6):
        y = 50 + 16.5 * index
        painted.paint(painted.ellipse(-2.5 + 1.2 * np.sin(index), y, 8.2, 7.2 if index else 9), VERTEBRAL_MARROW)
        painted.paint(painted.path([(-9, y + 8.2), (5, y + 8.2)], 2.4), DISC, 0.6)
        painted.paint(painted.ellipse(36, y + 6, 11, 4.2, angle=0.35), VERTEBRAL_MARROW, 0.9)


def _base(painted: Slice, generator: np.random.Generator, *, midline: bool) -> np.ndarray:
    """The skull's base: the mask of what lies beneath the brain inside the round outline."""
    if midline:
        edge = [
            (-100, -14),
            (-76, -9),
            (-50, -6),
            (-24, -4),
            (-17, 5),
            (-8, 9),
            (-3, 4),
            (3, 22),
            (8, 42),
            (24, 46),
            (44, 42),
            (66, 28),
            (84, 8),
            (105, 0),
        ]
    else:
        edge = [
            (-100, -16),
            (-76, -16),
            (-52, -12),
            (-40, 2),
            (-30, 16),
            (-6, 18),
            (12, 8),
            (20, 26),
            (42, 36),
            (64, 28),
            (84, 10),
            (105, 2),
        ]
    below = painted.region([*edge, (105, 60), (-100, 60)], rounded=False)
    bone = np.maximum(painted.path(edge[2:-1], 5.5, rounded=False) * 0, painted.path(edge[1:-2], 5.0, rounded=False))
    painted.paint(bone, BONE)
    if midline:
        painted.paint(painted.region([(-12, 12), (-4, 8), (7, 40), (2, 45), (-10, 26)]), FATTY_MARROW, 0.85)
        air = float(generator.uniform(0.8, 1.1))
        painted.paint(painted.ellipse(-24, 12, 11 * air, 9 * air), MUCOSA)
        painted.paint(painted.ellipse(-24, 12, 9.5 * air, 7.6 * air), AIR)
        painted.paint(painted.ellipse(-77, -16, 4.0 * air, 9 * air, angle=-0.2), AIR)
    else:
        wedge = painted.region([(-10, 18), (10, 8), (22, 26), (26, 36), (6, 34)])
        painted.paint(wedge, BONE)
        painted.paint(wedge * soft_parts(generator, 6) * np.float32(0.3), MUCOSA)
    return below


def _cerebellum(
    painted: Slice, at: tuple[float, float], size: tuple[float, float], *, head: Head, spread: float
) -> None:
    """Folia that fan out around the white matter's tree."""
    (x, y), (rx, ry) = at, size
    body = painted.ellipse(x, y, rx, ry, angle=0.1, width=2)
    painted.paint(body, GRAY_MATTER)
    dx, dy = painted.x - np.float32(x - rx * 0.8), painted.y - np.float32(y - 2)
    angle = np.arctan2(dy, np.maximum(np.abs(dx), 1e-3))
    rays = 0.5 + 0.5 * np.cos(angle * np.float32(spread))
    painted.paint(body * (rays > 0.72) * np.float32(0.55), WHITE_MATTER)
    painted.paint(body * (rays < 0.10) * np.float32(0.35 + 0.3 * head.atrophy), CEREBROSPINAL_FLUID)
    painted.paint(painted.ellipse(x - rx * 0.35, y, rx * 0.42, ry * 0.3, width=5), WHITE_MATTER)


def _midline(painted: Slice, head: Head, offset: float) -> None:
    """Corpus callosum, thalamus, brain stem, cerebellum, ventricles, sella and cisterns."""
    wide = head.ventricles
    arch = [(-22, -20), (-33, -30), (-30, -42), (-10, -50), (16, -51), (38, -42), (44, -30)]
    under = [(-20, -26), (-26, -34), (-10, -43), (16, -44), (34, -36), (38, -28), (20, -24), (0, -26)]
    painted.paint(painted.path(arch, 14), GRAY_MATTER)
    painted.paint(painted.path([(x, y - 7) for x, y in arch[1:6]], 1.2 + 1.2 * head.atrophy), CEREBROSPINAL_FLUID)
    painted.paint(painted.region(under), CEREBROSPINAL_FLUID if wide + 0.15 * offset > 0.85 else WHITE_MATTER)
    painted.paint(painted.path(arch, 6.5), WHITE_MATTER)
    painted.paint(painted.path([(38, -30), (16, -39), (-6, -32), (-8, -18)], 2.6), WHITE_MATTER)
    # Cisterns around the stem, then the stem itself.
    painted.paint(
        painted.region(
            [(-20, -6), (-8, -12), (2, -12), (8, 6), (8, 30), (16, 50), (30, 46), (30, 20), (4, 30), (-4, 4), (-16, 6)]
        ),
        CEREBROSPINAL_FLUID,
    )
    painted.paint(painted.ellipse(16, -22, 14, 8.5), DEEP_GRAY_MATTER)
    painted.paint(painted.path([(-4, -16), (4, -14)], 2.0), CEREBROSPINAL_FLUID)
    painted.paint(painted.region([(30, -24), (44, -22), (50, -10), (34, -8)]), CEREBROSPINAL_FLUID)
    painted.paint(painted.path([(16, -10), (20, 6), (21, 26), (21, 44), (15, 75), (11, 142)], 10), WHITE_MATTER)
    painted.paint(painted.ellipse(15, 10, 9, 13, angle=-0.12), WHITE_MATTER)
    painted.paint(painted.ellipse(28, -10, 5, 6), WHITE_MATTER)
    _cerebellum(painted, (48, 15), (23, 21), head=head, spread=15)
    painted.paint(painted.region([(25, -2), (33, 12), (25, 26)]), CEREBROSPINAL_FLUID)
    painted.paint(painted.path([(26, -8), (25, 2)], 1.5), CEREBROSPINAL_FLUID)
    # Chiasm and stalk above the gland in its fossa.
    painted.paint(painted.path([(-18, -4), (-8, -6)], 2.8), WHITE_MATTER)
    painted.paint(painted.path([(-8, -6), (-11, 3)], 1.6), PITUITARY)
    painted.paint(painted.ellipse(-12, 6, 6.0, 3.4), PITUITARY)
    blood = VENOUS_BLOOD if painted.sequence.contrast else FLOW_VOID
    painted.paint(painted.path([(48, -26), (66, -8), (80, 4)], 2.6), blood)
    painted.paint(painted.path([(8, -6), (5, 10), (10, 32)], 2.0), FLOW_VOID)


def _hemisphere(painted: Slice, head: Head, offset: float) -> None:
    """White matter, Sylvian fissure with the insula, lateral ventricle, temporal lobe and cerebellar hemisphere."""
    wide = head.ventricles * (1 - 0.06 * offset)
    painted.paint(painted.ellipse(2, -36, 40, 16, angle=-0.05, width=10), WHITE_MATTER)
    painted.paint(painted.ellipse(-6, -24, 20, 9), DEEP_GRAY_MATTER)
    painted.paint(painted.ellipse(20, -22, 11, 8), DEEP_GRAY_MATTER)
    w = 1.5 + 3.0 * wide
    body = [(-26, -36), (-8, -42 - 0.4 * w), (16, -42 - w), (34, -34 - w), (42, -22), (30, -10), (14, -4)]
    painted.paint(painted.path(body[:4], 2 * w * 0.8), CEREBROSPINAL_FLUID)
    painted.paint(painted.path(body[3:6], 2 * w), CEREBROSPINAL_FLUID)
    painted.paint(painted.path(body[5:], 1.2 + w * 0.5), CEREBROSPINAL_FLUID)
    painted.paint(painted.ellipse(36, -24, 3, 4.5), MUCOSA)
    sylvian = [(-46, -6), (-24, -10), (0, -12), (22, -20)]
    painted.paint(painted.path(sylvian, 8), GRAY_MATTER)
    painted.paint(painted.path(sylvian, 1.2 + 2.4 * head.atrophy), CEREBROSPINAL_FLUID)
    painted.paint(painted.ellipse(-14, 4, 22, 4.5, angle=-0.1, width=5), WHITE_MATTER)
    painted.paint(painted.path([(24, 2), (50, -2), (74, -1)], 2.6), CEREBROSPINAL_FLUID)
    _cerebellum(painted, (50, 16), (26, 16), head=head, spread=19)
    blood = VENOUS_BLOOD if painted.sequence.contrast else FLOW_VOID
    painted.paint(painted.ellipse(84, 2, 3.2), blood)
