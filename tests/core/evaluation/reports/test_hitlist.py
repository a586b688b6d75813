"""The hits of queries as a table of paths."""

from __future__ import annotations

import gzip
from types import SimpleNamespace

import numpy as np

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation.reports.hitlist import hits_csv, hits_table_of
from radcbir_core.search.backend import Hits


def view_of_small(small_data, monkeypatch, queries):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    store = open_collection("small").store("pixels")
    return SimpleNamespace(store=store, queries=np.array(queries)), store.collection.manifest.column("path")


def test_paths_in_the_order_of_the_hits_and_nothing_where_there_are_fewer(small_data, monkeypatch) -> None:
    view, paths = view_of_small(small_data, monkeypatch, [7, 2])
    rows = np.array([[5, 0], [60, -1]], dtype=np.int32)
    table = hits_table_of(view, Hits(rows, np.zeros((2, 2), np.float32), counts=np.array([2, 1], np.int32)))
    assert table.columns.tolist() == ["query", "1", "2"]
    assert table.to_numpy().tolist() == [[paths[7], paths[5], paths[0]], [paths[2], paths[60], ""]]


def test_a_file_at_the_full_labels_level_alone(small_data, monkeypatch, tmp_path) -> None:
    view, paths = view_of_small(small_data, monkeypatch, [1])
    hits = Hits(np.array([[0]], np.int32), np.zeros((1, 1), np.float32), counts=np.array([1], np.int32))
    hits_csv(tmp_path / "hits.csv", "anatomy", view, hits)
    assert not (tmp_path / "hits.csv").exists()
    hits_csv(tmp_path / "hits.csv", "label", view, hits)
    hits_csv(tmp_path / "hits.csv.gz", "label", view, hits)
    text = f"query,1\n{paths[1]},{paths[0]}\n"
    assert (tmp_path / "hits.csv").read_text() == text
    packed = (tmp_path / "hits.csv.gz").read_bytes()
    assert gzip.decompress(packed).decode() == text
    hits_csv(tmp_path / "again.csv.gz", "label", view, hits)
    assert (tmp_path / "again.csv.gz").read_bytes() == packed, "the same hits give the same bytes"
