"""DICOM trees and DICOMDIRs: pseudonyms, an allow-list, slices of volumes."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.fileset import FileSet
from pydicom.sequence import Sequence

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import ManifestError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.datasets.dicom_tree import PATHS_KEPT, SALT_NAME, SAME_INSTANCE
from radcbir_core.importers.formats import detect
from tests.core.images.dicom_files import SECRET, dicom_bytes, with_text


def instance(path: Path, number: int, *, shape=(8, 6), frames: int | None = None, **elements) -> Path:
    """A CT slice; each with its own UID and pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = shape if frames is None else (frames, *shape)
    pixels = np.random.default_rng(number).integers(0, 1000, size, dtype=np.uint16)
    standard = {
        "SOPInstanceUID": f"1.2.3.{number}",
        "StudyInstanceUID": "1.2.9",
        "SeriesInstanceUID": "1.2.9.1",
        "InstanceNumber": number,
        "BodyPartExamined": "CHEST",
        "SliceThickness": "2.5",
        "PatientBirthDate": "19700101",
        "AccessionNumber": SECRET,
        "StudyDescription": f"CT for {SECRET}",
        "InstitutionName": SECRET,
    }
    standard = {name: value for name, value in standard.items() if name not in elements}
    elements = {name: value for name, value in elements.items() if value is not None or name == "Rows"}
    path.write_bytes(dicom_bytes(pixels, frames=frames, **standard, **elements))
    return path


def texts(collection) -> str:
    """Everything that the collection's own files say."""
    return collection.manifest.frame.to_csv() + "".join(
        path.read_text() for path in collection.folder.iterdir() if path.suffix in {".json", ".csv"}
    )


def test_pseudonyms_and_nothing_else_of_the_header(tmp_path, column) -> None:
    for number in range(4):
        instance(
            tmp_path / "scans" / "st0" / f"{number}.dcm", number, PatientID="SECRET 1" if number < 3 else "SECRET 2"
        )
    instance(tmp_path / "scans" / "st1" / "9", 9, StudyInstanceUID="1.2.8", SeriesInstanceUID="1.2.8.1", Modality="DX",
             ViewPosition="PA", BodyPartExamined=None, Laterality="L")  # fmt: skip
    assert detect(tmp_path / "scans").name == "dicom"
    report = import_as(ImportRequest([tmp_path / "scans"], "c"))
    collection = report.collection
    assert (report.images, report.problems, report.duplicates) == (5, 0, 0)
    assert column(collection, "modality") == ["CT"] * 4 + ["XR"]
    assert column(collection, "anatomy") == ["chest"] * 4 + [""]
    assert column(collection, "view")[4] == "PA"
    assert column(collection, "laterality") == [""] * 4 + ["L"]
    assert column(collection, "slice_thickness_mm")[0] == "2.5"
    for name, sizes in (("patient_id", [3, 1, 1]), ("study_id", [4, 1]), ("series_id", [4, 1])):
        values = column(collection, name)
        assert sorted((values.count(value) for value in set(values)), reverse=True) == sizes
    assert SECRET not in texts(collection)
    assert "19700101" not in texts(collection)
    assert "1.2.9" not in texts(collection)
    assert report.notes[0] == PATHS_KEPT


def test_the_salt_is_secret_and_new_for_each_import(tmp_path, column) -> None:
    instance(tmp_path / "scans" / "0.dcm", 0)
    first, second = (import_as(ImportRequest([tmp_path / "scans"], name)).collection for name in "ab")
    salts = [(collection.folder / SALT_NAME) for collection in (first, second)]
    assert all(stat.S_IMODE(salt.stat().st_mode) == 0o600 for salt in salts)
    assert salts[0].read_bytes() != salts[1].read_bytes()
    assert salts[0].read_text() not in (first.folder / "collection.json").read_text()
    assert column(first, "patient_id") != column(second, "patient_id")
    assert column(first, "image_id") != column(second, "image_id")
    assert column(first, "sha256") == column(second, "sha256")


def test_every_nth_slice_in_the_order_of_anatomy(tmp_path, column) -> None:
    """Files are named against the order in space; 10 slices, every 3rd from the middle of the first stretch on."""
    for number in range(10):
        instance(
            tmp_path / "scans" / f"{9 - number}.dcm",
            number,
            InstanceNumber=None,
            ImagePositionPatient=[0, 0, 5.0 * number],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        )
    instance(tmp_path / "scans" / "alone.dcm", 77, SeriesInstanceUID="1.2.9.2")
    report = import_as(ImportRequest([tmp_path / "scans"], "c", every=3))
    assert column(report.collection, "path") == ["2.dcm", "5.dcm", "8.dcm", "alone.dcm"]
    assert report.notes[-1] == "Of 11 slices and frames, 4 were taken: one of 3 in each series."


def test_numbers_that_are_none_count_as_not_there_and_are_said(tmp_path, column) -> None:
    """A slice without a place puts its whole series in the order of its numbers."""
    for number in range(6):
        path = instance(
            tmp_path / "scans" / f"{number}.dcm",
            number,
            ImagePositionPatient=[0, 0, -5.0 * number],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            WindowCenter="300",
            WindowWidth="400",
        )
        if number in {2, 4}:
            data = with_text(path.read_bytes(), "ImagePositionPatient", "0\\0\\-10,5")
            data = with_text(with_text(data, "SliceThickness", "2,5"), "WindowCenter", "300,5")
            path.write_bytes(with_text(data, "InstanceNumber", str(number)))
    report = import_as(ImportRequest([tmp_path / "scans"], "c", every=3))
    assert column(report.collection, "path") == ["1.dcm", "4.dcm"]
    assert column(report.collection, "slice_thickness_mm") == ["2.5", ""]
    assert [note for note in report.notes if "no number" in note] == [
        "SliceThickness was no number in 2 files, and counts as not there.",
        "ImagePositionPatient was no number in 2 files, and counts as not there.",
        "In 1 image: WindowCenter is no number, and counts as not there.",
    ]
    assert "10,5" not in texts(report.collection)


@pytest.mark.parametrize("names", [("a", "b", "c"), ("b", "a", "c"), ("c", "b", "a")])
@pytest.mark.parametrize("frames", [None, 2])
def test_the_readable_file_of_an_instance_stands_for_it_wherever_it_is(tmp_path, column, names, frames) -> None:
    """Three files of one instance: one is cut off in its pixels, one in its header, one is whole."""
    cut, whole, short = (tmp_path / "scans" / f"{name}.dcm" for name in names)
    instance(whole, 1, frames=frames)
    cut.write_bytes(whole.read_bytes()[:-40])
    short.write_bytes(whole.read_bytes()[:200])
    instance(tmp_path / "scans" / "other.dcm", 2)
    report = import_as(ImportRequest([tmp_path / "scans"], "c"), format_name="dicom")
    assert column(report.collection, "path") == [*[whole.name] * (frames or 1), "other.dcm"]
    assert len(set(column(report.collection, "image_id"))) == report.images
    problems = report.collection.problems()
    assert set(problems["path"]) == {cut.name, short.name}
    assert whole.name not in set(problems["path"])


def test_every_nth_slice_counts_an_instance_once(tmp_path, column) -> None:
    for number in range(1, 7):
        path = instance(tmp_path / "scans" / f"{number}.dcm", number)
        if number in {3, 4}:
            (tmp_path / "scans" / f"{number}-cut.dcm").write_bytes(path.read_bytes()[:-40])
    report = import_as(ImportRequest([tmp_path / "scans"], "c", every=2), format_name="dicom")
    assert column(report.collection, "path") == ["2.dcm", "4.dcm", "6.dcm"]
    assert report.notes[-1] == "Of 6 slices and frames, 3 were taken: one of 2 in each series."
    problems = report.collection.problems().set_index("path")["reason"].to_dict()
    assert set(problems) == {"3.dcm", "4-cut.dcm"}  # of number 3, which is not taken, the first file is not looked at
    assert problems["3.dcm"] == SAME_INSTANCE


@pytest.mark.parametrize("check", ["bytes", "exists"])
def test_where_nothing_is_decoded_a_larger_copy_is_said(tmp_path, check) -> None:
    whole = instance(tmp_path / "scans" / "b.dcm", 5)
    (tmp_path / "scans" / "a.dcm").write_bytes(whole.read_bytes()[:-40])
    (tmp_path / "scans" / "c.dcm").write_bytes(whole.read_bytes())
    report = import_as(ImportRequest([tmp_path / "scans"], "c", check=check))
    assert report.collection.manifest.column("path").tolist() == ["a.dcm"]
    said = "Of 2 files whose instance a file before is of too, 2 are larger: the file before"
    assert [note for note in report.notes if note.startswith(said)]
    (tmp_path / "scans" / "a.dcm").unlink()
    report = import_as(ImportRequest([tmp_path / "scans"], "d", check=check))
    assert not [note for note in report.notes if "larger" in note]


def test_a_second_whole_file_of_an_instance_is_a_copy(tmp_path, column) -> None:
    first = instance(tmp_path / "scans" / "a.dcm", 1)
    for name in ("b", "c"):
        (tmp_path / "scans" / f"{name}.dcm").write_bytes(first.read_bytes())
    for every in (1, 3):
        report = import_as(ImportRequest([tmp_path / "scans"], f"c{every}", every=every))
        assert column(report.collection, "path") == ["a.dcm"]
        assert report.collection.problems()["reason"].to_list() == [SAME_INSTANCE] * 2
    assert report.notes[-1] == "Of 1 slices and frames, 1 were taken: one of 3 in each series."


def test_frames_of_one_file_are_images_of_their_own(tmp_path, column) -> None:
    path = instance(tmp_path / "scans" / "volume.dcm", 5, frames=6)
    instance(tmp_path / "scans" / "zlast.dcm", 6)
    report = import_as(ImportRequest([tmp_path / "scans"], "c", every=2))
    collection = report.collection
    assert column(collection, "dicom_frame") == ["1", "3", "5", ""]
    assert report.duplicates == 0, "frames share a file and are no copies"
    assert len(set(column(collection, "sha256"))) == len(set(column(collection, "image_id"))) == 4
    from radcbir_core.images import decode_image

    for row, frame in enumerate((1, 3, 5)):
        assert np.array_equal(open_collection("c").read_image(row).pixels, decode_image(path, frame=frame).pixels)
    everything = import_as(ImportRequest([tmp_path / "scans"], "d")).collection
    assert column(everything, "dicom_frame") == ["0", "1", "2", "3", "4", "5", ""]


def test_what_is_no_image_is_a_problem_that_names_nobody(tmp_path, picture) -> None:
    folder = tmp_path / "scans"
    instance(folder / "0.dcm", 0)
    instance(folder / "again.dcm", 0)
    instance(folder / "bomb.dcm", 2, NumberOfFrames=2_000_000_000)
    instance(folder / "report.dcm", 3, Rows=None)
    instance(folder / "words.dcm", 4, BodyPartExamined=f"{SECRET} JOHN'S KNEE", BurnedInAnnotation="YES")
    whole = instance(folder / "cut.dcm", 5).read_bytes()
    (folder / "cut.dcm").write_bytes(whole[:-40])
    picture(folder / "picture.png")
    (folder / "text.dcm").write_text("hello")
    report = import_as(ImportRequest([folder], "c"), format_name="dicom")
    problems = report.collection.problems()
    reasons = dict(zip(problems["path"], problems["reason"], strict=True))
    assert report.images == 2
    burned = reasons.pop("words.dcm")  # in the collection all the same
    assert "text that identifies is burned into its pixels" in burned
    assert set(reasons) == {"again.dcm", "bomb.dcm", "report.dcm", "cut.dcm", "picture.png", "text.dcm"}
    assert report.problems == len(problems) == 7
    assert report.collection.manifest.counts("burned_in_annotation") == {"YES": 1, "not said": 1}
    assert "Expected each DICOM instance once" in reasons["again.dcm"]
    assert "but it says 2,000,000,000" in reasons["bomb.dcm"]
    assert "has no picture in it" in reasons["report.dcm"]
    assert "cut off" in reasons["cut.dcm"]
    assert "Expected a DICOM file" in reasons["picture.png"]
    assert SECRET not in texts(report.collection)
    assert "BodyPartExamined held no term of the standard in 1 file, and was left out." in report.notes
    assert "burned into their pixels (BurnedInAnnotation): 1." in " ".join(report.notes)


def dicomdir(folder: Path, file_ids: list[list[str]]) -> None:
    """A DICOMDIR with image records only, of whatever files."""
    root = Dataset()
    root.file_meta = FileMetaDataset()
    root.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    root.file_meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    root.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    records = []
    for parts in file_ids:
        record = Dataset()
        record.OffsetOfTheNextDirectoryRecord, record.RecordInUseFlag = 0, 0xFFFF
        record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", parts
        records.append(record)
    root.DirectoryRecordSequence = Sequence(records)
    root.save_as(folder / "DICOMDIR", enforce_file_format=True)


def test_a_dicomdir_written_by_pydicom(tmp_path, column) -> None:
    files = FileSet()
    for number in range(3):
        required = {"StudyID": "1", "StudyDate": "20200101", "StudyTime": "1200", "SeriesNumber": 1}
        files.add(instance(tmp_path / "from" / f"{number}.dcm", number, **required))
    files.write(tmp_path / "medium")
    instance(tmp_path / "medium" / "stray.dcm", 8)
    for given in ("medium", "medium/DICOMDIR"):
        assert detect(tmp_path / given).name == "dicom"
    report = import_as(ImportRequest([tmp_path / "medium"], "c"))
    assert (report.images, report.problems) == (3, 0)
    assert "stray.dcm" not in " ".join(column(report.collection, "path"))
    assert SECRET not in texts(report.collection)


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # such file ids are what is tested
def test_a_dicomdir_that_points_outside_or_at_nothing(tmp_path, column) -> None:
    instance(tmp_path / "outside.dcm", 1)
    instance(tmp_path / "medium" / "images" / "a", 2)
    dicomdir(tmp_path / "medium", [["..", "outside.dcm"], ["IMAGES", "A"], ["IMAGES", "GONE"], ["/etc/passwd"]])
    report = import_as(ImportRequest([tmp_path / "medium"], "c"))
    assert column(report.collection, "path") == ["images/a"], "names of a medium are in upper case"
    problems = report.collection.problems()
    assert problems["path"].tolist() == ["../outside.dcm", "IMAGES/GONE", "/etc/passwd"]
    assert ["leads out of" in reason for reason in problems["reason"]] == [True, False, True]


def test_what_cannot_be_read_at_all(tmp_path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 50)
    with pytest.raises(ManifestError, match=r"Expected a DICOMDIR, but .* cannot be read as one"):
        import_as(ImportRequest([tmp_path / "m"], "c"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match=r"Expected DICOM files, but .* has none"):
        import_as(ImportRequest([tmp_path / "empty"], "c"), format_name="dicom")
    with pytest.raises(ManifestError, match="does not exist"):
        import_as(ImportRequest([tmp_path / "nowhere"], "c"), format_name="dicom")


def test_real_dicom_files(real_images, column) -> None:
    folder = real_images / "dicom_samples" / "files"
    assert detect(folder).name == "dicom"
    report = import_as(ImportRequest([folder], "c"))
    problems = report.collection.problems()
    files = len(list(folder.iterdir()))
    assert report.images + report.problems >= files
    assert report.images >= files - 8
    assert set(column(report.collection, "modality")) <= {"CT", "MR", "US", "XR", "other"}
    assert not any(problems["reason"].str.contains("patient", case=False))
    thinned = import_as(ImportRequest([folder], "d", every=4))
    assert thinned.images < report.images
