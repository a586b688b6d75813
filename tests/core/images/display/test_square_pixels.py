"""Pixels that are not square: what every format says of them, what is believed, and what is shown."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radcbir_core.images import Limits, decode_image, read_stored
from radcbir_core.images.dicom.presentation import NO_NUMBER, NO_PIXELS
from radcbir_core.images.display.square_pixels import RESAMPLED, is_credible, resampled, square_size
from tests.core.images.dicom_files import dicom_bytes, with_text

# Broad bands, so that resampling keeps them.
GRAY = np.repeat(np.repeat(np.array([[0, 200], [90, 255]], np.uint8), 10, axis=0), 20, axis=1)
COLOR = np.stack([GRAY, GRAY[::-1], 255 - GRAY], axis=-1)


def spacing(first: float, second: float) -> Dataset:
    item = Dataset()
    item.PixelSpacing = [first, second]
    outer = Dataset()
    outer.PixelMeasuresSequence = Sequence([item])
    return outer


@pytest.mark.parametrize(
    ("elements", "size"),
    [
        ({"PixelSpacing": [2, 1]}, (40, 40)),
        ({"PixelSpacing": [1, 2]}, (20, 80)),
        ({"PixelSpacing": [0.5, 0.5]}, (20, 40)),
        ({"PixelSpacing": [1, 1.009]}, (20, 40)),
        ({"PixelSpacing": [1, 1.05]}, (20, 42)),
        ({"PixelAspectRatio": [2, 1]}, (40, 40)),
        ({"PixelAspectRatio": [1, 2]}, (20, 80)),
        ({"ImagerPixelSpacing": [0.3, 0.1]}, (60, 40)),
        ({"NominalScannedPixelSpacing": [0.1, 0.3]}, (20, 120)),
        ({"PixelSpacing": [1, 1], "PixelAspectRatio": [2, 1]}, (20, 40)),
        ({"PixelSpacing": [2, 1], "ImagerPixelSpacing": [1, 1]}, (40, 40)),
        ({"SharedFunctionalGroupsSequence": [spacing(2, 1)]}, (40, 40)),
        ({"PerFrameFunctionalGroupsSequence": [spacing(1, 2)], "PixelSpacing": [1, 1]}, (20, 80)),
    ],
    ids=str,
)
def test_what_dicom_says(elements: dict[str, Any], size: tuple[int, int]) -> None:
    for pixels in (GRAY, COLOR):
        image = decode_image(dicom_bytes(pixels, **elements))
        assert image.pixels.shape == (*size, *pixels.shape[2:])
        assert image.remarks == (() if size == (20, 40) else (RESAMPLED,))
        assert not image.pixels.flags.writeable


@pytest.mark.parametrize(
    ("text", "remark"),
    [("2,0\\1", NO_NUMBER), ("2", NO_NUMBER), ("2\\1\\1", NO_NUMBER), ("NaN\\1", NO_NUMBER), ("0\\0", NO_PIXELS),
     ("-2\\1", NO_PIXELS), ("300\\1", NO_PIXELS)],
)  # fmt: skip
def test_what_cannot_be_is_not_used_and_said(text: str, remark: str) -> None:
    data = with_text(dicom_bytes(GRAY, PixelSpacing=[1, 1]), "PixelSpacing", text)
    image = decode_image(data)
    assert np.array_equal(image.pixels, GRAY)
    assert image.remarks == (remark.format(keyword="PixelSpacing"),)
    data = with_text(dicom_bytes(GRAY, PixelSpacing=[1, 1], PixelAspectRatio=[2, 1]), "PixelSpacing", text)
    assert decode_image(data).pixels.shape == (40, 40)


def saved(pixels: np.ndarray, image_format: str, **options: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, image_format, **options)
    return file.getvalue()


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize(
    ("density", "size"),
    [
        ((200, 100), (40, 40)),
        ((100, 200), (20, 80)),
        ((96, 96), (20, 40)),
        ((204, 98), (42, 40)),
        ((5000, 10), (20, 40)),
    ],
)
def test_densities_of_other_formats(image_format: str, density: tuple[int, int], size: tuple[int, int]) -> None:
    image = decode_image(saved(GRAY, image_format, dpi=density))
    assert image.pixels.shape == size
    assert image.remarks == (() if size == (20, 40) else (RESAMPLED,))


def test_densities_without_a_unit() -> None:
    jpeg = bytearray(saved(GRAY, "JPEG", dpi=(2, 1)))
    jpeg[13] = 0  # "units 0: no units, X and Y specify the pixel aspect ratio" (ITU-T T.871)
    assert decode_image(bytes(jpeg)).pixels.shape == (40, 40)
    png = saved(GRAY, "PNG", dpi=(200, 100))
    start = png.index(b"pHYs")
    chunk = b"pHYs" + struct.pack(">LLB", 2, 1, 0)
    png = png[:start] + chunk + zlib.crc32(chunk).to_bytes(4) + png[start + 17 :]
    assert decode_image(png).pixels.shape == (40, 40)
    assert decode_image(saved(GRAY, "TIFF", x_resolution=2, y_resolution=1, resolution_unit=1)).pixels.shape == (40, 40)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (40, 40)), (3, (40, 40)), (6, (40, 40)), (8, (40, 40))])
def test_a_picture_that_lies_has_its_pixels_turned_with_it(
    image_format: str, orientation: int, size: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = decode_image(saved(GRAY, image_format, dpi=(200, 100), exif=exif)).pixels
    upright = decode_image(saved(GRAY, image_format, dpi=(200, 100))).pixels.astype(int)
    assert turned.shape == size
    turns = {1: 0, 3: 2, 6: -1, 8: 1}[orientation]
    assert np.abs(np.rot90(upright, turns) - turned).max() <= 8


def test_the_stored_values_keep_their_grid() -> None:
    data = dicom_bytes(GRAY.astype(np.uint16) * 9, PixelSpacing=[2, 1])
    stored = read_stored(data)
    assert (stored.stored.shape, stored.square) == (GRAY.shape, (40, 40))
    assert np.array_equal(stored.values(), GRAY * 9.0)


def test_no_picture_grows_beyond_the_limit() -> None:
    limits = Limits(max_pixels=GRAY.size)
    assert decode_image(dicom_bytes(GRAY, PixelSpacing=[2, 1]), limits=limits).pixels.shape == (20, 20)
    assert decode_image(dicom_bytes(GRAY, PixelSpacing=[1, 20]), limits=limits).pixels.shape == (1, 40)
    for ratio in (20.0, 1 / 20):
        size = square_size(100, 100, ratio=ratio, limits=Limits(max_pixels=10_000))
        assert size is not None
        assert size[0] * size[1] <= 10_000


def test_resampling_keeps_flat_areas_and_shades() -> None:
    assert np.array_equal(resampled(np.full((3, 5), 77, np.uint8), (9, 5)), np.full((9, 5), 77))
    doubled = resampled(GRAY, (40, 40))
    assert [doubled[2, 2], doubled[2, 37], doubled[37, 2], doubled[37, 37]] == [0, 200, 90, 255]
    assert not is_credible(float("nan"), 1)
    assert not is_credible(1, float("inf"))


@pytest.mark.parametrize("name", ["a25", "a25b"])
def test_scans_of_oblong_pixels(name: str) -> None:
    file = Path(__file__).parents[5] / "shared" / "cases" / "12_anisotropic_pixels" / f"{name}.dcm"
    if not file.is_file():
        pytest.skip("the files of this case are not here")
    assert decode_image(file).pixels.shape == (80, 80)
