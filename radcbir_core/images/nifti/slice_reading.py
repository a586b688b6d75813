"""NIfTI: the way from a file to the values of one slice, and to what is known of the whole volume.

Owns what a slice is as a stored image. It is called in the process that decodes. It imports nibabel when the first such
file is met, which is an optional part of RadCBIR.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from radcbir_core.images.decoding.decoding_request import Request
from radcbir_core.images.display.square_pixels import RESAMPLED, is_credible, square_size
from radcbir_core.images.nifti.facts import VolumeFacts
from radcbir_core.images.nifti.volume import VOLUMES
from radcbir_core.images.stored_image import StoredImage


def read_nifti(file: BinaryIO, *, size: int, request: Request) -> StoredImage:
    """Read one slice of a NIfTI volume, and how it is to be shown.

    Args:
        file: the file, at its start; packed by gzip or not.
        size: its bytes.
        request: what is wanted; its frame is a slice, counted from the feet, the back, or the patient's left.

    Raises:
        ImageError: nibabel is not installed; values in another file or that are no pixels; a slice that is not there.
        ImageTooLargeError: over a limit of pixels or, once unpacked, of bytes.
        Exception: whatever nibabel and gzip raise on a damaged file; `read_stored` turns it into an ImageError.
    """
    with VOLUMES.lock:
        volume = VOLUMES.of(file, size=size, request=request)
        header = volume.header
        number = request.choose_frame(header.slices)
        values = volume.slice(number)
        look = volume.look()
    remarks = [*header.remarks(), *([look.remark] if look.remark else [])]
    if header.samples > 1:
        values = _on_black(values)
    _, down, across = header.plane.spacing
    square = None
    if is_credible(down, across):
        square = square_size(*values.shape[:2], ratio=down / across, limits=request.limits)
    return StoredImage(
        name=request.name,
        stored=values,
        format="NIFTI",
        frame=number if header.slices > 1 else None,
        frames=header.slices,
        modality=header.modality,
        unit=look.unit,
        voi=look.window,
        as_is=look.window is None and values.dtype == np.uint8,
        square=square,
        remarks=(*remarks, *(() if square is None else (RESAMPLED,))),
    )


def volume_facts(file: BinaryIO, *, size: int, request: Request) -> VolumeFacts:
    """What is known of a volume; arguments and errors are those of :func:`read_nifti`."""
    with VOLUMES.lock:
        volume = VOLUMES.of(file, size=size, request=request)
        header, look = volume.header, volume.look()
    return VolumeFacts(
        header.slices,
        header.plane.name,
        header.plane.is_known,
        header.plane.spacing,
        header.volumes,
        look.unit,
        header.is_labels or look.seems_labels,
    )


def _on_black(values: np.ndarray) -> np.ndarray:
    """(H, W, 3) color; what is transparent is laid on black, rounded."""
    if values.shape[2] == 3:
        return values
    alpha = values[..., 3:].astype(np.uint16)
    return np.ascontiguousarray(((values[..., :3] * alpha + 127) // 255).astype(np.uint8))
