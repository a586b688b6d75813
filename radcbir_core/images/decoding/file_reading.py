"""What a file or its bytes hold, of whatever format, read in this very process.

Owns the routing by content and the check of the file's size. It is called in the process that decodes, which has limits
of memory and time; `decode` is the way in.
"""

from __future__ import annotations

import stat
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from radcbir_core.images.decoded_image import Limits
from radcbir_core.images.decoding.decoding_request import COPY_AGAIN, Request, only_image_errors
from radcbir_core.images.decoding.file_content import Content
from radcbir_core.images.file_types import HEAD_BYTES, describe, sniff
from radcbir_core.images.raster.raster_reading import read_raster
from radcbir_core.images.stored_image import StoredImage

_DEFAULT_LIMITS = Limits()


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
        radcbir_core.errors.ImageError: Expected a PNG, JPEG, TIFF, WebP, BMP or DICOM file, but a.gif = a GIF. \
Convert it to one of these, or leave it out.
    """
    if isinstance(source, bytes):
        request = Request(name or "the upload", frame, limits, measured_only)
        return _read(BytesIO(source), size=len(source), request=request)
    request = Request(name or source.name, frame, limits, measured_only)
    try:
        status = source.stat()
        if not stat.S_ISREG(status.st_mode):  # a folder; or a pipe, which would never end
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise request.error("an image file", kind, remedy="Name an image file.")
        with source.open("rb") as file:
            return _read(file, size=status.st_size, request=request)
    except FileNotFoundError as error:
        raise request.error("an image file", "not there", remedy="Check the path.") from error
    except OSError as error:
        raise request.error(
            "an image file", f"unreadable ({error.strerror})", remedy="Check the disk and its permissions."
        ) from error


def _read(file: BinaryIO, *, size: int, request: Request) -> StoredImage:
    """Read an open file of `size` bytes."""
    if size == 0:
        raise request.error("an image file", "empty (0 bytes)", remedy=COPY_AGAIN)
    request.check_bytes(size)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    image_format = sniff(head)
    if image_format is None:
        raise request.error(
            "a PNG, JPEG, TIFF, WebP, BMP or DICOM file",
            describe(head),
            remedy="Convert it to one of these, or leave it out.",
        )
    with only_image_errors(request.name, image_format):
        image = _read_as(image_format, file, size=size, request=request)
    image.stored.flags.writeable = False
    return image


def _read_as(image_format: str, file: BinaryIO, *, size: int, request: Request) -> StoredImage:
    if image_format == "DICOM":
        from radcbir_core.images.dicom.reading import read_dicom  # pydicom takes a third of a second to import

        return read_dicom(file, size=size, request=request)
    return read_raster(Content(file, size=size), image_format, request=request)
