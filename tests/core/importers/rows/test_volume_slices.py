"""A row that names a volume becomes the rows of its slices, which belong together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radcbir_core.collections.groups import default_exclusions
from radcbir_core.errors import ManifestError
from radcbir_core.images import decode_image
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.preview import preview
from radcbir_core.notebook import build
from tests.core.images.nifti_files import nifti_bytes

RANDOM = np.random.default_rng(0)
MR = RANDOM.normal(500, 80, (20, 18, 10)).astype(np.float32)
CT = np.concatenate([np.full((20, 18, 5), -1000), RANDOM.normal(40, 20, (20, 18, 5))], axis=2).astype(np.int16)


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "a.nii.gz").write_bytes(nifti_bytes(MR, spacing=(1, 1.5, 5), packed=True))
    (folder / "b.nii").write_bytes(nifti_bytes(CT, codes="LPS"))
    return folder


def test_a_table_names_volumes_beside_images(volumes, picture, table, column) -> None:
    picture(volumes / "c.png")
    rows = [
        ["a.nii.gz", "A", "MR", "knee", "tear", "p1", ""],
        ["b.nii", "", "", "chest", "nodule", "p2", "coronal"],
        ["c.png", "", "CR", "chest", "normal", "p2", "AP"],
        ["none.nii", "", "MR", "knee", "tear", "p3", ""],
    ]
    names = ["path", "image_id", "modality", "anatomy", "pathology", "patient_id", "view"]
    table(volumes / "manifest.csv", names, rows)
    report = import_as(ImportRequest([volumes], "c"))
    collection = report.collection
    assert report.images == 21
    assert list(collection.problems()["reason"]) == ["Expected an image file, but there is none at this path."]
    assert column(collection, "image_id")[:2] == ["A-0", "A-1"]
    assert column(collection, "image_id")[9:11] == ["A-9", "site/b.nii-0"]
    assert column(collection, "dicom_frame") == [*map(str, range(10)), *map(str, range(10)), ""]
    assert column(collection, "series_id") == ["site/a.nii.gz"] * 10 + ["site/b.nii"] * 10 + [""]
    assert column(collection, "patient_id") == ["p1"] * 10 + ["p2"] * 11
    assert column(collection, "modality") == ["MR"] * 10 + ["CT"] * 10 + ["XR"]  # the CT is a guess, which is said
    assert column(collection, "view") == ["axial"] * 10 + ["coronal"] * 10 + ["AP"]
    assert column(collection, "pathologies")[::10] == [["tear"], ["nodule"], ["normal"]]
    assert column(collection, "slice_spacing_mm")[::10] == ["5", "1", ""]
    assert (column(collection, "pixel_height_mm")[0], column(collection, "pixel_width_mm")[0]) == ("1.5", "1")
    assert len(set(column(collection, "sha256"))) == 21
    assert (column(collection, "height")[0], column(collection, "width")[0]) == (27, 20)  # square pixels
    notes = " ".join(report.notes)
    assert "NIfTI: 2 volumes of 20 slices" in notes
    assert "Taken for CT, because their values look like Hounsfield units" in notes
    shown = collection.read_image(13)
    assert (shown.frame, shown.frames, shown.pixels.shape) == (3, 10, (18, 20))


def test_one_of_every_so_many_from_the_middle_of_the_first_stretch(volumes, column) -> None:
    report = import_as(ImportRequest([volumes], "c", every=4, modality="MR", anatomy="knee"))
    assert column(report.collection, "dicom_frame") == ["2", "6", "2", "6"]
    assert set(column(report.collection, "modality")) == {"MR"}
    assert any("4 were taken: one of 4 in each volume" in note for note in report.notes)
    shown = report.collection.read_image(1)
    assert (shown.frame, shown.frames) == (6, 10)
    np.testing.assert_array_equal(shown.pixels, decode_image(volumes / "a.nii.gz", frame=6).pixels)
    again = import_as(ImportRequest([volumes], "c", every=4, add=True, modality="MR", anatomy="knee"))
    assert any("Nothing is new" in note for note in again.notes)


def test_a_table_may_say_what_each_slice_shows(volumes, table, column) -> None:
    rows = [["a.nii.gz", "3", "tear"], ["a.nii.gz", "7", "normal"]]
    table(volumes / "slices.csv", ["path", "dicom_frame", "pathology"], rows)
    collection = import_as(ImportRequest([volumes / "slices.csv"], "c")).collection
    assert column(collection, "pathologies") == [["tear"], ["normal"]]
    assert collection.read_image(1).frame == 7


def test_maps_of_labels_in_folders_are_no_images(volumes, column) -> None:
    labels = np.zeros((20, 18, 12), np.uint8)
    labels[5:9, 5:9, 5:9] = 2
    (volumes / "c_tumor.nii.gz").write_bytes(nifti_bytes(labels, packed=True))
    report = import_as(ImportRequest([volumes], "c"))
    assert (report.images, report.problems) == (20, 1)
    assert "a map of labels" in report.collection.problems()["reason"][0]
    assert import_as(ImportRequest([volumes], "d", masks=True)).images == 32
    (volumes / "a_seg.nii.gz").write_bytes(nifti_bytes(labels, packed=True))  # named after an image beside it
    assert any("Left out as masks" in note for note in import_as(ImportRequest([volumes], "e")).notes)


def test_without_volumes_there_are_none_of_their_columns(tmp_path, picture) -> None:
    picture(tmp_path / "s" / "1.png")
    collection = import_as(ImportRequest([tmp_path / "s"], "c")).collection
    assert not {"series_id", "dicom_frame", "slice_spacing_mm"} & set(collection.manifest.column_names)
    report = import_as(ImportRequest([tmp_path / "s"], "d", every=2))
    assert (report.images, report.notes[-1][:19]) == (1, "There is no volume,")


def test_a_dry_run_shows_what_an_import_makes(volumes) -> None:
    looked = preview(ImportRequest([volumes], "c", every=3))
    assert [known.name for known in looked.formats] == ["nifti"]
    assert (looked.read, looked.complete, looked.problem_count) == (20, True, 0)
    assert "slice_spacing_mm" in looked.further
    assert all(looked.thumbnails)


def test_volumes_that_leave_the_folder_or_cannot_be_read(volumes, table) -> None:
    (volumes / "cut.nii.gz").write_bytes((volumes / "a.nii.gz").read_bytes()[:600])
    (volumes / "text.nii").write_text("nothing of the kind")
    table(volumes / "m.csv", ["path"], [["../x.nii"], ["cut.nii.gz"], ["text.nii"], ["b.nii"]])
    (volumes.parent / "x.nii").write_bytes((volumes / "b.nii").read_bytes())
    report = import_as(ImportRequest([volumes / "m.csv"], "c"))
    assert report.images == 10
    reasons = list(report.collection.problems()["reason"])
    assert [reason[:40] for reason in reasons] == [
        "Expected a path inside the image root, b",
        "Expected 14,400 bytes of voxels, but cut",
        "Expected a NIfTI file (.nii, .nii.gz), b",
    ]
    table(volumes / "n.csv", ["path"], [["text.nii"]])
    with pytest.raises(ManifestError, match="Expected at least one usable image"):
        import_as(ImportRequest([volumes / "n.csv"], "d"))


def test_slices_are_kept_from_their_own_volume(volumes, column) -> None:
    collection = import_as(ImportRequest([volumes], "c", modality="MR")).collection
    build(collection, "pixels")
    assert "series" in default_exclusions(collection.store("pixels"))
