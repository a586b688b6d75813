"""Slices of failure: planted ones are found with figures by hand, none where nothing is planted."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.column_groups import NOT_KNOWN
from radcbir_core.evaluation.reports.slices import Slices, cluster_words, standout_said
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.evaluation.view import GalleryView
from tests.core.evaluation.reports.test_leakage import changed


@pytest.fixture
def store(small_data, tmp_path, monkeypatch):
    """Two scanners and two views, drawn image by image; each image is of a patient of its own."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    number = len(open_collection("small"))
    rng = np.random.default_rng(4)
    return changed(
        "small",
        dataset=np.array(["north", "south"])[rng.integers(0, 2, number)].tolist(),
        view=np.array(["AP", "PA"])[rng.integers(0, 2, number)].tolist(),
        split=["" for _ in range(number)],
        patient_id=[f"p{row}" for row in range(number)],
    )


def planted(store, monkeypatch, rate):
    """P@k is drawn once a query, around ``rate(dataset, view)``."""
    manifest = store.collection.manifest
    rates = [rate(*pair) for pair in zip(manifest.column("dataset"), manifest.column("view"), strict=True)]
    drawn = np.random.default_rng(0).binomial(10, rates) / 10
    monkeypatch.setattr(GalleryView, "precision", lambda self, hits: drawn[self.queries][:, None])
    return drawn


def test_a_planted_value_is_found_and_its_figures_are_those_of_its_queries(store, monkeypatch) -> None:
    drawn = planted(store, monkeypatch, lambda dataset, view: 0.15 if dataset == "north" else 0.85)
    result = Slices(clusters=4).compute(store)
    assert list(result.tables) == list(Slices.table_words)
    row = result.table.iloc[0]
    assert (row["conditions"], row["clear"], row["slice"]) == ("dataset = north", True, 1)
    manifest = store.collection.manifest
    north = np.flatnonzero((manifest.column("dataset") == "north") & (manifest.labels("label").codes >= 0))
    members = result.tables["members"]
    mine = members[members["slice"] == 1]
    assert mine["row"].tolist() == north.tolist()
    np.testing.assert_array_equal(mine["precision"], drawn[north])
    assert (row["n_queries"], row["n_patients"]) == (len(north), len(north))
    assert row["precision"] == pytest.approx(drawn[north].mean())
    own = mean_intervals(drawn[north][:, None], np.zeros(len(north), int), clusters=np.arange(len(north)), n_labels=1)
    np.testing.assert_allclose((row["low"], row["high"]), own.micro[0])
    assert row["difference_low"] <= row["difference"] <= row["difference_high"] < 0
    # What is only a part of it is not told as clear beside it.
    for conditions in result.table.loc[result.table["clear"], "conditions"].tolist()[1:]:
        assert "dataset = north" not in conditions.split(" and ")
    assert result.tables["tried"]["p"].min() == row["p"]
    assert result.facts["tried"] == len(result.tables["tried"])
    assert "dataset = north: P@10" in standout_said(result)
    assert {"label", "brightness", "cluster"} <= set(result.facts["columns"])


def test_a_planted_pair_of_values_is_found_and_worse_than_its_parents(store, monkeypatch) -> None:
    planted(store, monkeypatch, lambda dataset, view: 0.05 if (dataset, view) == ("north", "AP") else 0.9)
    table = Slices(clusters=0, among="all").compute(store).table
    clear = table.loc[table["clear"], "conditions"].tolist()
    assert "dataset = north and view = AP" in clear


def test_where_nothing_is_planted_none_is_clear(store, monkeypatch) -> None:
    planted(store, monkeypatch, lambda dataset, view: 0.5)
    result = Slices(clusters=4).compute(store)
    assert not result.table["clear"].any()
    assert standout_said(result) == f"None of {result.facts['tried']} slices falls clearly behind."
    assert result.evaluation.remarks(result)[0] == standout_said(result)


def test_clusters_say_what_they_are_of(store, monkeypatch) -> None:
    planted(store, monkeypatch, lambda dataset, view: 0.5)
    result = Slices(clusters=3).compute(store)
    table = result.tables["typical"]
    assert table["cluster"].tolist() == ["1", "2", "3"]
    assert table["n_queries"].sum() == result.facts["n_queries"]
    assert table["typical"].str.contains("=").all()
    named = result.table["conditions"].str.contains("cluster = ").any()
    assert bool(cluster_words(result)) == named
    assert not len(Slices(clusters=0).compute(store).tables["typical"])
    assert NOT_KNOWN not in " ".join(table["typical"])


def test_choices_that_cannot_be_are_refused(store) -> None:
    for choices, said in (
        ({"among": "some"}, 'Expected "labels" or "all"'),
        ({"k": 0}, "Expected k from 1 to 100"),
        ({"clusters": 201}, "Expected 0 to 200 clusters"),
        ({"protocol": "paper"}, "for slices of failure, but protocol = paper"),
    ):
        with pytest.raises(EvaluationError, match=said):
            Slices.of(**choices)
    assert Slices(Protocol.of(ks=(1, 3)), k=5).protocol.ks == (5,)
