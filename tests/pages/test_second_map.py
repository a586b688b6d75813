"""Two maps side by side, and one selection."""

from __future__ import annotations

import numpy as np
import pytest

from pages.parts.images import map_selection, outlines
from pages.parts.map import map_data, sent_bytes
from pages.parts.map.opened_map import OpenedMap
from radcbir_core.collections.artifacts import NEIGHBORS, PROJECTION, made_record
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.encoder_data.store import content_digest
from tests.pages.reading import cards, charts, complaints, html, words
from tests.second_encoder import SECOND, add_encoder

ALL = "box:-999,-999,999,999"


@pytest.fixture
def by_another(app, copied_data):
    """The collection with a second encoder, whose map has x and y changed about, and no place for row 3."""
    collection = open_collection("small")
    store = add_encoder(collection)
    frame = collection.store("pixels").projection().rename(columns={"x": "y", "y": "x"})
    frame = frame[["x", "y", "preservation"]]
    frame.loc[3, ["x", "y"]] = np.nan
    frame.to_parquet(store.projection_path)
    made = dict(store.record["artifacts"])
    of = {NEIGHBORS.name: made[NEIGHBORS.name]["digest"]}
    made[PROJECTION.name] = made_record(PROJECTION, of=of, digest=content_digest(PROJECTION, store.layout))
    store.update(artifacts=made)
    return open_collection("small")


def chosen(shown, encoder_id):
    """The rows that the browser is told to be selected."""
    bits = np.unpackbits(np.frombuffer(sent_bytes.fetch(shown["chosen"].rpartition("/")[2]), np.uint8))
    rows = map_data.layout(OpenedMap(open_collection("small"), encoder_id)).rows
    return set(rows[bits[: len(rows)].astype(bool)].tolist())


def test_two_colorings_share_their_places_and_their_selection(app):
    at = app("map", color="anatomy", beside="color:modality")
    assert not complaints(at)
    first, second = charts(at)
    assert first["points"] == second["points"]
    assert (first["colors"]["title"], second["colors"]["title"]) == ("Anatomy", "Modality")
    assert first["chosen"] is second["chosen"] is None
    assert (first["second"], second["second"]) == (False, True)
    at = app("map", color="anatomy", beside="color:modality", select=ALL, only="brain")
    first, second = charts(at)
    brain = set(np.flatnonzero(open_collection("small").manifest.mask({"anatomy": ["brain"]})).tolist())
    assert chosen(first, "pixels") == chosen(second, "pixels") == brain
    assert first["map"] == second["map"] == ""


def test_an_outline_on_the_map_of_another_encoder_selects_there(app, by_another):
    places = by_another.store(SECOND).projection()
    right = places["x"].median()
    text = f"{SECOND}@box:{right:.4f},-999,999,999"
    at = app("map", encoder="pixels", beside=f"encoder:{SECOND}", select=text)
    assert not complaints(at)
    expected = set(np.flatnonzero(places["x"] >= round(right, 4)).tolist())
    assert 0 < len(expected) < 61
    first, second = charts(at)
    assert first["points"] != second["points"]
    assert chosen(first, "pixels") == chosen(second, SECOND) == expected
    assert (first["map"], second["map"]) == ("", SECOND)
    assert f"<b>{len(expected)}</b> of 61 selected" in html(at)
    assert {card["row"] for card in cards(at)} <= expected
    # Taken away on the one, added on the other: in their order.
    at.session_state["radcbir:map:second"] = {"selection": {"texts": [ALL, f"-{text}"], "only": ["x"], "serial": 1}}
    at.run()
    assert not complaints(at)
    assert at.query_params["select"] == [ALL, f"-{outlines_text(text)}"]
    assert "only" not in at.query_params
    first, second = charts(at)
    assert chosen(first, "pixels") == set(range(61)) - expected
    assert chosen(second, SECOND) == set(range(61)) - expected - {3}
    assert (first["serial"], second["serial"]) == (0, 1)


def outlines_text(text):
    on, plain = map_selection.of_map(text)
    return map_selection.on_map(on, outlines.to_text(outlines.from_text(plain)))


def test_other_pages_know_what_was_selected_on_the_other_map(app, by_another):
    at = app("retrieval", encoder="pixels", view="browse", select=f"{SECOND}@{ALL}")
    assert not complaints(at)
    assert "On the map (60)" in [button.label for button in at.button]


def test_an_outline_on_a_map_that_is_not_there_is_left_out(app):
    at = app("map", select=f"nobody@{ALL}")
    assert f"but select = nobody@{ALL}. It is left out." in complaints(at)
    assert "Draw around points" in words(at)


def test_another_second_map_lets_go_of_the_selection(app, by_another):
    at = app("map", encoder="pixels", beside=f"encoder:{SECOND}", select=f"{SECOND}@{ALL}")
    box = next(box for box in at.selectbox if box.label == "Beside it")
    assert box.options == ["no second map", f"by {SECOND}", *(f"colored by {n}" for n in colorings(at))]
    box.set_value("alone").run()
    assert not complaints(at)
    assert len(charts(at)) == 1
    assert "select" not in at.query_params


def colorings(at):
    box = next(box for box in at.selectbox if box.label == "Beside it")
    return [option.removeprefix("colored by ") for option in box.options[2:]]


def test_a_second_map_that_does_not_exist_is_reported(app):
    at = app("map", beside="encoder:nobody")
    assert "beside = encoder:nobody. alone is used instead" in complaints(at)
    assert len(charts(at)) == 1
