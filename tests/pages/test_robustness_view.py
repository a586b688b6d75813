"""Perturbed queries on Retrieval, and the view Robustness: the figures of the core, and links that are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation.reports.robustness import UNCHANGED, Robustness
from radcbir_core.images.perturbations import Step, perturbed
from radcbir_core.search.queries.query import ChangedQuery, RowQuery
from radcbir_core.search.retriever import Retriever
from tests.pages.reading import cards, complaints, html, pictures, words


def test_a_perturbed_query_says_what_stays(app) -> None:
    collection = open_collection("small")
    row = 7
    query = collection.manifest.record(row)["image_id"]
    asked = ["rotate:30", "invert"]
    at = app("retrieval", image=query, k="6", perturb=asked)
    assert not complaints(at)
    pixels = perturbed(collection.read_image(row).pixels, [Step.of(word) for word in asked])
    retriever, exclude = Retriever(collection, "pixels"), ["duplicate", "patient"]
    after = retriever.search(ChangedQuery(pixels, RowQuery((row,))), k=6, exclude=exclude).rows().tolist()
    before = retriever.search(row, k=6, exclude=exclude).rows().tolist()
    shown = [card for card in cards(at) if "rank" in card]
    assert [card["row"] for card in shown] == after
    assert [card["note"].split(" · ")[0] == "new" for card in shown] == [hit not in before for hit in after]
    gone = [hit for hit in before if hit not in after]
    assert [card["row"] for card in cards(at) if "rank" not in card] == gone
    assert f"unchanged query that stay: {6 - len(gone)} of 6" in html(at)
    assert "Perturbed query: Rotated, 30°, then Inverted" in [one["description"] for one in pictures(at)]
    next(one for one in at.slider if one.label == "Rotated, °").set_value(0.0).run()
    next(one for one in at.pills if one.label.startswith("Changes")).set_value(["rotate", "noise"]).run()
    assert at.query_params["perturb"] == ["rotate:0", "noise:5"]
    next(one for one in at.button if one.label == "Unchanged again").click().run()
    assert "perturb" not in at.query_params
    assert [card["row"] for card in cards(at)] == before
    at.query_params["perturb"] = ["blur", "rotate:999"]
    said = complaints(at.run())
    assert "perturbation = 'blur'" in said
    assert "rotate from -180 to 180" in said
    assert [card["row"] for card in cards(at)] == before


def test_the_view_is_the_evaluation_and_opens_what_is_lost(app, copied_data) -> None:
    store = open_collection("small").store("pixels")
    at = app("failures", view="robustness", k="3")
    assert not complaints(at)
    assert any(one.label == "Compute" for one in at.button), "it reads images, and so begins on a click"
    result = Robustness().suited(store).run(store)
    at.query_params["perturbation"] = "Inverted"
    at.run()
    assert not complaints(at)
    table = result.table.query("averaging == 'micro' and k == 3 and perturbation != @UNCHANGED")
    shown = next(frame.value for frame in at.dataframe if "stay" in frame.value)
    assert shown["precision"].tolist() == pytest.approx(table["precision"].tolist())
    assert (shown["stay"] / 100).tolist() == pytest.approx(table["overlap"].tolist())
    assert shown["n_patients"].tolist() == table["n_patients"].tolist()
    queries = result.tables["queries"]
    before, after = (queries[queries["perturbation"] == word] for word in (UNCHANGED, "invert"))
    lost = before["p@3"].to_numpy() - after["p@3"].to_numpy()
    order = np.lexsort((after["row"], after["similarity"], -lost))
    assert [card["row"] for card in cards(at)] == after["row"].to_numpy()[order][:24].tolist()
    assert "51 queries: those that have something to find." in html(at)
    at.query_params["perturbation"] = "Blurred"
    assert "perturbation = Blurred" in words(at.run())
