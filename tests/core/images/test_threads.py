"""Decoding in several threads: the same pixels, and nothing on the terminal, in the log, or among the warnings."""

from __future__ import annotations

import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from radcbir_core.errors import ImageError
from radcbir_core.images import decode_image
from tests.core.images.dicom_files import compressed_bytes, dicom_bytes, encapsulated_bytes, jpeg, lossless_jpeg

RNG = np.random.default_rng(11)
GRAY = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
DEEP = RNG.integers(0, 4096, (40, 50)).astype(np.uint16)
COLOR = np.stack([GRAY, GRAY[::-1], 255 - GRAY], -1)


def saved(pixels: np.ndarray, image_format: str) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, image_format)
    return file.getvalue()


def corpus() -> list[bytes]:
    return [
        *(saved(COLOR, image_format) for image_format in ("PNG", "JPEG", "TIFF", "WEBP", "BMP")),
        saved(DEEP, "PNG"),
        dicom_bytes(DEEP, WindowCenter=900, WindowWidth=1700),
        dicom_bytes(DEEP, syntax=uid.ExplicitVRBigEndian),
        compressed_bytes(DEEP, uid.RLELossless, encoder={"encoding_plugin": "pydicom"}),
        compressed_bytes(DEEP, uid.JPEGLSLossless),
        compressed_bytes(DEEP, uid.JPEG2000Lossless),
        encapsulated_bytes(DEEP, [lossless_jpeg(DEEP, 16)], uid.JPEGLosslessSV1),
        # pydicom warns of the JFIF segment, which contradicts the header
        encapsulated_bytes(COLOR, [jpeg(COLOR)], uid.JPEGBaseline8Bit, PhotometricInterpretation="RGB"),
    ]


def test_threads_give_what_one_thread_gives() -> None:
    files = corpus()
    alone = [decode_image(data).pixels for data in files]
    order = RNG.permutation(np.repeat(np.arange(len(files)), 12)).tolist()
    with ThreadPoolExecutor(8) as pool:
        for which, image in zip(order, pool.map(lambda which: decode_image(files[which]), order), strict=True):
            assert np.array_equal(image.pixels, alone[which])


def noisy() -> list[bytes]:
    """Files that pydicom or Pillow have something to say about."""
    tiff = bytearray(saved(GRAY, "TIFF"))
    directory = int.from_bytes(tiff[4:8], "little")
    tiff[directory + 2 + 12 * 8 + 4 : directory + 2 + 12 * 8 + 8] = (10**6).to_bytes(4, "little")
    cut = encapsulated_bytes(GRAY, [lossless_jpeg(GRAY, 8)[:-90] + b"\xff\xd9"], uid.JPEGBaseline8Bit)
    return [
        *corpus()[-1:],
        bytes(tiff),
        cut,
        compressed_bytes(DEEP, uid.JPEG2000Lossless).replace(b"\xff\x93", b"\xff\x94"),
    ]


def decode_all(files: list[bytes]) -> None:
    for data in files:
        try:
            decode_image(data)
        except ImageError:
            continue


def test_nothing_reaches_the_terminal_the_log_or_the_warnings(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", GRAY.size - 1)  # Pillow warns of every larger TIFF
    files = noisy()
    caplog.clear()
    capfd.readouterr()
    with warnings.catch_warnings(record=True) as seen, caplog.at_level(logging.DEBUG, "pydicom"):
        warnings.simplefilter("always")
        decode_all(files)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: decode_all(files), range(8)))
    assert [str(warning.message) for warning in seen] == []
    assert [record.getMessage() for record in caplog.records if record.name.startswith(("pydicom", "PIL"))] == []
    assert capfd.readouterr() == ("", "")


def test_the_same_files_are_loud_without_us() -> None:
    """Else the test above would pass for want of noise."""
    import pydicom

    with pytest.warns(UserWarning, match="JFIF"):
        _ = pydicom.dcmread(BytesIO(noisy()[0])).pixel_array
    with pytest.warns(UserWarning, match="larger than file"), Image.open(BytesIO(noisy()[1])) as image:
        image.load()
