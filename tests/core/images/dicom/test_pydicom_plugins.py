"""JPEG and RLE through Pillow, as pydicom's plug-ins: colors as they are meant, and no more than was asked for."""

from __future__ import annotations

import struct
from itertools import product

import numpy as np
import pytest
from pydicom import uid

from radcbir_core.errors import ImageError
from radcbir_core.images import decode_image
from radcbir_core.images.dicom.pydicom_plugins import decode_jpeg, decode_rle, is_available
from tests.core.images.dicom_files import encapsulated_bytes, jpeg

BYTES = (np.add.outer(np.arange(40) * 90, np.arange(48) * 60) % 256).astype(np.uint8)


class Runner:
    """What pydicom tells a plug-in of a frame."""

    def __init__(self, rows: int, columns: int, *, samples: int = 1, bits: int = 8, photometric: str = "RGB") -> None:
        self.rows, self.columns, self.samples_per_pixel, self.bits_allocated = rows, columns, samples, bits
        self.photometric_interpretation = photometric
        self.options: dict[str, object] = {}

    def set_option(self, name: str, value: object) -> None:
        self.options[name] = value


def test_an_rle_frame_cannot_fill_the_memory() -> None:
    header = struct.pack("<16L", 1, 64, *[0] * 14)
    bomb = encapsulated_bytes(BYTES, [header + b"\x81\x07" * 500_000], uid.RLELossless)
    assert set(decode_image(bomb).pixels.reshape(-1).tolist()) == {7}  # 64 million bytes, of which 1,920 are taken
    for content in (
        struct.pack("<16L", 2, 64, 70, *[0] * 13) + bytes(20),
        struct.pack("<16L", 1, 63, *[0] * 14) + bytes(2000),
        struct.pack("<16L", 1, 9999, *[0] * 14) + bytes(20),
        header + b"\x81\x07",
        b"\x01\0\0",
    ):
        with pytest.raises(ImageError, match="damaged"):
            decode_image(encapsulated_bytes(BYTES, [content], uid.RLELossless))


def packed(line: bytes) -> bytes:
    """PackBits of single literal runs, of even length (PS3.5, G.3.1)."""
    runs = b"".join(bytes([len(line[at : at + 128]) - 1]) + line[at : at + 128] for at in range(0, len(line), 128))
    return runs + b"\0" * (len(runs) % 2)


def rle_frame(planes: list[bytes]) -> bytes:
    segments = [packed(plane) for plane in planes]
    starts = [64 + sum(map(len, segments[:number])) for number in range(len(segments))]
    return struct.pack("<16L", len(segments), *starts, *[0] * (15 - len(segments))) + b"".join(segments)


@pytest.mark.parametrize(("samples", "bits"), list(product([1, 3], [8, 16, 32])))
def test_rle_segments_are_the_bytes_of_each_sample_from_the_top(samples: int, bits: int) -> None:
    values = np.random.default_rng(bits).integers(0, 2**bits, (samples, 5, 7), dtype=np.uint64).astype(f">u{bits // 8}")
    planes = values.view(np.uint8).reshape(samples, 35, bits // 8)
    frame = rle_frame([planes[s, :, b].tobytes() for s in range(samples) for b in range(bits // 8)])
    runner = Runner(5, 7, samples=samples, bits=bits)
    decoded = np.frombuffer(decode_rle(frame, runner), f"<u{bits // 8}").reshape(samples, 5, 7)
    assert np.array_equal(decoded, values)
    assert runner.options == {"planar_configuration": 1}


def test_rle_of_another_number_of_segments() -> None:
    frame = rle_frame([bytes(35), bytes(35)])
    for runner in (Runner(5, 7), Runner(5, 7, samples=3)):
        with pytest.raises(ValueError, match="another number of RLE segments than samples and bytes"):
            decode_rle(frame, runner)
    with pytest.raises(ValueError, match="an RLE segment in the header"):
        decode_rle(struct.pack("<16L", 1, 60, *[0] * 14) + packed(bytes(35)), Runner(5, 7))


@pytest.mark.parametrize(
    ("options", "photometric"),
    [
        ({}, "YBR_FULL_422"),  # a JFIF segment says YCbCr
        ({}, "RGB"),  # and is believed also against the header
        ({"keep_rgb": True}, "YBR_FULL"),  # an Adobe segment says RGB
        ({"keep_rgb": True}, "RGB"),
    ],
)
def test_a_stream_that_says_how_its_color_is_coded_is_believed(options, photometric) -> None:
    color = np.zeros((16, 16, 3), np.uint8)
    color[..., 0] = 200
    runner = Runner(16, 16, samples=3, photometric=photometric)
    pixels = np.frombuffer(decode_jpeg(jpeg(color, **options), runner), np.uint8).reshape(16, 16, 3)
    assert np.abs(pixels.astype(int) - color).max() < 6
    assert runner.options == {"photometric_interpretation": "RGB"}


@pytest.mark.parametrize(("photometric", "converted"), [("RGB", False), ("YBR_FULL", True)])
def test_a_stream_that_says_nothing_is_what_the_header_says(photometric, converted) -> None:
    stored = np.zeros((16, 16, 3), np.uint8)
    stored[..., 0], stored[..., 1:] = 120, 128  # as YCbCr: a gray of 120
    frame = jpeg(stored, keep_rgb=True)
    adobe = frame.index(b"\xff\xee")
    frame = frame[:adobe] + frame[adobe + 16 :]
    # Components called 1, 2 and 3 instead of R, G and B, in the frame's header and in the scan's.
    for marker in (b"\xff\xc0", b"\xff\xda"):
        start = frame.index(marker)
        head = frame[start : start + 24].replace(b"R", b"\x01", 1).replace(b"G", b"\x02", 1).replace(b"B", b"\x03", 1)
        frame = frame[:start] + head + frame[start + 24 :]
    runner = Runner(16, 16, samples=3, photometric=photometric)
    pixels = np.frombuffer(decode_jpeg(frame, runner), np.uint8).reshape(-1, 3).mean(axis=0)
    assert pixels == pytest.approx([120, 120, 120] if converted else [120, 128, 128], abs=2)


def test_gray_is_gray() -> None:
    runner = Runner(40, 48, photometric="MONOCHROME2")
    decoded = np.frombuffer(decode_jpeg(jpeg(BYTES // 2 + 60), runner), np.uint8)
    assert len(decoded) == BYTES.size
    assert runner.options == {}
    assert is_available(uid.JPEGBaseline8Bit)
