"""A DICOMDIR: the files of its image records; the import of them is test_dicom_tree.py's."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from radcbir_core.errors import ImageError
from radcbir_core.images import read_directory
from radcbir_core.images.dicom.directory import image_file_ids


def record(kind: str, file_id: list[str] | str | None) -> Dataset:
    item = Dataset()
    item.DirectoryRecordType = kind
    if file_id is not None:
        item.ReferencedFileID = file_id
    return item


def write(path: Path, records: list[Dataset]) -> Path:
    directory = Dataset()
    directory.DirectoryRecordSequence = records
    directory.file_meta = FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    directory.file_meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    directory.save_as(path, enforce_file_format=True)
    return path


def test_the_file_ids_of_image_records_in_their_order(tmp_path: Path) -> None:
    records = [
        record("PATIENT", None),
        record("IMAGE", ["A", "B", "2"]),
        record("SR DOCUMENT", ["A", "R"]),
        record("IMAGE", "ONE"),
        record("IMAGE", None),
    ]
    path = write(tmp_path / "DICOMDIR", records)
    assert read_directory(path) == image_file_ids(path, name="x") == [["A", "B", "2"], ["ONE"]]


def test_what_is_no_directory_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "DICOMDIR", [record("IMAGE", "ONE")])
    path.write_bytes(path.read_bytes()[:140] + b"\xff" * 40)
    with pytest.raises(ImageError, match="a whole, readable DICOM file, but DICOMDIR = damaged"):
        read_directory(path)
    with pytest.raises(ImageError, match="damaged"):
        read_directory(tmp_path / "gone")
