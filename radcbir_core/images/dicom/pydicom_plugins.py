"""Decoding plug-ins for pydicom: the same formats as its own, by decoders that damaged data cannot bring down.

Owns two functions of the form that ``pydicom.pixels.decoders.base.Decoder.add_plugin`` wants: JPEG and RLE, both
through Pillow. They are given frames that `frames` has checked against the DICOM header.
"""

from __future__ import annotations

import struct
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from radcbir_core.images.dicom.codestream import read_jpeg_header
from radcbir_core.images.parts import boxes

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

OUT_OF_MEMORY = "out of memory"
"""What a plug-in says of it: pydicom keeps of an error only its text."""

_RLE_HEADER_BYTES = 64


def is_available(uid: str) -> bool:  # noqa: ARG001 - pydicom asks every plug-in module this
    """Pillow is always here."""
    return True


def decode_jpeg(frame: bytes, runner: DecodeRunner) -> bytes:
    """Decode 8-bit JPEG: baseline, extended, or lossless gray. Color comes out as RGB.

    A stream that says how its color is coded is believed. One that does not is converted unless the DICOM header calls
    it RGB (PS3.5, 8.2.1), which Pillow has to be kept from taking for YCbCr.
    """
    image = JpegImageFile(BytesIO(frame))
    if runner.samples_per_pixel == 3:
        if runner.photometric_interpretation == "RGB" and not read_jpeg_header(frame).marked_color:
            image.draft("YCbCr", image.size)
        runner.set_option("photometric_interpretation", "RGB")
    return image.tobytes()


def decode_rle(frame: bytes, runner: DecodeRunner) -> memoryview:
    """Decode RLE (PS3.5, annex G): each byte of each sample is a segment of its own, most significant byte first.

    Pillow's PackBits decoder stops at the size it is told, so that a small frame cannot fill the memory, and refuses a
    segment that ends early.

    Raises:
        ValueError: another number of segments than the header asks for, or one that is misplaced or ends early.
    """
    pixels = runner.rows * runner.columns
    sample_bytes = runner.bits_allocated // 8
    count, *offsets = struct.unpack_from("<16I", frame)
    if count != runner.samples_per_pixel * sample_bytes:
        raise ValueError("another number of RLE segments than samples and bytes")
    limits = [*offsets[:count], len(frame)]
    if min(limits) < _RLE_HEADER_BYTES:
        raise ValueError("an RLE segment in the header")

    runner.set_option("planar_configuration", 1)
    try:
        planes = np.empty((runner.samples_per_pixel, pixels, sample_bytes), dtype=np.uint8)
        for place, (start, end) in enumerate(pairwise(limits)):
            sample, from_top = divmod(place, sample_bytes)
            line = Image.frombytes("L", (pixels, 1), frame[start:end], "packbits", "L")
            for left, _, right, _ in boxes(pixels, 1):
                part = np.asarray(line.crop((left, 0, right, 1)))
                planes[sample, left:right, sample_bytes - 1 - from_top] = part[0]
    except MemoryError as error:
        raise ValueError(OUT_OF_MEMORY) from error
    return planes.reshape(-1).data
