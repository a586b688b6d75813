"""Robustness: every line against a search by hand, the same queries each time, and what cannot be changed."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import EvaluationError, ImageError, QueryError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.precision import Precision, of_level
from radcbir_core.evaluation.reports.robustness import UNCHANGED, Robustness, perturbation_said, worst_said
from radcbir_core.images.perturbations import PERTURBATIONS, Step

PROTOCOL = Protocol.of(ks=(1, 3))


@pytest.fixture
def store(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small").store("pixels")


def by_hand(store, row: int, step: Step, k: int) -> tuple[list[int], float]:
    """The first k hits of a changed image, and its similarity to itself, one image after the other."""
    query = load_encoder("pixels").encode_images([step(store.collection.read_image(row).pixels)])[0]
    scored = scored_by_hand(store, row, query)
    return [other for _, other in scored[:k]], float(query @ stored_vectors(store)[row])


def stored_vectors(store) -> np.ndarray:
    vectors = np.load(store.layout.folder / "embeddings.npy").astype(np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def scored_by_hand(store, row: int, query: np.ndarray) -> list[tuple[float, int]]:
    """What may be a hit of a row, most similar to ``query`` first, each with its similarity below 0."""
    frame, labels = store.collection.manifest.frame, store.collection.manifest.labels("label").codes
    vectors = stored_vectors(store)
    scored = []
    for other in range(len(frame)):
        same = frame["patient_id"][other] and frame["patient_id"][other] == frame["patient_id"][row]
        if other != row and not same and labels[other] >= 0 and store.valid[other]:
            scored.append((-float(query @ vectors[other]), other))
    return sorted(scored)


def is_undecided(store, row: int, k: int) -> bool:
    """Whether the order of the first k hits is one of equals, or hangs on the half precision of the stored query."""
    query = load_encoder("pixels").encode_images([store.collection.read_image(row).pixels])[0]
    asked, stored = (scored_by_hand(store, row, one)[: k + 1] for one in (query, stored_vectors(store)[row]))
    equal = any(np.diff([similarity for similarity, _ in found]).min() < 2e-7 for found in (asked, stored))
    return equal or [other for _, other in asked[:k]] != [other for _, other in stored[:k]]


def test_every_figure_is_that_of_a_search_by_hand(store) -> None:
    evaluation = Robustness(PROTOCOL, perturbations=("invert", "rotate:30", "crop"), sample=12)
    result = evaluation.compute(store)
    queries, labels = result.tables["queries"], store.collection.manifest.labels("label").codes
    unchanged = queries[queries["perturbation"] == UNCHANGED].set_index("row")
    known = of_level(Precision(PROTOCOL).run(store).tables["queries"], "label").set_index("row")
    assert len(unchanged) == 12
    assert unchanged["p@3"].tolist() == known.loc[unchanged.index, "p@3"].tolist(), "as everywhere"
    plain = Step(PERTURBATIONS["crop"], 0)
    for word in evaluation.perturbations:
        part = queries[queries["perturbation"] == word].set_index("row")
        assert part.index.tolist() == unchanged.index.tolist()
        for row in part.index:
            hits, similarity = by_hand(store, row, Step.of(word), 3)
            before, _ = by_hand(store, row, plain, 3)
            assert part.loc[row, "p@3"] == pytest.approx(np.mean(labels[hits] == labels[row]))
            assert part.loc[row, "p@1"] == float(labels[hits[0]] == labels[row])
            assert part.loc[row, "overlap@3"] == pytest.approx(len(set(hits) & set(before)) / 3)
            assert part.loc[row, "similarity"] == pytest.approx(similarity, abs=2e-3)
        line = result.table.query("perturbation == @word and averaging == 'micro' and k == 3").iloc[0]
        assert line["precision"] == pytest.approx(part["p@3"].mean())
        assert line["difference"] == pytest.approx((part["p@3"] - unchanged["p@3"]).mean())
        assert line["overlap"] == pytest.approx(part["overlap@3"].mean())
        assert line["difference_low"] <= line["difference"] <= line["difference_high"]
        assert line["overlap_low"] <= line["overlap"] <= line["overlap_high"]
        assert line["n_queries"] == 12
    first = result.table[result.table["perturbation"] == UNCHANGED]
    assert first["difference"].isna().all()
    pd.testing.assert_frame_equal(evaluation.compute(store).tables["queries"], queries)


def test_what_changes_nothing_loses_nothing(store) -> None:
    """The search of changed queries and the neighbor graph agree where nothing was changed.

    A changed query is asked in single precision, the graph's as it is stored, in half; and products of copies may
    differ in their last bit. Where that decides an order, an independent search has to say so.
    """
    result = Robustness(PROTOCOL, perturbations=("rotate:0", "gamma:1", "scale:100"), sample=30).compute(store)
    queries = result.tables["queries"]
    assert (queries["overlap@3"] == 1).all()
    unchanged = queries[queries["perturbation"] == UNCHANGED].set_index("row")
    undecided = {row for row in unchanged.index if is_undecided(store, row, 3)}
    assert len(undecided) <= 3
    others = queries[~queries["row"].isin(undecided)].set_index("row")
    assert (others["rank_biased_overlap"] > 0.99).all()
    for figure in ("p@1", "p@3"):
        assert (others[figure] == unchanged.loc[others.index, figure]).all()
    assert worst_said(result.table, k=3).startswith("No change takes anything from P@3 for sure")


def test_an_image_of_which_nothing_is_left_finds_nothing(store, monkeypatch) -> None:
    flat = Step(PERTURBATIONS["window"], 30).kind
    monkeypatch.setitem(PERTURBATIONS, "window", type(flat)(**{**vars(flat), "change": lambda pixels, _: pixels * 0}))
    result = Robustness(PROTOCOL, perturbations=("window",), sample=5).compute(store)
    part = result.tables["queries"].query("perturbation != 'unchanged'")
    assert (part[["p@1", "p@3", "overlap@3", "rank_biased_overlap", "similarity"]] == 0).all(axis=None)


def test_what_is_said_of_the_worst() -> None:
    line = {"averaging": "micro", "k": 10, "precision": 0.3, "difference": -0.2, "overlap": 0.25}
    table = pd.DataFrame([line | {"perturbation": "jpeg:70", "difference_low": -0.4, "difference_high": -0.1}])
    assert worst_said(table, k=10) == (
        "JPEG, 70 less in quality: P@10 falls from 0.50 to 0.30 (-0.200 [-0.400, -0.100]); 25% of the first 10 hits "
        "stay. 1 of 1 changes take something for sure."
    )
    assert [perturbation_said(word) for word in ("jpeg", "flip")] == [
        "JPEG, 70 less in quality",
        "flipped left to right",
    ]


def test_what_cannot_be_is_refused(store, monkeypatch) -> None:
    with pytest.raises(QueryError, match="perturbation = 'blur'"):
        Robustness(perturbations=("blur",))
    with pytest.raises(EvaluationError, match="sample = 0"):
        Robustness(sample=0)
    with pytest.raises(EvaluationError, match="leave-one-out or split, but protocol = paper"):
        Robustness(Protocol.of("paper"))
    with monkeypatch.context() as patch:
        patch.setattr(type(store), "imported", property(lambda _: True))
        for call in (Robustness().check, Robustness().compute):
            with pytest.raises(EvaluationError, match="the embeddings of pixels were imported"):
                call(store)
    gone = Robustness(perturbations=("flip",), sample=3)
    monkeypatch.setattr(type(store.collection), "image_path", lambda self, row: self.image_root / "gone.png")
    with pytest.raises(ImageError, match=r"gone\.png"):
        gone.compute(store)
