"""What is left of a DICOM file: the same pictures, and nothing that anybody may have written."""

from __future__ import annotations

import contextlib
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radcbir_core.errors import ImageError
from radcbir_core.images import Limits, decode_image, read_header, strip_dicom
from radcbir_core.images.dicom import stripping
from radcbir_core.images.dicom.stripping import METHOD, stripped
from tests.core.images.dicom_files import SECRET, compressed_bytes, dicom_bytes, encapsulated_bytes, jpeg

RAMP = np.add.outer(np.arange(40) * 90, np.arange(48) * 60)
DEEP = (RAMP % 4096).astype(np.uint16)
BYTES = (RAMP % 256).astype(np.uint8)
COLORS = np.stack([BYTES, 255 - BYTES, BYTES // 2], axis=-1)


def item(**elements) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def identifying() -> dict:
    """Text wherever somebody may write some, in sequences and private elements too."""
    coded = item(CodeValue="1", CodeMeaning=SECRET)
    return {
        "PatientBirthDate": "19700101",
        "OtherPatientIDs": SECRET,
        "StudyDescription": SECRET,
        "SeriesDescription": SECRET,
        "InstitutionName": SECRET,
        "ReferringPhysicianName": SECRET,
        "AccessionNumber": SECRET,
        "WindowCenterWidthExplanation": SECRET,
        "RescaleType": SECRET,
        "ImageComments": SECRET,
        "ImageType": ["ORIGINAL", SECRET],
        "BodyPartExamined": SECRET,
        "StudyInstanceUID": "1.2.9",
        "SeriesInstanceUID": "1.2.9.1",
        "FrameOfReferenceUID": "1.2.9.2",
        "AnatomicRegionSequence": Sequence([coded]),
    }


LUT = item(
    LUTDescriptor=[4096, 0, 16],
    LUTExplanation=SECRET,
    LUTData=np.arange(65535, 65535 - 4096 * 8, -8).astype("<u2").tobytes(),
)
FILES = {
    "explicit": dicom_bytes(DEEP, WindowCenter=1000, WindowWidth=500, RescaleSlope="2", RescaleIntercept="-1024"),
    "implicit": dicom_bytes(DEEP, syntax=uid.ImplicitVRLittleEndian, PixelPaddingValue=0),
    "signed": dicom_bytes((DEEP.astype(np.int16) - 2000), PixelPaddingValue=-2000, syntax=uid.ImplicitVRLittleEndian),
    "big": dicom_bytes(DEEP, syntax=uid.ExplicitVRBigEndian),
    "deflated": dicom_bytes(DEEP, syntax=uid.DeflatedExplicitVRLittleEndian),
    "inverted": dicom_bytes(BYTES, PhotometricInterpretation="MONOCHROME1"),
    "color": dicom_bytes(COLORS),
    "frames": dicom_bytes(np.stack([BYTES, BYTES[::-1], BYTES // 3]), frames=3),
    "table": dicom_bytes(DEEP, BitsStored=12, VOILUTSequence=Sequence([LUT])),
    "not square": dicom_bytes(BYTES, PixelSpacing=["1.5", "0.5"]),
    "jpeg": encapsulated_bytes(BYTES, [jpeg(BYTES)], uid.JPEGBaseline8Bit),
    "rle": compressed_bytes(DEEP, uid.RLELossless),
    "j2k": compressed_bytes(DEEP, uid.JPEG2000Lossless),
    "groups": dicom_bytes(
        np.stack([DEEP, DEEP[::-1]]),
        frames=2,
        SharedFunctionalGroupsSequence=Sequence(
            [
                item(
                    PixelValueTransformationSequence=Sequence(
                        [item(RescaleIntercept="5", RescaleSlope="3", RescaleType="US")]
                    ),
                    FrameAnatomySequence=Sequence([item(FrameLaterality="R")]),
                )
            ]
        ),
        PerFrameFunctionalGroupsSequence=Sequence(
            [item(FrameVOILUTSequence=Sequence([item(WindowCenter=1000, WindowWidth=w)])) for w in (300, 3000)]
        ),
    ),
}  # fmt: skip


def with_identifiers(data: bytes) -> bytes:
    """The same file with text everywhere."""
    whole = dcmread(BytesIO(data))
    for keyword, value in identifying().items():
        setattr(whole, keyword, value)
    block = whole.private_block(0x0011, SECRET, create=True)
    block.add_new(1, "LO", SECRET)
    written = BytesIO()
    whole.save_as(written, enforce_file_format=True)
    return written.getvalue()


@pytest.mark.parametrize("kind", FILES)
def test_the_pictures_are_the_same_and_nobody_is_named(kind) -> None:
    data = with_identifiers(FILES[kind])
    assert SECRET.encode() in data or kind == "deflated"
    left = strip_dicom(data, {"StudyInstanceUID": "2.25.7", "PatientID": "Pab"}, name="x")
    assert SECRET.encode() not in left
    for gone in (b"19700101", b"1.2.9", b"1.2.3.4"):
        assert gone not in left
    for frame in range(decode_image(data).frames):
        before, after = decode_image(data, frame=frame), decode_image(left, frame=frame)
        assert np.array_equal(before.pixels, after.pixels)
        assert (before.window, before.frames) == (after.window, after.frames)
    kept = dcmread(BytesIO(left))
    assert (kept.StudyInstanceUID, kept.PatientID, kept.PatientIdentityRemoved) == ("2.25.7", "Pab", "YES")
    assert kept.DeidentificationMethod == METHOD
    assert kept.SOPClassUID == uid.CTImageStorage
    assert "SeriesInstanceUID" not in kept
    assert strip_dicom(data, {"StudyInstanceUID": "2.25.7", "PatientID": "Pab"}, name="x") == left


def test_elements_that_place_a_slice_stay_if_they_are_numbers() -> None:
    data = dicom_bytes(BYTES, ImagePositionPatient=["1", "2", "3.5"], InstanceNumber="7", SliceThickness="2.5")
    left = strip_dicom(data, {}, name="x")
    read = read_header(left, ["ImagePositionPatient", "InstanceNumber", "SliceThickness", "PatientID"])
    assert read == {"ImagePositionPatient": "1\\2\\3.5", "InstanceNumber": "7", "SliceThickness": "2.5"}
    from tests.core.images.dicom_files import with_text

    named = with_text(data, "InstanceNumber", SECRET)
    assert SECRET.encode() not in strip_dicom(named, {}, name="x")


def test_nothing_that_holds_text_stays_unless_its_terms_are_listed() -> None:
    texts = {"AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UN", "UR", "UT"}
    held = {keyword for keyword in stripping._KEPT if dictionary_VR(keyword) in texts}
    assert held == set(stripping._TEXTS)


def test_what_is_no_dicom_or_damaged_is_an_error_without_its_text() -> None:
    for data in (b"no image", BytesIO().getvalue() + b"\0" * 600):
        with pytest.raises(ImageError, match="Expected a DICOM file"):
            stripped(data, {}, name="x", limits=Limits())
    whole = with_identifiers(FILES["explicit"])
    for end in (200, 400, 700):
        left = b""
        with contextlib.suppress(ImageError):  # or what is there of it
            left = strip_dicom(whole[:end], {}, name="x")
        assert SECRET.encode() not in left


def test_a_header_is_read_from_bytes_as_from_a_file(tmp_path) -> None:
    data = FILES["explicit"]
    (tmp_path / "a.dcm").write_bytes(data)
    keywords = ["Modality", "Rows", "WindowCenter"]
    assert read_header(data, keywords, name="x") == read_header(tmp_path / "a.dcm", keywords)
    with pytest.raises(ImageError, match="x = something else"):
        read_header(b"none", keywords, name="x")
