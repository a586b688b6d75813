"""Collections on disk: opening, listing, removing, and what is damaged."""

from __future__ import annotations

import json
import os
import shutil
import time

import numpy as np
import pytest

from radcbir_core.collections.artifacts import ARTIFACT_NAMES
from radcbir_core.collections.changes import remove_collection
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import collections_folder, data_folder, list_collections
from radcbir_core.collections.thumbnails import ThumbnailShards
from radcbir_core.collections.writing import new_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError, CollectionExistsError, CollectionNotFoundError, ImageError
from radcbir_core.importers import import_collection
from radcbir_core.pipeline import build


@pytest.fixture
def copied(small_data, tmp_path, monkeypatch):
    """A copy of the small collection that a test may change."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small")


def test_the_data_folder_can_be_moved(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "elsewhere"))
    assert data_folder() == tmp_path / "elsewhere"
    assert list_collections() == []
    monkeypatch.delenv("RADCBIR_DATA")
    assert data_folder().name == "data"


def test_what_is_not_there_is_said(copied) -> None:
    with pytest.raises(CollectionNotFoundError, match=r"name = 'larg'\. There is small\."):
        open_collection("larg")
    with pytest.raises(CollectionNotFoundError):
        remove_collection("larg")
    remove_collection("small")
    with pytest.raises(CollectionNotFoundError, match="There is none yet: import one first"):
        open_collection("small")
    assert list(collections_folder().iterdir()) == []


def test_a_record_that_is_damaged_or_of_another_version_is_refused(copied) -> None:
    path = copied.folder / "collection.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "schema_version": 99}))
    with pytest.raises(CollectionError, match=r"Expected schema version 2 or lower, but .*collection\.json has 99"):
        open_collection("small")
    path.write_text(json.dumps({k: v for k, v in record.items() if k != "title"}))
    with pytest.raises(CollectionError, match=r"Expected a complete collection\.json, but .* lacks 'title'"):
        open_collection("small")


def test_another_manifest_than_the_record_describes_is_refused(copied) -> None:
    manifest = copied.manifest
    type(manifest)(manifest.table.slice(1), digest="").write(copied.folder / "manifest.parquet")
    with pytest.raises(CollectionError, match=r"manifest\.parquet is another"):
        len(open_collection("small").manifest)


def test_a_file_that_is_gone_is_named(copied) -> None:
    moved = open_collection("small")
    moved.image_root = moved.image_root / "moved"
    with pytest.raises(ImageError, match=r"Expected the image file .*chest_00\.png, but it is not there"):
        moved.read_image(0)


def test_steps_that_are_current_are_not_made_again(copied) -> None:
    encoder = load_encoder("pixels")
    assert build(copied, encoder).seconds == {}
    store = copied.store("pixels")
    store.projection_path.unlink()
    store.index_path.unlink()
    before = store.embeddings_path.stat().st_mtime_ns
    assert set(build(copied, encoder).seconds) == {"index", "projection"}
    assert store.embeddings_path.stat().st_mtime_ns == before
    assert copied.store("pixels").states() == dict.fromkeys(ARTIFACT_NAMES, "current")


def test_a_build_with_another_version_makes_everything_anew_unless_its_numbers_are_the_same(copied) -> None:
    encoder = load_encoder("pixels")
    encoder.fingerprint = "0" * 64
    report = build(copied, encoder)
    assert set(report.seconds) == {"embeddings"}, "the bytes are the same, and so is all that was made of them"
    assert copied.store("pixels").record["fingerprint"] == "0" * 64
    original = encoder.encode_prepared
    encoder.encode_prepared = lambda inputs: original(inputs)[:, ::-1]
    encoder.fingerprint = "1" * 64
    report = build(copied, encoder)
    assert set(report.seconds) == set(ARTIFACT_NAMES)
    assert report.recall > 0.9


def test_damaged_parts_are_named(copied) -> None:
    store = copied.store("pixels")
    np.save(store.neighbor_ids_path, np.zeros((3, 2), dtype=np.int32))
    with pytest.raises(CollectionError, match=r"Expected 61 rows, but .*neighbor_ids\.npy has 3"):
        _ = store.neighbor_ids
    store.projection_path.write_bytes(b"PAR1")
    with pytest.raises(CollectionError, match="Expected a readable map"):
        store.projection()


def test_thumbnails_are_packed_and_unpacked(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("radcbir_core.collections.thumbnails.SHARD_ROWS", 3)
    shards = ThumbnailShards(tmp_path / "thumbnails")
    shards.write(0, [b"one", b"", b"three"])
    assert [shards.read(row) for row in range(4)] == [b"one", None, b"three", None]
    assert (shards.has(0), shards.has(1)) == (True, False)
    shards.write(1, [b"four"])
    assert shards.read(3) == b"four"


def test_a_name_taken_meanwhile_is_not_overwritten(copied) -> None:

    def overtaken() -> None:
        with new_collection("late") as folder:
            (folder / "mark").touch()
            shutil.copytree(copied.folder, copied.folder.with_name("late"))

    with pytest.raises(CollectionExistsError):
        overtaken()
    assert not (copied.folder.with_name("late") / "mark").exists()
    assert list_collections() == ["late", "small"]


def test_what_a_killed_import_left_is_removed_after_a_day(copied, small_source) -> None:
    old, new = (collections_folder() / f".unfinished-{age}" for age in ("old", "new"))
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (time.time() - 2 * 86_400,) * 2)
    import_collection([small_source], name="another")
    assert (old.exists(), new.exists()) == (False, True)
