"""No text of a DICOM header leaves it but terms of the standard: not by a manifest, an export, an error or a log."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.datadict import DicomDictionary, keyword_for_tag

from radcbir_core.collections.archive import write_archive
from radcbir_core.collections.export import export_manifest
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.datasets.dicom_terms import is_term
from radcbir_core.importers.preview import preview
from tests.core.images.dicom_files import dicom_bytes

MARKER = "ZQMARKER"
TEXTS = {"AE", "AS", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
NEEDED = {"PhotometricInterpretation", "TransferSyntaxUID", "SpecificCharacterSet"}


def keywords() -> list[str]:
    """Every element of the standard's data sets that holds text, but what pixels cannot be read without."""
    listed = []
    for tag, (representation, _, _, retired, keyword) in DicomDictionary.items():
        plain = tag >> 16 not in {0x0000, 0x0002, 0x0004} and keyword_for_tag(tag) == keyword
        if keyword and not retired and plain and representation in TEXTS and keyword not in NEEDED:
            listed.append(keyword)
    return listed


@pytest.fixture
def scans(tmp_path) -> Path:
    """Files whose every text holds the marker; one cannot be decoded, one is no image, one is cut off."""
    folder = tmp_path / "scans"
    folder.mkdir()
    marked = dict.fromkeys(keywords(), MARKER)
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8)
    for number in range(3):
        content = dicom_bytes(pixels + number, **{**marked, "SOPInstanceUID": f"1.2.{number}"})
        (folder / f"{number}.dcm").write_bytes(content)
    content = dicom_bytes(pixels, **{**marked, "SOPInstanceUID": "1.2.8", "PhotometricInterpretation": MARKER})
    (folder / "color.dcm").write_bytes(content)
    content = dicom_bytes(pixels, **{**marked, "SOPInstanceUID": "1.2.9"})
    (folder / "cut.dcm").write_bytes(content[:-40])
    content = dicom_bytes(
        pixels, **{**marked, "SOPInstanceUID": "1.2.7", "BodyPartExamined": "CHEST", "Modality": "CT"}
    )
    (folder / "chest.dcm").write_bytes(content)
    return folder


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # such values are what is tested
def test_a_marker_in_every_text_reaches_nothing(scans, tmp_path, column, caplog, capsys) -> None:
    assert len(keywords()) > 1000
    caplog.set_level(logging.DEBUG)
    looked = preview(ImportRequest([scans], "c"))
    report = import_as(ImportRequest([scans], "c"), format_name="dicom")
    assert (report.images, report.problems) == (4, 2)
    assert sorted(column(report.collection, "anatomy")) == ["", "", "", "chest"]
    assert set(column(report.collection, "modality")) <= {"", "CT"}
    told = " ".join(report.notes)
    for keyword in ("BodyPartExamined", "ViewPosition", "ImageLaterality", "Modality"):
        assert f"{keyword} held no term of the standard in" in told
    export_manifest(report.collection, tmp_path / "out.csv")
    export_manifest(report.collection, tmp_path / "out.parquet")
    write_archive(report.collection, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        archive.extractall(tmp_path / "archive")
    streams = capsys.readouterr()
    said = [caplog.text, streams.out, streams.err, told, report.collection.manifest.frame.to_csv()]
    said += [looked.table.to_csv(), looked.problems.to_csv(), *looked.notes, str(looked.refusal), repr(report)]
    assert not [text for text in said if MARKER in text.upper()]
    files = [path for path in tmp_path.rglob("*") if path.is_file() and scans not in path.parents]
    assert len(files) > 8
    assert not [path for path in files if MARKER.encode() in path.read_bytes().upper()]
    pictures = [picture for picture in looked.thumbnails if picture is not None]
    assert len(pictures) == 4
    for picture in pictures:
        assert MARKER.encode() not in picture.upper()
        (tmp_path / "one.webp").write_bytes(picture)
        with Image.open(tmp_path / "one.webp") as opened:
            assert not set(opened.info) & {"exif", "xmp", "icc_profile", "comment"}


@pytest.mark.parametrize(
    ("keyword", "terms", "others"),
    [
        ("Modality", "CT MR DX MG US CS", "MILLER ZZ XRAY"),
        ("BodyPartExamined", "CHEST WHOLE_BODY LSPINE NECKCHESTABDPELV HEART", "MILLER ANNA KNEE_MILLER ID12345"),
        ("ViewPosition", "AP PA LL MLO XCCL LATERAL", "MILLER A1 WARD7"),
        ("Laterality", "L R", "M MILLER LR"),
        ("ImageLaterality", "L R U B", "M"),
    ],
)
def test_terms_and_what_is_none(keyword, terms, others) -> None:
    assert all(is_term(keyword, word) for word in terms.split())
    assert not any(is_term(keyword, word) for word in others.split())
