"""Paths in tables, as other systems and other tools write them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.preview import preview
from radcbir_core.importers.relabeling import correct_labels
from radcbir_core.importers.rows.sources import Row
from radcbir_core.importers.rows.table_paths import TablePaths

CASE = Path(__file__).parents[5] / "shared" / "cases" / "10_windows_paths_and_missing_suffix"


@pytest.fixture
def folder(tmp_path, picture):
    for seed, name in enumerate(["img/a.png", "img/b.JPG", "img/1.2.840.jpg", "c.png", "c.jpg"]):
        picture(tmp_path / "s" / name, seed=seed)
    return tmp_path / "s"


def paths_of(folder, *paths: str, suffix: str = "") -> list[str]:
    reader = TablePaths(folder, suffix=suffix)
    rows = reader.rows(Row(line, {"path": path}) for line, path in enumerate(paths, start=2))
    return [row.reason or str(row.cells["path"]) for row in rows]


def test_the_case(column) -> None:
    if not CASE.is_dir():
        pytest.skip("the small inputs that went wrong are not beside the repository")
    report = import_as(ImportRequest([CASE], "c"))
    assert (report.problems, column(report.collection, "path")) == (0, ["img/a.png"])


@pytest.mark.parametrize("form", ["manifest", "csv", "parquet"])
def test_backslashes_and_missing_suffixes_in_every_kind_of_table(folder, table, column, form) -> None:
    given = [r"img\a.png", "img/b", r"img\1.2.840", "c.png"]
    if form == "parquet":
        path = folder / "t.parquet"
        pq.write_table(pa.table({"file": given}), path)
    else:
        path = table(folder / "manifest.csv", ["path" if form == "manifest" else "file"], [[name] for name in given])
    mapping = {} if form == "manifest" else {"path": "file"}
    request = ImportRequest([path], "c", mapping=mapping)
    expected = ["img/a.png", "img/b.JPG", "img/1.2.840.jpg", "c.png"]
    assert preview(request).table["path"].tolist() == expected
    report = import_as(request)
    assert column(report.collection, "path") == expected
    assert column(report.collection, "image_id") == [f"s/{name}" for name in expected]
    assert report.notes == [
        "Paths with backslashes, read as slashes: 2 rows.",
        "Names without a suffix, completed: .jpg 2.",
    ]
    again = import_as(ImportRequest([path], "c", mapping=mapping, add=True))
    assert again.images == 4
    fix = table(folder / "fix.csv", ["path", "anatomy"], [[r"img\a.png", "chest"]])
    assert correct_labels("c", fix, dry_run=True).columns == {"anatomy": 1}


def test_a_suffix_that_is_said_and_one_that_cannot_be_known(folder) -> None:
    assert paths_of(folder, "c", "img/a", suffix="png") == ["c.png", "img/a.png"]
    assert paths_of(folder, "c.jpg", suffix=".png") == ["c.jpg"]
    assert paths_of(folder, "c") == ["Expected one file of this name, but there are c.jpg, c.png. Say which suffix."]
    assert paths_of(folder, "gone", "gone/x", "") == ["gone", "gone/x", ""]


def test_a_name_that_really_has_a_backslash_stays(folder, picture) -> None:
    picture(folder / r"img\a.png", seed=9)
    assert paths_of(folder, r"img\a.png") == [r"img\a.png"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("https://host/a.png", "Expected a file, but path is an address (https)."),
        ("s3://bucket/a.png", "an address (s3)"),
        ("file:///s/a.png", "an address (file)"),
        ("data:image/png;base64,AA", "an address (data)"),
        (r"C:\data\img\a.png", "a drive or a server of Windows"),
        (r"\\server\img\a.png", "a drive or a server of Windows"),
    ],
)
def test_what_is_no_path_is_named(folder, path, reason) -> None:
    assert reason in paths_of(folder, path)[0]


def test_no_folder_outside_is_looked_into(folder, tmp_path, picture) -> None:
    for name in ("secret.png", "secret.jpg"):
        picture(tmp_path / "outside" / name)
    (folder / "link").symlink_to(tmp_path / "outside")
    assert paths_of(folder, "../outside/secret", "link/secret") == ["../outside/secret", "link/secret"]
