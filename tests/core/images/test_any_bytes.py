"""Whatever the bytes are: an image, or an ImageError in one line."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import uid

from radcbir_core.errors import ImageError
from radcbir_core.images import Limits, decode_image
from tests.core.images.dicom_files import (
    HTJ2K_FRAME,
    HTJ2K_VALUES,
    SECRET,
    compressed_bytes,
    dicom_bytes,
    encapsulated_bytes,
    jpeg,
    lossless_jpeg,
)

GRAY = np.add.outer(np.arange(32) * 5, np.arange(40) * 3).astype(np.uint8)
COLOR = np.stack([GRAY, GRAY[::-1], 255 - GRAY], -1)
DEEP = GRAY.astype(np.uint16) * 13


def saved(pixels: np.ndarray, image_format: str, **options: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, image_format, **options)
    return file.getvalue()


SEEDS: dict[str, bytes] = {
    "PNG": saved(GRAY, "PNG"),
    "deep PNG": saved(DEEP, "PNG"),
    "palette PNG": saved(np.asarray(Image.fromarray(COLOR).quantize(8).convert("RGB")), "PNG"),
    "JPEG": saved(COLOR, "JPEG"),
    "progressive JPEG": saved(GRAY, "JPEG", progressive=True),
    "TIFF": saved(DEEP, "TIFF"),
    "WebP": saved(COLOR, "WEBP"),
    "lossless WebP": saved(COLOR, "WEBP", lossless=True),
    "BMP": saved(GRAY, "BMP"),
    "DICOM": dicom_bytes(DEEP, WindowCenter=900, WindowWidth=1700, RescaleSlope=1, RescaleIntercept=-1024),
    "implicit DICOM": dicom_bytes(np.stack([GRAY] * 2), frames=2, syntax=uid.ImplicitVRLittleEndian),
    "big-endian DICOM": dicom_bytes(COLOR, syntax=uid.ExplicitVRBigEndian),
    "deflated DICOM": dicom_bytes(DEEP, syntax=uid.DeflatedExplicitVRLittleEndian),
    "RLE": compressed_bytes(DEEP, uid.RLELossless, encoder={"encoding_plugin": "pydicom"}),
    "JPEG in DICOM": encapsulated_bytes(
        COLOR, [jpeg(COLOR)], uid.JPEGBaseline8Bit, PhotometricInterpretation="YBR_FULL_422"
    ),
    "8-bit lossless JPEG": encapsulated_bytes(GRAY, [lossless_jpeg(GRAY, 8)], uid.JPEGLosslessSV1),
    "JPEG-LS": compressed_bytes(DEEP, uid.JPEGLSLossless),
    "JPEG 2000": compressed_bytes(COLOR, uid.JPEG2000Lossless, PhotometricInterpretation="RGB"),
    "HTJ2K": encapsulated_bytes(HTJ2K_VALUES, [HTJ2K_FRAME], uid.HTJ2K),
}
# Small, so that a header that asks for much is refused and the rest is quick.
LIMITS = Limits(max_bytes=1_000_000, max_pixels=1_000_000)


def check(data: bytes) -> None:
    try:
        image = decode_image(data, name="fuzzed", limits=LIMITS)
    except ImageError as error:
        text = str(error)
        assert text.startswith("Expected ")
        assert " fuzzed = " in text
        assert "\n" not in text
        assert SECRET not in text
        return
    assert image.pixels.dtype == np.uint8
    assert image.pixels.ndim == 2 or image.pixels.shape[2:] == (3,)
    assert image.pixels.size <= 3 * LIMITS.max_pixels
    assert image.pixels.flags.c_contiguous


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
@example(b"\x89PNG\r\n\x1a\n")
@example(b"\xff\xd8\xff")
@example(b"II*\x00\x08\x00\x00\x00")
@example(b"RIFF\x00\x00\x00\x00WEBP")
@example(bytes(128) + b"DICM")
def test_random_bytes(data: bytes) -> None:
    check(data)


@settings(max_examples=80, deadline=None)
@given(start=st.sampled_from(sorted(SEEDS)), rest=st.binary(max_size=300), kept=st.integers(4, 200))
def test_random_bytes_after_a_good_start(start: str, rest: bytes, kept: int) -> None:
    check(SEEDS[start][:kept] + rest)


@pytest.mark.parametrize("kind", SEEDS)
def test_the_seeds_are_images(kind: str) -> None:
    assert decode_image(SEEDS[kind], limits=LIMITS).pixels.any()


@pytest.mark.parametrize("kind", SEEDS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flipped_bits_cuts_and_holes(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(SEEDS[kind])
    # Headers are where damage does most, so half of it goes there.
    for _ in range(data.draw(st.integers(1, 6))):
        last = data.draw(st.sampled_from([min(700, len(damaged)) - 1, len(damaged) - 1]))
        damaged[data.draw(st.integers(0, last))] ^= 1 << data.draw(st.integers(0, 7))
    what = data.draw(st.sampled_from(["flip", "cut", "hole", "double"]))
    place = data.draw(st.integers(0, len(damaged) - 1))
    if what == "cut":
        del damaged[place:]
    elif what == "hole":
        damaged[place : place + 60] = bytes(60)
    elif what == "double":
        damaged[place:place] = damaged[max(0, place - 30) : place]
    check(bytes(damaged))


@settings(max_examples=12, deadline=None)
@given(place=st.integers(2, 80), value=st.integers(0, 255))
def test_frames_for_the_helper_process(place: int, value: int) -> None:
    frame = bytearray(lossless_jpeg(DEEP[:8, :8], 12))
    frame[place] = value
    check(encapsulated_bytes(DEEP[:8, :8], [bytes(frame)], uid.JPEGLosslessSV1, BitsStored=12))
