"""The table of one value a query against means that are taken by hand."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.figures import by_chance, figures, means_alone
from radcbir_core.evaluation.statistics.intervals import DIFFERENCES, mean_intervals
from radcbir_core.evaluation.view import gallery_view


@pytest.fixture
def view(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return gallery_view(open_collection("small").store("pixels"), Protocol.of(ks=(1, 3)), "label")


def test_every_line_is_the_mean_of_its_queries(view) -> None:
    values = np.random.default_rng(0).uniform(-1, 1, (len(view.queries), 2))
    values[3] = np.nan
    table = figures(view, values, name="change", limits=DIFFERENCES)
    labels = view.store.collection.manifest.labels("label").text(view.queries)
    for row in table.to_dict("records"):
        mine = values[:, view.protocol.ks.index(row["k"])]
        own = [v for v, label in zip(mine, labels, strict=True) if row["label"] in ("", label) and not np.isnan(v)]
        if row["averaging"] != "macro":
            assert (row["n_queries"], row["change"]) == (len(own), pytest.approx(np.mean(own)))
        assert np.isnan(row["low"]) or row["low"] <= row["change"] <= row["high"]
    bounds = mean_intervals(
        values,
        view.lines[1],
        clusters=view.clusters[view.queries],
        n_labels=len(view.relevance.labels),
        limits=DIFFERENCES,
    )
    micro = table[table["averaging"] == "micro"]
    np.testing.assert_array_equal(micro[["low", "high"]], bounds.micro)
    assert set(micro["n_patients"]) == {bounds.n_clusters}
    with pytest.raises(ValueError, match="Expected values from 0 to 1"):
        figures(view, values)


def test_chance_is_the_share_of_what_may_be_drawn(view) -> None:
    drawn = by_chance(view, view.allowed)
    relevant = view.available.relevant
    expected = np.where(relevant > 0, relevant / view.allowed, np.nan)
    np.testing.assert_allclose(drawn, np.column_stack([expected, expected]))


@pytest.mark.parametrize("column", [None, "split"])
def test_means_alone_are_those_of_the_table(view, column) -> None:
    values = np.random.default_rng(2).uniform(0, 1, (len(view.queries), 2))
    values[5] = np.nan
    by = column and view.store.collection.manifest.codes(column)
    np.testing.assert_array_equal(means_alone(view, values, by=by), figures(view, values, by=by)["precision"])


def test_images_can_count_under_something_else_than_their_label(view) -> None:
    values = np.random.default_rng(1).uniform(0, 1, (len(view.queries), 2))
    split = view.store.collection.manifest.codes("split")
    table = figures(view, values, by=split)
    own = split.text(view.queries)
    for row in table[table["averaging"] == "label"].to_dict("records"):
        mine = [
            v for v, name in zip(values[:, view.protocol.ks.index(row["k"])], own, strict=True) if name == row["label"]
        ]
        assert (row["n_queries"], row["precision"]) == (len(mine), pytest.approx(np.mean(mine)))
    assert {*own} - {""} == {*table["label"]} - {""}
