"""What can be wrong in a CT of the head: where it lies, how dense it is, and what it pushes aside.

Owns the signs of hemorrhage, infarct and mass; knows nothing of the head but the inside of its skull.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms import canvas
from radcbir_core.synthetic.phantoms.canvas import Field, log_uniform
from radcbir_core.synthetic.phantoms.ct import tissue
from radcbir_core.synthetic.phantoms.ct.outlines import Bend, Points, Push, band, blob, inset, mm
from radcbir_core.synthetic.phantoms.ct.plane import Plane, mixed, soften


@dataclass(frozen=True)
class Cut:
    """The slice that a lesion is painted into.

    Attributes:
        brain: The brain's share of each pixel.
        plane: Where the patient lies in it.
        inner: The inside of the skull.
        size: Of the lesion here, as a share of its largest.
        generator: All randomness.
    """

    brain: Field
    plane: Plane
    inner: Points
    size: float
    generator: np.random.Generator


Painter = Callable[[Field, Cut], tuple[Field, Field]]
"""``paint(densities, cut)``: the densities with the lesion, and the lesion's share of each pixel."""


@dataclass(frozen=True)
class Finding:
    """One patient's lesion.

    Attributes:
        place: In words.
        pushes: What it does to the brain around it.
        paint: Puts it into a slice.
    """

    place: str
    pushes: tuple[Push, ...]
    paint: Painter


def finding(pathology: str, generator: np.random.Generator, inner: Points, *, level: float, contrast: bool) -> Finding:
    """Draws a patient's lesion.

    Args:
        pathology: hemorrhage, infarct or mass.
        generator: All randomness.
        inner: The inside of the skull.
        level: Of the slice.
        contrast: Whether contrast medium was given.
    """
    side = 1 if generator.random() < 0.5 else -1
    if pathology == "hemorrhage":
        kind = generator.random()
        if kind < 0.5:
            return _intracerebral(generator, inner, side, level)
        return _extra_axial(generator, inner, side, lens=kind > 0.76)
    if pathology == "infarct":
        return _infarct(generator, side)
    return _mass(generator, inner, side, level, contrast=contrast)


def _named(side: int) -> str:
    # The patient's left is at the image's right.
    return "left" if side > 0 else "right"


def _lobe(generator: np.random.Generator, inner: Points, side: int, level: float) -> tuple[float, float, str]:
    """A spot inside a lobe of the brain, as shares of its half width and length."""
    spots = [(0.42, -0.58, "frontal lobe"), (0.42, 0.62, "occipital lobe"), (0.55, 0.3, "parietal lobe")]
    if level < 0.25:
        spots[2] = (0.66, 0.22, "temporal lobe")
    if level < 0.4:
        spots.append((0.4, 0.0, "basal ganglia"))
    else:
        spots.append((0.5, -0.15, "frontal lobe"))
    x, y, name = spots[int(generator.integers(len(spots)))]
    half = float(inner[:, 0].max())
    length = float(inner[:, 1].max())
    x, y = x + float(generator.normal(0, 0.05)), y + float(generator.normal(0, 0.06))
    return side * x * half, y * length, f"{_named(side)} {name}"


def _covered(plane: Plane, outlines: list[Points], brain: Field, soft: float) -> Field:
    layer = plane.shares()
    for outline in outlines:
        layer.fill(outline)
    return soften(layer.done(), soft / plane.mm_per_pixel) * brain


def _intracerebral(generator: np.random.Generator, inner: Points, side: int, level: float) -> Finding:
    x, y, place = _lobe(generator, inner, side, level)
    radius = log_uniform(generator, 9, 23)
    clot = float(generator.uniform(*tissue.CLOT))
    rim = float(generator.uniform(1.15, 1.4))
    shape = blob(
        generator, x, y, radius, stretch=float(generator.uniform(1, 1.6)), angle=float(generator.normal(1.4, 0.5))
    )
    edema = mm([x, y]) + (shape - mm([x, y])) * np.float32(rim)

    def paint(below: Field, cut: Cut) -> tuple[Field, Field]:
        center = mm([x, y])
        around = _covered(cut.plane, [center + (edema - center) * np.float32(cut.size)], cut.brain, 1.8)
        mask = _covered(cut.plane, [center + (shape - center) * np.float32(cut.size)], cut.brain, 0.7)
        below = mixed(below, around * np.float32(0.85), tissue.EDEMA + 3)
        return mixed(below, mask, clot + 3 * canvas.smooth_noise(cut.generator, 9)), mask

    return Finding(place, (Push(x, y, radius, 0.26 * radius),), paint)


def _extra_axial(generator: np.random.Generator, inner: Points, side: int, *, lens: bool) -> Finding:
    middle = float(generator.uniform(0.13, 0.34) if lens else generator.uniform(0.18, 0.31))
    span = float(generator.uniform(0.13, 0.22) if lens else generator.uniform(0.24, 0.4))
    depth = log_uniform(generator, 12, 27) if lens else log_uniform(generator, 6, 17)
    clot = float(generator.uniform(*tissue.CLOT))
    start = middle - span / 2
    if side < 0:
        start = 1 - middle - span / 2
    at = inner[round((start + span / 2) * len(inner)) % len(inner)]
    region = "frontal" if middle < 0.16 else "parietal" if middle < 0.3 else "occipital"
    place = f"{_named(side)} {region} {'epidural' if lens else 'subdural'} space"
    profile = 0.95 if lens else 0.42
    # The brain gives way as a whole: far more than beneath a lump of the same depth.
    push = Push(float(at[0]) * 1.25, float(at[1]) * 1.25, 34 if lens else 46, (0.3 if lens else 0.42) * depth)

    def paint(below: Field, cut: Cut) -> tuple[Field, Field]:
        crescent = band(cut.inner, start, start + span, depth * cut.size, profile=profile)
        mask = _covered(cut.plane, [crescent], cut.brain, 0.5)
        return mixed(below, mask, clot + 3 * canvas.smooth_noise(cut.generator, 10)), mask

    return Finding(place, (push,), paint)


_TERRITORIES = (
    # Start and end on the skull as shares from the front, apex in mm, name.
    (0.015, 0.115, (7.0, -28.0), "anterior cerebral artery territory"),
    (0.13, 0.345, (26.0, -2.0), "middle cerebral artery territory"),
    (0.13, 0.24, (26.0, -10.0), "middle cerebral artery territory"),
    (0.23, 0.355, (28.0, 8.0), "middle cerebral artery territory"),
    (0.365, 0.485, (14.0, 30.0), "posterior cerebral artery territory"),
)


def _infarct(generator: np.random.Generator, side: int) -> Finding:
    choice = int(generator.choice(len(_TERRITORIES), p=(0.13, 0.27, 0.2, 0.22, 0.18)))
    start, end, (ax, ay), name = _TERRITORIES[choice]
    start, end = start + float(generator.normal(0, 0.008)), end + float(generator.normal(0, 0.008))
    # A fresh infarct is faint and swollen, an old one as dark as fluid.
    value = float(np.clip(generator.normal(16, 3.2), 8, 22))
    ragged = Bend.of(generator, length=28, height=2.2, waves=6)
    swollen = float(generator.uniform(0, 3.5))

    def paint(below: Field, cut: Cut) -> tuple[Field, Field]:
        count = len(cut.inner)
        half = (end - start) / 2 * (1 - (1 - cut.size) * 0.5)
        indexes = np.arange(round(((start + end) / 2 - half) * count), round(((start + end) / 2 + half) * count) + 1)
        wall = inset(cut.inner, 1.5)[indexes % count]
        first, last = wall[0], wall[-1]
        apex = mm([ax, ay])
        sides = [apex + (first - apex) * np.float32(way) for way in (0.3, 0.65)]
        backs = [apex + (last - apex) * np.float32(way) for way in (0.65, 0.3)]
        wedge = np.concatenate([[apex], sides, wall, backs]).astype(np.float32)
        if side < 0:
            wedge = wedge * mm([-1, 1])
        mask = _covered(cut.plane.bent(ragged), [wedge], cut.brain, 1.6)
        dark = value + 1.2 * canvas.smooth_noise(cut.generator, 8)
        # Sulci close over swollen cortex, and what fluid is left stays.
        mask = mask * (below < 110)
        return mixed(below, mask * np.float32(0.93), dark), mask

    turn = np.pi * (start + end)
    push = Push(side * 60 * float(np.sin(turn)), -70 * float(np.cos(turn)), 30, swollen)
    return Finding(f"{_named(side)} {name}", (push,), paint)


def _mass(generator: np.random.Generator, inner: Points, side: int, level: float, *, contrast: bool) -> Finding:
    x, y, place = _lobe(generator, inner, side, level)
    kind = ("ring", "solid", "dark")[int(generator.choice(3, p=(0.42, 0.36, 0.22)))]
    radius = log_uniform(generator, 11, 22) if kind != "dark" else log_uniform(generator, 16, 27)
    shape = blob(generator, x, y, radius, stretch=float(generator.uniform(1, 1.35)), rough=0.09)
    spread = float(generator.uniform(1.6, 2.2)) if kind != "dark" else 1.12
    edema = blob(generator, x, y, radius * spread, rough=0.2, waves=7)
    rim = float(generator.uniform(2.5, 5.5))
    bright = (65, 90) if kind == "ring" else (57, 74)
    enhanced = float(generator.uniform(*bright)) if contrast else float(generator.uniform(45, 54))
    core = float(generator.uniform(8, 18))
    center = mm([x, y])

    def paint(below: Field, cut: Cut) -> tuple[Field, Field]:
        around = _covered(cut.plane, [center + (edema - center) * np.float32(cut.size)], cut.brain, 2.0)
        outline = center + (shape - center) * np.float32(cut.size)
        mask = _covered(cut.plane, [outline], cut.brain, 0.8)
        # Vasogenic edema runs along the white matter and spares the cortex.
        white = np.clip((37.5 - soften(below, 1.5)) / 5, 0.3, 1).astype(np.float32)
        grain = canvas.texture(cut.generator, 10, octaves=2)
        if kind == "dark":
            below = mixed(below, around * np.float32(0.5), tissue.EDEMA + 4)
            return mixed(below, mask, core + 2.5 * grain), mask
        below = mixed(below, around * white, tissue.EDEMA - 3)
        below = mixed(below, mask, enhanced + 5 * grain)
        if kind == "ring":
            inside = _covered(cut.plane, [inset(outline, min(rim, 0.45 * radius))], cut.brain, 0.9)
            below = mixed(below, inside, core + 2 * grain)
        return below, mask

    return Finding(place, (Push(x, y, radius * 1.25, 0.42 * radius),), paint)
