"""Which files are images, by name and by content."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from radcbir_core.images import IMAGE_SUFFIXES, is_image_name, is_volume_name, suffix_of
from radcbir_core.images.file_types import describe, sniff
from tests.core.images.dicom_files import dicom_bytes
from tests.core.images.nifti_files import nifti_bytes

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "name",
    ["a.png", "a.JPG", "a.jpeg", "a.TIF", "a.tiff", "a.webp", "a.bmp", "a.dcm", "x/y.DCM", "a.nii", "x/y.NII.GZ"],
)
def test_names_of_images(name: str) -> None:
    assert is_image_name(name)
    assert suffix_of(name) in IMAGE_SUFFIXES
    assert is_volume_name(name) == (".nii" in name.lower())


@pytest.mark.parametrize("name", ["a/b.png", "a.b/c", ".png", "x/.png", "a.", "a..", "", "a.tar.gz", "A/B.TIFF"])
def test_suffixes_are_those_of_pathlib_in_lower_case(name: str) -> None:
    assert suffix_of(name) == Path(name).suffix.lower()


def test_nifti_is_known_by_its_content_packed_or_not() -> None:
    values = np.zeros((40, 40, 40), np.int16)
    for second in (False, True):
        data = nifti_bytes(values, second=second)
        assert sniff(data[:512]) == "NIFTI"
        assert sniff(gzip.compress(data)[:512]) == "NIFTI"
        assert sniff(gzip.compress(data, 0)[:512]) == "NIFTI"
    assert sniff(gzip.compress(b"a,b\n" * 200)[:512]) is None
    assert sniff(b"\x1f\x8b" + bytes(510)) is None
    assert describe(gzip.compress(b"text")) == "a gzip archive"


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.csv.gz", "a.gif", "png", "._a.png", ".DS_Store", "nowhere", ""])
def test_names_of_others(name: str) -> None:
    assert not is_image_name(Path(name))


def test_names_without_a_suffix_need_the_dicom_prefix(tmp_path: Path) -> None:
    dicom = dicom_bytes(np.zeros((2, 2), np.uint8))
    for name in ("IM0001", "1.2.840.113619.2.55.3"):
        file = tmp_path / name
        file.write_bytes(dicom)
        assert is_image_name(file)
        file.write_bytes(dicom[132:])
        assert not is_image_name(file)
        file.write_bytes(b"DICM")
        assert not is_image_name(file)
    assert not is_image_name(tmp_path)
    (tmp_path / "notes.1a").write_bytes(dicom)
    assert not is_image_name(tmp_path / "notes.1a")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not is_image_name(tmp_path / "pipe")


def test_a_preamble_with_another_magic_is_still_dicom() -> None:
    dicom = dicom_bytes(np.zeros((2, 2), np.uint8))
    assert sniff(b"II*\x00" + dicom[4:512]) == "DICOM"
    assert sniff(b"II*\x00" + bytes(508)) == "TIFF"


@pytest.mark.parametrize(
    ("head", "format_"),
    [
        (bytes.fromhex("0200000055 4c0400 be000000"), "DICOM"),  # (0002,0000) UL
        (bytes.fromhex("08000500 4353 0a00") + b"ISO_IR 100", "DICOM"),  # (0008,0005) CS
        (bytes.fromhex("00080005 4353 000a") + b"ISO_IR 100", "DICOM"),  # the same in big endian
        (bytes.fromhex("08001600 1a000000") + b"1.2.840.10008", "DICOM"),  # (0008,0016) in implicit VR
        (bytes.fromhex("08001600 1b000000") + b"1.2.840.10008", None),  # an odd length
        (bytes.fromhex("08001600 00001a00") + b"1.2.840.10008", None),  # a megabyte of a UID
        (bytes.fromhex("09001600 5549 1a00"), None),  # another group
        (b"\x08\x00", None),
        (b"BM something that is no bitmap", None),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None),
        (b"", None),
    ],
)
def test_content_without_a_magic(head: bytes, format_: str | None) -> None:
    assert sniff(head) == format_


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"GIF89a....", "a GIF"),
        (b"%PDF-1.7", "a PDF"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        ("Größe,Befund\n".encode(), "text"),
        ("é".encode() * 255 + b"a" + "é".encode()[:1], "text"),  # cut in the middle of a letter
        (b"\x00\x01\x02", "something else"),
        (b"\xfe\xfe", "something else"),
    ],
)
def test_descriptions(head: bytes, words: str) -> None:
    assert describe(head) == words


def test_importing_images_imports_no_pydicom() -> None:
    code = "import sys, radcbir_core.images; print('pydicom' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
