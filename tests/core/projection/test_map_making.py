"""The map on disk: what is in the file, and what is recorded of it."""

from __future__ import annotations

import contextlib
import shutil
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from radcbir_core.collections.artifacts import NEIGHBORS
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError, StaleError, StorageError
from radcbir_core.pipeline import build_collection
from radcbir_core.projection.map_making import make_map, project_store, renew_maps
from radcbir_core.projection.map_options import MapOptions
from radcbir_core.projection.projecting import project
from tests.core.projection.graphs import clusters, graph_of
from tests.stale import outdate


def store_of(folder, ids, similarities, *, labels=None, facts=None):
    manifest = SimpleNamespace(labels=lambda kind: SimpleNamespace(codes=labels))
    return SimpleNamespace(
        neighbor_ids=ids,
        neighbor_similarities=similarities,
        layout=SimpleNamespace(map=lambda name: folder / "projection.parquet"),
        map_facts=lambda name: facts or {},
        collection=SimpleNamespace(manifest=manifest),
    )


def test_the_map_of_a_store_is_written_with_what_made_it(tmp_path):
    vectors, _ = clusters([25])
    ids, similarities = graph_of(vectors, 20)
    ids = np.vstack([ids, np.full((1, 20), -1)]).astype(np.int32)
    similarities = np.vstack([similarities, np.full((1, 20), np.nan)]).astype(np.float16)
    store = store_of(tmp_path, ids, similarities)
    told = []
    facts = project_store(store, options=MapOptions(seed=5), progress=lambda *step: told.append(step))
    first = (tmp_path / "projection.parquet").read_bytes()
    frame = pd.read_parquet(tmp_path / "projection.parquet")
    expected = project(ids, similarities, options=MapOptions(seed=5))
    assert frame.columns.tolist() == ["x", "y", "preservation"]
    np.testing.assert_array_equal(frame[["x", "y"]].to_numpy(), expected.coordinates)
    np.testing.assert_array_equal(frame["preservation"].to_numpy(), expected.preservation)
    assert (frame.dtypes == np.float32).all()
    assert told == [("projection", done, 500) for done in range(501)]
    assert facts == {
        "seed": 5,
        "n_neighbors": 15,
        "min_dist": 0.1,
        "dimensions": 2,
        "most_drawn": 200_000,
        "parallel": False,
        "umap": version("umap-learn"),
        "start": "spectral",
        "drawn": 25,
        "preservation": pytest.approx(np.nanmean(expected.preservation), abs=1e-4),
    }
    project_store(store, options=MapOptions(seed=5))
    assert (tmp_path / "projection.parquet").read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["projection.parquet"]


def test_what_was_chosen_of_a_map_stays_when_it_is_made_again(tmp_path):
    graph = graph_of(clusters([30])[0], 20)
    facts = project_store(store_of(tmp_path, *graph), options=MapOptions(n_neighbors=5, dimensions=3, seed=2))
    assert pd.read_parquet(tmp_path / "projection.parquet").columns.tolist() == ["x", "y", "z", "preservation"]
    first = (tmp_path / "projection.parquet").read_bytes()
    assert project_store(store_of(tmp_path, *graph, facts=facts)) == facts
    assert (tmp_path / "projection.parquet").read_bytes() == first


def test_labels_decide_who_is_laid_out_at_first(tmp_path):
    vectors, labels = clusters([200, 6], spread=0.6)
    graph = graph_of(vectors, 20)
    store = store_of(tmp_path, *graph, labels=labels)
    facts = project_store(store, options=MapOptions(most_drawn=100))
    assert facts["drawn"] == 100
    expected = project(*graph, options=MapOptions(most_drawn=100), labels=labels)
    assert expected.drawn[labels == 1].all()
    frame = pd.read_parquet(tmp_path / "projection.parquet")
    np.testing.assert_array_equal(frame[["x", "y"]].to_numpy(), expected.coordinates)


def test_the_map_of_a_single_image_is_empty_and_says_so(tmp_path):
    store = store_of(tmp_path, np.empty((1, 0), dtype=np.int32), np.empty((1, 0), dtype=np.float16))
    facts = project_store(store)
    assert facts["preservation"] is None
    assert facts["start"] == "none"
    assert pd.read_parquet(tmp_path / "projection.parquet").isna().all(axis=None)


def test_a_map_that_cannot_be_written_is_a_storage_error(tmp_path, monkeypatch):
    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    store = store_of(tmp_path, np.empty((1, 0), dtype=np.int32), np.empty((1, 0), dtype=np.float16))
    with pytest.raises(StorageError, match="Expected space left on the disk"):
        project_store(store)


# --- kept by name -----------------------------------------------------------------------------------------------------


@pytest.fixture
def collection(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small")


WIDE = MapOptions(n_neighbors=30, dimensions=3)


def test_a_map_is_kept_beside_the_one_of_the_build_until_it_is_deleted(collection):
    store = collection.store("pixels")
    standard = store.projection()
    facts = make_map(store, "wide", options=WIDE)
    again = open_collection("small").store("pixels")
    assert list(again.maps()) == ["standard", "wide"]
    assert {standing.state for standing in again.maps().values()} == {"current"}
    assert again.map_facts("wide") == facts
    assert (facts["n_neighbors"], facts["dimensions"]) == (30, 3)
    wide = again.projection("wide")
    expected = project(store.neighbor_ids, store.neighbor_similarities, options=WIDE)
    np.testing.assert_array_equal(wide[["x", "y", "z"]].to_numpy(), expected.coordinates)
    pd.testing.assert_frame_equal(again.projection(), standard)
    again.forget_map("wide")
    assert again.projection("wide") is None
    assert list(open_collection("small").store("pixels").maps()) == ["standard"]
    assert not store.layout.map("wide").exists()


def test_the_map_of_the_build_can_be_laid_out_in_another_way_and_stays_current(collection):
    store = collection.store("pixels")
    make_map(store, options=WIDE)
    assert store.is_current()
    assert store.projection().columns.tolist() == ["x", "y", "z", "preservation"]
    assert store.map_facts()["n_neighbors"] == 30
    with pytest.raises(CollectionError, match=r"name = 'standard'\. There is none"):
        store.forget_map("standard")


def test_a_build_makes_maps_again_that_are_of_other_neighbors_as_they_were_laid_out(collection):
    store = collection.store("pixels")
    make_map(store, "wide", options=WIDE)
    first = store.layout.map("wide").read_bytes()
    assert renew_maps(store) == []
    outdate(store, NEIGHBORS)
    assert store.maps()["wide"].state == "stale"
    with pytest.raises(StaleError, match="Expected the neighbors of the images that small has now"):
        make_map(store, "wide")
    store.layout.map("wide").unlink()
    assert store.maps()["wide"].reason == "wide.parquet is not there"
    build_collection(collection, load_encoder("pixels"))
    again = open_collection("small").store("pixels")
    assert again.maps()["wide"].state == "current"
    assert again.layout.map("wide").read_bytes() == first


def test_a_build_makes_a_map_with_other_bytes_again_though_nobody_has_looked_at_it(collection):
    """As one that was laid out anew is left by a process that was killed before it was recorded."""
    make_map(collection.store("pixels"), "wide", options=WIDE)
    store = open_collection("small").store("pixels")
    path = store.layout.map("wide")
    first = path.read_bytes()
    path.write_bytes(store.layout.map("standard").read_bytes())
    assert store.maps()["wide"].state == "current", "as far as is known without reading it"
    build_collection(open_collection("small"), load_encoder("pixels"))
    assert path.read_bytes() == first
    assert open_collection("small").store("pixels").map_fault("wide") == ""


@pytest.mark.parametrize("ends_at", ["before the file", "after the file", "never"])
def test_a_map_laid_out_anew_is_old_or_new_at_every_instant(collection, ends_at, monkeypatch):
    """Whoever looks, with a record of before or of now, and wherever it ends."""
    make_map(collection.store("pixels"), "wide", options=MapOptions(seed=1))
    known = open_collection("small").store("pixels")
    whole, seen = [], []

    def look():
        for store in (open_collection("small").store("pixels"), known):
            assert store.maps()["wide"].state == "current"
            assert store.map_fault("wide") == ""
            table = store.projection("wide")
            seen.append((store.map_facts("wide")["seed"], table["x"].tolist()))

    look()
    whole.append(seen[-1])
    replace = Path.replace

    def watched(self, target):
        if target.name == "wide.parquet" and ends_at == "before the file":
            raise KeyboardInterrupt
        if target.name == "wide.parquet":
            look()
        answer = replace(self, target)
        look()
        if target.name == "wide.parquet" and ends_at == "after the file":
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(Path, "replace", watched)
    with contextlib.suppress(KeyboardInterrupt):
        make_map(collection.store("pixels"), "wide", options=MapOptions(seed=2))
    monkeypatch.setattr(Path, "replace", replace)
    look()
    if ends_at == "before the file":
        assert seen[-1] == whole[0]
    else:
        whole.append(seen[-1])
        assert [seed for seed, _ in whole] == [1, 2]
    assert all(one in whole for one in seen)
    # Whatever is left in the record, the next one is made and kept, and nothing of it stays.
    facts = make_map(open_collection("small").store("pixels"), "wide", options=MapOptions(seed=3))
    store = open_collection("small").store("pixels")
    assert store.map_facts("wide") == facts
    assert store.map_fault("wide") == ""
    assert "next" not in store.record["maps"]["wide"]


def test_a_map_with_other_bytes_is_named_and_made_again(collection):
    store = collection.store("pixels")
    make_map(store, "wide", options=WIDE)
    first = store.layout.map("wide").read_bytes()
    store.layout.map("wide").write_bytes(store.layout.map("standard").read_bytes())
    with pytest.raises(CollectionError, match=r"wide\.parquet is not that: its bytes are not those"):
        store.projection("wide")
    assert renew_maps(store) == ["wide"]
    assert store.layout.map("wide").read_bytes() == first


@pytest.mark.parametrize("name", ["", "../up", "Wide", "a" * 41, ".hidden", "a.b"])
def test_what_cannot_be_a_name_is_refused(name, collection):
    store = collection.store("pixels")
    with pytest.raises(CollectionError, match="Expected the name of a map of 1 to 40 lower-case letters"):
        make_map(store, name)
    assert not (store.folder / "maps").exists()
