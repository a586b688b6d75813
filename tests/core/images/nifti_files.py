"""NIfTI files for tests, and what nibabel itself reads from them: the slow oracle of reading slice by slice."""

from __future__ import annotations

import gzip
from io import BytesIO
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, inv_ornt_aff

SECRET = "SECRET"  # noqa: S105 - a name, no password


def affine_of(codes: str, shape: tuple[int, ...], spacing: tuple[float, float, float] = (1, 1, 1)) -> np.ndarray:
    """Of a volume whose stored axes follow the patient's as the letters say, such as ``"PIR"``."""
    affine = np.linalg.inv(inv_ornt_aff(axcodes2ornt(tuple(codes)), shape[:3]))
    affine[:3, :3] *= np.array(spacing)  # one factor for each stored axis
    return affine


def nifti_bytes(
    values: np.ndarray,
    *,
    codes: str | None = "RAS",
    spacing: tuple[float, float, float] = (1, 1, 1),
    second: bool = False,
    byte_order: str = "<",
    packed: bool = False,
    slope: float = 1.0,
    intercept: float = 0.0,
    **fields: Any,
) -> bytes:
    """A NIfTI file with the patient's name in its description.

    Args:
        values: (X, Y, Z) or more, stored as they are.
        codes: how it lies; None where the file is not to say.
        spacing: of the stored axes.
        second: whether it is NIfTI-2.
        byte_order: ``"<"`` or ``">"``.
        packed: by gzip.
        slope: scl_slope.
        intercept: scl_inter.
        fields: further fields of the header.
    """
    kind: Any = nib.Nifti2Image if second else nib.Nifti1Image
    header = kind.header_class(endianness=byte_order)
    header.set_data_dtype(values.dtype)
    affine = affine_of(codes or "RAS", values.shape, spacing) if values.ndim > 2 else np.eye(4)
    image = kind(values, affine, header=header)
    image.header["descrip"] = SECRET
    if codes is None:
        image.set_sform(None, 0)
        image.set_qform(None, 0)
    for name, value in fields.items():
        image.header[name] = value
    written = bytearray(image.to_bytes())
    parsed = image.header_class.from_fileobj(BytesIO(bytes(written)))
    if slope != 1 or intercept:
        parsed["scl_slope"], parsed["scl_inter"] = slope, intercept
        written[: parsed.sizeof_hdr] = parsed.binaryblock
    return gzip.compress(bytes(written), 1) if packed else bytes(written)


def looked_at(data: bytes | Path, *, plane: str) -> np.ndarray:
    """(slices, H, W) scaled values as radiologists look at them: nibabel's closest canonical axes, turned."""
    content = data if isinstance(data, bytes) else data.read_bytes()
    content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    kind: Any = nib.Nifti2Image if content[:1] in (b"\x1c",) or content[3:4] == b"\x1c" else nib.Nifti1Image
    canonical = nib.as_closest_canonical(kind.from_bytes(content))
    values = np.asanyarray(canonical.dataobj)
    values = values[..., 0] if values.ndim == 4 else values
    axis = {"sagittal": 0, "coronal": 1, "axial": 2}[plane]
    slices = []
    for number in range(values.shape[axis]):
        across_then_down = np.take(values, number, axis=axis)
        # Right, front and head are the ends of canonical axes: these are left and above in pictures.
        slices.append(np.flip(across_then_down.T))
    return np.stack(slices)
