"""Subgroups on Pathology: the figures of the evaluation, failing queries of a value, and links that are wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation.reports.leakage import Leakage
from radcbir_core.evaluation.reports.subgroups import Subgroups
from tests.core.evaluation.reports.test_leakage import changed
from tests.pages.reading import cards, complaints, html, words


def test_a_column_is_shown_and_a_value_opens_its_worst_queries(app, copied_data) -> None:
    store = open_collection("small").store("pixels")
    at = app("pathology", view="subgroups", column="split", k="3", value="train")
    assert not complaints(at)
    result = Subgroups(column="split").suited(store).run(store)
    table = result.table[(result.table["k"] == 3) & (result.table["value"] != "")]
    shown = next(frame.value for frame in at.dataframe if "same_labels" in frame.value)
    scored = table[table["precision"].notna()]
    assert shown["label"].tolist() == scored["value"].tolist()
    assert shown["precision"].tolist() == pytest.approx(scored["precision"].tolist())
    assert shown["n_patients"].tolist() == scored["n_patients"].tolist()
    dots = json.loads(at.get("plotly_chart")[0].proto.spec)["data"][-1]
    assert dots["mode"] == "markers"
    queries = result.tables["queries"]
    mine = queries[(queries["value"] == "train") & queries["p@3"].notna()]
    first = [card["row"] for card in cards(at) if "rank" not in card]
    expected = mine.sort_values(["p@3", "p@10", "row"], kind="stable")["row"].tolist()
    assert first == expected[: len(first)]
    assert f"1 to 5 of {len(mine)}" in words(at)
    assert "Split: train" in html(at)
    assert any("Path" in caption.value and "every single image" in caption.value for caption in at.caption)
    at = app("pathology", view="subgroups", column="nothing", value="nobody", cuts="young")
    said = " ".join(warning.value for warning in at.warning)
    assert all(name in said for name in ("column = nothing", "value = nobody", "cuts = young"))


def test_what_the_own_data_set_gives_is_told_above_the_labels(app, copied_data) -> None:
    """All images are of one hospital but for the first of each anatomy, so that little can be found elsewhere."""
    anatomy = open_collection("small").manifest.codes("anatomy").codes
    first = set(np.unique(anatomy, return_index=True)[1].tolist())
    store = changed("small", dataset=["away" if row in first else "home" for row in range(len(anatomy))])
    at = app("pathology", level="anatomy", k="3")
    assert not complaints(at)
    steps = Leakage(level="anatomy").run(store).table
    row = steps[(steps["step"] == "dataset") & (steps["averaging"] == "micro") & (steps["k"] == 3)].iloc[0]
    told = next(button for button in at.button if button.label.startswith("Disease or hospital"))
    assert f"to {row['precision']:.2f}" in told.label
    assert f"over {row['n_both']:.0f} queries" in told.label
    told.click().run()
    assert not complaints(at)
    assert (at.query_params["view"], at.query_params["step"]) == ("leakage", "dataset")
