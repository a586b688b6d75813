"""What is known of a volume as a whole.

Owns that record, which travels between processes. It reads no file.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """What is known of a volume.

    Attributes:
        slices: How many there are.
        plane: ``"axial"``, ``"coronal"`` or ``"sagittal"``.
        is_plane_known: Whether the file says how it lies in the patient.
        spacing: From slice to slice, row to row, and column to column, in mm; 0 where the file does not say.
        volumes: How many the file has; the first is read.
        unit: ``"HU"`` where its values seem to be such, else "".
        is_labels: Whether it is a map of labels, by its header or by its values.
    """

    slices: int
    plane: str
    is_plane_known: bool
    spacing: tuple[float, float, float]
    volumes: int
    unit: str
    is_labels: bool
