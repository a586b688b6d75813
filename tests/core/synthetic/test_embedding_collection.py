"""A plan becomes a collection like any other, whole or not at all, with the same bytes each time."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from radcbir_core.collections.artifacts import EMBEDDINGS, INDEX, NEIGHBORS
from radcbir_core.collections.layout import collections_folder, list_collections
from radcbir_core.errors import CollectionExistsError, StorageError
from radcbir_core.evaluation import evaluation_on
from radcbir_core.importers.vectors.embeddings import import_embeddings
from radcbir_core.search.neighbors.graph import build_neighbors
from radcbir_core.search.opening import build_index, vectors_in
from radcbir_core.synthetic import embedding_collection
from radcbir_core.synthetic.embedding_collection import ENCODER_ID, NOTE, make_synthetic
from radcbir_core.synthetic.embedding_plan import EmbeddingPlan

PLAN = EmbeddingPlan.of(9000, dimension=16, labels=20, seed=3)


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def digests(collection) -> list[str]:
    paths = [collection.manifest_path, collection.store(ENCODER_ID).embeddings_path]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def test_it_is_the_plan_s_and_the_same_each_time(monkeypatch) -> None:
    told: list[tuple[str, int, int]] = []
    made = make_synthetic("one", PLAN, progress=lambda *now: told.append(now))
    assert told[0] == ("draw", 0, 9000)
    assert told[-1] == ("draw", 9000, 9000)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    store = made.store(ENCODER_ID)
    assert store.is_current(EMBEDDINGS)
    assert store.imported
    np.testing.assert_array_equal(vectors_in(store).vectors(np.arange(9000)), PLAN.vectors(0, 9000))
    manifest = made.manifest
    assert len(manifest) == 9000
    labels = manifest.labels("label")
    assert labels.codes.min() >= 0, "every image has its label"
    assert len({(*pair,) for pair in zip(labels.codes.tolist(), PLAN.label.tolist(), strict=True)}) == 20
    assert made.record["notes"] == [NOTE]
    assert made.record["licences"] == {"Apache-2.0": 9000}
    assert made.without_images
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert digests(make_synthetic("two", PLAN)) == digests(made)


def test_an_import_of_the_same_makes_the_same_manifest(tmp_path) -> None:
    """What is made here is what an import of these vectors and this table would make."""
    vectors, table = tmp_path / "v.npy", tmp_path / "v.csv"
    np.save(vectors, PLAN.vectors(0, 9000))
    PLAN.table().to_pandas().to_csv(table, index=False)
    imported = import_embeddings([vectors, table], name="imported", encoder_id=ENCODER_ID).collection
    made = make_synthetic("made", PLAN)
    assert imported.manifest.table.to_pydict() == made.manifest.table.to_pydict()
    assert imported.digests == made.digests


def test_it_can_be_built_and_evaluated() -> None:
    store = make_synthetic("small", EmbeddingPlan.of(300, dimension=16, labels=20)).store(ENCODER_ID)
    build_index(store)
    store.mark(NEIGHBORS, **build_neighbors(store))
    assert store.is_current(INDEX, NEIGHBORS)
    assert evaluation_on(store, "confusion").compute(store).table["n_hits"].sum() > 0


def test_stopped_it_leaves_nothing(data) -> None:
    def stop(step: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_synthetic("one", PLAN, progress=stop)
    assert list_collections() == []
    assert [path.name for path in collections_folder().iterdir() if path.is_dir()] == []


def test_what_has_no_place_is_refused_before_it_is_drawn(monkeypatch) -> None:
    make_synthetic("one", EmbeddingPlan.of(30, dimension=8, labels=20))
    with pytest.raises(CollectionExistsError):
        make_synthetic("one", PLAN)
    monkeypatch.setattr(embedding_collection, "_drawn", None)
    free = type("Usage", (), {"free": 10})
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    with pytest.raises(StorageError, match="synthetic rows"):
        make_synthetic("two", PLAN)
    assert list_collections() == ["one"]
