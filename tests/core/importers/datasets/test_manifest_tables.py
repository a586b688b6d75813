"""manifest.csv tables, and folders that have one or none: what is found, and what it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from radcbir_core.errors import ManifestError
from radcbir_core.importers.datasets.manifest_tables import dataset_names, has_manifest, read, read_table
from radcbir_core.importers.request import ImportRequest


def sources(*paths: Path, **options):
    return read(paths, ImportRequest(paths, "c", **options))


@pytest.fixture
def site(tmp_path, picture, table):
    """A function that makes a folder with a picture and, unless told otherwise, a table."""

    def make(name: str, *, with_table: bool = True) -> Path:
        picture(tmp_path / name / "sub" / "1.png")
        if with_table:
            table(tmp_path / name / "manifest.csv", ["path"], [["sub/1.png"]])
        return tmp_path / name

    return make


def test_what_a_folder_stands_for(site, tmp_path) -> None:
    site("all/b"), site("all/a")
    assert has_manifest(tmp_path / "all")
    assert has_manifest(tmp_path / "all" / "a")
    assert not has_manifest(tmp_path)
    assert not has_manifest(tmp_path / "all" / "a" / "manifest.csv")
    given = [tmp_path / "all" / "b", tmp_path / "all", tmp_path / "all" / "b" / "manifest.csv"]
    assert [source.dataset for source in sources(*given)] == ["b", "a"], "each table once, as first given"
    assert [source.root for source in sources(tmp_path / "all")] == [tmp_path / "all/a", tmp_path / "all/b"]


def test_a_folder_without_a_table_stands_for_its_images(site) -> None:
    (source,) = sources(site("plain", with_table=False))
    assert [row.cells for row in source.rows] == [{"path": "sub/1.png"}]
    assert source.dataset == "plain"


def test_a_folder_that_is_passed_over_is_said(site, tmp_path) -> None:
    site("all/with"), site("all/without", with_table=False)
    (tmp_path / "all" / "documents").mkdir()
    table, passed_over = sources(tmp_path / "all")
    assert [row.reason for row in table.rows] == [""]
    assert (passed_over.origin, passed_over.expected) == (tmp_path / "all" / "without", 1)
    assert [row.reason for row in passed_over.rows] == [
        "Expected a manifest.csv as in the folders beside it, but there is none. Add one, or import it alone."
    ]


def test_paths_start_from_the_table_or_from_the_root_that_is_given(site, tmp_path) -> None:
    folder = site("a")
    assert sources(folder)[0].root == folder
    assert sources(folder, image_root=tmp_path)[0].root == tmp_path


def test_frames_of_a_file(tmp_path, table) -> None:
    path = table(
        tmp_path / "t.csv", ["path", "dicom_frame"], [["a.dcm", "0"], ["a.dcm", " 12 "], ["b.png", ""], ["a", "-1"]]
    )
    rows = list(read_table(path, dataset="d", request=ImportRequest([], "c")).rows)
    assert [row.frame for row in rows] == [0, 12, None, None]
    assert [row.reason for row in rows] == [
        "", "", "", "Expected the number of a frame, counted from 0, but dicom_frame = '-1'.",
    ]  # fmt: skip


def test_tables_that_are_none(tmp_path, table) -> None:
    with pytest.raises(ManifestError, match=r"has the columns file, label\. Name the column with the image") as caught:
        read_table(
            table(tmp_path / "t.csv", ["file", "label"], [["a", "b"]]), dataset="d", request=ImportRequest([], "c")
        )
    assert caught.value.remedy is not None
    empty = read_table(table(tmp_path / "t.csv", ["path"], []), dataset="d", request=ImportRequest([], "c"))
    with pytest.raises(ManifestError, match=r"but .*t\.csv has a header and no rows\. Check the file"):
        list(empty.rows)
    with pytest.raises(ManifestError, match=r"gone does not exist\. Check the path"):
        sources(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match=r"Expected a manifest\.csv or image files, but .*empty has neither"):
        sources(tmp_path / "empty")


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (["/x/a", "/x/b"], ["a", "b"]),
        (["/x/a", "/y/a"], ["x/a", "y/a"]),
        (["/x/a/images", "/y/a/images", "/y/b"], ["x/a/images", "y/a/images", "b"]),
        (["/a", "/x/a"], ["a", "x/a"]),
        (["/a", "/a"], ["a", "a"]),
        ([], []),
    ],
)
def test_data_sets_are_told_apart(folders, names) -> None:
    assert dataset_names([Path(folder) for folder in folders]) == names
