"""What a file or its bytes hold, of whatever format, read in this very process.

Owns the routing by content and the check of the file's size. It is called in the process that decodes, which has limits
of memory and time; `decode` is the way in.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeVar

from radcbir_core.images.decoded_image import Limits
from radcbir_core.images.decoding.decoding_request import COPY_AGAIN, Request, only_image_errors
from radcbir_core.images.decoding.file_content import Content
from radcbir_core.images.file_types import HEAD_BYTES, describe, sniff
from radcbir_core.images.nifti.facts import VolumeFacts
from radcbir_core.images.raster.raster_reading import read_raster
from radcbir_core.images.stored_image import StoredImage

_DEFAULT_LIMITS = Limits()
Read = TypeVar("Read")


def read_file(
    source: Path | bytes,
    *,
    name: str | None = None,
    frame: int | None = None,
    limits: Limits = _DEFAULT_LIMITS,
    measured_only: bool = False,
) -> StoredImage:
    """Read what one image file holds, before anything of it is shown.

    Arguments and errors are those of :func:`radcbir_core.images.decode.read_stored`, but for the limits of memory and
    time, which are the process's, and for `measured_only`, which is
    :attr:`radcbir_core.images.decoding.decoding_request.Request.measured_only`.

    Example:
        >>> read_file(b"GIF89a", name="a.gif")
        Traceback (most recent call last):
        radcbir_core.errors.ImageError: Expected a PNG, JPEG, TIFF, WebP, BMP, DICOM or NIfTI file, but a.gif = a GIF. \
Convert it to one of these, or leave it out.
    """
    called = name or ("the upload" if isinstance(source, bytes) else source.name)
    return _opened(source, Request(called, frame, limits, measured_only), _read)


def read_volume(source: Path | bytes, *, name: str, limits: Limits = _DEFAULT_LIMITS) -> VolumeFacts:
    """What is known of a NIfTI volume as a whole.

    Arguments and errors are those of :func:`radcbir_core.images.decode.read_volume`, as of :func:`read_file`.
    """
    return _opened(source, Request(name, None, limits), _read_volume)


def _opened(source: Path | bytes, request: Request, read: Callable[[BinaryIO, int, Request], Read]) -> Read:
    """What a file is read as, once it is open."""
    if isinstance(source, bytes):
        return read(BytesIO(source), len(source), request)
    try:
        status = source.stat()
        if not stat.S_ISREG(status.st_mode):  # a folder; or a pipe, which would never end
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise request.error("an image file", kind, remedy="Name an image file.")
        with source.open("rb") as file:
            return read(file, status.st_size, request)
    except FileNotFoundError as error:
        raise request.error("an image file", "not there", remedy="Check the path.") from error
    except OSError as error:
        raise request.error(
            "an image file", f"unreadable ({error.strerror})", remedy="Check the disk and its permissions."
        ) from error


def _read(file: BinaryIO, size: int, request: Request) -> StoredImage:
    """Read an open file of `size` bytes."""
    head = _head(file, size, request)
    image_format = sniff(head)
    if image_format is None:
        raise request.error(
            "a PNG, JPEG, TIFF, WebP, BMP, DICOM or NIfTI file",
            describe(head),
            remedy="Convert it to one of these, or leave it out.",
        )
    with only_image_errors(request.name, image_format):
        image = _read_as(image_format, file, size=size, request=request)
    image.stored.flags.writeable = False
    return image


def _read_volume(file: BinaryIO, size: int, request: Request) -> VolumeFacts:
    if sniff(_head(file, size, request)) != "NIFTI":
        raise request.error("a NIfTI file (.nii, .nii.gz)", "something else", remedy="Check the file, or leave it out.")
    with only_image_errors(request.name, "NIFTI"):
        from radcbir_core.images.nifti.slice_reading import volume_facts

        return volume_facts(file, size=size, request=request)


def _head(file: BinaryIO, size: int, request: Request) -> bytes:
    """The first bytes of a file that is not empty, nor too large."""
    if size == 0:
        raise request.error("an image file", "empty (0 bytes)", remedy=COPY_AGAIN)
    request.check_bytes(size)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    return head


def _read_as(image_format: str, file: BinaryIO, *, size: int, request: Request) -> StoredImage:
    if image_format == "DICOM":
        from radcbir_core.images.dicom.reading import read_dicom  # pydicom takes a third of a second to import

        return read_dicom(file, size=size, request=request)
    if image_format == "NIFTI":
        from radcbir_core.images.nifti.slice_reading import read_nifti

        return read_nifti(file, size=size, request=request)
    return read_raster(Content(file, size=size), image_format, request=request)
