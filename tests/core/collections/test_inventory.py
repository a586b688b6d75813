"""What there is of each collection, told without opening more than is needed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from radcbir_core.collections.artifacts import ARTIFACT_NAMES
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.inventory import listed, sizes_of
from radcbir_core.collections.layout import list_collections
from radcbir_core.errors import StorageError


def test_every_file_is_a_part(copied) -> None:
    sizes = sizes_of(copied.folder)
    files = {path: path.stat().st_size for path in copied.folder.rglob("*") if path.is_file()}
    assert sizes.total == sum(files.values())
    assert all(sizes.parts[name] for name in (*ARTIFACT_NAMES, "manifest", "thumbnails", "problems"))
    records = [path for path in files if path.name in {"collection.json", "encoder.json", ".lock"}]
    assert sizes.parts["other"] == sum(files[path] for path in records), "what is no part are records and locks"
    assert set(sizes.encoders) == {"pixels"}
    (copied.folder / "manifest-0123456789abcdef.parquet").write_bytes(b"of before")
    (copied.folder / "corrections.csv").write_bytes(b"when")
    assert sizes_of(copied.folder).parts["manifest"] == sizes.parts["manifest"] + 13
    (copied.folder / "reviews.jsonl").write_bytes(b"said")
    assert sizes_of(copied.folder).parts["reviews"] == sizes.parts["reviews"] + 4
    (copied.folder / "reader-studies").mkdir()
    (copied.folder / "reader-studies" / "one.jsonl").write_bytes(b"read")
    assert sizes_of(copied.folder).parts["reader studies"] == 4


def test_a_folder_of_collections_that_may_not_be_read_is_said(copied, monkeypatch) -> None:
    def refused(self):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "iterdir", refused)
    for ask in (listed, list_collections):
        with pytest.raises(StorageError, match=r"Expected permission to read and write here.*/collections"):
            ask()


def test_of_a_collection_that_may_not_be_opened_it_is_said(copied, monkeypatch) -> None:
    def refused(self):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "is_file", refused)
    with pytest.raises(StorageError, match=f"but it was refused.*/{copied.name}"):
        open_collection(copied.name)
    found = next(one for one in listed() if one.name == copied.name)
    assert found.collection is None
    assert "Expected permission to read and write here" in found.error
