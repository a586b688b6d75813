"""Approximate search: recall and P@k of each way against searches by hand, with an index and a graph that forget."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.approximation import (
    EXACT,
    MEANS_COLUMNS,
    Approximation,
    way_said,
    way_told,
    ways_of,
)
from radcbir_core.evaluation.reports.precision import Precision, of_level
from radcbir_core.search.backend import ArrayVectors, unit_vectors
from radcbir_core.search.engines.cells import Cells
from radcbir_core.search.opening import build_index, index_note

PROTOCOL = Protocol.of(ks=(1, 3))
KS = (1, 3, 10, 100)


@pytest.fixture
def store(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small").store("pixels")


def kept_by(way: str, vector: np.ndarray) -> np.ndarray:
    """A vector as a way keeps it."""
    if way == "bf16":
        import torch

        return torch.tensor(vector).to(torch.bfloat16).double().numpy()
    if way == "i8":
        return np.trunc(127 * vector)
    return np.rint(127 * vector / np.abs(vector).max()) if way == "i8-scaled" else vector


def by_hand(store, way: str = EXACT) -> dict[int, list[tuple[float, int, float]]]:
    """For each row all that it may be given, best first by a way: the true cosine of each, its row, and the way's."""
    frame, labels = store.collection.manifest.frame, store.collection.manifest.labels("label").codes
    stored = np.load(store.layout.folder / "embeddings.npy").astype(np.float32)
    true = stored / np.maximum(np.linalg.norm(stored.astype(np.float64), axis=1, keepdims=True), 1e-9)
    # Halfs of length 1 lie halfway between two numbers of fewer digits: there the last bit decides.
    unit = unit_vectors(ArrayVectors(stored.astype(np.float16)), np.arange(len(stored)))
    kept = np.stack([kept_by(way, vector) for vector in unit]).astype(np.float64)
    kept /= np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-9)
    found = {}
    for row in range(len(frame)):
        others = [
            other
            for other in range(len(frame))
            if other != row
            and labels[other] >= 0
            and store.valid[other]
            and not (frame["patient_id"][row] and frame["patient_id"][other] == frame["patient_id"][row])
        ]
        others.sort(key=lambda other: (-kept[other] @ kept[row], other))
        found[row] = [(float(true[other] @ true[row]), other, float(kept[other] @ kept[row])) for other in others]
    return found


def recall_by_hand(found: list[tuple], exact: list[tuple], k: int) -> float:
    wanted = exact[:k]
    last = wanted[-1][0]
    return min(sum(hit[0] >= last - 1e-6 for hit in found[:k]), len(wanted)) / len(wanted)


def is_clear(found: list[tuple], k: int) -> bool:
    """Whether the k-th hit differs enough from the next, so that rounding cannot exchange them."""
    return len(found) <= k or found[k - 1][2] - found[k][2] > 1e-6


def check_way(result, way: str, found: dict, exact: dict, labels: np.ndarray) -> None:
    """The table of queries and the micro means of one way are those of the hits ``found``."""
    queries = result.tables["queries"]
    part, reference = (queries[queries["way"] == name].set_index("row") for name in (way, EXACT))
    clear = [(row, k) for row in part.index for k in KS if is_clear(found[row], k)]
    assert len(clear) > 0.8 * len(part) * len(KS)
    for row, k in clear:
        assert part.loc[row, f"recall@{k}"] == pytest.approx(recall_by_hand(found[row], exact[row], k)), (row, k)
        relevant = [labels[other] == labels[row] for _, other, _ in found[row][:k]]
        assert part.loc[row, f"p@{k}"] == pytest.approx(sum(relevant) / k), (row, k)
    for k in KS:
        line = result.table.query("way == @way and averaging == 'micro' and k == @k").iloc[0]
        assert line["precision"] == pytest.approx(part[f"p@{k}"].mean())
        if way == EXACT:
            continue
        assert line["recall"] == pytest.approx(part[f"recall@{k}"].mean())
        assert line["recall_low"] <= line["recall"] <= line["recall_high"]
        assert line["difference"] == pytest.approx((part[f"p@{k}"] - reference[f"p@{k}"]).mean())
        assert line["difference_low"] <= line["difference"] <= line["difference_high"]


def test_every_way_is_that_of_a_search_by_hand(store) -> None:
    result = Approximation(PROTOCOL).compute(store)
    labels = store.collection.manifest.labels("label").codes
    exact = by_hand(store)
    assert tuple(result.table.columns) == MEANS_COLUMNS
    assert result.table["way"].unique().tolist() == ways_of(store)
    assert ways_of(store) == ["exact", "index", "graph", "bf16", "i8", "i8-scaled"]
    for way in ("exact", "graph", "bf16", "i8", "i8-scaled"):
        check_way(result, way, by_hand(store, way), exact, labels)
    fewer = result.table.query("way == 'i8' and averaging == 'micro' and k == 1")["recall"].iloc[0]
    assert fewer < 1, "one byte loses something here, so that the above can fail"
    first = result.table[result.table["way"] == EXACT]
    assert first[["recall", "difference"]].isna().all(axis=None)
    known = of_level(Precision(PROTOCOL).compute(store).table, "label").query("averaging == 'micro'")
    micro = first.query("averaging == 'micro' and k in (1, 3)")
    assert micro["precision"].tolist() == known["precision"].tolist(), "as everywhere"
    assert (
        micro[["n_queries", "n_patients"]].to_numpy().tolist() == known[["n_queries", "n_patients"]].to_numpy().tolist()
    )


def test_an_index_that_forgets_is_found_out(small_data, tmp_path, monkeypatch) -> None:
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    store = open_collection("small").store("pixels")
    build_index(store, engine="cells")
    search = Cells.search
    odd = np.arange(len(store.valid)) % 2 == 1

    def forgetful(self, queries, *, k, allowed=None, exclusions=()):
        hits = search(self, queries, k=len(odd), allowed=allowed, exclusions=exclusions)
        left = type(hits).empty(len(queries), k, method=hits.method, engine=hits.engine)
        for query in range(len(queries)):
            rows = [row for row in hits.rows[query, : hits.counts[query]] if odd[row]][:k]
            left.fill(query, np.array(rows, dtype=np.int32), np.zeros(len(rows)))
        return left

    monkeypatch.setattr(Cells, "search", forgetful)
    result = Approximation(PROTOCOL).compute(store)
    exact = by_hand(store)
    micro = result.table.query("way == 'index' and averaging == 'micro'").set_index("k")
    assert micro.loc[1, "recall"] < 0.8
    queries = result.tables["queries"].query("way == 'index'").set_index("row")
    for row in queries.index:
        first = next(cosine for cosine, other, _ in exact[row] if odd[other])
        assert queries.loc[row, "recall@1"] == float(first >= exact[row][0][0] - 1e-6)
    assert f"finds {micro.loc[10, 'recall']:.3f}" in way_told(result, "index")


def test_a_graph_of_others_is_found_out(store) -> None:
    """What is called exact is measured as well."""
    asked = Approximation(PROTOCOL)
    before = asked.compute(store)
    assert (before.table.query("way == 'graph'")["recall"] == 1).all()
    store.__dict__["neighbor_ids"] = np.roll(np.asarray(store.neighbor_ids), 1, axis=0)
    result = asked.compute(store)
    micro = result.table.query("way == 'graph' and averaging == 'micro' and k == 1").iloc[0]
    assert micro["recall"] < 0.5
    assert micro["difference"] < 0


def test_what_is_said(store, monkeypatch) -> None:
    result = Approximation(PROTOCOL, sample=20).compute(store)
    assert [way_said(way, result) for way in ways_of(store)[:4]] == [
        "exact search, f16 as stored",
        "the index (usearch)",
        "the neighbor graph (exact)",
        "exact search, bf16",
    ]
    assert [said.split(" finds ")[0] for said in Approximation(PROTOCOL).remarks(result)] == [
        "The index (usearch)",
        "The neighbor graph (exact)",
    ]
    notes = " ".join(result.notes)
    assert "20 of " in notes
    assert "Retrieval compares all 61 images here" in notes
    assert "stored in half precision (f16)" in notes
    assert "over 20 queries of" in way_told(result, "graph")
    summary = result.summary()
    assert summary["searched by"].tolist()[0] == "exact search, f16 as stored"
    assert {"queries", "patients", "recall@1", "recall@10", "recall@100", "P@3", "chance"} <= set(summary.columns)
    with monkeypatch.context() as patch:
        patch.setattr(type(store), "index_fault", lambda _: "it was not built here")
        alone = Approximation(PROTOCOL, sample=20).compute(store)
        assert "index" not in set(alone.table["way"])
        assert index_note(store) in alone.notes
    assert Approximation().folder(store) != Approximation(sample=20).folder(store)


def test_another_index_or_graph_is_another_result(store, monkeypatch) -> None:
    before = Approximation().folder(store)
    for name in ("index", "neighbors"):
        with monkeypatch.context() as patch:
            made = type(store).made_digest
            patch.setattr(
                type(store),
                "made_digest",
                lambda self, artifact: "another" if artifact.name == name else made(self, artifact),  # noqa: B023
            )
            assert Approximation().folder(store) != before
    assert Approximation().folder(store) == before


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(EvaluationError, match="sample = 0"):
        Approximation(sample=0)
    with pytest.raises(EvaluationError, match="protocol = paper, which is exact"):
        Approximation(Protocol.of("paper"))
