"""What all planes of the head share: the patient's build, scalp and skull, and the folded cortex.

Positions are mm from the middle of the slice; the patient's right is at the left of an axial or coronal picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, sample, smooth_noise, texture
from radcbir_core.synthetic.phantoms.mr.slices import MIDDLE, Blob, Slice
from radcbir_core.synthetic.phantoms.mr.tissues import (
    BONE,
    CEREBROSPINAL_FLUID,
    FAT,
    FATTY_MARROW,
    GRAY_MATTER,
    SKIN,
    VENOUS_BLOOD,
    WHITE_MATTER,
)


@dataclass(frozen=True, kw_only=True)
class Head:
    """A patient's head.

    Attributes:
        width: Half the width of the head in mm.
        length: Half its length from front to back in mm.
        height: Relative height of the cranium.
        waves: Harmonics of its outline.
        scalp: Thickness of the fat beneath the skin in mm.
        skull: Thickness of the skull in mm.
        atrophy: 0 in the young to 1 in the old: wide sulci and ventricles.
        ventricles: Relative size of the ventricles.
        folds: Two fields whose mixtures are the cortex of neighboring slices.
        uneven: What makes scalp and skull thicker here than there.
        lean: How far the ventricles are from symmetry in mm.
        vessels: How many cortical vessels are seen.
    """

    width: float
    length: float
    height: float
    waves: tuple[complex, ...]
    scalp: float
    skull: float
    atrophy: float
    ventricles: float
    folds: tuple[Field, Field]
    uneven: Field
    lean: float
    vessels: int


def draw_head(generator: np.random.Generator) -> Head:
    """A patient's head, of any grown age and either sex."""
    atrophy = float(generator.beta(1.3, 1.7))
    width = float(np.clip(generator.normal(74, 3.5), 66, 82))
    return Head(
        width=width,
        length=float(width * np.clip(generator.normal(1.24, 0.05), 1.12, 1.36)),
        height=float(generator.normal(1.0, 0.04)),
        waves=(
            0.0,
            complex(0.0, generator.normal(0, 0.006)),
            complex(generator.normal(-0.008, 0.006), generator.normal(0, 0.003)),
        ),
        scalp=float(np.clip(generator.gamma(6, 0.7), 2.0, 8.0)),
        skull=float(np.clip(generator.normal(6.0, 1.3), 3.5, 9.0)),
        atrophy=atrophy,
        ventricles=float(np.clip(generator.normal(0.75 + 0.6 * atrophy, 0.15), 0.5, 1.7)),
        folds=(smooth_noise(generator, 7.5), smooth_noise(generator, 7.5)),
        uneven=smooth_noise(generator, 45),
        lean=float(generator.normal(0, 1.0)),
        vessels=int(generator.integers(4, 16)),
    )


@dataclass(kw_only=True)
class Anatomy:
    """What a plane's painter tells whoever paints a lesion into it.

    Attributes:
        brain: Mask of the brain with its fluid spaces.
        depth: mm beneath the surface of the brain (negative outside it).
        white: Mask of the white matter.
        cavity: The outline of the inside of the skull.
    """

    brain: Field
    depth: Field
    white: Field
    cavity: Blob


def cranium(painted: Slice, head: Head, outline: Blob, *, tangential: float = 1.0, where: Field | float = 1.0) -> Field:
    """Scalp and skull; the depth in mm beneath the skull's inner table.

    Args:
        painted: The slice.
        head: The patient's.
        outline: Of the skin.
        where: Mask of where there are scalp and vault; elsewhere only the inner table is drawn.
        tangential: How much thicker the layers look because the slice cuts them obliquely.
    """
    depth = -painted.blob(outline)
    uneven = head.uneven * np.float32(0.7)
    inner = (1.8 + head.scalp) * tangential
    painted.paint(painted.soft(-depth) * where, SKIN)
    painted.paint(painted.soft(1.8 - depth) * where, FAT)
    depth = depth + uneven
    wall = np.maximum(painted.soft(inner - depth) * where, painted.soft(inner + head.skull * tangential - 3.5 - depth))
    painted.paint(wall, BONE)
    table = 1.4 * tangential
    marrow = where * painted.soft(inner + table - depth) * painted.soft(depth - inner - head.skull * tangential + table)
    painted.paint(marrow, FATTY_MARROW, 0.75 + np.float32(0.15) * head.uneven)
    return np.asarray(depth - np.float32(0.5) * uneven - inner - head.skull * tangential, dtype=np.float32)


def cortex(
    painted: Slice,
    head: Head,
    cavity: Blob,
    *,
    inside: Field,
    depth: Field,
    phase: float,
    generator: np.random.Generator,
    fold_depth: float = 19.0,
    fineness: float = 1.0,
) -> Field:
    """Fluid, cortex with its sulci, and white matter within ``inside``; the mask of the white matter.

    The zero lines of a smooth field are curves that never cross: drawn out towards the middle they are sulci.
    """
    x, y = painted.x - np.float32(cavity.x), painted.y - np.float32(cavity.y)
    radius = np.maximum(np.hypot(x, y), np.float32(1e-3))
    # Radii shrink beneath the surface, so that what is round in the field is a radial streak in the brain.
    stretched = (cavity.radius + (radius - cavity.radius) * np.float32(0.55)) / radius * np.float32(fineness)
    field = np.float32(np.cos(phase)) * head.folds[0] + np.float32(np.sin(phase)) * head.folds[1]
    folds = sample(
        field, y * stretched / painted.mm * np.float32(0.75) + MIDDLE, x * stretched / painted.mm * 0.75 + MIDDLE
    )
    down, across = np.gradient(folds)
    distance = np.abs(folds) / np.maximum(np.hypot(down, across), np.float32(0.03)) * np.float32(painted.mm)
    reach = painted.soft(depth - np.float32(fold_depth) * (1 + np.float32(0.3) * smooth_noise(generator, 25)), 9.0)
    gap = np.float32(0.4 + 1.0 * head.atrophy) * (1 - np.clip(depth / np.float32(fold_depth * 1.3), 0, 1))
    gray = inside * painted.soft(np.float32(0.6 + 1.4 * head.atrophy) - depth)
    painted.paint(inside, CEREBROSPINAL_FLUID)
    painted.paint(gray, GRAY_MATTER, 1 + np.float32(0.02) * smooth_noise(generator, 8))
    white = gray * painted.soft(4.2 + head.atrophy - depth, 1.8)
    white = white * (1 - reach * painted.soft(distance - gap - np.float32(2.6), 1.6))
    painted.paint(white, WHITE_MATTER, 1 + np.float32(0.02) * texture(generator, 14, octaves=2))
    painted.paint(inside * reach * painted.soft(distance - gap, 1.3) * np.float32(0.9), CEREBROSPINAL_FLUID)
    return white


def vessels(
    painted: Slice, head: Head, cavity: Blob, *, generator: np.random.Generator, inside: Field, phase: float
) -> None:
    """Cortical vessels: bright after contrast, dots and short lines in the outer brain."""
    if not painted.sequence.contrast:
        return
    for index in range(head.vessels):
        angle = (index + 0.4 * np.sin(5.1 * index + phase)) / head.vessels * 2 * np.pi + 0.3
        share = 0.72 + 0.24 * np.cos(2.3 * index + phase)
        along, across = np.sqrt(cavity.aspect), 1 / np.sqrt(cavity.aspect)
        # The cavity's long axis is turned by its angle; only 0 and a right angle occur.
        if abs(np.sin(cavity.angle)) > 0.5:
            along, across = across, along
        x = cavity.x + cavity.radius * share * along * np.cos(angle)
        y = cavity.y + cavity.radius * share * across * np.sin(angle)
        step = generator.normal(0, 3.0, (3, 2)).cumsum(axis=0)
        line = painted.path(np.array([x, y]) + step, float(generator.uniform(1.0, 1.7)))
        painted.paint(line * inside * np.float32(0.8), VENOUS_BLOOD)


def soft_parts(generator: np.random.Generator, scale: float = 14.0) -> Field:
    """A field of 0 (muscle) to 1 (fat) for the parts of face and neck that are drawn no finer."""
    return np.asarray(np.clip(0.42 + 0.5 * texture(generator, scale, octaves=3), 0, 1), dtype=np.float32)
