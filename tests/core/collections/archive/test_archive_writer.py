"""What goes into an archive of a collection and what stays here; and that nothing half-written is left."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from radcbir_core.collections.archive import write_archive
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import collections_folder
from radcbir_core.errors import CollectionError
from tests.core.collections.archive.collection_files import EMBEDDINGS, changed, contents


def test_images_that_are_not_there_are_named_and_nothing_is_left(small, tmp_path) -> None:
    (tmp_path / "images" / "chest_03.png").unlink()
    with pytest.raises(CollectionError, match=r"Expected all images of small below .*, but chest_03\.png is not there"):
        write_archive(small, tmp_path / "s.zip", images=True)
    (tmp_path / "images" / "chest_03.png").symlink_to("/etc/hostname")
    with pytest.raises(CollectionError, match=r"chest_03\.png is not there"):
        write_archive(small, tmp_path / "s.zip", images=True)
    assert not list(tmp_path.glob("*.zip"))
    assert not list(tmp_path.glob(".partial*"))
    assert [path.name for path in collections_folder().iterdir() if path.is_dir()] == ["small"]


def test_private_and_unfinished_files_stay_here(small, tmp_path) -> None:
    salt = small.folder / "pseudonyms.salt"
    salt.write_text("a secret")
    salt.chmod(0o600)
    (small.folder / "encoders" / "begun").mkdir()
    (small.folder / "encoders" / "begun" / "embeddings.npy").write_bytes(b"half")
    (small.folder / "encoders" / "pixels" / "shards").mkdir()
    (small.folder / "encoders" / "pixels" / "shards" / "000000.npy").write_bytes(b"half")
    write_archive(small, tmp_path / "s.zip")
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        names = archive.namelist()
        assert not any(b"a secret" in archive.read(name) for name in names)
    assert not [name for name in names if "salt" in name or "begun" in name or "shards" in name or "lock" in name]
    assert stat.S_IMODE(salt.stat().st_mode) == 0o600


def test_the_patients_in_dicom_headers_are_warned_of(small, tmp_path) -> None:
    table = small.manifest.table
    (tmp_path / "images" / "scan.dcm").write_bytes((tmp_path / "images" / "chest_00.png").read_bytes())
    paths = ["scan.dcm", *table.column("path").to_pylist()[1:]]
    changed(small, table.set_column(table.column_names.index("path"), "path", pa.array(paths)))
    small = open_collection("small")
    assert not [note for note in write_archive(small, tmp_path / "s.zip").notes if "DICOM" in note]
    assert "Headers of DICOM files may name patients" in write_archive(small, tmp_path / "s.zip", images=True).notes[0]


def test_it_waits_for_no_build_and_is_refused_during_one(small, tmp_path) -> None:
    with small.building("pixels"), pytest.raises(CollectionError, match=r"but small is being built with pixels"):
        write_archive(small, tmp_path / "s.zip")
    built: list[int] = []

    def build_meanwhile(*_: object) -> None:
        if not built:
            with small.building("pixels"):
                (small.folder / EMBEDDINGS).unlink()
                built.append(1)

    before = contents(small.folder)
    write_archive(small, tmp_path / "s.zip", progress=build_meanwhile)
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        assert archive.read(EMBEDDINGS) == before[EMBEDDINGS]


def test_an_evaluation_that_is_replaced_meanwhile_is_left_out(small, tmp_path, monkeypatch) -> None:
    from radcbir_core.collections.archive import archive_writer

    def vanishing(source: Path, target: Path) -> None:
        if source.name.endswith(("queries.parquet", vanished)):
            raise FileNotFoundError(2, "No such file or directory", str(source))
        shutil.copy2(source, target)

    monkeypatch.setattr(archive_writer, "link_or_copy", vanishing)
    vanished = "queries.parquet"
    write_archive(small, tmp_path / "s.zip")
    assert not [name for name in zipfile.ZipFile(tmp_path / "s.zip").namelist() if name.endswith("queries.parquet")]
    vanished = "manifest.parquet"
    with pytest.raises(FileNotFoundError):
        write_archive(small, tmp_path / "t.zip")
