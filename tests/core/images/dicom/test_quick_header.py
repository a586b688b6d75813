"""The quick reading of a DICOM header against pydicom's, on whole files, on odd ones, and on damaged ones."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pydicom.data
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from radcbir_core.errors import ImageError
from radcbir_core.images import Limits
from radcbir_core.images.dicom.quick_header import quick_elements
from radcbir_core.images.dicom.reading import read_elements
from tests.core.images.dicom_files import dicom_bytes

KEYWORDS = (
    *("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "Modality", "BodyPartExamined"),
    *("ViewPosition", "Laterality", "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient"),
    *("InstanceNumber", "SOPClassUID", "Rows", "Columns", "NumberOfFrames", "BurnedInAnnotation"),
)
REQUIRED = frozenset({"SOPInstanceUID", "Rows", "Columns"})
SHARED = Path(__file__).resolve().parents[4].parent / "shared" / "real" / "dicom_samples"
PACKAGED = Path(pydicom.data.__file__).parent / "test_files"


def by_pydicom(path: Path) -> dict[str, Any] | None:
    """What pydicom reads, in the same form; None where it cannot."""
    try:
        header = read_elements(path, KEYWORDS, limits=Limits())
    except ImageError:
        return None
    elements = {}
    for keyword in KEYWORDS:
        value = header.get(keyword)
        if value is None or value == "":
            continue
        if isinstance(value, str) and keyword in {"InstanceNumber", "NumberOfFrames"}:  # no number after all
            elements[keyword] = str(value)
            continue
        if keyword in {"ImagePositionPatient", "ImageOrientationPatient"}:
            elements[keyword] = [float(part) for part in value] if isinstance(value, MultiValue) else float(value)
        elif keyword in {"Rows", "Columns", "NumberOfFrames", "InstanceNumber"}:
            elements[keyword] = value if isinstance(value, MultiValue) else int(value)
        else:
            elements[keyword] = float(value) if keyword == "SliceThickness" else str(value)
    return elements


def write(path: Path, *, syntax: str = uid.ExplicitVRLittleEndian, **elements: Any) -> Path:
    standard = {
        "SOPInstanceUID": "1.2.3.44", "StudyInstanceUID": "1.2.9", "SeriesInstanceUID": "1.2.9.1", "InstanceNumber": 7,
        "BodyPartExamined": "CHEST", "SliceThickness": "2.5", "ViewPosition": "", "BurnedInAnnotation": "NO",
        "ImagePositionPatient": [-1.5, 2, 1e-3], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "StudyDescription": "a text of some length", "PixelSpacing": [0.5, 0.5],
    }  # fmt: skip
    path.write_bytes(dicom_bytes(np.zeros((4, 6), np.uint16), syntax=syntax, **(standard | elements)))
    return path


def nested(*, undefined: bool) -> Sequence:
    """A sequence in a sequence, whose items have a Modality of their own."""
    inner, outer = Dataset(), Dataset()
    inner.Modality, inner.Rows = "XX", 999
    outer.Modality = "YY"
    outer.RequestAttributesSequence = Sequence([inner, inner])
    sequence = Sequence([outer, Dataset()])
    for item in (inner, outer, sequence[1]):
        item.is_undefined_length_sequence_item = undefined
    outer["RequestAttributesSequence"].is_undefined_length = undefined
    return sequence


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
@pytest.mark.parametrize("undefined", [False, True])
def test_a_header_with_sequences(tmp_path, syntax, undefined) -> None:
    from pydicom import dcmread

    path = write(tmp_path / "a.dcm", syntax=syntax, ReferencedStudySequence=nested(undefined=undefined))
    header = dcmread(path)
    header["ReferencedStudySequence"].is_undefined_length = undefined
    header.save_as(path)
    elements = quick_elements(str(path), KEYWORDS, required=REQUIRED)
    assert elements == by_pydicom(path)
    assert elements is not None
    assert (elements["Modality"], elements["Rows"], elements["SliceThickness"]) == ("CT", 4, 2.5)
    assert elements["ImagePositionPatient"] == [-1.5, 2.0, 0.001]
    assert "ViewPosition" not in elements


@pytest.mark.parametrize(
    "elements",
    [
        {"PatientID": "Müller", "SpecificCharacterSet": "ISO_IR 100"},
        {"PatientID": "~1", "SpecificCharacterSet": "ISO_IR 13"},
        {"PatientID": "a\\b"},
        {"PatientID": " blank in front"},
        {"SOPInstanceUID": None},
        {"syntax": uid.ExplicitVRBigEndian},
        {"syntax": uid.DeflatedExplicitVRLittleEndian},
    ],
    ids=lambda elements: next(iter(elements)),
)
def test_what_is_unusual_is_left_to_pydicom(tmp_path, elements) -> None:
    path = write(tmp_path / "a.dcm", **elements)
    assert quick_elements(str(path), KEYWORDS, required=REQUIRED) is None
    assert by_pydicom(path) is not None


def test_links_other_files_and_long_headers(tmp_path) -> None:
    path = write(tmp_path / "a.dcm")
    (tmp_path / "link.dcm").symlink_to(path)
    (tmp_path / "text.dcm").write_text("no DICOM")
    for name in ("link.dcm", "text.dcm", "missing.dcm", "."):
        assert quick_elements(str(tmp_path / name), KEYWORDS) is None
    # An element of 50,000 characters before the pixels' size.
    path = write(tmp_path / "long.dcm", StudyComments="x" * 50_000, ImageComments="y" * 50_000)
    assert quick_elements(str(path), KEYWORDS, required=REQUIRED) == by_pydicom(path)
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(path.read_bytes()[:30_000])
    assert quick_elements(str(cut), KEYWORDS) is None


@pytest.mark.parametrize("folder", [PACKAGED, SHARED], ids=["pydicom", "shared"])
def test_real_files(folder) -> None:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder.is_dir() else []
    if not files:
        pytest.skip(f"there is no {folder.name}")
    answered = 0
    for path in files:
        elements = quick_elements(str(path), KEYWORDS, required=REQUIRED)
        if elements is not None:
            answered += 1
            assert elements == by_pydicom(path), path.name
    assert answered > 0.75 * sum("Rows" in (by_pydicom(path) or {}) for path in files)


def test_damaged_files(tmp_path) -> None:
    """Bytes are changed, lost and added at random; where both answer, they say the same.

    An element after the last wanted one is looked at by pydicom alone, so that it may find one that is out of order.
    """
    dice = random.Random(0)
    originals = [
        write(tmp_path / "explicit", ReferencedStudySequence=nested(undefined=True)).read_bytes(),
        write(tmp_path / "implicit", syntax=uid.ImplicitVRLittleEndian, NumberOfFrames=1).read_bytes(),
    ]
    path, both = tmp_path / "damaged.dcm", 0
    for _ in range(1500):
        content = bytearray(dice.choice(originals))
        for _ in range(dice.randint(1, 3)):
            place = dice.randrange(128, len(content))
            match dice.randrange(4):
                case 0:
                    content[place] ^= 1 << dice.randrange(8)
                case 1:
                    content[place] = dice.randrange(256)
                case 2:
                    del content[place : place + dice.randint(1, 4)]
                case 3:
                    content[place:place] = dice.randbytes(dice.randint(1, 4))
        path.write_bytes(content)
        elements = quick_elements(str(path), KEYWORDS, required=REQUIRED)
        other = by_pydicom(path) if elements is not None else None
        if elements is not None and other is not None:
            both += 1
            assert elements.items() <= other.items()
    assert both > 200
