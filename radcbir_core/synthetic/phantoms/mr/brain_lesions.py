"""Paints the planned lesion of a patient into a slice of the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, blur, texture
from radcbir_core.synthetic.phantoms.mr.brain_plans import Plan
from radcbir_core.synthetic.phantoms.mr.head import Anatomy
from radcbir_core.synthetic.phantoms.mr.slices import Blob, Slice
from radcbir_core.synthetic.phantoms.mr.tissues import CEREBROSPINAL_FLUID, EDEMA, Tissue


def paint_lesion(
    painted: Slice, planned: Plan, anatomy: Anatomy, *, offset: float, generator: np.random.Generator
) -> None:
    """Paints the patient's lesion into a slice ``offset`` slices away from its middle, and marks it."""
    painter = {
        "glioma": _paint_mass,
        "meningioma": _paint_meningioma,
        "pituitary tumor": _paint_adenoma,
        "multiple sclerosis": _paint_plaques,
        "infarct": _paint_infarct,
    }[planned.pathology]
    painter(painted, planned, anatomy, 1 - 0.03 * abs(offset), generator)


def _shrunk(shape: Blob, scale: float) -> Blob:
    return replace(shape, radius=shape.radius * scale)


def _edema(painted: Slice, distance: Field, planned: Plan, white: Field) -> None:
    """Fingers of edema along the white matter."""
    if planned.edema > 0:
        reach = planned.edema * (0.75 + 0.5 * planned.field)
        painted.paint(painted.soft(distance - reach, 4.0) * blur(white, 2.0) * np.float32(0.85), EDEMA)


def _paint_mass(painted: Slice, planned: Plan, anatomy: Anatomy, scale: float, generator: np.random.Generator) -> None:
    shape = _shrunk(planned.shapes[0], scale)
    where = painted.soft(5.0 - anatomy.depth, 9.0)
    painted.push(shape.x, shape.y, reach=shape.radius * 1.2, shift=0.22 * shape.radius, where=where)
    distance = painted.blob(shape)
    _edema(painted, distance, planned, anatomy.white)
    inside = np.asarray(painted.soft(distance, 1.8) * anatomy.brain, dtype=np.float32)
    painted.paint(inside, planned.tissue, 1 + np.float32(0.07) * texture(generator, 8, octaves=2))
    if planned.core is not None:
        wavy = planned.rim * (1 + 0.35 * planned.field)
        painted.paint(painted.soft(distance + wavy, 1.8) * anatomy.brain, planned.core)
    painted.mark(inside)


def _paint_meningioma(
    painted: Slice, planned: Plan, anatomy: Anatomy, scale: float, generator: np.random.Generator
) -> None:
    shape = _shrunk(planned.shapes[0], scale)
    where = painted.soft(3.0 - anatomy.depth, 9.0)
    painted.push(shape.x, shape.y, reach=shape.radius * 1.2, shift=0.3 * shape.radius, where=where)
    distance = painted.blob(shape)
    _edema(painted, distance, planned, anatomy.brain)
    near = painted.soft(-anatomy.depth - 0.8)
    # A cleft of fluid tells that the mass lies outside the brain.
    painted.paint(painted.soft(distance - 1.3) * anatomy.brain * np.float32(0.8), CEREBROSPINAL_FLUID)
    inside = np.asarray(painted.soft(distance, 1.4) * near, dtype=np.float32)
    painted.paint(inside, planned.tissue, 1 + np.float32(0.05) * texture(generator, 10, octaves=2))
    tail = painted.soft(distance - shape.radius * 0.55, 4.0) * painted.soft(anatomy.depth - 1.6) * near
    painted.paint(tail * np.float32(0.85), planned.tissue)
    painted.mark(inside)


def _paint_adenoma(
    painted: Slice, planned: Plan, anatomy: Anatomy, scale: float, generator: np.random.Generator
) -> None:
    shape, lower = (_shrunk(each, scale) for each in planned.shapes)
    painted.push(shape.x, shape.y, reach=shape.radius * 1.2, shift=0.2 * shape.radius, where=anatomy.brain)
    distance = np.minimum(painted.blob(shape, near=6), painted.blob(lower, near=6))
    inside = painted.soft(distance, 1.4)
    painted.paint(painted.soft(distance - 1.2) * anatomy.brain * np.float32(0.7), CEREBROSPINAL_FLUID)
    painted.paint(inside, planned.tissue, 1 + np.float32(0.06) * texture(generator, 8, octaves=2))
    if planned.core is not None:
        painted.paint(painted.soft(distance + planned.rim, 2.0), planned.core)
    painted.mark(inside)


def _paint_plaques(painted: Slice, planned: Plan, anatomy: Anatomy, scale: float, _: np.random.Generator) -> None:
    for index, shape in enumerate(planned.shapes):
        distance = painted.blob(_shrunk(shape, scale), near=6)
        inside = np.asarray(painted.soft(distance, 2.0) * anatomy.brain, dtype=np.float32)
        painted.paint(inside * np.float32(0.92), planned.tissue)
        if planned.active[index]:
            ring = painted.soft(distance, 1.2) * anatomy.brain
            if shape.radius > 3.8:
                ring = ring * painted.soft(-distance - 2.2, 1.2)
            painted.paint(ring * np.float32(0.9), Tissue(t1=1200, t2=150, density=0.9, uptake=0.55))
        if index == 0:
            painted.mark(inside)


def _paint_infarct(
    painted: Slice, planned: Plan, anatomy: Anatomy, scale: float, generator: np.random.Generator
) -> None:
    turn, half, reach = planned.wedge
    x, y = painted.x - np.float32(anatomy.cavity.x), painted.y - np.float32(anatomy.cavity.y)
    radius = np.maximum(np.hypot(x, y), np.float32(1e-3))
    along = (x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))) / radius
    # mm from the wedge's flank, waving.
    flank = (np.arccos(np.clip(along, -1, 1)) - np.float32(half * scale)) * radius + 3.2 * planned.field
    bottom = anatomy.depth - np.float32(reach * scale) + 2.5 * planned.field
    inside = np.asarray(painted.soft(np.maximum(flank, bottom), 3.0) * anatomy.brain, dtype=np.float32)
    # Swelling closes the sulci; what is left of the folds shines through.
    painted.paint(inside * np.float32(0.85), planned.tissue, 1 + np.float32(0.05) * texture(generator, 10, octaves=2))
    if planned.active[0] and painted.sequence.contrast:
        gyri = painted.soft(np.abs(planned.field) * 4 - 1.6, 2.0) * painted.soft(anatomy.depth - 14, 4.0)
        painted.paint(inside * gyri, Tissue(t1=1300, t2=140, density=0.9, uptake=0.6))
    painted.mark(inside)
