"""What files hold before anything is shown, and what that means."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from radcbir_core.errors import ImageError
from radcbir_core.images import read_stored
from radcbir_core.images.display.grayscale import LookupTable, Rescale
from tests.core.images.dicom_files import dicom_bytes

STORED = np.array([[-2000, 0, 7], [1024, 1064, 2047]], np.int16)


def png(pixels: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_ct_values_are_stored_and_in_hounsfield_units() -> None:
    data = dicom_bytes(
        STORED,
        Modality="CT",
        RescaleSlope=2,
        RescaleIntercept=-1024,
        PixelPaddingValue=-2000,
        WindowCenter=40,
        WindowWidth=400,
    )
    image = read_stored(data, name="ct")
    assert np.array_equal(image.stored, STORED)
    assert image.stored.dtype == np.int16
    assert not image.stored.flags.writeable
    assert np.array_equal(image.values(), STORED * 2.0 - 1024)
    assert (image.unit, image.modality, image.padding) == ("HU", Rescale(2.0, -1024.0), (-2000.0, -2000.0))
    assert (image.is_color, image.inverted, image.format, image.frames) == (False, False, "DICOM", 1)
    assert image.voi is not None


@pytest.mark.parametrize(
    ("elements", "unit"),
    [
        ({}, ""),
        ({"Modality": "MR", "RescaleSlope": 2, "RescaleIntercept": 1}, ""),
        ({"Modality": "CT"}, ""),
        ({"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "US"}, ""),
        ({"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "MGML"}, "MGML"),
        ({"Modality": "CR", "RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "OD"}, "OD"),
        ({"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "DOE^JANE"}, ""),
    ],
)
def test_units_are_those_of_the_standard_or_none(elements: dict[str, object], unit: str) -> None:
    assert read_stored(dicom_bytes(STORED, **elements)).unit == unit


def test_a_modality_table_is_looked_up_and_names_its_unit() -> None:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [4, 0, 16])
    table.add_new("LUTData", "US", [5, 50, 500, 5000])
    table.ModalityLUTType = "OD"
    stored = np.array([[0, 1], [2, 9]], np.uint16)
    image = read_stored(dicom_bytes(stored, ModalityLUTSequence=[table]))
    assert isinstance(image.modality, LookupTable)
    assert image.values().tolist() == [[5, 50], [500, 5000]]
    assert image.unit == "OD"


def test_inverted_values_are_stored_as_they_are() -> None:
    image = read_stored(dicom_bytes(STORED, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(image.stored, STORED)
    assert image.inverted


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_raster_values_keep_their_depth(kind: type[np.unsignedinteger]) -> None:
    pixels = np.arange(12, dtype=kind).reshape(3, 4)
    image = read_stored(png(pixels), name="flat.png")
    assert image.stored.dtype == kind
    assert np.array_equal(image.values(), pixels)
    assert (image.unit, image.as_is, image.format) == ("", kind is np.uint8, "PNG")


def test_color_is_rgb_of_its_own_depth() -> None:
    pixels = np.arange(36, dtype=np.uint16).reshape(3, 4, 3) << 4
    image = read_stored(dicom_bytes(pixels, PhotometricInterpretation="RGB", BitsStored=12))
    assert np.array_equal(image.values(), pixels)
    assert image.is_color


def test_what_cannot_be_read_is_said_before_anything_is_shown() -> None:
    with pytest.raises(ImageError, match=r"^Expected a rescale slope other than 0, but x = RescaleSlope 0"):
        read_stored(dicom_bytes(STORED, RescaleSlope=0, RescaleIntercept=0), name="x")
