"""PNG, JPEG, TIFF, WebP and BMP: the pixels against what was written, and against Pillow used another way."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageOps

from radcbir_core.errors import ImageError, ImageTooLargeError
from radcbir_core.images import DecodedImage, Limits, Window, decode_image
from radcbir_core.images.raster.raster_reading import NOT_TURNED

RNG = np.random.default_rng(3)
GRAY = RNG.integers(0, 256, (21, 34), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (21, 34, 3), dtype=np.uint8)
DEEP = RNG.integers(100, 4000, (21, 34)).astype(np.uint16)


def saved(image: Image.Image | np.ndarray, image_format: str, **options: Any) -> bytes:
    file = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, image_format, **options)
    return file.getvalue()


def check_shape(image: DecodedImage) -> None:
    assert image.pixels.dtype == np.uint8
    assert image.pixels.flags.c_contiguous
    assert not image.pixels.flags.writeable


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP", "WEBP"])
@pytest.mark.parametrize("pixels", [GRAY, COLOR], ids=["gray", "color"])
def test_lossless_formats_keep_every_value(image_format: str, pixels: np.ndarray) -> None:
    options = {"lossless": True} if image_format == "WEBP" else {}
    image = decode_image(saved(pixels, image_format, **options))
    check_shape(image)
    assert np.array_equal(image.pixels, pixels)
    assert (image.format, image.frame, image.frames, image.window) == (image_format, None, 1, None)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_is_what_pillow_decodes(options: dict[str, Any]) -> None:
    smooth = np.add.outer(np.arange(64) * 2, np.arange(48) * 2).astype(np.uint8)
    for pixels in (smooth, np.stack([smooth, smooth[::-1], 255 - smooth], -1)):
        data = saved(pixels, "JPEG", **options)
        image = decode_image(data)
        check_shape(image)
        assert np.array_equal(image.pixels, np.asarray(Image.open(BytesIO(data))))


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=30)))
def test_equal_channels_become_gray_as_pillow_makes_them(pixels: np.ndarray) -> None:
    color = np.stack([pixels] * 3, -1)
    image = decode_image(saved(color, "PNG"))
    assert np.array_equal(image.pixels, pixels)
    assert np.array_equal(image.pixels, np.asarray(Image.fromarray(color).convert("L")))


@pytest.mark.parametrize("row", [0, 16, 20])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_colored_pixel_keeps_the_color(row: int, channel: int) -> None:
    color = np.stack([GRAY] * 3, -1)
    color[row, 5, channel] ^= 1
    assert np.array_equal(decode_image(saved(color, "PNG")).pixels, color)


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP"])
def test_one_bit(image_format: str) -> None:
    data = saved(Image.fromarray(GRAY).point(lambda value: 255 * (value > 99), "1"), image_format)
    assert np.array_equal(decode_image(data).pixels, np.where(GRAY > 99, 255, 0))


def test_palettes() -> None:
    quantized = Image.fromarray(COLOR).quantize(16)
    for image_format in ("PNG", "TIFF", "BMP"):
        assert np.array_equal(decode_image(saved(quantized, image_format)).pixels, np.asarray(quantized.convert("RGB")))


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "WEBP"])
def test_transparency_is_laid_on_black(image_format: str) -> None:
    rgba = np.concatenate([COLOR, GRAY[..., None]], -1)
    # Pillow may change the color under full transparency in WebP, which black hides.
    data = saved(rgba, image_format, **({"lossless": True} if image_format == "WEBP" else {}))
    black = Image.new("RGBA", (34, 21), (0, 0, 0, 255))
    expected = np.asarray(Image.alpha_composite(black, Image.fromarray(rgba)).convert("RGB"))
    got = decode_image(data).pixels
    assert np.abs(got.astype(int) - expected).max() <= 1
    assert np.array_equal(got[GRAY == 255], COLOR[GRAY == 255])
    assert not got[GRAY == 0].any()


def test_gray_with_transparency() -> None:
    both = Image.merge("LA", [Image.fromarray(GRAY), Image.fromarray(GRAY[::-1])])
    got = decode_image(saved(both, "PNG")).pixels
    assert got.shape == GRAY.shape
    assert np.abs(got - GRAY * (GRAY[::-1] / 255)).max() <= 0.5


def test_a_transparent_shade_is_black() -> None:
    shade = int(GRAY[0, 0])
    pixels = decode_image(saved(GRAY, "PNG", transparency=shade)).pixels
    assert np.array_equal(pixels, np.where(shade == GRAY, 0, GRAY))


def test_cmyk() -> None:
    data = saved(Image.fromarray(COLOR).convert("CMYK"), "TIFF")
    assert np.array_equal(decode_image(data).pixels, np.asarray(Image.fromarray(COLOR).convert("CMYK").convert("RGB")))
    assert decode_image(saved(Image.fromarray(COLOR).convert("CMYK"), "JPEG")).pixels.shape == COLOR.shape


def test_lab_is_refused_by_name() -> None:
    with pytest.raises(ImageError, match=r"^Expected gray, RGB, palette or CMYK pixels, but x = in color mode LAB\. "):
        decode_image(saved(Image.new("LAB", (4, 4)), "TIFF"), name="x")


def spread(values: np.ndarray) -> np.ndarray:
    """The full range of an image, as the formula says."""
    low, high = float(values.min()), float(values.max())
    return np.floor((values.astype(np.float64) - low) / (high - low) * 255 + 0.5)


@pytest.mark.parametrize(
    ("pixels", "image_format"),
    [
        (DEEP, "PNG"),
        (DEEP, "TIFF"),
        (DEEP.astype(np.int32) - 2000, "TIFF"),
        (DEEP.astype(np.float32) / 7 - 100, "TIFF"),
    ],
    ids=["16-bit PNG", "16-bit TIFF", "32-bit TIFF", "float TIFF"],
)
def test_deep_gray_is_spread_over_its_full_range(pixels: np.ndarray, image_format: str) -> None:
    image = decode_image(saved(pixels, image_format))
    check_shape(image)
    assert np.abs(image.pixels - spread(pixels)).max() == 0
    low, high = float(pixels.min()), float(pixels.max())
    assert image.window == Window((low + high) / 2 + 0.5, high - low + 1, "full range")


def test_16_bits_in_big_endian_and_unsigned_32_bits() -> None:
    big = Image.frombytes("I;16B", (34, 21), DEEP.astype(">u2").tobytes())
    assert np.array_equal(decode_image(saved(big, "TIFF")).pixels, spread(DEEP))
    wide = DEEP.astype(np.uint32) * 1_000_000
    data = write_tiff(wide, {258: 32, 262: 1, 339: 1})
    assert np.array_equal(decode_image(data).pixels, spread(wide))


def test_16_bits_where_white_is_zero() -> None:
    assert np.array_equal(decode_image(write_tiff(DEEP, {258: 16, 262: 0})).pixels, 255 - spread(DEEP))
    assert np.array_equal(decode_image(write_tiff(GRAY, {258: 8, 262: 0})).pixels, 255 - GRAY)


def write_tiff(
    pixels: np.ndarray, tags: dict[int, int], *, rows_per_strip: int | None = None, strips: int = 1
) -> bytes:
    """An uncompressed TIFF with exactly these tags (TIFF 6.0, section 2), which Pillow would not write."""
    data = pixels.tobytes()
    tags = {256: pixels.shape[1], 257: pixels.shape[0], 259: 1, 277: 1, 278: rows_per_strip or pixels.shape[0], **tags}
    start = 8 + len(data)
    offsets = [8 + number * pixels[: rows_per_strip or None].nbytes for number in range(strips)]
    entries = [(tag, 4, 1, struct.pack("<L", value)) for tag, value in tags.items()]
    entries.append((273, 4, strips, struct.pack("<L", offsets[0] if strips == 1 else start)))
    entries.append((279, 4, 1, struct.pack("<L", len(data))))
    table = b"" if strips == 1 else struct.pack(f"<{strips}L", *offsets)
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHL", *entry[:3]) + entry[3] for entry in sorted(entries)
    )
    return b"II*\x00" + struct.pack("<L", start + len(table)) + data + table + directory + bytes(4)


def test_missing_strips_are_an_error_not_noise() -> None:
    assert np.array_equal(decode_image(write_tiff(GRAY, {258: 8, 262: 1}, rows_per_strip=7, strips=3)).pixels, GRAY)
    with pytest.raises(ImageError, match="damaged, cut off"):
        decode_image(write_tiff(GRAY, {258: 8, 262: 1}, rows_per_strip=7, strips=2))


@pytest.mark.parametrize("pixels", [GRAY, DEEP], ids=["8-bit", "16-bit"])
def test_a_given_window_is_applied_and_recorded(pixels: np.ndarray) -> None:
    image = decode_image(saved(pixels, "PNG"), window=(150, 101))
    assert image.window == Window(150, 101, "given")
    assert np.array_equal(image.pixels, np.floor(np.clip((pixels - 149.5) / 100 + 0.5, 0, 1) * 255 + 0.5))


def test_the_recorded_window_gives_the_same_image_again() -> None:
    data = saved(DEEP, "PNG")
    image = decode_image(data)
    assert image.window is not None
    assert np.array_equal(decode_image(data, window=(image.window.center, image.window.width)).pixels, image.pixels)


def test_a_flat_16_bit_image_is_black() -> None:
    assert not decode_image(saved(np.full((3, 3), 900, np.uint16), "PNG")).pixels.any()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(orientation: int, image_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(GRAY, image_format, exif=exif)
    with Image.open(BytesIO(data)) as opened:
        expected = ImageOps.exif_transpose(opened)
        expected = np.asarray(expected.convert("RGB") if opened.mode == "RGB" else expected)
    image = decode_image(data)
    check_shape(image)
    assert image.pixels.shape[:2] == ((34, 21) if orientation > 4 else (21, 34))
    assert np.array_equal(image.pixels, expected)


# Little-endian, one entry: orientation, as text.
ORIENTATION_IN_WORDS = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x03\0\0\0up\0\0\0\0\0\0"


@pytest.mark.parametrize("exif", [b"Exif\0\0XX*\0\x08\0\0\0", ORIENTATION_IN_WORDS])
def test_damaged_exif_does_not_take_the_picture_along_but_is_said(exif: bytes) -> None:
    image = decode_image(saved(GRAY, "PNG", exif=exif))
    assert np.array_equal(image.pixels, GRAY)
    assert image.remarks == (NOT_TURNED,)


def test_exif_without_an_orientation_is_no_damage() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    assert decode_image(saved(GRAY, "JPEG", exif=exif)).remarks == ()


def pages(count: int) -> bytes:
    images = [Image.fromarray(np.full((4, 5), 10 * number, np.uint8)) for number in range(count)]
    return saved(images[0], "TIFF", save_all=True, append_images=images[1:])


@pytest.mark.parametrize(("count", "middle"), [(2, 1), (3, 1), (6, 3)])
def test_the_middle_page_of_a_tiff_unless_told(count: int, middle: int) -> None:
    image = decode_image(pages(count))
    assert (image.frame, image.frames) == (middle, count)
    assert set(image.pixels.reshape(-1).tolist()) == {10 * middle}
    first = decode_image(pages(count), frame=0)
    assert (first.frame, int(first.pixels.max())) == (0, 0)


def test_pages_of_other_sizes_are_checked_one_by_one() -> None:
    large, small = Image.fromarray(np.zeros((90, 90), np.uint8)), Image.fromarray(np.zeros((4, 5), np.uint8))
    data = saved(small, "TIFF", save_all=True, append_images=[large])
    limits = Limits(max_pixels=100)
    assert decode_image(data, frame=0, limits=limits).pixels.shape == (4, 5)
    with pytest.raises(ImageTooLargeError, match="90 x 90 = 8,100 pixels"):
        decode_image(data, frame=1, limits=limits)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_compressions(compression: str) -> None:
    assert np.array_equal(decode_image(saved(COLOR, "TIFF", compression=compression)).pixels, COLOR)


FILES: dict[str, Callable[[], bytes]] = {
    "png": lambda: saved(GRAY, "PNG"),
    "color png": lambda: saved(COLOR, "PNG"),
    "interlaced png": lambda: interlaced_png(GRAY),
    "jpeg": lambda: saved(GRAY, "JPEG"),
    "progressive jpeg": lambda: saved(COLOR, "JPEG", progressive=True),
    "tiff": lambda: saved(GRAY, "TIFF"),
    "lzw tiff": lambda: saved(GRAY, "TIFF", compression="tiff_lzw"),
    "webp": lambda: saved(COLOR, "WEBP"),
    "lossless webp": lambda: saved(COLOR, "WEBP", lossless=True),
    "bmp": lambda: saved(GRAY, "BMP"),
    "deep png": lambda: saved(DEEP, "PNG"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_cut_off_anywhere_is_an_error_and_never_filled_up(kind: str) -> None:
    data = FILES[kind]()
    whole = decode_image(data).pixels
    messages = []
    for length in [*range(1, len(data), max(1, len(data) // 60)), *range(len(data) - 20, len(data))]:
        try:
            image = decode_image(data[:length], name="cut")
        except ImageError as error:
            messages.append(str(error))
        else:
            # Only what follows the last pixel (a PNG's closing chunk) may be missing.
            assert np.array_equal(image.pixels, whole)
    assert len(messages) >= 55
    assert all(message.startswith("Expected ") and "cut = " in message for message in messages)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def interlaced_png(pixels: np.ndarray) -> bytes:
    """An Adam7 PNG (PNG specification, 8.2), which Pillow reads but does not write."""
    rows = b""
    for y0, x0, dy, dx in (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):
        for row in pixels[y0::dy, x0::dx]:
            rows += b"\0" + row.tobytes()
    header = struct.pack(">LLBBBBB", pixels.shape[1], pixels.shape[0], 8, 0, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_of_size(width: int, height: int, data: bytes) -> bytes:
    header = struct.pack(">LLBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def test_interlaced_png() -> None:
    assert np.array_equal(decode_image(interlaced_png(GRAY)).pixels, GRAY)


def test_a_png_with_fewer_rows_than_it_says_is_an_error() -> None:
    with pytest.raises(ImageError, match="damaged, cut off"):
        decode_image(png_of_size(10, 20, b"\0" + bytes(10) * 10))


@pytest.mark.parametrize(
    "make",
    [
        lambda: png_of_size(30_000, 30_000, b"\0"),
        lambda: b"BM" + struct.pack("<LHHLLllHHLLllLL", 1000, 0, 0, 54, 40, 30_000, 30_000, 1, 8, 0, 0, 0, 0, 0, 0),
        lambda: write_tiff(GRAY, {258: 8, 262: 1, 256: 30_000, 257: 30_000}),
        lambda: (
            b"RIFF"
            + struct.pack("<L", 30)
            + b"WEBPVP8X"
            + struct.pack("<LL", 10, 0)
            + (29_999).to_bytes(3, "little") * 2
        ),
        lambda: (
            b"RIFF"
            + struct.pack("<L", 30)
            + b"WEBPVP8L"
            + struct.pack("<LBL", 5, 0x2F, 0x3FFF | 0x3FFF << 14)
            + bytes(9)
        ),
        lambda: saved(GRAY, "JPEG").replace(b"\x08\x00\x15\x00\x22", b"\x08\x75\x30\x75\x30"),
    ],
    ids=["png", "bmp", "tiff", "webp", "lossless webp", "jpeg"],
)
def test_a_bomb_is_refused_by_its_header(make: Callable[[], bytes]) -> None:
    with pytest.raises(
        ImageTooLargeError, match=r"^Expected at most 100,000,000 pixels, but bomb = [\d,]+ x [\d,]+ = "
    ):
        decode_image(make(), name="bomb")


def test_limits_are_ours_and_not_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    before = list(warnings.filters)
    for image_format in ("PNG", "JPEG", "BMP"):
        assert decode_image(saved(GRAY, image_format)).pixels.shape == GRAY.shape
    assert Image.MAX_IMAGE_PIXELS == 100
    assert [entry for entry in warnings.filters if entry in before] == before
    assert decode_image(saved(GRAY, "PNG"), limits=Limits(max_pixels=21 * 34)).pixels.shape == GRAY.shape
    with pytest.raises(ImageTooLargeError):
        decode_image(saved(GRAY, "PNG"), limits=Limits(max_pixels=21 * 34 - 1))


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_animations_are_refused(image_format: str) -> None:
    frames = [Image.fromarray(COLOR), Image.fromarray(COLOR[::-1].copy())]
    data = saved(frames[0], image_format, save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError) as caught:
        decode_image(data, name="loop")
    assert str(caught.value) == (
        "Expected a still image, but loop = an animation of 2 frames. Export the frame you want as a PNG."
    )


def test_a_large_jpeg_of_several_scans_is_not_called_damaged_where_memory_is_short() -> None:
    """libjpeg is refused the memory for all coefficients at once, before it has had any."""
    limits = Limits(max_memory=270 * 2**20)
    large = saved(Image.new("CMYK", (4500, 4500)), "JPEG", progressive=True)
    with pytest.raises(
        ImageTooLargeError, match=r"within 270 MiB of memory, but the upload = needs more(, or is damaged)?\."
    ):
        decode_image(large, limits=limits)
    small = saved(Image.new("CMYK", (450, 450)), "JPEG", progressive=True)
    with pytest.raises(ImageError, match="damaged, cut off"):
        decode_image(small[: len(small) // 2])
