"""The way in: a file or its bytes, of whatever format, to a decoded image.

Owns the routing by content and the check of the file's size. Decoding is two steps, each of which can be had by itself:
what the file holds, and how that is shown.
"""

from __future__ import annotations

import stat
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from radcbir_core.images.decoded_image import DecodedImage, Limits
from radcbir_core.images.decoding_request import COPY_AGAIN, Request, only_image_errors
from radcbir_core.images.display import display_image
from radcbir_core.images.file_types import HEAD_BYTES, describe, sniff
from radcbir_core.images.raster import read_raster
from radcbir_core.images.stored_image import StoredImage

_DEFAULT_LIMITS = Limits()


def decode_image(
    source: Path | bytes,
    *,
    name: str | None = None,
    frame: int | None = None,
    window: tuple[float, float] | None = None,
    limits: Limits = _DEFAULT_LIMITS,
) -> DecodedImage:
    """Decode one image as it is shown: :func:`read_stored`, then :func:`~radcbir_core.images.display.display_image`.

    Safe to call from several threads.

    Args:
        source: a file, or the content of one.
        name: what messages call it; the file's name by default. It is shown, so give no path that names a patient.
        frame: the frame of a multi-frame DICOM object or the page of a TIFF, counted from 0; the middle one by default.
            Reduced copies and masks in a TIFF are no pages.
        window: (center, width) of a linear window over gray values, in the values after the modality LUT or rescale,
            instead of the file's own.
        limits: what the file may cost; checked before anything is decoded.

    Returns:
        Gray (H, W) or RGB (H, W, 3), uint8, with the window that was used.

    Raises:
        ImageError: there is no such file, or it is empty, damaged, cut off, an animation, or none of these formats.
        ImageTooLargeError: over a limit.
        NoPixelDataError: a DICOM object without a picture in it.

    Example:
        >>> from io import BytesIO
        >>> from PIL import Image
        >>> file = BytesIO()
        >>> Image.new("L", (4, 3), 200).save(file, "PNG")
        >>> image = decode_image(file.getvalue(), name="flat.png")
        >>> image.format, image.pixels.shape, int(image.pixels.max()), image.window
        ('PNG', (3, 4), 200, None)
    """
    return display_image(read_stored(source, name=name, frame=frame, limits=limits), window=window)


def read_stored(
    source: Path | bytes, *, name: str | None = None, frame: int | None = None, limits: Limits = _DEFAULT_LIMITS
) -> StoredImage:
    """Read what one image file holds, before anything of it is shown; safe to call from several threads.

    The content decides the format, never the name: PNG, JPEG, TIFF, WebP, BMP, or DICOM with or without its preamble.

    Args:
        source: a file, or the content of one.
        name: what messages call it; the file's name by default. It is shown, so give no path that names a patient.
        frame: the frame of a multi-frame DICOM object or the page of a TIFF, counted from 0; the middle one by default.
            Reduced copies and masks in a TIFF are no pages.
        limits: what the file may cost; checked before anything is decoded.

    Raises:
        ImageError: there is no such file, or it is empty, damaged, cut off, an animation, or none of these formats.
        ImageTooLargeError: over a limit.
        NoPixelDataError: a DICOM object without a picture in it.

    Example:
        >>> from io import BytesIO
        >>> import numpy as np
        >>> from PIL import Image
        >>> file = BytesIO()
        >>> Image.fromarray(np.array([[0, 40_000]], np.uint16)).save(file, "PNG")
        >>> read_stored(file.getvalue()).values().tolist()
        [[0.0, 40000.0]]
    """
    if isinstance(source, bytes):
        request = Request(name or "the upload", frame, limits)
        return _read(BytesIO(source), size=len(source), request=request)
    request = Request(name or source.name, frame, limits)
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
    return read_raster(file.read(), image_format, request=request)
