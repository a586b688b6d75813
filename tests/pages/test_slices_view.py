"""Slices on Failures: the slices of the evaluation, their queries worst first, and links that are wrong."""

from __future__ import annotations

import json

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation.reports.slices import Slices
from tests.pages.reading import cards, complaints, html, words


def test_slices_are_shown_and_one_opens_its_worst_queries(app, copied_data) -> None:
    store = open_collection("small").store("pixels")
    result = Slices(k=3, among="all").suited(store).run(store)
    table = result.table
    assert len(table), "something is somewhat behind"
    at = app("failures", view="slices", k="3", among="all", slice="1")
    assert not complaints(at)
    shown = next(frame.value for frame in at.dataframe if "also" in frame.value)
    assert shown["label"].tolist() == table["conditions"].tolist()
    assert shown["precision"].tolist() == pytest.approx(table["precision"].tolist())
    dots = json.loads(at.get("plotly_chart")[0].proto.spec)["data"][-1]
    assert dots["marker"]["symbol"] == ["circle" if one else "circle-open" for one in table["clear"]]
    members = result.tables["members"]
    mine = members[members["slice"] == 1].sort_values(["precision", "row"], kind="stable")
    first = [card["row"] for card in cards(at) if "rank" not in card]
    assert first == mine["row"].tolist()[: len(first)]
    assert f"1 to 5 of {len(mine)}" in words(at)
    assert str(table["conditions"].iloc[0]) in html(at)
    at = app("failures", view="slices", slice="first", among="nobody", k="3")
    said = " ".join(warning.value for warning in at.warning)
    assert "among = nobody" in said
    assert "slice = first" in said
