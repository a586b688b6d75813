"""Frames that GDCM decodes: JPEG of more than eight bits (lossless, and 12-bit extended), JPEG-LS, JPEG 2000, HTJ2K.

Owns a decoding plug-in for pydicom, and what GDCM says on standard error: there it complains about data that it then
fills up. It ends the whole process on some damaged streams, so this runs in a process that decodes, and in no other.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import FileIO
from typing import TYPE_CHECKING

from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEG2000, JPEGLosslessSV1, JPEGLSLossless, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

_STANDARD_ERROR = 2
_OPTIONS = (
    "bits_allocated",
    "bits_stored",
    "columns",
    "rows",
    "samples_per_pixel",
    "photometric_interpretation",
    "pixel_representation",
    "planar_configuration",
)


def is_available(uid: str) -> bool:  # noqa: ARG001 - pydicom asks every plug-in module this
    """Decoding says itself what is missing."""
    return True


def decode(frame: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame; its transfer syntax names the family, and the stream itself which member of it this is.

    Raises:
        ValueError: GDCM complained about it.
        Exception: what GDCM and pydicom raise on a damaged frame.
    """
    options = {name: runner.get_option(name) for name in _OPTIONS if runner.get_option(name) is not None}
    # pydicom lets GDCM read lossless JPEG of any precision and JPEG 2000, but neither 12-bit extended JPEG nor HTJ2K,
    # which GDCM reads just as well.
    syntax = str(runner.transfer_syntax)
    family = JPEGLSLossless if syntax in JPEGLSTransferSyntaxes else JPEG2000
    decoder = get_decoder(JPEGLosslessSV1 if syntax in JPEGTransferSyntaxes else family)
    with _complaints() as complaints:
        pixels, _ = decoder.as_buffer(
            encapsulate([frame], has_bot=False), index=0, decoding_plugin="gdcm", number_of_frames=1, **options
        )
    complaints.seek(0)
    if b"Corrupt JPEG data" in complaints.read():
        raise ValueError("corrupt JPEG data")
    return bytes(pixels)


@contextmanager
def _complaints() -> Iterator[FileIO]:
    """The file that standard error goes to meanwhile."""
    file = _file_of_complaints()
    file.seek(0)
    file.truncate()
    before = os.dup(_STANDARD_ERROR)
    os.dup2(file.fileno(), _STANDARD_ERROR)
    try:
        yield file
    finally:
        os.dup2(before, _STANDARD_ERROR)
        os.close(before)


@cache
def _file_of_complaints() -> FileIO:
    # Unbuffered, because GDCM writes past Python.
    return tempfile.TemporaryFile(buffering=0)
