"""Embeddings as files: what is in them, and that an import of them gives the same vectors."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from radcbir_core.collections.artifacts import EMBEDDINGS
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.export import export_manifest
from radcbir_core.collections.manifests.manifest import COLUMNS
from radcbir_core.errors import CollectionError, StorageError
from radcbir_core.importers.vectors.embeddings import import_embeddings
from radcbir_core.search.embeddings_export import export_embeddings
from tests.kept_embeddings import kept_embeddings
from tests.stale import forget


@pytest.fixture
def small(small_data, tmp_path, monkeypatch) -> Collection:
    """A copy of the small collection that a test may change."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small")


def test_names_that_are_no_exports_are_refused(small, tmp_path) -> None:
    with pytest.raises(CollectionError, match=r"Expected a file of \.npy or \.parquet for the embeddings, but it is"):
        export_embeddings(small.store("pixels"), tmp_path / "m.csv")
    (tmp_path / "m.csv").mkdir()
    with pytest.raises(StorageError, match=r"Expected the name of a file to write, but .*m\.csv is a folder"):
        export_embeddings(small.store("pixels"), tmp_path / "m.npy")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("m.")] == ["m.csv"]


@pytest.mark.parametrize("name", ["e.npy", "e.parquet"])
def test_embeddings_come_back_as_they_are(small, tmp_path, name) -> None:
    store = small.store("pixels")
    blank(store, row=7)
    store = open_collection("small").store("pixels")
    written = export_embeddings(store, tmp_path / name)
    assert written.rows == 61
    assert "1 images have no embedding" in written.notes[0]
    if name.endswith(".npy"):
        assert written.paths == (tmp_path / "e.npy", tmp_path / "e.csv")
        assert (tmp_path / name).read_bytes() == store.embeddings_path.read_bytes()
    else:
        export_manifest(small, tmp_path / "e.csv")
        table = pq.read_table(tmp_path / name)
        assert table.column("image_id").to_pylist() == small.manifest.column("image_id").tolist()
        assert table.column("embedding")[7].as_py() is None
        np.testing.assert_array_equal(table.column("embedding")[8].as_py(), kept_embeddings(store)[8])
    again = import_embeddings([tmp_path / name, tmp_path / "e.csv"], name="again", encoder_id="pixels-again").collection
    other = again.store("pixels-again")
    assert kept_embeddings(other).dtype == np.float16
    np.testing.assert_array_equal(kept_embeddings(other), kept_embeddings(store))
    np.testing.assert_array_equal(other.valid, store.valid)
    kept = [name for name in COLUMNS if name not in {"width", "height", "sha256", "duplicate_group"}]
    assert again.manifest.table.select(kept).equals(small.manifest.table.select(kept))


def blank(store, *, row: int) -> None:
    """Make it so that an image has no embedding."""
    embeddings = np.load(store.embeddings_path)
    embeddings[row] = 0
    np.save(store.embeddings_path, embeddings)
    store.update(failed_rows=[row])
    store.mark(EMBEDDINGS)


def test_stopped_half_way_it_leaves_the_pair_that_was_there(small, tmp_path) -> None:
    path = tmp_path / "v.npy"
    for name in ("v.npy", "v.csv"):
        (tmp_path / name).write_text("before")

    def stop(_step: str, done: int, _total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_embeddings(small.store("pixels"), path, progress=stop)
    assert {one.name: one.read_text() for one in tmp_path.glob("v.*")} == {"v.npy": "before", "v.csv": "before"}
    export_embeddings(small.store("pixels"), path)
    assert len(np.load(path)) == len(small)
    assert not list(tmp_path.glob(".partial-*"))


def test_embeddings_that_are_not_current_are_refused(small, tmp_path) -> None:
    store = small.store("pixels")
    forget(store, EMBEDDINGS)
    with pytest.raises(CollectionError, match=r"but those of pixels are missing\. Build it with pixels again"):
        export_embeddings(store, tmp_path / "e.npy")
    assert list(tmp_path.glob("e.*")) == []
