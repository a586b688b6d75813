"""Which engine answers; and that another one, in another process, is one module and one line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radcbir_core.collections.artifacts import INDEX, NEIGHBORS, Standing
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.layout import data_folder
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.evaluation.reports.space import Space
from radcbir_core.pipeline import build_collection, build_indexes
from radcbir_core.search import opening
from radcbir_core.search.backend import ArrayVectors, Backend
from radcbir_core.search.neighbors.graph import build_neighbors
from radcbir_core.search.opening import build_index, engine_of, searcher_of, vectors_of
from radcbir_core.search.retriever import Retriever
from radcbir_core.storage import digest_file
from tests.core.search.remote_engine import RemoteEngine, remote
from tests.kept_embeddings import kept_embeddings
from tests.stale import outdate
from tests.stand_ins import project_quickly


@pytest.fixture
def store(small_data, tmp_path, monkeypatch) -> EncoderStore:
    """A copy of the small collection that a test may change."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small").store("pixels")


@pytest.fixture
def opened(monkeypatch) -> Iterator[ExitStack]:
    """With the other engine in the list."""
    with ExitStack() as stack:
        monkeypatch.setitem(opening.ENGINES, "remote", remote(stack))
        yield stack


def test_the_index_says_which_engine_it_is_of(store) -> None:
    assert engine_of(store).name == "usearch"
    assert engine_of(store).recall.at_10 == store.facts(INDEX)["recall_at_10"] > 0.9
    assert store.facts(INDEX)["engine"] == "usearch"
    # A collection of the version before does not say it.
    store.update(index={name: value for name, value in store.facts(INDEX).items() if name != "engine"})
    assert engine_of(store).name == "usearch"
    store.update(index=store.facts(INDEX) | {"engine": "another"})
    with pytest.raises(CollectionError, match="Expected an index of cells or usearch, but that of small and pixels"):
        engine_of(store)


def test_many_rows_have_another_engine(store, monkeypatch) -> None:
    monkeypatch.setattr(opening, "USEARCH_ROWS", 60)
    build_index(store)
    assert engine_of(fresh()).name == store.facts(INDEX)["engine"] == "cells"
    assert [path.name for path in store.folder.glob("index*")] == [store.index_path.name] == ["index.cells"]
    assert fresh().is_current()
    build_index(store, engine="usearch")
    assert engine_of(fresh()).name == "usearch"
    assert [path.name for path in store.folder.glob("index*")] == [store.index_path.name] == ["index.usearch"]
    assert build_collection(open_collection("small"), load_encoder("pixels")).seconds == {}, "it was chosen"


def test_the_index_of_one_engine_is_used_until_that_of_another_is_recorded(store, monkeypatch) -> None:
    def killed(*_) -> None:
        raise KeyboardInterrupt

    before = store.index_path.read_bytes()
    for step in ("recall_of", "sealed"):
        with monkeypatch.context() as patch:
            patch.setattr(opening, step, killed)
            with pytest.raises(KeyboardInterrupt):
                build_index(fresh(), engine="cells")
        assert (store.folder / "index.cells").exists()
        assert store.index_path.read_bytes() == before
        assert engine_of(fresh()).name == "usearch"
        assert fresh().is_current()
    with monkeypatch.context() as patch:
        patch.setattr(EncoderStore, "remove_remains", killed)
        with pytest.raises(KeyboardInterrupt):
            build_index(fresh(), engine="cells")
    assert engine_of(fresh()).name == "cells"
    assert store.index_path.exists(), "it was not removed yet"
    assert build_collection(open_collection("small"), load_encoder("pixels")).seconds == {}
    assert [path.name for path in store.folder.glob("index*")] == ["index.cells"]
    assert engine_of(fresh()).name == "cells"


def test_an_index_of_an_earlier_version_is_used_and_made_anew_where_it_is_outgrown(store, monkeypatch) -> None:
    facts = {name: value for name, value in store.facts(INDEX).items() if name not in ("file", "expansion")}
    made = store.record["artifacts"]
    earlier = {"index": facts, "artifacts": made | {"index": made["index"] | {"recipe": 1}}}
    store.update(**earlier)
    assert engine_of(fresh()).name == "usearch"
    assert fresh().is_current()
    assert fresh().earlier_recipes() == ["index"]
    assert build_collection(open_collection("small"), load_encoder("pixels")).seconds == {}
    monkeypatch.setattr(opening, "USEARCH_ROWS", 60)
    assert engine_of(fresh()).name == "usearch", "it is used until the next build"
    assert set(build_collection(open_collection("small"), load_encoder("pixels")).seconds) == {"index"}
    assert engine_of(fresh()).name == "cells"
    assert fresh().earlier_recipes() == []


@pytest.mark.parametrize("file", ["../../record", "encoder.json", 7])
def test_a_record_cannot_name_another_file_as_the_index(store, file) -> None:
    store.update(index=store.facts(INDEX) | {"file": file})
    with pytest.raises(CollectionError, match="has another kind of value in index"):
        fresh()


def test_without_an_index_of_these_embeddings_search_is_exact(store) -> None:
    outdate(store, INDEX)
    assert engine_of(store).name == "exact"
    hits = searcher_of(store).search(searcher_of(store).queries_of(np.array([3])), k=2, method="approximate")
    assert hits.found_by() == "exact search"


def test_vectors_are_those_on_disk(store) -> None:
    rows = np.array([5, 4, 60])
    np.testing.assert_array_equal(vectors_of(store).vectors(rows), kept_embeddings(store)[rows])
    assert vectors_of(store).shape == (61, 1024)


def everything(store: EncoderStore) -> tuple[list[list[int]], np.ndarray, np.ndarray, pd.DataFrame, pd.DataFrame]:
    """What a retriever, the graph and two evaluations say; the graph is built anew."""
    retriever = Retriever(store.collection, "pixels")
    options = {"k": 7, "where": {"split": ["train"]}, "exclude": ["patient", "duplicate"]}
    rows = [retriever.search(row, **options).rows().tolist() for row in range(0, 61, 10)]
    store.mark(NEIGHBORS, **build_neighbors(store))
    fresh = open_collection("small").store("pixels")
    ids, similarities = np.array(fresh.neighbor_ids), np.array(fresh.neighbor_similarities)
    return rows, ids, similarities, Precision(Protocol.of("split")).run(fresh).table, Space().run(fresh).table


def test_an_engine_in_another_process_gives_the_same_answers(store, opened, monkeypatch) -> None:
    rows, ids, similarities, precision, space = everything(store)
    build_index(store, engine="remote")
    facts = store.facts(INDEX)
    assert (facts["engine"], facts["bytes"], facts["recall_at_10"]) == ("remote", store.index_path.stat().st_size, 1.0)
    shutil.rmtree(store.evaluation_folder)

    def nothing(*_) -> None:
        raise AssertionError("the vectors are with the other engine")

    monkeypatch.setattr(ArrayVectors, "vectors", nothing)
    asked: list[str] = []
    ask = RemoteEngine._ask

    def noted(engine, message, data=b""):
        asked.append(message["ask"])
        return ask(engine, message, data)

    monkeypatch.setattr(RemoteEngine, "_ask", noted)
    remotely = everything(store)
    assert remotely[0] == rows
    np.testing.assert_array_equal(remotely[1], ids)
    np.testing.assert_allclose(remotely[2].astype(np.float32), similarities.astype(np.float32), atol=1e-3)
    pd.testing.assert_frame_equal(remotely[3], precision)
    pd.testing.assert_frame_equal(remotely[4], space)
    assert {"search", "vectors"} <= set(asked)
    assert store.facts(NEIGHBORS) == {"method": "exact"}
    answer = Retriever(store.collection, "pixels").search(3, k=2)
    assert answer.hits.found_by() == "exact search (remote)"


def test_an_index_without_its_recall_does_not_count(store, monkeypatch) -> None:
    outdate(store, INDEX)

    def killed(*_) -> float:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(opening, "recall_of", killed)
        with pytest.raises(KeyboardInterrupt):
            build_index(store)
    again = open_collection("small").store("pixels")
    assert not again.is_current(INDEX)
    build_index(again)
    assert again.facts(INDEX)["recall_at_10"] > 0.9


def test_it_is_another_process(store, opened) -> None:
    build_index(store, engine="remote")
    engine = engine_of(store)
    assert isinstance(engine, RemoteEngine)
    assert engine.pid != os.getpid()


def flipped(path: Path) -> None:
    """Change one bit in the middle; size and all else stay."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def fresh() -> EncoderStore:
    return open_collection("small").store("pixels")


CHANGES: dict[str, tuple[Callable[[EncoderStore], object], str]] = {
    "a bit": (lambda store: flipped(store.index_path), "its bytes are not those that were built"),
    "cut off": (lambda store: os.truncate(store.index_path, 1000), "its bytes are not those that were built"),
    "zeros": (
        lambda store: store.index_path.write_bytes(bytes(store.index_path.stat().st_size)),
        "its bytes are not those that were built",
    ),
    "another key": (
        lambda store: (data_folder() / "machine.key").write_bytes(bytes(32)),
        "it was not built here",
    ),
    "no key": (lambda store: (data_folder() / "machine.key").unlink(), "it was not built here"),
    "no seal": (
        lambda store: store.update(index={**store.facts(INDEX), "seal": None}),
        "it was not built here",
    ),
    "no digest": (
        lambda store: store.update(
            artifacts=store.record["artifacts"] | {"index": store.record["artifacts"]["index"] | {"digest": ""}}
        ),
        "a version that recorded no digest of it has built it",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_index_that_this_machine_has_not_built_is_not_opened(store, monkeypatch, change) -> None:
    exact = Retriever(store.collection, "pixels").search(3, k=5)
    assert not exact.notes
    changing, reason = CHANGES[change]
    changing(store)
    with monkeypatch.context() as patch:
        patch.setitem(opening.ENGINES, "usearch", replace(opening.ENGINES["usearch"], open=never))
        assert engine_of(fresh()).name == "exact"
        answer = Retriever(open_collection("small"), "pixels").search(3, k=5)
    np.testing.assert_array_equal(answer.rows(), exact.rows())
    assert answer.notes == (
        f"The index of pixels is not used, because {reason}; every image was compared instead. Build small with pixels "
        "again.",
    )
    assert fresh().standings()["index"] == Standing("stale", reason)
    # What is said to mend it does.
    assert set(build_collection(open_collection("small"), load_encoder("pixels")).seconds) == {"index"}
    assert engine_of(fresh()).name == "usearch"
    assert fresh().is_current()


def never(*_: object) -> Backend:
    raise AssertionError("the index must not be opened")


def test_an_index_with_the_digest_of_another_machine_is_made_again(store, tmp_path, monkeypatch) -> None:
    """A folder of a collection that is put beside the others brings its own records, which agree with its bytes."""
    shutil.copytree(store.collection.folder, tmp_path / "other/collections/small")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "other"))
    flipped(fresh().index_path)
    strange = fresh()
    strange.mark(INDEX, **strange.facts(INDEX) | {"sha256": digest_file(strange.index_path)})
    assert engine_of(fresh()).name == "exact"
    assert fresh().standings()["index"].reason == "it was not built here"
    assert build_indexes(open_collection("small")) == ["pixels"]
    assert engine_of(fresh()).name == "usearch"


def test_an_index_is_read_once_as_long_as_it_stays_as_it_is(store, monkeypatch) -> None:
    read: list[str] = []
    monkeypatch.setattr("radcbir_core.storage.digest_file", lambda path: read.append(path.name) or digest_file(path))
    for _ in range(3):
        assert engine_of(fresh()).name == "usearch"
    assert sorted(read) == ["embeddings.npy", "index.usearch"]
    os.utime(store.index_path)
    assert engine_of(fresh()).name == "usearch"
    assert sorted(read) == ["embeddings.npy", "index.usearch", "index.usearch"]


DAMAGES: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray], str]] = {
    "NaN": ("embeddings.npy", lambda a: put(a, np.nan), "it holds numbers that are not finite"),
    "infinity": ("embeddings.npy", lambda a: put(a, np.inf), "it holds numbers that are not finite"),
    "other numbers": ("embeddings.npy", lambda a: put(a, 0.25), "its bytes are not those that were built"),
    "Fortran's order": ("embeddings.npy", np.asfortranarray, "its numbers are in Fortran's order"),
    "whole numbers": ("embeddings.npy", lambda a: a.astype(np.int16), r"it holds int16 of shape \(61, 1024\)"),
    "fewer numbers": ("embeddings.npy", lambda a: a[:, :7].copy(), "its bytes are not those that were built"),
    "fewer rows": ("embeddings.npy", lambda a: a[:60], "it has 60 rows"),
    "flat": ("embeddings.npy", lambda a: a.reshape(-1), "of shape"),
    "rows that are none": ("neighbor_ids.npy", lambda a: put(a, 61), "it names others than its 61 images"),
    "rows below -1": ("neighbor_ids.npy", lambda a: put(a, -2), "it names others than its 61 images"),
    "rows as numbers": ("neighbor_ids.npy", lambda a: a.astype(np.float32), "it holds float32"),
    "unlike": ("neighbor_similarities.npy", lambda a: put(a, 7), "its bytes are not those that were built"),
    "narrower": ("neighbor_similarities.npy", lambda a: a[:, :3].copy(), "its bytes are not those that were built"),
}


def put(array: np.ndarray, value: float) -> np.ndarray:
    array[3, 1] = value
    return array


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_arrays_are_one_line_and_a_build_mends_them(store, monkeypatch, damage) -> None:
    monkeypatch.setattr("radcbir_core.pipeline.project_store", project_quickly)
    name, change, reason = DAMAGES[damage]
    path, kind = store.folder / name, name[:8]
    whole = path.read_bytes()
    np.save(path, change(np.load(path)))
    with pytest.raises(
        CollectionError, match=rf"but .*{kind}[a-z_]*\.npy is not that: .*{reason}.*\. Build small with pixels again"
    ):
        _ = vectors_of(fresh()) if name == "embeddings.npy" else fresh().neighbor_similarities
    made = build_collection(open_collection("small"), load_encoder("pixels")).seconds
    assert set(made) == ({"embeddings"} if name == "embeddings.npy" else {"neighbors"})
    assert path.read_bytes() == whole
    assert fresh().is_current()
