"""Which engine answers; and that another one, in another process, is one module and one line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pandas as pd
import pytest

from radcbir_core.collections.artifacts import INDEX, NEIGHBORS
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.store import EncoderStore
from radcbir_core.errors import CollectionError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.evaluation.reports.space import Space
from radcbir_core.search import opening
from radcbir_core.search.backend import ArrayVectors
from radcbir_core.search.graph import build_neighbors
from radcbir_core.search.opening import build_index, engine_of, searcher_of, vectors_of
from radcbir_core.search.retriever import Retriever
from tests.core.search.remote_engine import RemoteEngine, remote
from tests.kept_embeddings import kept_embeddings
from tests.stale import outdate


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
    assert engine_of(store).recall == store.facts(INDEX)["recall_at_10"] == 1
    assert store.facts(INDEX)["engine"] == "usearch"
    # A collection of the version before does not say it.
    store.update(index={name: value for name, value in store.facts(INDEX).items() if name != "engine"})
    assert engine_of(store).name == "usearch"
    store.update(index={"engine": "another"})
    with pytest.raises(
        CollectionError, match="Expected an index of usearch, but that of small and pixels was built wit"
    ):
        engine_of(store)


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
    assert store.facts(INDEX) == {"engine": "remote", "bytes": store.index_path.stat().st_size, "recall_at_10": 1.0}
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
    assert store.facts(NEIGHBORS) == {"method": "exact", "engine": "remote"}
    answer = Retriever(store.collection, "pixels").search(3, k=2)
    assert answer.hits.found_by() == "exact search (remote)"


def test_an_index_without_its_recall_does_not_count(store, monkeypatch) -> None:
    outdate(store, INDEX)

    def killed(*_) -> float:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(opening, "recall_at", killed)
        with pytest.raises(KeyboardInterrupt):
            build_index(store)
    again = open_collection("small").store("pixels")
    assert not again.is_current(INDEX)
    build_index(again)
    assert again.facts(INDEX)["recall_at_10"] == 1


def test_it_is_another_process(store, opened) -> None:
    build_index(store, engine="remote")
    engine = engine_of(store)
    assert isinstance(engine, RemoteEngine)
    assert engine.pid != os.getpid()
