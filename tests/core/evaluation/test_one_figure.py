"""The figure by which encoders stand beside each other, and which of them is offered first."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation.one_figure import OneFigure, best_first, one_figure
from radcbir_core.evaluation.reports.precision import Precision
from tests.planted_training import plant_training


@pytest.fixture
def store(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small").store("pixels")


def test_it_is_the_micro_mean_at_the_full_label_as_it_is_kept(store, monkeypatch) -> None:
    table = Precision().suited(store).run(store).table
    row = table[(table["level"] == "label") & (table["k"] == 10) & (table["averaging"] == "micro")].iloc[0]
    figure = one_figure(store)
    assert (figure.precision, figure.low, figure.high, figure.chance) == tuple(
        row[["precision", "low", "high", "chance"]]
    )
    assert (figure.n_queries, figure.n_seen, figure.with_seen) == (51, 0, row["precision"])
    plant_training(monkeypatch, store.collection, range(30))
    assert one_figure(store) is None  # nobody has computed it without these
    Precision().suited(store).run(store)
    seen = one_figure(store)
    assert seen.with_seen == figure.precision
    assert 0 < seen.n_queries == 51 - seen.n_seen


def test_the_best_stands_first_and_the_baseline_last() -> None:
    def of(precision: float) -> OneFigure:
        return OneFigure(precision, 0, 1, 0, np.nan, 1, 1, 0, precision)

    figures = {"a": of(0.2), "b": of(0.5), "c": None, "d": of(np.nan), "pixels": of(0.9)}
    assert best_first(list(figures), figures.__getitem__) == ["b", "a", "c", "d", "pixels"]
    assert best_first(["pixels"], figures.__getitem__) == ["pixels"]
    assert best_first([], figures.__getitem__) == []
