"""Numbers that DICOM writes as text: what is one, what is none, and that no value of a header is told."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread, uid

from radcbir_core.images import Window, decode_image, read_stored
from radcbir_core.images.decoding.quiet import quiet
from radcbir_core.images.dicom.numbers import is_no_number, numbers, one_number
from radcbir_core.images.dicom.presentation import NO_NUMBER
from radcbir_core.images.display.grayscale import Rescale
from tests.core.images.dicom_files import dicom_bytes, with_text

DEEP = np.arange(48, dtype=np.uint16).reshape(6, 8) * 80
NO_NUMBERS = ("12,4", "1024,5", "1,50", "1e", "NaN", "inf", "-", "1_000", "0x1F", "1 2", "1e400", "12.4 mm", "²")


def scan(**texts: str) -> bytes:
    """A CT slice whose elements hold these texts."""
    data = dicom_bytes(DEEP, **dict.fromkeys(texts, "1"))
    for keyword, text in texts.items():
        data = with_text(data, keyword, text)
    return data


@pytest.mark.parametrize("text", NO_NUMBERS)
@pytest.mark.parametrize("keyword", ["WindowCenter", "NumberOfFrames"])
def test_what_is_no_number_is_none(keyword: str, text: str) -> None:
    with quiet():
        header = dcmread(BytesIO(scan(**{keyword: text})))
        assert numbers(header, keyword) == (None,)
        assert one_number(header, keyword) is None
        assert is_no_number(header, keyword)


@pytest.mark.parametrize(
    ("text", "values"),
    [("12.4", (12.4,)), (" -3 ", (-3.0,)), ("+.5e1", (5.0,)), ("5.", (5.0,)), ("40\\-600", (40.0, -600.0)), ("", ()),
     ("12,4\\40", (None, 40.0)), ("\\40", (None, 40.0)), ("1E+02\0", (100.0,))],
)  # fmt: skip
def test_decimals_are_read_as_the_standard_has_them(text: str, values: tuple[float | None, ...]) -> None:
    assert numbers(dcmread(BytesIO(scan(WindowCenter=text))), "WindowCenter") == values
    assert numbers({"WindowCenter": text}, "WindowCenter") == values


def test_whole_numbers() -> None:
    texts = ("3", "3.0", "3.5", "2147483648", "-2147483648", "1\\2")
    expected = (3, 3, None, None, -(2**31), None)
    for text, value in zip(texts, expected, strict=True):
        assert one_number({"NumberOfFrames": text}, "NumberOfFrames") == value
    assert is_no_number({"NumberOfFrames": "1\\2"}, "NumberOfFrames")
    assert not is_no_number({"WindowCenter": "1\\2"}, "WindowCenter", count=None)
    assert numbers({"SliceThickness": 2.5, "PixelSpacing": [1.0, float("nan")]}, "PixelSpacing") == (1.0, None)


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_other_encodings_of_the_same_text(syntax: str) -> None:
    header = dcmread(BytesIO(dicom_bytes(DEEP, syntax=syntax, WindowCenter="300", PatientAge="040Y")))
    assert numbers(header, "WindowCenter") == (300.0,)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_a_window_that_is_no_number_is_not_used_and_said(text: str) -> None:
    for texts in ({"WindowCenter": text, "WindowWidth": "400"}, {"WindowCenter": "40", "WindowWidth": text}):
        image = decode_image(scan(**texts))
        keyword = next(keyword for keyword, value in texts.items() if value == text)
        assert image.window == Window(DEEP.max() / 2 + 0.5, DEEP.max() + 1.0, "full range")
        assert image.remarks == (NO_NUMBER.format(keyword=keyword),)
        assert text == "-" or text not in image.remarks[0]


def test_the_first_of_several_windows_counts_even_if_another_is_no_number() -> None:
    image = decode_image(scan(WindowCenter="40\\12,4", WindowWidth="400\\x"))
    assert image.window == Window(40, 400, "header")
    assert image.remarks == ()
    assert decode_image(scan(WindowCenter="12,4\\40", WindowWidth="100\\400")).window.source == "full range"


def test_a_rescale_that_is_no_number_is_not_used_and_has_no_unit() -> None:
    for texts, expected in (
        ({"RescaleSlope": "1,50", "RescaleIntercept": "-1024"}, Rescale(1, -1024)),
        ({"RescaleSlope": "2", "RescaleIntercept": "-1024,5"}, Rescale(2, 0)),
        ({"RescaleSlope": "2\\3", "RescaleIntercept": "7"}, Rescale(1, 7)),
    ):
        stored = read_stored(scan(**texts))
        assert (stored.modality, stored.unit, len(stored.remarks)) == (expected, "", 1)
    stored = read_stored(scan(RescaleSlope="2", RescaleIntercept="-1024"))
    assert (stored.modality, stored.unit, stored.remarks) == (Rescale(2, -1024), "HU", ())


def test_a_number_of_frames_that_is_none_means_one_frame() -> None:
    image = decode_image(scan(NumberOfFrames="1e"))
    assert (image.frames, image.frame) == (1, None)
    assert image.remarks == (NO_NUMBER.format(keyword="NumberOfFrames"),)
    assert decode_image(scan(NumberOfFrames="inf")).frames == 1
