"""Arrays of an artifact, opened only if they can be what the artifact is.

Owns what is looked at before an array is used: its shape, its type and its values. Whether it is the very array that
was built is the business of whoever knows the digest.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.arrays import row_chunks
from radcbir_core.checked_files import map_array
from radcbir_core.collections.artifacts import Artifact
from radcbir_core.storage import FileIdentity, identity_of, is_settled

_LARGEST_SIMILARITY = 1.01
"""Of unit vectors that were rounded to half precision."""
_MOST_SEEN = 4096

_seen: dict[FileIdentity, dict[int, bool]] = {}
"""Files whose values were looked at, for how many images, and whether that holds for later processes, too."""


def open_checked(path: Path, artifact: Artifact, *, images: int, whole: bool = True) -> npt.NDArray[Any]:
    """An array of an artifact, mapped into memory and read-only, one row an image.

    Values are looked at once a process: a second for some gigabytes.

    Args:
        path: One of the artifact's arrays.
        artifact: Which; it says whether there are numbers or rows in the file.
        images: How many the collection has.
        whole: Whether the array has a row for each of them; one of a collection that has grown since may have fewer.

    Raises:
        ValueError: It is missing or damaged, or no such array; the message is a reason, to be put behind "but".
    """
    array = map_array(path)
    kind = "f" if path.name in artifact.numbers else "i"
    if array.ndim != (1 if path.name in artifact.groups else 2) or array.dtype.kind != kind:
        raise ValueError(f"it holds {str(array.dtype)[:80]} of shape {str(array.shape)[:80]}")
    if len(array) > images or (whole and len(array) != images):
        raise ValueError(f"it has {len(array):,} rows")
    began, identity = time.time_ns(), identity_of(path)
    if images in _seen.get(identity, ()):
        return array
    for part in row_chunks(len(array), array.shape[1] if array.ndim > 1 else 1):
        if fault := _fault(array[part], path.name, artifact, images):
            raise ValueError(fault)
    if identity_of(path) == identity:
        _keep(identity, images, lasts=is_settled(identity, at=began))
    return array


def _keep(identity: FileIdentity, images: int, *, lasts: bool) -> None:
    if len(_seen) >= _MOST_SEEN:
        _seen.clear()
    _seen.setdefault(identity, {})[images] = lasts


def recall_values(identity: FileIdentity, images: int) -> None:
    """Know from now on that an earlier process has looked at a file's values (:func:`lasting_values`)."""
    if images not in _seen.get(identity, ()):
        _keep(identity, images, lasts=True)


def lasting_values(identity: FileIdentity) -> list[int]:
    """For how many images a file's values were looked at, as far as later processes may know it."""
    return sorted(images for images, lasts in _seen.get(identity, {}).items() if lasts)


def forget_values(identity: FileIdentity) -> None:
    """Have :func:`open_checked` look at a file's values again."""
    _seen.pop(identity, None)


def _fault(values: npt.NDArray[Any], name: str, artifact: Artifact, images: int) -> str:
    """Why some rows cannot be an artifact's; "" where they can."""
    if not values.size:
        return ""
    if name in artifact.rows:
        outside = int(values.min()) < -1 or int(values.max()) >= images
        return f"it names others than its {images:,} images" if outside else ""
    if name in artifact.groups:
        outside = int(values.min()) < -1 or int(values.max()) >= images
        return f"it has others than the groups of {images:,} images" if outside else ""
    if name in artifact.gaps:
        # NaN compares as false, and stands for no similarity here.
        return "it holds others than similarities" if (np.abs(values) > _LARGEST_SIMILARITY).any() else ""
    return "" if np.isfinite(values).all() else "it holds numbers that are not finite"
