"""Headers of compressed frames: against the encoders that wrote them, by hand, and broken off."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom import uid
from pydicom.encaps import get_frame

from radcbir_core.images.dicom.codestream import (
    CodestreamHeader,
    ends_with_marker,
    read_jpeg2000_header,
    read_jpeg_header,
)
from tests.core.images.dicom_files import HTJ2K_FRAME, flat_blocks_jpeg12, jpeg, lossless_jpeg, make_header

GRAY = np.arange(33 * 17, dtype=np.uint16).reshape(33, 17)
BYTES = GRAY.astype(np.uint8)
COLOR = np.stack([BYTES] * 3, axis=-1)


def jpeg_ls() -> bytes:
    header = make_header(GRAY)
    header.compress(uid.JPEGLSLossless, GRAY, generate_instance_uid=False)
    return get_frame(header.PixelData, 0, number_of_frames=1)


def jpeg2000(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG2000", **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("frame", "header"),
    [
        (jpeg(BYTES), CodestreamHeader(17, 33, 1, 8, marked_color=True)),
        (jpeg(COLOR), CodestreamHeader(17, 33, 3, 8, marked_color=True)),
        (jpeg(COLOR, keep_rgb=True), CodestreamHeader(17, 33, 3, 8, marked_color=True)),
        (jpeg(BYTES, progressive=True), CodestreamHeader(17, 33, 1, 8, marked_color=True)),
        (lossless_jpeg(GRAY, 16), CodestreamHeader(17, 33, 1, 16, lossless=True)),
        (flat_blocks_jpeg12(np.zeros((3, 4), int)), CodestreamHeader(32, 24, 1, 12)),
        (jpeg_ls(), CodestreamHeader(17, 33, 1, 16)),
    ],
    ids=["gray", "color", "RGB", "progressive", "lossless", "12 bits", "JPEG-LS"],
)
def test_jpeg_as_it_was_written(frame: bytes, header: CodestreamHeader) -> None:
    assert read_jpeg_header(frame) == header


def test_jpeg2000_as_it_was_written() -> None:
    assert read_jpeg2000_header(HTJ2K_FRAME) == CodestreamHeader(20, 16, 1, 16)
    assert read_jpeg2000_header(jpeg2000(COLOR)) == CodestreamHeader(17, 33, 3, 8), "inside a JP2 file"
    assert read_jpeg2000_header(jpeg2000(GRAY, no_jp2=True)) == CodestreamHeader(17, 33, 1, 16)
    frame = bytearray(HTJ2K_FRAME)
    frame[16:24] = struct.pack(">II", 5, 3)
    assert read_jpeg2000_header(bytes(frame)) == CodestreamHeader(15, 13, 1, 16), "an image that starts inside its grid"


SOF = bytes.fromhex("ffc0 000b 08 0010 0020 01 011100")


@pytest.mark.parametrize(
    ("segments", "marked"),
    [
        ("ffff", False),  # fill bytes before a marker
        ("ff01", False),  # TEM has no segment
        ("ffd0", False),
        ("ffc4 0002", False),  # a Huffman table is no frame
        ("ffe0 0010 4a46494600 010100000100010000", True),
        ("ffe0 000f 4a46494600 0101000001000100", False),  # a byte too short to be JFIF
        ("ffee 000e 41646f6265 00640000000001", True),
        ("ffee 000d 41646f6265 006400000000", False),
    ],
)
def test_segments_before_the_frame(segments: str, marked: bool) -> None:
    header = read_jpeg_header(b"\xff\xd8" + bytes.fromhex(segments) + SOF)
    assert header == CodestreamHeader(32, 16, 1, 8, marked_color=marked)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"", "no start of image"),
        (b"\xff\xd8", "no start of frame"),
        (b"\xff\xd8\x00\x00\x00\x00", "no marker where one has to be"),
        (b"\xff\xd8\xff\xc4\x00\x09\x00\x00", "no start of frame"),
    ],
)
def test_jpeg_without_a_header(frame: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_jpeg_header(frame)


def test_jpeg2000_without_a_header() -> None:
    with pytest.raises(ValueError, match="no start of codestream"):
        read_jpeg2000_header(b"jP")
    subsampled = bytearray(HTJ2K_FRAME)
    subsampled[43] = 2
    for frame in (bytes(subsampled), HTJ2K_FRAME[:42]):
        with pytest.raises(ValueError, match="no components, or subsampled ones"):
            read_jpeg2000_header(frame)


@given(st.binary(max_size=80), st.integers(0, 60))
def test_any_bytes_give_a_header_or_a_fault_that_is_caught(noise: bytes, cut: int) -> None:
    for start, read in ((jpeg(BYTES)[:cut], read_jpeg_header), (HTJ2K_FRAME[:cut], read_jpeg2000_header)):
        try:
            header = read(start + noise)
        except (ValueError, struct.error):
            continue
        assert header.components >= 0


@given(st.binary(max_size=30), st.binary(max_size=9).map(lambda b: bytes(0 if x % 2 else 255 for x in b)))
def test_padding_does_not_hide_the_end(content: bytes, padding: bytes) -> None:
    assert ends_with_marker(content + b"\xff\xd9" + padding)
    assert not ends_with_marker(content + b"\xff\xd8" + padding)
