"""Real images, file by file: what is decoded, in which shape, through which window; or which error."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from radcbir_core.errors import NoPixelDataError
from radcbir_core.images import Window, decode_image, is_image_name

# file: (shape, window, frame, frames). Looked at one by one: bright bones, dark air, colors as they should be.
HEADER, FULL = "header", "full range"
DICOM: dict[str, tuple[tuple[int, ...], Window | None, int | None, int]] = {
    **{
        f"datalad_N2D_{number}": ((384, 288), Window(center, width, FULL), None, 1)
        for number, center, width in (
            ("0121", 102.5, 205), ("0151", 89.5, 179), ("0181", 51.5, 103),
            ("0211", 63, 126), ("0241", 47, 94), ("0271", 46, 92),
        )
    },
    **{f"dcmqact_GE_{number}": ((512, 512), Window(35, 100, HEADER), None, 1) for number in ("05", "09", "13")},
    **{f"dcmqact_GE_{number}": ((512, 512), Window(35, 85, HEADER), None, 1) for number in ("17", "21", "25")},
    "pydicom_CT_small": ((128, 128), Window(136, 2064, FULL), None, 1),
    "pydicom_MR_small": ((64, 64), Window(600, 1600, HEADER), None, 1),
    "pydicom_MR_small_RLE": ((64, 64), Window(600, 1600, HEADER), None, 1),
    "pydicom_MR_small_jpeg_ls_lossless": ((64, 64), Window(600, 1600, HEADER), None, 1),
    "pydicomdata_JPEG-LL": ((1024, 256), Window(139.5, 279, FULL), None, 1),
    "pydicomdata_JPEG2000_UNC": ((1024, 256), Window(108, 276, FULL), None, 1),
    "pydicomdata_JPGLosslessP14SV1_1s_1f_8b": ((768, 1024), Window(127, 254, HEADER), None, 1),
    "pydicomdata_MR-SIEMENS-DICOM-WithOverlays": ((484, 484), Window(450, 790, HEADER), None, 1),
    "pydicomdata_MR2_J2KR": ((1024, 1024), Window(1000, 2000, HEADER), None, 1),
    "pydicomdata_OBXXXX1A": ((600, 800, 3), None, None, 1),
    "pydicomdata_RG3_J2KI": ((1760, 1760), Window(550, 1024, HEADER), None, 1),
    "pydicomdata_RG3_J2KR": ((1760, 1760), Window(550, 1024, HEADER), None, 1),
    "pydicomdata_US1_J2KR": ((480, 640, 3), None, None, 1),
    "pydicomdata_US1_UNCR": ((480, 640, 3), None, None, 1),
    "pydicomdata_color-pl": ((160, 256, 3), None, None, 1),
    "pydicomdata_eCT_Supplemental": ((512, 512), Window(49, 102, HEADER), 1, 2),
    "pydicomdata_explicit_VR-UN": ((512, 512), Window(81.5, 2211, FULL), None, 1),
    "pydicomdata_gdcm-US-ALOKA-16": ((480, 640, 3), None, None, 1),
    "pydicomdata_mlut_18": ((512, 512), Window(32768, 65536, FULL), None, 1),
    **{
        f"saganon_{number}": ((256, 256), Window(center, width, HEADER), None, 1)
        for number, center, width in (
            ("0061", 308, 676), ("0071", 300, 656), ("0081", 295, 639), ("0091", 285, 626),
            ("0101", 278, 615), ("0111", 289, 630), ("0121", 296, 644), ("0131", 292, 647),
        )
    },
}  # fmt: skip


def dicom_file(real_images: Path, name: str) -> Path:
    return real_images / "dicom_samples" / "files" / f"{name}.dcm"


@pytest.mark.parametrize("name", DICOM)
def test_each_dicom_file(name: str, real_images: Path) -> None:
    shape, window, frame, frames = DICOM[name]
    image = decode_image(dicom_file(real_images, name))
    assert (image.pixels.shape, image.window, image.frame, image.frames) == (shape, window, frame, frames)
    assert image.format == "DICOM"
    assert image.pixels.flags.c_contiguous
    assert int(image.pixels.max()) > 200
    assert int(image.pixels.min()) < 60


def test_all_dicom_files_are_listed_here_and_the_segmentation_is_refused(real_images: Path) -> None:
    files = {path.stem for path in (real_images / "dicom_samples" / "files").iterdir()}
    assert files == {*DICOM, "pydicomdata_liver"}
    with pytest.raises(NoPixelDataError, match=r"pydicomdata_liver\.dcm = a segmentation \(a map of labels\)\. "):
        decode_image(dicom_file(real_images, "pydicomdata_liver"))


@pytest.mark.parametrize(
    "name",
    ["dcmqact_GE_05", "dcmqact_GE_25", "pydicom_MR_small", "pydicomdata_MR-SIEMENS-DICOM-WithOverlays", "saganon_0101"],
)
def test_windows_of_headers_against_pydicom(name: str, real_images: Path) -> None:
    header = pydicom.dcmread(dicom_file(real_images, name))
    shown = apply_voi_lut(apply_modality_lut(header.pixel_array, header), header).astype(np.float64)
    signed = header.PixelRepresentation == 1
    low = -(2 ** (header.BitsStored - 1)) if signed else 0
    high = low + 2**header.BitsStored - 1
    slope, intercept = header.get("RescaleSlope", 1), header.get("RescaleIntercept", 0)
    expected = (shown - (low * slope + intercept)) / ((high - low) * slope) * 255
    padding = header.get("PixelPaddingValue")
    if padding is not None:
        expected[header.pixel_array == padding] = 0
    assert np.abs(decode_image(dicom_file(real_images, name)).pixels - expected).max() <= 0.5 + 1e-6


def test_one_image_in_several_syntaxes(real_images: Path) -> None:
    def pixels(name: str) -> np.ndarray:
        return decode_image(dicom_file(real_images, name)).pixels.astype(int)

    for other in ("pydicom_MR_small_RLE", "pydicom_MR_small_jpeg_ls_lossless"):
        assert np.array_equal(pixels(other), pixels("pydicom_MR_small"))
    assert np.array_equal(pixels("pydicomdata_US1_J2KR"), pixels("pydicomdata_US1_UNCR"))
    assert np.abs(pixels("pydicomdata_RG3_J2KI") - pixels("pydicomdata_RG3_J2KR")).mean() < 2


def test_inverted_radiograph_has_bright_bone(real_images: Path) -> None:
    ankle = decode_image(dicom_file(real_images, "pydicomdata_RG3_J2KR")).pixels.astype(float)
    bone, soft_tissue = ankle[1500:1600, 700:850].mean(), ankle[300:500, 560:600].mean()
    assert bone > soft_tissue + 40


def test_both_frames_of_the_perfusion_study(real_images: Path) -> None:
    first, second = (decode_image(dicom_file(real_images, "pydicomdata_eCT_Supplemental"), frame=n) for n in (0, 1))
    assert not np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(second.pixels, decode_image(dicom_file(real_images, "pydicomdata_eCT_Supplemental")).pixels)


def rasters(folder: Path) -> list[Path]:
    with (folder / "manifest.csv").open(newline="") as table:
        return [folder / row["path"] for row in csv.DictReader(table)]


@pytest.mark.parametrize(
    ("collection", "count"),
    [
        ("nih_cxr14", 460), ("nih_cxr14_64px", 600), ("pneumoniamnist28", 240), ("brain_tumor_mri", 400),
        ("busi_breast_us", 399), ("pocus_lung_us", 140), ("mednist64", 539),
    ],
)  # fmt: skip
def test_each_raster_file_keeps_its_values(collection: str, count: int, real_images: Path) -> None:
    files = rasters(real_images / collection)
    assert len(files) == count
    for file in files:
        assert is_image_name(file)
        image = decode_image(file)
        with Image.open(file) as opened:
            assert image.format == opened.format
            if image.pixels.ndim == 2:
                assert np.array_equal(image.pixels, np.asarray(opened.convert("L"))), file
            else:
                assert np.array_equal(image.pixels, np.asarray(opened.convert("RGB"))), file
        assert (image.window, image.frame, image.frames) == (None, None, 1)
