"""How the slices of a volume lie: which axis they follow, and which way up each is looked at.

Owns the choice of the plane and the way from stored axes to rows and columns as radiologists see them: an axial or
coronal slice with the patient's right at its left edge, a sagittal one with the front at its left edge; the front of an
axial slice, and the head of the others, above. Slices are counted from the feet, from the back, or from the patient's
left. It reads no file.

Orientation is that of the affine's closest axes (NIfTI-1, "orientation and location in space": x to the patient's
right, y to the front, z to the head); an oblique volume is not resampled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

NAMES = ("sagittal", "coronal", "axial")
"""What a plane is called whose slices follow the patient's axis from left to right, from back to front, from feet to
head."""

THICKEST = 1.5
"""So many times the other spacings, that of an axis is of thick slices: they were made across it."""

FEWEST = 4
"""With so many times fewer voxels than along the others, an axis is that of slices, whatever its spacing says."""

_FOREMOST = 2  # from feet to head: axial, where nothing else speaks
_ROWS = {0: 2, 1: 2, 2: 1}  # which axis of the patient goes down a slice that follows another


@dataclass(frozen=True, slots=True)
class Plane:
    """The plane in which a volume is looked at.

    Attributes:
        name: One of :data:`NAMES`.
        why: What it was chosen by, in a few words.
        axis: The stored axis that the slices follow.
        down: The stored axis that goes down a slice.
        across: The stored axis that goes across it.
        turned: Which of these three, in this order, are counted from their end.
        spacing: From slice to slice, from row to row, and from column to column, in mm.
        is_known: Whether the file says how it lies in the patient.
    """

    name: str
    why: str
    axis: int
    down: int
    across: int
    turned: tuple[bool, bool, bool]
    spacing: tuple[float, float, float]
    is_known: bool = True


def plane_of(shape: Sequence[int], spacing: Sequence[float], axes: Sequence[tuple[int, int]] | None) -> Plane:
    """Choose the plane of a volume: across its thickest slices, else along its fewest, else axial.

    Args:
        shape: Voxels along each of the three stored axes.
        spacing: Their distances, in mm; at least one that is not finite and positive says nothing of thickness.
        axes: For each stored axis which of the patient's it follows (0 to the right, 1 to the front, 2 to the head),
            and 1 or -1 for along it or against it. None where the file does not say: then it is taken as stored in
            this very order.

    Example:
        >>> scan = plane_of((512, 512, 30), (0.5, 0.5, 5.0), [(0, -1), (1, -1), (2, 1)])
        >>> scan.name, scan.why, scan.axis, scan.turned, scan.spacing
        ('axial', 'thickest', 2, (False, False, False), (5.0, 0.5, 0.5))
        >>> spine = plane_of((15, 320, 320), (4.0, 0.9, 0.9), [(0, 1), (1, 1), (2, 1)])
        >>> spine.name, spine.axis, spine.down, spine.across, spine.turned
        ('sagittal', 0, 2, 1, (False, True, True))
    """
    of_patient = [(0, 1), (1, 1), (2, 1)] if axes is None else list(axes)
    stored = {patient: place for place, (patient, _) in enumerate(of_patient)}
    axis, why = stored[_FOREMOST], "axial"
    by_spacing = sorted(range(3), key=lambda place: spacing[place])
    by_count = sorted(range(3), key=lambda place: shape[place])
    believed = all(math.isfinite(step) and step > 0 for step in spacing)
    if believed and spacing[by_spacing[2]] >= THICKEST * spacing[by_spacing[1]]:
        axis, why = by_spacing[2], "thickest"
    elif FEWEST * shape[by_count[0]] <= shape[by_count[1]]:
        axis, why = by_count[0], "fewest"
    followed = of_patient[axis][0]
    down = stored[_ROWS[followed]]
    across = 3 - axis - down
    turned = (of_patient[axis][1] < 0, of_patient[down][1] > 0, of_patient[across][1] > 0)
    steps = tuple(float(spacing[place]) for place in (axis, down, across))
    return Plane(NAMES[followed], why, axis, down, across, turned, (steps[0], steps[1], steps[2]), axes is not None)
