"""What an encoder has seen in training, on every page."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pages.parts.map import point_facts
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.encoders.kits.training_list import UNKNOWN
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.precision import Precision
from tests.pages.reading import cards, chart, complaints, html, words
from tests.planted_training import plant_training

SEEN = {*range(21, 51), 52}


@pytest.fixture
def planted(app, copied_data, monkeypatch):
    """The pixels of the collection ``small``, as if they had been trained on all CT and half of MR."""
    store = open_collection("small").store("pixels")
    plant_training(monkeypatch, store.collection, SEEN)
    monkeypatch.setattr(EncoderStore, "near_duplicate_groups", np.full(len(store.collection), -1, dtype=np.int32))
    return store


def of_micro(store, rule):
    table = Precision(Protocol.of(seen=rule)).suited(store).run(store).table
    return table[(table["level"] == "label") & (table["k"] == 10) & (table["averaging"] == "micro")].iloc[0]


def test_cards_are_marked_and_the_dialog_says_it(app, planted):
    manifest = planted.collection.manifest
    at = app("retrieval", view="browse")
    assert not complaints(at)
    shown = {card["image_id"]: card["seen"] for card in cards(at)}
    assert set(filter(None, shown.values())) == {"pixels has seen this image in training"}
    assert {manifest.row_of(image_id) for image_id, said in shown.items() if said} == SEEN & {
        manifest.row_of(image_id) for image_id in shown
    }


def test_near_duplicates_of_what_was_seen_have_a_word_of_their_own(app, planted, monkeypatch):
    codes = np.full(len(planted.collection), -1, dtype=np.int32)
    codes[[0, 21]] = 0
    monkeypatch.setattr(EncoderStore, "near_duplicate_groups", codes)
    image_ids = planted.collection.manifest.column("image_id")
    at = app("retrieval", view="browse")
    assert not complaints(at)
    shown = {card["image_id"]: (card["seen"], card["seen_sign"]) for card in cards(at)}
    near = "pixels has seen a near-duplicate of this image in training", "◎ near-duplicate seen"
    assert [image_id for image_id, said in shown.items() if said == near] == [image_ids[0]]
    assert {sign for _, sign in shown.values()} == {"", "◉ seen", "◎ near-duplicate seen"}
    assert "a near-duplicate seen by pixels" in html(app("retrieval", image=image_ids[0]))
    at = app("map", color="seen")
    assert {entry["name"]: entry["count"] for entry in chart(at)["colors"]["legend"]} == {
        "seen in training": 31,
        "not seen": 29,
        "near-duplicate seen": 1,
    }
    assert "pixels has seen 32 of the 61 images in training (52 %), 1 of them as a near-duplicate." in words(at)
    assert "32 of 61 (52 %), 1 as a near-duplicate" in html(app())


def test_pathology_has_both_figures_and_names_labels_that_are_all_seen(app, planted):
    at = app("pathology")
    assert not complaints(at)
    left_out, counted = (of_micro(planted, rule) for rule in ("skip", "count"))
    shown = html(at)
    assert f"<b>{left_out['precision']:.3f}</b>" in shown
    assert f"mean over {left_out['n_queries']} queries not seen in training" in shown
    assert f"{counted['precision']:.3f} of all ({counted['n_queries']})" in shown
    assert "pixels has seen 31 of the 61 images in training (51 %): these are left out as queries" in shown
    assert "Not scored, as the encoder has seen all of their queries in training: " in words(at)
    assert "Seen" in [
        column["label"] for column in json.loads(at.dataframe[0].proto.columns).values() if "label" in column
    ]
    switch = next(box for box in at.segmented_control if box.label == "Seen in training")
    at = switch.set_value("count").run()
    assert dict(at.query_params)["seen"] in ("count", ["count"])
    assert f"<b>{counted['precision']:.3f}</b>" in html(at)
    assert f"{left_out['precision']:.3f} of images not seen ({left_out['n_queries']})" in html(at)


def test_a_label_whose_queries_were_all_seen_can_be_opened(app, planted):
    label = planted.collection.manifest.labels("label").text([21])[0]
    at = app("pathology", label=label)
    assert not complaints(at)
    assert "All queries of this label were seen in training" in words(at)


@pytest.mark.parametrize("view", ["ranking", "index-size", "space", "probes", "leakage", "factors", "approximation"])
def test_every_view_says_how_many_were_seen(app, planted, view):
    at = app("pathology", view=view)
    assert not complaints(at)
    assert "pixels has seen 31 of the 61 images in training" in html(at)


@pytest.mark.parametrize("rule", ["left out as queries", "count as queries"])
def test_the_switch_reaches_every_evaluation(app, planted, rule):
    for page, view in (
        ("pathology", "factors"),
        ("failures", "mined"),
        ("failures", "hubness"),
        ("pathology", "leakage"),
    ):
        at = app(page, view=view, seen="count" if rule.startswith("count") else "skip")
        assert not complaints(at), (page, view)
        assert rule in html(at) + words(at), (page, view)


def test_compare_leaves_out_what_one_of_the_two_has_seen(app, planted):
    at = app("compare", versus="chance")
    assert not complaints(at)
    assert "pixels has seen 31 of the 61 images in training" in html(at)


def test_the_map_has_a_color_and_a_word_for_it(app, planted):
    at = app("map", color="seen")
    assert not complaints(at)
    legend = {entry["name"]: entry["count"] for entry in chart(at)["colors"]["legend"]}
    assert legend == {"seen in training": len(SEEN), "not seen": 61 - len(SEEN), "near-duplicate seen": 0}
    *_, collection, encoder_id, name, layout = chart(at)["facts"].split("/")
    told = [point_facts.facts_at(collection, encoder_id, name, layout, position) for position in range(61)]
    assert {facts["row"] for facts in told if "seen in training" in facts["lines"]} == SEEN
    assert "pixels has seen 31 of the 61 images in training (51 %)." in words(at)


def test_without_a_list_there_is_no_switch_and_no_color(app, copied_data, monkeypatch):
    monkeypatch.setattr("radcbir_core.evaluation.seen.training_of", lambda *_: UNKNOWN)
    at = app("pathology")
    assert not complaints(at)
    assert "Seen in training" not in [box.label for box in at.segmented_control]
    assert "What pixels was trained on is not known" in html(at)
    colors = next(box for box in app("map").selectbox if box.label == "Color by").options
    assert "Anatomy" in colors
    assert "Seen in training" not in colors
    assert "not known" in html(app())


def test_home_has_the_figure_of_each_encoder(app, planted):
    Precision().suited(planted).run(planted)
    figure = of_micro(planted, "skip")
    shown = html(app())
    assert (
        f"<b>{figure['precision']:.3f}</b><small>{figure['low']:.3f} to {figure['high']:.3f}</small>"
        f"<small>{figure['with_seen']:.3f} with those seen</small></td><td>–</td><td>{figure['chance']:.3f}" in shown
    )
    assert "31 of 61 (51 %)" in shown


def test_pages_open_with_the_best_encoder_and_not_with_the_baseline(app, copied_data):
    from tests.second_encoder import add_encoder

    collection = open_collection("small")
    for encoder_id, noise in (("first", 9.0), ("second", 0.1)):
        store = add_encoder(collection, encoder_id, noise=noise)
        Precision().suited(store).run(store)
    at = app()
    assert not complaints(at)
    assert [box.value for box in at.sidebar.selectbox if box.label == "Encoder"] == ["second"]
    (collection.encoder_folder("second") / "encoder.json").write_text("{")
    assert [box.value for box in app().sidebar.selectbox if box.label == "Encoder"] == ["first"]
    (collection.encoder_folder("first") / "neighbor_ids.npy").unlink()
    assert [box.value for box in app().sidebar.selectbox if box.label == "Encoder"] == ["pixels"]
    assert [box.value for box in app(encoder="pixels").sidebar.selectbox if box.label == "Encoder"] == ["pixels"]
