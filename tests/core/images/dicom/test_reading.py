"""From a file to the frame that is shown: which objects are pictures, syntaxes, limits, and single elements."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from radcbir_core.errors import ImageError, ImageTooLargeError, NoPixelDataError
from radcbir_core.images import Limits, decode_image
from radcbir_core.images.dicom.reading import read_elements
from tests.core.images.dicom_files import SECRET, dicom_bytes, encapsulated_bytes, make_header, write

GRADIENT = np.add.outer(np.arange(40) * 90, np.arange(48) * 60)
DEEP = (GRADIENT % 4096).astype(np.uint16)
BYTES = (GRADIENT % 256).astype(np.uint8)


@pytest.mark.parametrize(
    ("syntax", "found"),
    [
        ("1.2.840.10008.1.2.4.100", "in MPEG2 Main Profile / Main Level"),
        ("1.2.840.10008.1.2.4.999", "in an unknown transfer syntax"),
        ("1.2.3.4.5.6", "in an unknown transfer syntax"),
    ],
)
def test_other_syntaxes_are_refused_by_name(syntax: str, found: str) -> None:
    data = encapsulated_bytes(BYTES, [b"\0\0"], uid.MPEG2MPML)
    data = data.replace(uid.MPEG2MPML.encode(), syntax.encode().ljust(len(uid.MPEG2MPML), b"\0"))
    with pytest.raises(ImageError) as caught:
        decode_image(data, name="x")
    assert str(caught.value) == (
        f"Expected a transfer syntax that can be decoded, but x = {found}. Export it uncompressed, or as JPEG 2000."
    )


def test_files_without_preamble_or_meta_information() -> None:
    whole = dicom_bytes(BYTES)
    for data in (whole, whole[132:]):
        assert np.array_equal(decode_image(data).pixels, BYTES)
    for syntax in (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian):
        data = dicom_bytes(DEEP, syntax=syntax)
        body = data[144 + int.from_bytes(data[140:144], "little") :]
        assert np.array_equal(decode_image(body).pixels, decode_image(dicom_bytes(DEEP)).pixels)


def test_limits_hold_for_a_frame_and_for_what_is_inflated() -> None:
    frames = np.stack([BYTES] * 4)
    limits = Limits(max_pixels=BYTES.size)
    assert decode_image(dicom_bytes(frames, frames=4), limits=limits).frames == 4
    with pytest.raises(ImageTooLargeError, match=r"^Expected at most 1,919 pixels, but x = 48 x 40 = 1,920 pixels\. "):
        decode_image(dicom_bytes(frames, frames=4), name="x", limits=Limits(max_pixels=BYTES.size - 1))
    with pytest.raises(ImageTooLargeError, match=r"60,000 x 60,000 = 3,600,000,000 pixels"):
        decode_image(dicom_bytes(BYTES, Rows=60000, Columns=60000))

    flat = dicom_bytes(np.zeros((2000, 2000), np.uint8), syntax=uid.DeflatedExplicitVRLittleEndian)
    assert len(flat) < 20_000
    assert decode_image(flat).pixels.shape == (2000, 2000)
    for start in (0, 132):
        with pytest.raises(ImageTooLargeError, match=r"^Expected at most 1,000,000 bytes, but x = 1,000,001 bytes\. "):
            decode_image(flat[start:], name="x", limits=Limits(max_bytes=1_000_000))


def test_a_deflated_file_must_inflate_to_its_end() -> None:
    data = dicom_bytes(DEEP, syntax=uid.DeflatedExplicitVRLittleEndian)
    start = 144 + int.from_bytes(data[140:144], "little")
    body = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    again = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    with pytest.raises(ImageError, match="damaged"):
        decode_image(data[:start] + again.compress(body) + again.flush(zlib.Z_SYNC_FLUSH))


@pytest.mark.parametrize(
    ("sop_class", "modality", "words"),
    [
        (uid.SegmentationStorage, "SEG", "a segmentation (a map of labels)"),
        ("1.2.840.10008.5.1.4.1.1.66.7", "SEG", "a segmentation (a map of labels)"),
        (uid.RTDoseStorage, "RTDOSE", "a radiotherapy dose"),
        ("1.2.3", "SEG", "a segmentation (a map of labels)"),
    ],
)
def test_pixels_that_are_no_picture(sop_class: str, modality: str, words: str) -> None:
    with pytest.raises(NoPixelDataError) as caught:
        decode_image(dicom_bytes(BYTES, sop_class=sop_class, Modality=modality), name="x.dcm")
    assert str(caught.value) == (
        f"Expected a DICOM object that is an image, but x.dcm = {words}. Use the image that belongs to it."
    )


@pytest.mark.parametrize(
    ("sop_class", "words"),
    [
        (uid.BasicTextSRStorage, "Basic Text SR Storage without pixel data"),
        (uid.EncapsulatedPDFStorage, "Encapsulated PDF Storage without pixel data"),
        (uid.RTPlanStorage, "RT Plan Storage without pixel data"),
        ("1.2.3.4", "an object without pixel data"),
    ],
)
def test_objects_without_pixels(sop_class: str, words: str) -> None:
    report = Dataset()
    report.file_meta = make_header(BYTES, sop_class=sop_class).file_meta
    report.SOPClassUID, report.SOPInstanceUID, report.Modality = sop_class, "1.2.3", "SR"
    report.PatientName = SECRET
    with pytest.raises(NoPixelDataError) as caught:
        decode_image(write(report), name="x.dcm")
    assert str(caught.value) == (
        f"Expected a DICOM object that is an image, but x.dcm = {words}. Use the image that belongs to it."
    )


def test_an_image_without_its_pixels() -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(write(make_header(BYTES)), name="x.dcm")
    assert type(caught.value) is ImageError
    assert str(caught.value) == (
        "Expected a DICOM image with its pixel data, but x.dcm = without them, or cut off before them. "
        "Copy it again from its source."
    )


def test_a_header_that_says_too_little() -> None:
    header = make_header(BYTES, Rows=None, BitsAllocated=None)
    header.PixelData = BYTES.tobytes()
    header["PixelData"].VR = "OW"
    with pytest.raises(ImageError) as caught:
        decode_image(write(header), name="x.dcm")
    assert str(caught.value) == (
        "Expected a DICOM header with Rows and BitsAllocated, but x.dcm = without Rows. Copy it again from its source."
    )


def test_only_the_elements_that_are_asked_for_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.dcm"
    for syntax in (uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian):
        file.write_bytes(dicom_bytes(DEEP, syntax=syntax, SliceThickness="2.5"))
        header = read_elements(file, ["Rows", "SliceThickness", "StudyDate"])
        assert (header.Rows, header.SliceThickness, "StudyDate" in header) == (40, 2.5, False)
        assert SECRET not in str(header)
        assert header.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4"


def test_elements_of_what_is_no_dicom_file(tmp_path: Path) -> None:
    file = tmp_path / "a.dcm"
    file.write_bytes(b"text")
    for path, message in (
        (file, "Expected a DICOM file, but a.dcm = something else. Leave it out."),
        (
            tmp_path / "gone",
            "Expected a DICOM file, but gone = unreadable (No such file or directory). Check the disk.",
        ),
    ):
        with pytest.raises(ImageError) as caught:
            read_elements(path, ["Rows"])
        assert str(caught.value) == message


def test_a_damaged_value_is_met_where_it_is_read(tmp_path: Path) -> None:
    rows = b"\x28\x00\x10\x00US"
    data = dicom_bytes(BYTES).replace(rows + b"\x02\x00\x28\x00", rows + b"\x03\x00\x28\x00\x00")
    (tmp_path / "a.dcm").write_bytes(data)
    assert read_elements(tmp_path / "a.dcm", ["Columns"]).Columns == 48
    with pytest.raises(ImageError) as caught:
        read_elements(tmp_path / "a.dcm", ["Rows"])
    assert str(caught.value).startswith("Expected a whole, readable DICOM file, but a.dcm = damaged")


def test_elements_of_a_deflated_file_stop_at_the_limit(tmp_path: Path) -> None:
    flat = dicom_bytes(np.zeros((2000, 2000), np.uint8), syntax=uid.DeflatedExplicitVRLittleEndian)
    (tmp_path / "a.dcm").write_bytes(flat)
    with pytest.raises(ImageTooLargeError, match=r"Expected at most 1,000,000 bytes, but a\.dcm = 1,000,001 bytes"):
        read_elements(tmp_path / "a.dcm", ["Rows"], limits=Limits(max_bytes=1_000_000))
