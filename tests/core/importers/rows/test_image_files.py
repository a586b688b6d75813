"""Which files of a folder are taken, which are masks, and what is said of the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.adding import LEFT_OUT
from radcbir_core.importers.preview import preview
from radcbir_core.importers.rows.image_files import Walk, image_files, is_left_out
from tests.core.importers.datasets.test_dicom_tree import instance

CASES = Path(__file__).parents[5] / "shared" / "cases"


def test_image_files_are_in_order_and_links_are_not_followed(tmp_path, picture) -> None:
    for name in ("10.png", "2.png", "b/1.png", "b.png", "B/1.png"):
        picture(tmp_path / "root" / name)
    picture(tmp_path / "outside" / "x.png")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "._2.png").touch()
    assert list(image_files(tmp_path / "root")) == ["10.png", "2.png", "B/1.png", "b/1.png", "b.png"]


def test_dicom_is_known_by_its_content(tmp_path, column) -> None:
    folder = tmp_path / "s"
    for number, name in enumerate(["a.dcm", "us.img", "IM0001", "1.2.840.10008", "b.acr"]):
        file = instance(folder / name, number)
        if number > 1:  # written without its preamble
            (folder / name).write_bytes(Path(folder / name).read_bytes()[132:])
        assert file is not None
    (folder / "c.gif").write_bytes(b"GIF89a")
    (folder / "d.jp2").write_bytes(b"\0\0\0\x0cjP  ")
    (folder / "e.nii.gz").write_bytes(b"\x1f\x8b")
    (folder / "f.NII.GZ").write_bytes(b"\x1f\x8b")
    (folder / "README").write_text("about")
    (folder / ".DS_Store").write_bytes(b"\0")
    os.mkfifo(folder / "pipe")
    report = import_as(ImportRequest([folder], "c"), format_name="dicom")
    assert sorted(column(report.collection, "path")) == ["1.2.840.10008", "IM0001", "a.dcm", "b.acr", "us.img"]
    told = "Passed over, because they are no images that can be read: without a suffix 2, .gif 1, .jp2 1."
    assert told in report.notes
    assert sorted(report.collection.problems()["path"]) == ["e.nii.gz", "f.NII.GZ"]  # images, but no DICOM
    for format_name in ("dicom", "manifest"):
        assert told in preview(ImportRequest([folder], "d"), format_name=format_name).notes


def test_the_cases(column) -> None:
    if not CASES.is_dir():
        pytest.skip("the small inputs that went wrong are not beside the repository")
    report = import_as(ImportRequest([CASES / "05_dicom_files_not_found_in_tree"], "c"), format_name="dicom")
    assert column(report.collection, "path") == ["a.dcm", "us.img"]
    folder = CASES / "09_busi_masks"
    request = ImportRequest([folder], "d", modality="US")
    report = import_as(request, format_name="folder")
    assert column(report.collection, "path") == ["breast/benign/benign (1).png", "breast/benign/benign (2).png"]
    assert any("Left out as masks" in note and "2 files" in note for note in report.notes)
    kept = import_as(ImportRequest([folder], "e", modality="US", masks=True), format_name="folder")
    assert kept.images == 4


MASKS = [
    *("a/x.png", "a/x_mask.png", "a/x_mask_1.png", "a/X-seg.tif", "a/x segmentation.png", "a/mask_x.png"),
    *("a/alone_mask.png", "a/unmasked.png", "b/images/1.png", "b/masks/1.png", "b/masks/2.png", "b/masks/deep/1.png"),
    *("c/7.png", "c/7_label.png", "c/groundtruth/7_gt.png", "d/images/t/1.png", "d/labels/t/1.png"),
]


def test_masks_are_left_out_where_a_name_pairs_with_another(tmp_path) -> None:
    for name in MASKS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    walk = Walk()
    assert list(walk.files(tmp_path)) == [
        *("a/alone_mask.png", "a/unmasked.png", "a/x.png", "b/images/1.png", "b/masks/2.png", "b/masks/deep/1.png"),
        *("c/7.png", "d/images/t/1.png"),
    ]
    assert "9 files" in walk.notes()[0]
    assert len(list(image_files(tmp_path))) == len(MASKS)


@pytest.mark.parametrize("format_name", ["manifest", "folder", "dicom", "csv"])
def test_patterns_leave_out_files_and_rows(tmp_path, table, picture, column, format_name) -> None:
    folder = tmp_path / "CT"
    for number, name in enumerate(["CT/lung/mass/0.png", "CT/lung/mass/1_old.png", "CT/lung/Sketches/2.png"]):
        if format_name == "dicom":
            instance(folder / name, number)
        else:
            picture(folder / name, seed=number)
    path = folder
    if format_name == "csv":
        names = ["CT/lung/mass/0.png", "CT/lung/mass/1_old.png", "CT/lung/Sketches/2.png"]
        path = table(folder / "t.csv", ["path"], [[name] for name in names])
    report = import_as(ImportRequest([path], "c", leave_out=("*_OLD.png", "sketches")), format_name=format_name)
    assert column(report.collection, "path") == ["CT/lung/mass/0.png"]
    assert any(note.startswith("Left out by *_OLD.png and sketches: 2 ") for note in report.notes)


def test_a_pattern_is_of_a_whole_name() -> None:
    assert not is_left_out("images/1.png", ["image", "1", "png"])
    assert is_left_out("images/deep/1.png", ["images/*"])


def test_masks_that_a_collection_has_stay_and_are_said(tmp_path, picture, column) -> None:
    for number, name in enumerate(["a.png", "a_mask.png", "b.png"]):
        picture(tmp_path / "s" / name, seed=number)
    import_as(ImportRequest([tmp_path / "s"], "c", masks=True))
    (tmp_path / "s" / "b.png").unlink()
    report = import_as(ImportRequest([tmp_path / "s"], "c", add=True))
    assert column(report.collection, "path") == ["a.png", "a_mask.png", "b.png"]
    problems = report.collection.problems()
    assert problems["path"].tolist() == ["a_mask.png", "b.png"]
    assert problems["reason"].iloc[0] == LEFT_OUT
    assert "not there any more" in problems["reason"].iloc[1]


@pytest.mark.parametrize("format_name", ["manifest", "folder", "dicom"])
def test_names_that_are_no_text_are_left_out_and_counted(tmp_path, picture, column, format_name) -> None:
    """Of a disk that was written under Latin-1; a manifest could not hold the path, nor any page name it."""
    folder = tmp_path / "CT"
    for number, name in enumerate(["CT/lung/mass/0.png", "CT/lung/mass/1.png", "CT/lung/other/2.png"]):
        if format_name == "dicom":
            instance(folder / name, number)
        else:
            picture(folder / name, seed=number)
    (folder / "CT/lung/mass/1.png").rename(folder / "CT/lung/mass/\udcfc.png")
    (folder / "CT/lung/other").rename(folder / "CT/lung/\udce4")
    report = import_as(ImportRequest([folder], "c"), format_name=format_name)
    assert column(report.collection, "path") == ["CT/lung/mass/0.png"]
    assert "Left out, because their names are not in UTF-8: 2 files. Rename them." in report.notes
