"""Pixels that straddle bytes: against arithmetic on one long number, and in whole files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import uid

from radcbir_core.errors import ImageError
from radcbir_core.images import decode_image, read_stored
from radcbir_core.images.dicom.packed_pixels import is_packed, span_of, unpacked
from tests.core.images.dicom_files import make_header, write

DEEP = (np.add.outer(np.arange(5) * 391, np.arange(7) * 97) % 4096).astype(np.uint16)


def packed(values: list[int], bits: int, *, big_endian: bool = False) -> bytes:
    """One long number, the first pixel lowest, as 16-bit words."""
    number = sum((value % (1 << bits)) << (bits * place) for place, value in enumerate(values))
    size = -(-bits * len(values) // 16) * 2
    return np.frombuffer(number.to_bytes(size, "little"), "<u2").astype(">u2" if big_endian else "<u2").tobytes()


def dicom(pixels: np.ndarray, bits: int = 12, *, big_endian: bool = False, **elements) -> bytes:
    syntax = uid.ExplicitVRBigEndian if big_endian else uid.ExplicitVRLittleEndian
    elements = {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1} | elements
    header = make_header(pixels, syntax=syntax, **elements)
    header.PixelData = packed(pixels.reshape(-1).astype(int).tolist(), bits, big_endian=big_endian)
    header["PixelData"].VR = "OW"
    return write(header)


@given(st.sampled_from([bits for bits in range(2, 16) if is_packed(bits)]), st.booleans(), st.integers(1, 9), st.data())
def test_every_frame_is_cut_out_of_one_long_number(bits, big_endian, pixels, data) -> None:
    frames = data.draw(st.integers(1, 3))
    values = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=pixels * frames, max_size=pixels * frames))
    whole = packed(values, bits, big_endian=big_endian)
    for frame in range(frames):
        first, last = span_of(frame, pixels=pixels, bits=bits)
        read = unpacked(whole[first:last], frame, pixels=pixels, bits=bits, signed=False, big_endian=big_endian)
        assert read.tolist() == values[frame * pixels : (frame + 1) * pixels]


@pytest.mark.parametrize("big_endian", [False, True])
def test_a_file_of_12_bits_is_read(big_endian: bool) -> None:
    assert np.array_equal(read_stored(dicom(DEEP, big_endian=big_endian)).stored, DEEP)
    signed = DEEP.astype(np.int16) - 2048
    assert np.array_equal(read_stored(dicom(signed, big_endian=big_endian, PixelRepresentation=1)).stored, signed)
    assert np.array_equal(read_stored(dicom(DEEP % 1024, 10, big_endian=big_endian)).stored, DEEP % 1024)


def test_frames_begin_within_a_byte() -> None:
    frames = np.stack([DEEP, DEEP[::-1], DEEP[:, ::-1]])  # 35 pixels of 12 bits each
    data = dicom(frames, frames=3)
    for number, frame in enumerate(frames):
        assert np.array_equal(read_stored(data, frame=number).stored, frame)


def test_what_is_cut_off_or_color_is_said() -> None:
    with pytest.raises(ImageError, match=r"Expected 54 bytes of pixel data, but x = cut off after 44\."):
        decode_image(dicom(DEEP)[:-10], name="x")
    color = np.stack([DEEP] * 3, axis=-1)
    with pytest.raises(ImageError, match=r"Expected color pixels of whole bytes, but x = color with 12 bits allocated"):
        decode_image(dicom(color), name="x")


def test_a_compressed_file_may_name_the_width_that_it_had_before() -> None:
    pixels = np.tile(DEEP, (8, 8))
    for syntax in (uid.JPEG2000Lossless, uid.JPEGLSLossless, uid.RLELossless):
        header = make_header(pixels, BitsStored=12)
        header.compress(syntax, pixels, generate_instance_uid=False)
        header.BitsAllocated = 12
        assert np.array_equal(read_stored(write(header)).stored, pixels), syntax.name
