"""Coronal slices of the head, through the frontal horns and the pituitary fossa."""

from __future__ import annotations

import numpy as np

from radcbir_core.synthetic.phantoms.mr.head import Anatomy, Head, cortex, cranium, soft_parts, vessels
from radcbir_core.synthetic.phantoms.mr.slices import Blob, Slice
from radcbir_core.synthetic.phantoms.mr.tissues import (
    AIR,
    BONE,
    CEREBROSPINAL_FLUID,
    DEEP_GRAY_MATTER,
    DURA,
    FAT,
    FATTY_MARROW,
    FLOW_VOID,
    GRAY_MATTER,
    MUCOSA,
    MUSCLE,
    PITUITARY,
    SKIN,
    VENOUS_BLOOD,
    WHITE_MATTER,
)

TOP = -34.0
"""Height of the cavity's middle, in mm."""


def paint_coronal(painted: Slice, head: Head, *, offset: float, generator: np.random.Generator) -> Anatomy:
    """A coronal slice; ``offset`` is how far behind its middle, in slices."""
    w = head.width / 74
    tall = 70 * head.height
    outline = Blob(
        x=0,
        y=TOP,
        radius=float(np.sqrt(head.width * tall)),
        aspect=tall / head.width,
        angle=np.pi / 2,
        waves=head.waves,
    )
    _neck_and_face(painted, head, w, generator)
    depth = cranium(painted, head, outline, where=painted.soft(painted.y - 8, 34))
    layers = 1.8 + head.scalp + head.skull
    _skull_base(painted, outline, w, generator)
    cavity = Blob(
        x=0, y=TOP, radius=outline.radius - layers, aspect=outline.aspect, angle=outline.angle, waves=outline.waves
    )
    bottom = TOP + tall - layers
    inside = painted.soft(-depth)
    # The sphenoid rises between the temporal lobes.
    rise = painted.region(
        [(-27 * w, bottom + 9), (-19 * w, 16), (-12 * w, 13), (12 * w, 13), (19 * w, 16), (27 * w, bottom + 9)],
        rounded=False,
    )
    inside = np.asarray(inside * (1 - rise), dtype=np.float32)
    white = cortex(painted, head, cavity, inside=inside, depth=depth, phase=4.2 + 0.12 * offset, generator=generator)
    _contents(painted, head, w, offset, tall - layers)
    _sella(painted, head, w, offset)
    vessels(painted, head, cavity, generator=generator, inside=inside, phase=4.2)
    blood = VENOUS_BLOOD if painted.sequence.contrast else FLOW_VOID
    crown = TOP - (tall - layers)
    painted.paint(painted.region([(-4, crown - 0.5), (4, crown - 0.5), (0, crown + 5)]), blood)
    painted.fade(70, 113)
    return Anatomy(brain=inside, depth=depth, white=white, cavity=cavity)


def _neck_and_face(painted: Slice, head: Head, w: float, generator: np.random.Generator) -> None:
    """Everything beneath the cranium: cheeks, muscles of mastication, jaw, tongue and neck."""
    side = head.width - 1
    outline = [
        (-side + 14, -50),
        (-side + 4, -12),
        (-side + 2, 12),
        (-side + 3, 40),
        (-side * 0.92, 75),
        (-side * 0.72, 112),
        (-side * 0.6, 135),
    ]
    body = painted.region([*outline, *[(-x, y) for x, y in reversed(outline)]])
    painted.paint(body, SKIN)
    inner = painted.region([(x * 0.97, y) for x, y in outline] + [(-x * 0.97, y) for x, y in reversed(outline)])
    painted.paint(inner, FAT)
    deep = [(x * (0.93 - 0.012 * head.scalp), y) for x, y in outline]
    parts = soft_parts(generator, 11)
    flesh = painted.region(deep + [(-x, y) for x, y in reversed(deep)])
    painted.paint(flesh, MUSCLE, 0.9 + 0.15 * parts)
    painted.paint(flesh * parts * np.float32(0.75), FAT)
    for sign in (-1.0, 1.0):
        for x, y, rx, ry, tilt in (
            (56, 42, 6, 24, 0.1),
            (33, 48, 8, 20, 0.35),
            (22, 62, 5, 16, -0.2),
            (62, 12, 5, 17, 0.0),
        ):
            painted.paint(painted.ellipse(sign * x * w, y, rx * w, ry, angle=-sign * tilt), MUSCLE, 0.95 + 0.1 * parts)
        painted.paint(painted.path([(sign * 48 * w, 24), (sign * 47 * w, 50), (sign * 41 * w, 82)], 8.5), BONE)
        painted.paint(painted.path([(sign * 48 * w, 28), (sign * 47 * w, 50), (sign * 41 * w, 80)], 4.6), FATTY_MARROW)
        if generator.random() < 0.6:
            painted.paint(painted.ellipse(sign * (side + 3.5), 18, 4.0, 11, angle=-sign * 0.15), SKIN)
    painted.paint(painted.ellipse(0, 88, 30 * w, 20), MUSCLE, 0.9 + 0.2 * parts)
    painted.paint(painted.ellipse(0, 66, 12 * w, 6), AIR)


def _skull_base(painted: Slice, outline: Blob, w: float, generator: np.random.Generator) -> None:
    """Sphenoid with its sinus, and the nasopharynx beneath."""
    base = painted.region([(-30 * w, 50), (-22 * w, 14), (22 * w, 14), (30 * w, 50), (14 * w, 58), (-14 * w, 58)])
    painted.paint(base, BONE)
    painted.paint(base * np.clip(soft_parts(generator, 5) * 1.3, 0, 0.9), MUSCLE)
    painted.paint(painted.soft(painted.blob(outline)) * base * soft_parts(generator, 7) * np.float32(0.6), FATTY_MARROW)
    air = float(generator.uniform(0.75, 1.1))
    painted.paint(painted.ellipse(0, 31, 15.2 * w * air, 8.9 * air), MUCOSA)
    painted.paint(painted.ellipse(0, 31, 14.5 * w * air, 8.2 * air), AIR)
    painted.paint(painted.path([(0.5, 23), (1.0, 40)], 1.4), MUCOSA)
    painted.paint(painted.ellipse(0, 51, 11 * w, 6.5), AIR)


def _contents(painted: Slice, head: Head, w: float, offset: float, tall: float) -> None:
    """Fissures, corpus callosum, ventricles, deep gray matter and hippocampi."""
    h, wide = tall / 58, head.ventricles * (1 + 0.04 * offset)
    crown = TOP - tall
    line = [(0.0, crown), (0.5 * head.lean, crown + 22 * h), (0.0, crown + 40 * h)]
    painted.paint(painted.path(line, 7), GRAY_MATTER)
    painted.paint(painted.path(line, 1.1 + 1.6 * head.atrophy), CEREBROSPINAL_FLUID)
    painted.paint(painted.path(line[:2], 1.0) * np.float32(0.8), DURA)
    for sign in (-1.0, 1.0):
        painted.paint(painted.ellipse(sign * 21 * w, TOP - 4, 20 * w, 20 * h, width=8), WHITE_MATTER)
    floor = crown + 44 * h
    painted.paint(painted.path([(-20 * w, floor - 5), (0, floor), (20 * w, floor - 5)], 5.5), WHITE_MATTER)
    for sign in (-1.0, 1.0):
        spread = 4 + 8 * wide
        horn = [
            (1.4, floor + 3),
            (spread * 0.8, floor - 1.5),
            (spread + 3, floor - 3 - 2 * wide),
            (spread + 1, floor + 6),
            (2.0, floor + 6 + 6 * wide),
        ]
        painted.paint(painted.ellipse(sign * (spread + 5) * w, floor + 9, 5, 9 * h, angle=sign * 0.3), DEEP_GRAY_MATTER)
        painted.paint(painted.ellipse(sign * 25 * w, floor + 22, 7.5 * w, 10 * h, angle=-sign * 0.3), DEEP_GRAY_MATTER)
        painted.paint(painted.ellipse(sign * 8 * w, floor + 22, 7 * w, 9 * h), DEEP_GRAY_MATTER)
        painted.paint(painted.region([(sign * x + head.lean * 0.4, y) for x, y in horn]), CEREBROSPINAL_FLUID)
        insula = [(sign * 36 * w, floor + 10), (sign * 38 * w, floor + 22), (sign * 36 * w, floor + 31)]
        out = [(sign * 37 * w, floor + 26), (sign * 47 * w, floor + 23), (sign * 60 * w, floor + 18)]
        painted.paint(painted.path(insula, 8), GRAY_MATTER)
        painted.paint(painted.path(out, 7), GRAY_MATTER)
        painted.paint(painted.path(insula, 1.0 + 2.2 * head.atrophy), CEREBROSPINAL_FLUID)
        painted.paint(painted.path(out, 1.2 + 2.0 * head.atrophy), CEREBROSPINAL_FLUID)
        painted.paint(painted.ellipse(sign * 24 * w, 8, 6, 4.5), GRAY_MATTER)
        painted.paint(painted.ellipse(sign * 29 * w, 5, 3.5 * (0.5 + 0.6 * wide), 1.6 + wide), CEREBROSPINAL_FLUID)
    painted.paint(
        painted.path([(0, floor + 10), (0, floor + 30)], 1.0 + 2.6 * head.ventricles * (0.5 + head.atrophy)),
        CEREBROSPINAL_FLUID,
    )
    painted.paint(painted.path([(0, floor + 2), (0, floor + 10)], 1.4), WHITE_MATTER)


def _sella(painted: Slice, head: Head, w: float, offset: float) -> None:
    """Suprasellar cistern with the chiasm, gland in its fossa, cavernous sinuses with the carotids."""
    cistern = [(-17, 3), (-8, -1), (8, -1), (17, 3), (14, 12), (-14, 12)]
    painted.paint(painted.region([(x * w, y) for x, y in cistern]), CEREBROSPINAL_FLUID)
    painted.paint(painted.path([(-8 * w, 3), (0, 1.5), (8 * w, 3)], 2.8), WHITE_MATTER)
    painted.paint(painted.path([(0, 3), (0.4 * head.lean, 13)], 1.6), PITUITARY)
    wall = VENOUS_BLOOD if painted.sequence.contrast else MUSCLE
    for sign in (-1.0, 1.0):
        painted.paint(painted.ellipse(sign * 12.5 * w, 17, 5.0, 6.5), wall, 0.8)
        painted.paint(painted.ellipse(sign * 11.5 * w, 19, 2.9), FLOW_VOID)
        painted.paint(painted.ellipse(sign * 9 * w, 8, 2.0), FLOW_VOID)
    painted.paint(painted.ellipse(0, 16 + 0.2 * offset, 7.5 * w, 3.2), PITUITARY)
