"""The baseline beside an encoder's figures: whose queries these are, and what they say."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation import evaluate
from radcbir_core.evaluation.baseline import baseline_comparison, beside_baseline, keep_comparisons, with_baseline
from radcbir_core.evaluation.one_figure import one_figure
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.comparison import Comparison
from radcbir_core.evaluation.reports.precision import BASELINE_COLUMNS, Precision
from radcbir_core.evaluation.reports.space import Space
from tests.planted_training import plant_training
from tests.second_encoder import SECOND, add_encoder


@pytest.fixture
def collection(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small")


@pytest.fixture
def second(collection):
    add_encoder(collection)
    return open_collection("small").store(SECOND)


@pytest.mark.parametrize("seen", [range(0), range(30)])
def test_its_figures_are_of_the_queries_that_the_encoder_was_asked(second, monkeypatch, seen) -> None:
    plant_training(monkeypatch, second.collection, seen, spec=second.spec)
    assert second.spec != "pixels"  # which has seen nothing, and is asked no more than the other
    means = evaluate(second.collection, SECOND).tables["means"]
    asked = Precision().run(second).tables["queries"]
    theirs = Precision().run(second.collection.store("pixels")).tables["queries"].set_index(["level", "row"])
    assert (len(asked) < len(theirs)) == bool(seen)
    for row in means[means["averaging"] != "macro"].itertuples():
        mine = asked[(asked["level"] == row.level) & ((asked["label"] == row.label) | (row.averaging == "micro"))]
        column = f"p@{row.k}"
        pairs = [
            (a, theirs.loc[(row.level, image), column])
            for image, a in zip(mine["row"], mine[column], strict=True)
            if not np.isnan(a)
        ]
        if not pairs:
            assert np.isnan(row.pixels)
            continue
        assert row.pixels == pytest.approx(sum(b for _, b in pairs) / len(pairs))
        assert row.above_pixels == pytest.approx(row.precision - row.pixels)
        assert np.isnan(row.above_low) or row.above_low <= row.above_pixels <= row.above_high


def test_it_is_where_it_is_built_and_is_not_the_encoder_itself(collection, second) -> None:
    assert baseline_comparison(second, Protocol()) == Comparison(versus="pixels")
    assert baseline_comparison(collection.store("pixels"), Protocol()) is None
    shutil.rmtree(collection.encoder_folder("pixels"))
    alone = open_collection("small").store(SECOND)
    assert baseline_comparison(alone, Protocol()) is None
    result = Precision().run(alone)
    assert with_baseline(alone, result) is result
    assert not set(BASELINE_COLUMNS) & set(result.tables["means"])


def test_others_results_stay_as_they_are(second) -> None:
    result = Space().run(second)
    assert with_baseline(second, result) is result


def test_a_second_time_changes_nothing(second) -> None:
    once = with_baseline(second, Precision().run(second))
    comparison = baseline_comparison(second, Protocol()).run(second)
    again = beside_baseline(once, comparison)
    assert again.tables["means"].equals(once.tables["means"])
    assert "above pixels" in once.summary()


@pytest.mark.parametrize("built", ["pixels", SECOND])
def test_a_build_of_either_keeps_what_home_shows(collection, second, built) -> None:
    Precision().run(second)
    assert np.isnan(one_figure(second).pixels)
    keep_comparisons(collection.store(built) if built == "pixels" else second)
    figure = one_figure(second)
    row = Comparison(versus="pixels").run(second).table.query("level == 'label' and averaging == 'micro' and k == 10")
    assert figure.pixels == row["b"].iloc[0]


def test_one_that_is_damaged_is_none(collection, second) -> None:
    (collection.encoder_folder("pixels") / "encoder.json").write_text("{", encoding="utf-8")
    assert baseline_comparison(open_collection("small").store(SECOND), Protocol()) is None
