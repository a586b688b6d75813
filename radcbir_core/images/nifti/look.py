"""How a volume asks to be shown: one window for all of its slices, and whether its values seem to be Hounsfield units.

Owns what is concluded from values, since NIfTI has neither a modality nor a unit of them: a guess is said to be one.
It reads no file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from radcbir_core.images.decoded_image import Window
from radcbir_core.images.display.grayscale import full_range
from radcbir_core.images.nifti.header import VolumeHeader

SOFT_TISSUE = (40.0, 400.0)
"""Center and width, in HU, through which what seems to be a CT is shown."""

SEEMS_CT = (
    "Its values look like Hounsfield units, which NIfTI cannot say: that it is a CT is a guess, and it is shown "
    f"through a window of center {SOFT_TISSUE[0]:g} and width {SOFT_TISSUE[1]:g} HU."
)

# Air, and what bodies are made of but for bone and lung, in HU; and the least share of voxels of each in a CT.
_AIR, _SOFT = (-1100.0, -900.0), (-200.0, 200.0)
_LEAST_SHARE = 0.02
_BEYOND_BONE, _MOST_BEYOND = 4000.0, 0.01
_ENDS = (0.1, 99.9)
_MOST_LABELS, _LARGEST_LABEL, _FEWEST_VOXELS = 32, 255, 4096


@dataclass(frozen=True, slots=True)
class Look:
    """How the slices of a volume are shown.

    Attributes:
        window: Of all of them, in the values after the rescale; None where shades are shown as they are.
        unit: ``"HU"`` where the values seem to be such, else "".
        remark: What has to be known of it, a sentence; "" where nothing has.
        seems_labels: Whether its values are few small whole numbers, as in a map of labels.
    """

    window: Window | None
    unit: str = ""
    remark: str = ""
    seems_labels: bool = False


def look_of(stored: np.ndarray, header: VolumeHeader) -> Look:
    """How a volume is to be shown.

    The window is the header's (cal_min, cal_max); else that of soft tissue, where the values seem to be Hounsfield
    units; else from the 0.1th to the 99.9th percentile of the values. Bytes that no scale belongs to are shades.

    Args:
        stored: ``(n, C)`` some of its stored values.
        header: Of the volume.
    """
    if header.samples > 1:
        return Look(None)
    labels = header.is_labels or seems_labels(stored)
    values = header.modality(stored.reshape(-1))
    values = values[np.isfinite(values)]
    if header.shown is not None:
        low, high = header.shown
        return Look(replace(full_range(low, high), source="header"), seems_labels=labels)
    if seems_hounsfield(values):
        return Look(Window(*SOFT_TISSUE, "volume"), "HU", SEEMS_CT)
    if stored.dtype == np.uint8 and header.rescale is None:
        return Look(None, seems_labels=labels)
    low, high = np.percentile(values, _ENDS) if len(values) else (0.0, 0.0)
    if not high > low:
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    return Look(replace(full_range(float(low), float(high)), source="volume"), seems_labels=labels)


def seems_hounsfield(values: npt.NDArray[np.float64]) -> bool:
    """Whether values are distributed as in a CT: some air, some soft tissue, hardly anything denser than bone.

    Args:
        values: ``(n,)``, finite.

    Example:
        >>> seems_hounsfield(np.array([-1024.0, -1000, -995, -90, 35, 60, 800]))
        True
        >>> seems_hounsfield(np.array([0.0, 0, 0, 120, 350, 600, 900]))
        False
    """
    if not len(values):
        return False
    return (
        _share(values, *_AIR) >= _LEAST_SHARE
        and _share(values, *_SOFT) >= _LEAST_SHARE
        and float(np.mean(values > _BEYOND_BONE)) <= _MOST_BEYOND
    )


def seems_labels(stored: np.ndarray) -> bool:
    """Whether values are few small whole numbers, 0 among them, as in a map of labels.

    Example:
        >>> seems_labels(np.repeat([0, 1, 2], 3000)), seems_labels(np.arange(9000) % 200)
        (True, False)
    """
    flat = stored.reshape(-1)
    if len(flat) < _FEWEST_VOXELS:
        return False
    distinct = np.unique(flat[:: max(1, len(flat) // _FEWEST_VOXELS)])
    if len(distinct) > _MOST_LABELS:
        return False
    distinct = np.unique(flat)
    whole = bool(np.isfinite(distinct).all() and (distinct == np.rint(distinct)).all())
    few = 2 <= len(distinct) <= _MOST_LABELS
    return few and whole and float(distinct[0]) == 0 and float(distinct[-1]) <= _LARGEST_LABEL


def _share(values: npt.NDArray[np.float64], low: float, high: float) -> float:
    return float(np.mean((values >= low) & (values <= high)))
