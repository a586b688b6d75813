"""16 bits a channel in color, and in gray with transparency: all of them count, and are shown as gray of 16 bits is."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radcbir_core.errors import ImageError
from radcbir_core.images import Window, decode_image, read_stored
from tests.core.images.dicom_files import compressed_bytes, dicom_bytes

RNG = np.random.default_rng(11)
GRAY = RNG.integers(0, 4096, (19, 23)).astype(np.uint16)
COLOR = RNG.integers(0, 4096, (19, 23, 3)).astype(np.uint16)
ALPHA = RNG.integers(0, 65536, (19, 23)).astype(np.uint16)
GRAY_TYPE, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def spread(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return np.floor((values - low) / (high - low) * 255 + 0.5)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def filtered(rows: np.ndarray) -> bytes:
    """Rows of 16-bit samples (H, W, C), each by another of the five filters in turn (PNG specification, 9.2)."""
    raw = rows.astype(">u2").reshape(rows.shape[0], -1).view(np.uint8).astype(int)
    back = 2 * rows.shape[2]
    left = np.pad(raw, ((0, 0), (back, 0)))[:, : raw.shape[1]]
    above = np.pad(raw, ((1, 0), (0, 0)))[:-1]
    corner = np.pad(left, ((1, 0), (0, 0)))[:-1]
    estimate = left + above - corner
    near = [np.abs(estimate - other) for other in (left, above, corner)]
    paeth = np.where((near[0] <= near[1]) & (near[0] <= near[2]), left, np.where(near[1] <= near[2], above, corner))
    predicted = (np.zeros_like(raw), left, above, (left + above) // 2, paeth)
    lines = [
        bytes([number % 5]) + ((line - predicted[number % 5][number]) % 256).astype(np.uint8).tobytes()
        for number, line in enumerate(raw)
    ]
    return b"".join(lines)


def png(samples: np.ndarray, color_type: int, *, interlaced: bool = False, further: bytes = b"") -> bytes:
    """A PNG of 16 bits a sample, which Pillow writes only in gray."""
    samples = samples.reshape(*samples.shape[:2], -1)
    parts = [samples[y::dy, x::dx] for y, x, dy, dx in PASSES] if interlaced else [samples]
    data = b"".join(filtered(part) for part in parts if part.size)
    header = struct.pack(">LLBBBBB", samples.shape[1], samples.shape[0], 16, color_type, 0, 0, int(interlaced))
    chunks = chunk(b"IHDR", header) + further + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def tiff(samples: np.ndarray, *, order: str = "<", deflated: bool = False, **tags: int) -> bytes:
    """A TIFF of 16 bits a sample, in one strip, with further tags named as ``t262``."""
    data = samples.astype(f"{order}u2").tobytes()
    data = zlib.compress(data) if deflated else data
    count = samples.shape[2]
    places = {258: 8 + len(data), 338: 8 + len(data) + 2 * count}
    entries = {256: (4, 1, samples.shape[1]), 257: (4, 1, samples.shape[0]), 258: (3, count, places[258]),
               259: (4, 1, 8 if deflated else 1), 262: (4, 1, 2), 273: (4, 1, 8), 277: (4, 1, count),
               278: (4, 1, samples.shape[0]), 279: (4, 1, len(data))}  # fmt: skip
    entries |= {int(name[1:]): (4, 1, value) for name, value in tags.items()}
    start = 8 + len(data) + 2 * count
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(
        struct.pack(f"{order}HHLL", tag, *entry) for tag, entry in sorted(entries.items())
    )
    mark = b"II*\x00" if order == "<" else b"MM\x00*"
    head = mark + struct.pack(f"{order}L", start)
    return head + data + struct.pack(f"{order}{count}H", *[16] * count) + directory + bytes(4)


def on_black(color: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.rint(color * (alpha[..., None] / 65535)).astype(np.uint16)


@pytest.mark.parametrize("interlaced", [False, True])
def test_every_bit_of_a_png_is_read(interlaced: bool) -> None:
    opaque = np.full_like(ALPHA, 65535)
    for samples, color_type, expected in (
        (GRAY, GRAY_TYPE, GRAY),
        (COLOR, RGB, COLOR),
        (np.dstack([GRAY, opaque]), GRAY_ALPHA, GRAY),
        (np.dstack([GRAY, ALPHA]), GRAY_ALPHA, on_black(GRAY[..., None], ALPHA)[..., 0]),
        (np.dstack([COLOR, opaque]), RGBA, COLOR),
        (np.dstack([COLOR, ALPHA]), RGBA, on_black(COLOR, ALPHA)),
    ):
        stored = read_stored(png(samples, color_type, interlaced=interlaced)).stored
        assert stored.dtype == np.uint16
        assert np.array_equal(stored, expected)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflated", [False, True])
def test_every_bit_of_a_tiff_is_read(order: str, deflated: bool) -> None:
    four, ink = np.dstack([COLOR, ALPHA]), np.dstack([65535 - COLOR, 65535 - ALPHA])
    for samples, tags, expected in (
        (COLOR, {}, COLOR),
        (four, {"t338": 0}, COLOR),  # a fourth sample of which nothing is said
        (four, {"t338": 1}, COLOR),  # multiplied with its alpha already
        (four, {"t338": 2}, on_black(COLOR, ALPHA)),
        (ink, {"t262": 5}, on_black(COLOR, ALPHA)),
    ):
        stored = read_stored(tiff(samples, order=order, deflated=deflated, **tags)).stored
        assert np.array_equal(stored, expected), tags


def test_one_rule_for_depth() -> None:
    """The same gray values give the same shades, in whatever color type and format."""
    gray = np.tile(GRAY, (3, 3))  # the encoder of JPEG 2000 refuses small images
    three, opaque, shades = np.dstack([gray] * 3), np.full_like(gray, 65535), spread(gray)
    files = {
        "gray": png(gray, GRAY_TYPE),
        "RGB": png(three, RGB),
        "RGBA": png(np.dstack([three, opaque]), RGBA),
        "gray and alpha": png(np.dstack([gray, opaque]), GRAY_ALPHA),
        "TIFF": tiff(three),
        "DICOM": dicom_bytes(three),
        "JPEG 2000": compressed_bytes(three, "1.2.840.10008.1.2.4.90"),
        "JPEG-LS": compressed_bytes(three, "1.2.840.10008.1.2.4.80"),
        "12 of 16 bits": dicom_bytes(three, BitsStored=12),
    }
    for name, data in files.items():
        image = decode_image(data)
        assert np.array_equal(image.pixels, shades), name
        assert image.window is not None, name
        assert image.window.source == "full range", name


def test_color_shares_one_window_and_may_have_none_other() -> None:
    image = decode_image(png(COLOR, RGB))
    assert np.array_equal(image.pixels, spread(COLOR))
    low, high = int(COLOR.min()), int(COLOR.max())
    assert image.window == Window((low + high) / 2 + 0.5, high - low + 1, "full range")
    with pytest.raises(ImageError, match="in color"):
        decode_image(png(COLOR, RGB), window=(40, 400))
    gray = png(np.dstack([GRAY] * 3), RGB)
    assert np.array_equal(
        decode_image(gray, window=(40, 400)).pixels, decode_image(png(GRAY, 0), window=(40, 400)).pixels
    )


def test_a_transparent_value_is_black() -> None:
    value = int(GRAY[3, 4])
    stored = read_stored(png(GRAY, GRAY_TYPE, further=chunk(b"tRNS", struct.pack(">H", value)))).stored
    assert np.array_equal(stored, np.where(value == GRAY, 0, GRAY))
    color = COLOR[3, 4]
    stored = read_stored(png(COLOR, RGB, further=chunk(b"tRNS", color.astype(">u2").tobytes()))).stored
    assert not stored[3, 4].any()
    stored = stored.copy()
    stored[3, 4] = color
    assert np.array_equal(stored, COLOR)


def test_orientation_and_size_are_those_of_the_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = read_stored(png(COLOR, RGB, further=chunk(b"eXIf", exif.tobytes()[6:]))).stored
    assert np.array_equal(turned, np.rot90(COLOR, -1))
    assert np.array_equal(read_stored(tiff(COLOR, t274=3)).stored, COLOR[::-1, ::-1])


@pytest.mark.parametrize("color_type", [RGB, GRAY_ALPHA, RGBA])
def test_a_file_cut_off_is_an_error(color_type: int) -> None:
    data = png(np.dstack([COLOR, ALPHA])[..., : {RGB: 3, GRAY_ALPHA: 2, RGBA: 4}[color_type]], color_type)
    for length in range(40, len(data) - 30, 97):
        with pytest.raises(ImageError, match="damaged, cut off"):
            decode_image(data[:length])


def test_a_palette_of_8_bits_in_entries_of_16() -> None:
    palette = RNG.integers(0, 256, (256, 3))
    places = RNG.integers(0, 256, (19, 23)).astype(np.uint8)
    for scale in (1, 256, 257):
        table = (palette * scale).T.astype("<u2").tobytes()
        start = 8 + places.size
        entries = [(256, 4, 1, 23), (257, 4, 1, 19), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 3), (273, 4, 1, 8),
                   (277, 3, 1, 1), (278, 4, 1, 19), (279, 4, 1, places.size), (320, 3, 768, start)]  # fmt: skip
        directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHLL", *entry) for entry in entries)
        data = b"II*\x00" + struct.pack("<L", start + len(table)) + places.tobytes() + table + directory + bytes(4)
        assert np.array_equal(decode_image(data).pixels, palette[places]), scale


def test_pngs_of_more_than_eight_bits() -> None:
    folder = Path(__file__).parents[5] / "shared" / "cases" / "04_16bit_png_rgb_and_alpha"
    if not folder.is_dir():
        pytest.skip("the files of this case are not here")
    gray = decode_image(folder / "u12.png").pixels
    assert (int(gray.min()), int(gray.max())) == (0, 255)
    assert np.array_equal(decode_image(folder / "rgb12.png").pixels, gray)
