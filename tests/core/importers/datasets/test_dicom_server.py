"""An import from a DICOMweb server: de-identified on the way, goes on where it was stopped, and twice is once."""

from __future__ import annotations

import stat
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from radcbir_core.collections.layout import list_collections
from radcbir_core.dicomweb import client
from radcbir_core.dicomweb.client import Client
from radcbir_core.dicomweb.server_address import PASSWORD, USER, address_of
from radcbir_core.dicomweb.server_contents import Wanted
from radcbir_core.errors import CollectionExistsError, ManifestError, ServerError
from radcbir_core.images import decode_image
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.datasets import dicom_server
from radcbir_core.importers.datasets.dicom_server import FETCHED, count_instances
from radcbir_core.importers.datasets.dicom_tree import SALT_NAME
from radcbir_core.importers.uploads.kept_uploads import uploads_folder
from tests.core.images.dicom_files import SECRET, dicom_bytes
from tests.dicom_servers import CREDENTIALS, a_few_studies, orthanc, slice_of, stand_in, store, without_settings

NAMED = (SECRET, "19700101", "1.2.9.1", "1.2.8.1", "20240203", CREDENTIALS[PASSWORD])


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch) -> None:
    without_settings(monkeypatch)
    monkeypatch.setattr(client, "PAUSES", (0.01,))


def imported(url: str, name: str = "c", **options):
    return import_as(ImportRequest([], name, server=url, **options))


def kept() -> list[Path]:
    return sorted(path for path in uploads_folder().rglob("*.dcm"))


def everything_written(data: Path) -> bytes:
    return b"".join(path.read_bytes() + str(path).encode() for path in data.rglob("*") if path.is_file())


def identifiers(collection) -> list[tuple[str, ...]]:
    names = ("patient_id", "study_id", "series_id")
    return sorted(zip(*(collection.manifest.column(name) for name in names), strict=True))


def test_from_orthanc_as_from_a_folder_and_nobody_is_named(tmp_path, data, monkeypatch) -> None:
    with orthanc(tmp_path) as url:
        store(url, a_few_studies())
        with pytest.raises(ServerError, match="Expected to be let in"):
            imported(url)
        monkeypatch.setenv(USER, CREDENTIALS[USER])
        monkeypatch.setenv(PASSWORD, CREDENTIALS[PASSWORD])
        report = imported(url)
    collection = report.collection
    assert (report.images, report.problems) == (6, 0)
    assert report.notes[0] == FETCHED
    assert sorted(collection.manifest.column("dicom_modality")) == ["CT"] * 3 + ["DX"] + ["MR"] * 2
    written = everything_written(data)
    for named in NAMED:
        assert named.encode() not in written
    for path in kept():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    # The same files from a folder, by the same salt: the same pseudonyms, words and pixels.
    folder = tmp_path / "scans"
    folder.mkdir()
    for number, content in enumerate(a_few_studies()):
        (folder / f"{number}.dcm").write_bytes(content)
    salt = bytes.fromhex((collection.folder / SALT_NAME).read_text())
    other = import_as(ImportRequest([folder], "from-folder", salt=salt)).collection
    assert identifiers(collection) == identifiers(other)
    by_instance = {other.manifest.image_id(row).rpartition("/")[2]: row for row in range(6)}
    for row in range(6):
        same = by_instance[collection.manifest.image_id(row).rpartition("/")[2]]
        assert np.array_equal(collection.read_image(row).pixels, other.read_image(same).pixels)
        for column in ("modality", "anatomy", "view", "width", "height"):
            assert collection.manifest.record(row)[column] == other.manifest.record(same)[column]


def test_a_server_that_dies_midway_loses_nothing_and_it_goes_on(data) -> None:
    with stand_in(dies_after=4) as (url, does):
        with pytest.raises(ServerError, match=r"it goes on\. 4 images of 6 stay here"):
            imported(url)
        assert list_collections() == []
        assert len(kept()) == 4
        does.dies_after, does.given = -1, 0
        report = imported(url)
        assert (report.images, does.given) == (6, 2)
        with pytest.raises(CollectionExistsError):
            imported(url)


def test_what_is_new_on_the_server_is_added_and_twice_is_once(data) -> None:
    with stand_in() as (url, does):
        first = imported(url, wanted=Wanted(studies=("1.2.9",))).collection
        ids = [first.manifest.image_id(row) for row in range(4)]
        patients = set(first.manifest.column("patient_id"))
        does.given = 0
        report = imported(url, add=True)
        assert (report.images, does.given) == (6, 2)
        assert [report.collection.manifest.image_id(row) for row in range(4)] == ids
        does.files.append(slice_of(4))
        report = imported(url, add=True)
        assert (report.images, does.given) == (7, 3)
        assert report.collection.manifest.column("patient_id")[6] in patients
        assert imported(url, add=True).images == 7
        assert does.given == 3


def test_one_that_does_not_come_is_a_problem_and_the_rest_goes_on(data) -> None:
    faults = {"1.2.9.1.1": "404", "1.2.9.1.2": "garbage", "1.2.9.1.3": "another", "1.2.8.1.21": "text"}
    with stand_in(faults=faults) as (url, does):
        report = imported(url)
        assert (report.images, report.problems) == (2, 4)
        reasons = report.collection.problems()
        assert "it answers 404" in " ".join(reasons["reason"])
        assert "gives another" in " ".join(reasons["reason"])
        text = reasons.to_csv()
        assert not [named for named in NAMED if named in text]
        does.faults.clear()
        assert imported(url, add=True).images == 6


def test_a_server_that_gives_nothing_of_use_is_left_alone(data, monkeypatch) -> None:
    monkeypatch.setattr(dicom_server, "_MOST_FAULTS", 3)
    faults = {f"1.2.9.1.{n}": "text" for n in (1, 2, 3)} | {"1.2.9.2.9": "text", "1.2.8.1.21": "text"}
    with stand_in(faults=faults | {"1.2.8.1.22": "text"}) as (url, _), pytest.raises(ServerError, match="of 3 one"):
        imported(url)


def test_a_damaged_picture_is_found_when_it_is_decoded(data) -> None:
    whole = slice_of(30, series="1.2.9.3")
    with stand_in(files=[slice_of(1), whole[:-100]]) as (url, _):
        report = imported(url)
    assert (report.images, report.problems) == (1, 1)


def test_frames_and_missing_identifiers(data) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, 8, 8), dtype=np.uint8)
    uids = {"StudyInstanceUID": "1.2.7", "SeriesInstanceUID": "1.2.7.1", "SOPInstanceUID": "1.2.7.1.1"}
    film = dicom_bytes(frames, frames=3, **uids)
    nobody = slice_of(5, PatientID="", BurnedInAnnotation="YES", BodyPartExamined=SECRET)
    with stand_in(files=[film, nobody]) as (url, _):
        report = imported(url)
    manifest = report.collection.manifest
    assert report.images == 4
    assert sorted(manifest.column("patient_id"))[0] == ""
    assert any("BurnedInAnnotation): 1" in note for note in report.notes)
    (path,) = [path for path in kept() if dcmread(path).get("NumberOfFrames")]
    assert np.array_equal(decode_image(path, frame=2).pixels, decode_image(film, frame=2).pixels)
    assert "PatientName" not in dcmread(BytesIO(path.read_bytes()))


def test_what_cannot_be_imported_is_said(data, tmp_path) -> None:
    with stand_in() as (url, _):
        with pytest.raises(ManifestError, match="none of what is wanted"):
            imported(url, wanted=Wanted(matching={"Modality": ["US"]}))
        with pytest.raises(ManifestError, match="alone"):
            import_as(ImportRequest([tmp_path], "c", server=url))
        assert count_instances(Client(address_of(url)), Wanted()) == {"CT": 3, "DX": 1, "MR": 2}
        assert kept() == []
    with pytest.raises(ManifestError, match="every"):
        imported("http://localhost:1/x", every=5)
    with pytest.raises(ManifestError, match="no SOURCE"):
        import_as(ImportRequest([], "c"))
    with pytest.raises(ManifestError, match="none is given"):
        dicom_server.read([], ImportRequest([], "c"))
