"""What a NIfTI header says of its volume, as far as a picture needs it.

Owns the reading of the header, by nibabel, and what is refused: values in another file, types that are no pixels, and
sizes over the limits. Of a header's texts (descriptions, names of other files) nothing is read: people write names of
patients into them.

The format: NIfTI-1 (Cox et al. 2004, nifti1.h) and NIfTI-2 (nifti2.h), https://nifti.nimh.nih.gov.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

import numpy as np

from radcbir_core.errors import ImageTooLargeError
from radcbir_core.images.decoding.decoding_request import COPY_AGAIN, Request
from radcbir_core.images.display.grayscale import Rescale
from radcbir_core.images.nifti.plane import Plane, plane_of
from radcbir_core.installation import install_command

HEADER_BYTES = 540
"""Of the longer of the two headers; the other has 348."""

Kind = Literal["gray", "complex", "RGB", "RGBA"]

FIRST_VOLUME = "It has several volumes, as over time; the first is shown."
MAGNITUDE = "Its values are complex numbers, and their magnitude is shown."
NOT_SAID = (
    "It does not say how it lies in the patient: which plane it is, and what is left, is a guess from the order of its "
    "values."
)
_LABEL_INTENT = 1002
_KINDS: dict[int, tuple[Kind, str]] = {
    # Data type codes of nifti1.h that are pixels.
    **{2: ("gray", "u1"), 4: ("gray", "i2"), 8: ("gray", "i4"), 16: ("gray", "f4"), 64: ("gray", "f8")},
    **{256: ("gray", "i1"), 512: ("gray", "u2"), 768: ("gray", "u4"), 1024: ("gray", "i8"), 1280: ("gray", "u8")},
    **{32: ("complex", "c8"), 1792: ("complex", "c16"), 128: ("RGB", "u1"), 2304: ("RGBA", "u1")},
}
_NAMES = {1: "one bit", 1536: "float128", 2048: "complex256"}
_SAMPLES: dict[Kind, int] = {"gray": 1, "complex": 1, "RGB": 3, "RGBA": 4}
_SINGLE_FILE = (b"n+1", b"n+2")
_MILLIMETERS = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}


@dataclass(frozen=True, slots=True)
class VolumeHeader:
    """A volume, as its header describes it.

    Attributes:
        shape: Voxels along the three stored axes, of which the first runs fastest.
        kind: What a voxel is.
        dtype: Of one sample, in the file's byte order.
        offset: Of the first voxel, in bytes of the unpacked file.
        rescale: From stored values to those that mean something; None where the header gives no scale.
        shown: Darkest and brightest value that the header asks for (cal_min, cal_max); None where it asks for none.
        volumes: How many there are; the first is read.
        is_labels: Whether the header says that the values are labels.
        plane: In which it is looked at.
    """

    shape: tuple[int, int, int]
    kind: Kind
    dtype: np.dtype[Any]
    offset: int
    rescale: Rescale | None
    shown: tuple[float, float] | None
    volumes: int
    is_labels: bool
    plane: Plane

    @property
    def modality(self) -> Rescale:
        """From the values of a slice to those that mean something; magnitudes of complex numbers are scaled already."""
        return self.rescale or Rescale() if self.kind == "gray" else Rescale()

    @property
    def samples(self) -> int:
        """Samples of a voxel."""
        return _SAMPLES[self.kind]

    @property
    def voxel_bytes(self) -> int:
        """Bytes of a voxel."""
        return self.samples * self.dtype.itemsize

    @property
    def slices(self) -> int:
        """How many slices there are."""
        return self.shape[self.plane.axis]

    @property
    def slice_bytes(self) -> int:
        """Bytes of a slice."""
        return self.shape[self.plane.down] * self.shape[self.plane.across] * self.voxel_bytes

    def remarks(self) -> list[str]:
        """What has to be known of how slices follow from the file, a sentence each."""
        said = [told_plane(self.plane)] if self.slices > 1 else []
        said += [] if self.plane.is_known else [NOT_SAID]
        said += [FIRST_VOLUME] if self.volumes > 1 else []
        return said + ([MAGNITUDE] if self.kind == "complex" else [])


def told_plane(plane: Plane) -> str:
    """In which plane a volume is looked at, and why.

    Example:
        >>> told_plane(plane_of((64, 64, 64), (1, 1, 1), None))
        'Its slices are axial.'
        >>> told_plane(plane_of((20, 64, 64), (3, 1, 1), None))
        'Its slices are sagittal, across the axis on which it is coarsest.'
    """
    why = {
        "thickest": ", across the axis on which it is coarsest",
        "fewest": ", along the axis with the fewest of them",
    }
    return f"Its slices are {plane.name}{why.get(plane.why, '')}."


def read_header(head: bytes, *, request: Request) -> VolumeHeader:
    """Read the header of an unpacked file.

    Args:
        head: Its first :data:`HEADER_BYTES` bytes, or as many as it has.
        request: For its limits and its messages.

    Raises:
        ImageError: nibabel is not installed; the values lie in another file, are no pixels, or there are none.
        ImageTooLargeError: A slice or the volume is over a limit.
        Exception: Whatever nibabel raises of a damaged header; the border of decoding makes one error of all.
    """
    try:
        from nibabel.nifti1 import Nifti1Header
        from nibabel.nifti2 import Nifti2Header
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "nibabel":
            raise
        raise request.error(
            "the package nibabel, which reads NIfTI",
            "a NIfTI file, and it is not installed",
            remedy=install_command("nifti"),
        ) from None
    is_second = 540 in (int.from_bytes(head[:4], order) for order in ("little", "big"))
    kind: Any = Nifti2Header if is_second else Nifti1Header
    header = kind.from_fileobj(BytesIO(head), check=False)  # which would say less of what is wrong
    if bytes(header["magic"])[:3] not in _SINGLE_FILE:
        raise request.error(
            "a NIfTI file with its values in it",
            "a header whose values are in another file (.img)",
            remedy="Convert both to one .nii or .nii.gz file.",
        )
    code = int(header["datatype"])
    if code not in _KINDS:
        raise request.error(
            "whole or floating-point numbers, complex numbers or RGB in a NIfTI file",
            f"of {_NAMES.get(code, 'an unknown type')} (data type {code})",
            remedy="Convert it to int16 or float32.",
        )
    header.check_fix()
    named, base = _KINDS[code]
    shape, volumes = _shape(header, request=request)
    dtype = np.dtype(base).newbyteorder(header.endianness)
    voxel_bytes = _SAMPLES[named] * dtype.itemsize
    size = math.prod(shape) * voxel_bytes
    if size > request.limits.max_bytes:
        raise request.error(
            f"a volume of at most {request.limits.max_bytes:,} bytes",
            f"{' x '.join(map(str, shape))} voxels of {voxel_bytes} bytes, {size:,} bytes",
            remedy="Resample it, crop it, or save it in a smaller type.",
            kind=ImageTooLargeError,
        )
    volume = VolumeHeader(
        shape=shape,
        kind=named,
        dtype=dtype,
        offset=_offset(header, request=request),
        rescale=_rescale(header) if named in {"gray", "complex"} else None,
        shown=_shown(header),
        volumes=volumes,
        is_labels=int(header["intent_code"]) == _LABEL_INTENT,
        plane=_plane(header, shape),
    )
    request.check_pixels(shape[volume.plane.across], shape[volume.plane.down])
    return volume


def _shape(header: Any, *, request: Request) -> tuple[tuple[int, int, int], int]:
    """The size of one volume, and how many of them there are."""
    sizes = [int(size) for size in header.get_data_shape()]
    if not sizes or min(sizes) < 1:
        raise request.error("a volume with voxels in it", "one without any", remedy=COPY_AGAIN)
    padded = [*sizes, 1, 1][: max(3, len(sizes))]
    return (padded[0], padded[1], padded[2]), math.prod(padded[3:])


def _offset(header: Any, *, request: Request) -> int:
    offset = float(header["vox_offset"])
    least = int(header.sizeof_hdr) + 4
    if not math.isfinite(offset) or not 0 <= offset <= request.limits.max_bytes:
        raise request.damaged("NIfTI")
    return max(int(offset), least)  # some writers leave it out


def _rescale(header: Any) -> Rescale | None:
    slope, intercept = header.get_slope_inter()  # none where the slope is 0 or no number, which mean "not scaled"
    if slope is None or not (math.isfinite(slope) and math.isfinite(intercept or 0)):
        return None
    scaled = Rescale(float(slope), float(intercept or 0))
    return None if scaled == Rescale() else scaled


def _shown(header: Any) -> tuple[float, float] | None:
    low, high = float(header["cal_min"]), float(header["cal_max"])
    return (low, high) if math.isfinite(low) and math.isfinite(high) and high > low else None


def _plane(header: Any, shape: tuple[int, int, int]) -> Plane:
    from nibabel.orientations import io_orientation

    unit = _MILLIMETERS.get(str(header.get_xyzt_units()[0]), 1.0)
    axes: list[tuple[int, int]] | None = None
    spacing = [abs(float(step)) * unit for step in header["pixdim"][1:4]]
    if int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0:
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
        if np.isfinite(affine).all():
            turned = io_orientation(affine)
            if np.isfinite(turned).all():
                axes = [(int(patient), int(sign)) for patient, sign in turned]
                spacing = [float(step) * unit for step in np.linalg.norm(affine[:3, :3], axis=0)]
    return plane_of(shape, spacing, axes)
