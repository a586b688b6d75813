"""Manifest and embeddings as files: what is in them, and that an import of them gives the same collection."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from radcbir_core.cli import main
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.export import csv_bytes_about, export_manifest
from radcbir_core.collections.manifests.manifest import COLUMNS, Manifest
from radcbir_core.collections.writing import write_collection
from radcbir_core.errors import CollectionError, StorageError
from radcbir_core.importers import ImportRequest, import_as, import_collection
from tests.core.images.dicom_files import dicom_bytes


@pytest.fixture
def small(small_data, tmp_path, monkeypatch) -> Collection:
    """A copy of the small collection that a test may change."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small")


def with_column(collection: Collection, name: str, cells: list[str]) -> Collection:
    """The collection with one further column, or with other cells in it."""
    table = collection.manifest.table
    table = table.drop_columns([name]) if name in table.column_names else table
    table = table.append_column(name, pa.array(cells, pa.string()))
    shutil.rmtree(collection.folder / "encoders", ignore_errors=True)
    write_collection(
        collection.folder,
        name=collection.name,
        title=collection.title,
        image_root=collection.image_root,
        manifest=Manifest(table, digest=""),
        problems=collection.problems(),
        facts={},
    )
    return open_collection(collection.name)


def test_a_csv_says_what_the_manifest_says(small, tmp_path) -> None:
    told: list[tuple[str, int, int]] = []
    exported = export_manifest(small, tmp_path / "m.csv", progress=lambda *now: told.append(now))
    assert (exported.paths, exported.rows, exported.notes) == ((tmp_path / "m.csv",), 61, ())
    assert told[0] == ("export", 0, 61)
    assert told[-1] == ("export", 61, 61)
    table = pd.read_csv(tmp_path / "m.csv", dtype=str, keep_default_na=False)
    assert list(table) == small.manifest.column_names
    frame = small.manifest.frame
    assert table["pathologies"].tolist() == ["|".join(words) for words in frame["pathologies"]]
    for column in set(COLUMNS) - {"pathologies"}:
        assert table[column].tolist() == frame[column].astype(str).tolist(), column


def test_an_import_of_the_csv_gives_the_same_manifest(small, tmp_path) -> None:
    export_manifest(small, tmp_path / "manifest.csv")
    request = ImportRequest([tmp_path / "manifest.csv"], "again", image_root=small.image_root)
    report = import_as(request)
    assert report.problems == 0
    assert report.changes == []
    assert report.collection.manifest.table.equals(small.manifest.table)
    # And so does the command, with what it prints.
    assert main(["remove", "again", "--yes"]) == 0
    assert (
        main(["import", str(tmp_path / "manifest.csv"), "--name", "again", "--image-root", str(small.image_root)]) == 0
    )
    assert open_collection("again").digest == report.collection.digest


def test_real_labels_come_back_whatever_the_source_called_them(real_images, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    first = import_collection([real_images / "nih_cxr14", real_images / "busi_breast_us"], name="first").collection
    export_manifest(first, tmp_path / "m.csv")
    again = import_as(ImportRequest([tmp_path / "m.csv"], "again", image_root=first.image_root, check="bytes"))
    ours, theirs = first.manifest.frame, again.collection.manifest.frame
    assert theirs["pathologies"].tolist() == ours["pathologies"].tolist()
    kept = [name for name in ours if name not in {"pathologies", "width", "height"}]
    pd.testing.assert_frame_equal(theirs[kept], ours[kept])


def test_frames_of_dicom_files_come_back_as_images_of_their_own(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    (tmp_path / "scans").mkdir()
    pixels = np.random.default_rng(0).integers(0, 200, (3, 8, 6), dtype=np.uint16)
    (tmp_path / "scans" / "film.dcm").write_bytes(dicom_bytes(pixels, frames=3))
    first = import_as(ImportRequest([tmp_path / "scans"], "first"), format_name="dicom").collection
    assert len(first) == 3
    assert first.record["duplicates"] == 0
    export_manifest(first, tmp_path / "m.csv")
    again = import_as(ImportRequest([tmp_path / "m.csv"], "again", image_root=first.image_root)).collection
    assert again.manifest.table.equals(first.manifest.table)
    for row in range(3):
        np.testing.assert_array_equal(again.read_image(row).pixels, first.read_image(row).pixels)
    # A frame that is none is a problem of its row alone.
    table = pd.read_csv(tmp_path / "m.csv", dtype=str, keep_default_na=False)
    table.loc[table["dicom_frame"] == "1", "dicom_frame"] = "second"
    table.to_csv(tmp_path / "m.csv", index=False)
    other = import_as(ImportRequest([tmp_path / "m.csv"], "other", image_root=first.image_root))
    assert (other.images, other.problems) == (2, 1)
    assert "but dicom_frame = 'second'" in other.collection.problems()["reason"][0]


def test_a_parquet_is_the_manifest_byte_for_byte(small, tmp_path) -> None:
    export_manifest(small, tmp_path / "m.parquet")
    assert (tmp_path / "m.parquet").read_bytes() == (small.folder / "manifest.parquet").read_bytes()
    assert pd.read_parquet(tmp_path / "m.parquet")["image_id"].tolist() == small.manifest.column("image_id").tolist()


def test_a_column_that_an_import_would_take_for_the_labels_is_renamed(small, tmp_path) -> None:
    agreeing = ["multiple" if len(words) > 1 else "".join(words) for words in small.manifest.frame["pathologies"]]
    collection = with_column(small, "pathology", agreeing)
    assert export_manifest(collection, tmp_path / "a.csv").notes == ()
    assert "pathology" in pd.read_csv(tmp_path / "a.csv")
    raw = with_column(open_collection("small"), "labels_all", ["something else"] * 61)
    exported = export_manifest(raw, tmp_path / "b.csv")
    assert exported.notes == tuple(
        f"The source's column {name} is called source_{name}, so that an import reads the same from the table."
        for name in ("pathology", "labels_all")
    )
    request = ImportRequest([tmp_path / "b.csv"], "again", image_root=raw.image_root)
    again = import_as(request).collection.manifest
    assert again.frame["pathologies"].tolist() == raw.manifest.frame["pathologies"].tolist()
    assert set(again.column("source_labels_all")) == {"something else"}


def test_what_a_csv_cannot_say_is_refused_and_nothing_is_left(small, tmp_path) -> None:
    twice = with_column(small, "Caption", [""] * 61)
    with pytest.raises(CollectionError, match=r"differ in more than case, but small has 'caption' twice"):
        export_manifest(twice, tmp_path / "m.csv")
    table = small.manifest.table
    lists = pa.array([["a|b"], *([["c"]] * 60)], pa.list_(pa.string()))
    place = table.column_names.index("pathologies")
    Manifest(table.set_column(place, "pathologies", lists), digest="").write(small.folder / "manifest.parquet")
    with pytest.raises(CollectionError, match=r"Expected pathologies without '\|'.* small has 'a\|b'\. Export it as"):
        export_manifest(small, tmp_path / "m.csv")
    assert not (tmp_path / "m.csv").exists()


def test_names_that_are_no_exports_are_refused(small, tmp_path) -> None:
    with pytest.raises(CollectionError, match=r"Expected a file of \.csv or \.parquet for the manifest, but it is"):
        export_manifest(small, tmp_path / "m.xlsx")
    with pytest.raises(CollectionError, match="Expected a file outside the collection's own folder"):
        export_manifest(small, small.folder / "manifest.parquet")
    for name in ("folder.csv", "folder.parquet"):
        (tmp_path / name).mkdir()
        with pytest.raises(StorageError, match=rf"Expected the name of a file to write, but .*{name} is a folder"):
            export_manifest(small, tmp_path / name)
        assert list((tmp_path / name).iterdir()) == []
    assert small.manifest.digest == small.digest


def test_a_damaged_manifest_is_said(small, tmp_path) -> None:
    (small.folder / "manifest.parquet").write_bytes(b"PAR1 and no more")
    for name in ("m.csv", "m.parquet"):
        with pytest.raises(CollectionError, match=r"Expected a readable manifest, but .* is missing or damaged"):
            export_manifest(small, tmp_path / name)
        assert not (tmp_path / name).exists()


def test_the_size_of_a_csv_is_told_beforehand(small, tmp_path) -> None:
    export_manifest(small, tmp_path / "m.csv")
    size = (tmp_path / "m.csv").stat().st_size
    assert 0.3 * size < csv_bytes_about(small) < 5 * size


def test_a_full_disk_leaves_what_was_there(small, tmp_path, monkeypatch) -> None:
    target = tmp_path / "m.csv"
    target.write_text("before")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(Exception, match="space left on the disk"):
        export_manifest(small, target)
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir() if path.name != "data"] == ["m.csv"]
