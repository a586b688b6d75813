"""A query that is no image of the collection, on the map: a sentence, an upload, a changed picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pages.parts.frame import loaders
from pages.parts.map import chart as map_chart
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import EncoderError
from radcbir_core.projection.placing import place
from radcbir_core.search.queries.query import ImageQuery, TextQuery
from radcbir_core.search.retriever import Retriever
from tests.pages.conftest import run_page
from tests.pages.reading import cards, chart, complaints, words
from tests.small_images import draw

MINI = {"collection": "small", "encoder": "radcbir-mini"}
SENTENCE = "CT of the abdomen with a cyst"


@pytest.fixture
def mapped(small_mapped_data, mini, monkeypatch):
    """Run a page on the collection with an encoder that reads text, and its map."""
    monkeypatch.setenv("RADCBIR_DATA", str(small_mapped_data))
    return run_page


def retriever(encoder_id="radcbir-mini"):
    return Retriever(open_collection("small"), encoder_id, encoder=lambda: load_encoder(encoder_id, device="cpu"))


def expected(query, encoder_id="radcbir-mini", **options):
    """Where a query is put, how far that is trusted, and the places of its hits."""
    projection = open_collection("small").store(encoder_id).projection()
    places = projection[["x", "y"]].to_numpy()
    near = retriever(encoder_id).search(query, k=15)
    put = place(near.rows()[None], near.similarities()[None], coordinates=places)
    hits = retriever(encoder_id).search(query, **options).rows()
    return put.coordinates[0], float(put.trust[0]), places[hits]


def box(at):
    return next((one for one in at.text_input if one.label == "Place a sentence"), None)


def button(at, label):
    return next((one for one in at.button if one.label == label), None)


def link(at, label):
    """The page and the parameters of a link."""
    (found,) = [one.proto for one in at.get("page_link") if one.proto.label == label]
    return found


def upload(at, name="mine.png"):
    pixels = np.asarray(draw(0, 99))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    at.segmented_control[0].set_value("upload").run()
    at.file_uploader[0].set_value((name, buffer.getvalue(), "application/octet-stream"))
    return at.run(), pixels


def assert_marked(at, at_place, trust, hits):
    marked = chart(at)["query"]
    np.testing.assert_allclose(marked["place"], at_place, atol=1e-4)
    np.testing.assert_allclose([line["place"] for line in marked["hits"]], hits, atol=1e-4)
    assert (marked["said"], marked["placed"]) == (f"trust {trust:.2f}", True)


def test_a_sentence_in_the_url_is_placed_with_lines_to_its_hits(mapped):
    at = mapped("map", **MINI, text=SENTENCE)
    assert not complaints(at)
    assert box(at).value == SENTENCE
    at_place, trust, hits = expected(TextQuery(SENTENCE))
    assert_marked(at, at_place, trust, hits)
    said = f"The ring is “{SENTENCE}”, put in the middle of its 15 nearest images; the lines go to its first 10 hits"
    assert said in words(at)
    assert f"Trust {trust:.2f}: the share of these that are among its 15 nearest on the map." in words(at)
    assert f"**“{SENTENCE}”** :gray[trust {trust:.2f}]" in [one.value for one in at.markdown]


def test_how_a_sentence_was_read_is_said(mapped):
    at = mapped("map", **MINI, text="CXR, kein Erguss")
    assert not complaints(at)
    assert "read as chest radiograph, without effusion" in words(at)
    assert "read as" not in words(mapped("map", **MINI, text=SENTENCE))


@pytest.fixture
def drawn(mapped, monkeypatch):
    """Whether the query was there, of each time that a map was drawn; no encoder is loaded."""
    loaders._loaded.clear()
    loaders._encoder.clear()
    told, draw_map = [], map_chart.draw

    def draw(*given, query, **named):
        told.append(query is not None)
        return draw_map(*given, query=query, **named)

    monkeypatch.setattr(map_chart, "draw", draw)
    return told


def test_points_are_drawn_before_the_encoder_is_loaded_and_the_query_follows(mapped, drawn):
    at = mapped("map", **MINI, text=SENTENCE)
    assert not complaints(at)
    assert drawn == [False, True]
    assert_marked(at, *expected(TextQuery(SENTENCE)))
    box(at).set_value("MR of the brain").run()
    assert drawn == [False, True, True], "nobody waits for what is there"


def test_an_encoder_that_cannot_be_loaded_is_said_once_beside_the_points(mapped, drawn, monkeypatch):
    def fail(*_):
        raise EncoderError("Expected weights, but there are none. Fetch them.")

    monkeypatch.setattr("pages.parts.frame.encoder_warmup.take", fail)
    at = mapped("map", **MINI, text=SENTENCE)
    assert drawn == [False]
    assert complaints(at).count("Expected weights, but there are none") == 1
    assert chart(at)["query"] is None


def test_a_sentence_is_typed_survives_page_switches_and_is_taken_off(mapped):
    at = mapped("map", **MINI)
    assert chart(at)["query"] is None
    assert button(at, "Take it off") is None
    box(at).set_value(f"  {SENTENCE} ").run()
    assert not complaints(at)
    assert at.query_params["text"] in (SENTENCE, [SENTENCE])
    assert chart(at)["query"]["placed"]
    retrieval = link(at, "Its hits")
    assert retrieval.page == "retrieval"
    assert "text=CT" in retrieval.query_string
    at.switch_page("app.py").run()
    home = next(one.proto for one in at.get("page_link") if one.proto.label == "Map")
    assert "text=CT" in home.query_string
    at.switch_page("pages/map.py")
    for name, value in {**MINI, "text": SENTENCE}.items():
        at.query_params[name] = value
    at.run()
    assert chart(at)["query"]["placed"]
    button(at, "Take it off").click().run()
    assert not complaints(at)
    assert "text" not in at.query_params
    assert chart(at)["query"] is None
    assert box(at).value == ""


def test_hits_are_of_the_filter_and_the_place_is_not(mapped):
    at = mapped("map", **MINI, text=SENTENCE, where=["modality=MR"])
    assert not complaints(at)
    assert_marked(at, *expected(TextQuery(SENTENCE), where={"modality": ["MR"]}))


def test_an_encoder_without_text_has_no_box_and_a_sentence_no_place(mapped):
    at = mapped("map", collection="small", encoder="pixels", text=SENTENCE)
    assert not complaints(at)
    assert box(at) is None
    assert chart(at)["query"] is None
    said = f"The query “{SENTENCE}” has no place on the map. pixels has no text tower and compares images only."
    assert said in words(at)


def test_a_sentence_of_retrieval_is_shown_with_the_very_hits(mapped):
    at = mapped("retrieval", **MINI, text=SENTENCE, k="7", where=["modality=CT"], source="text")
    rows = [card["row"] for card in cards(at)]
    shown = link(at, "Show on the map")
    assert shown.page == "map"
    assert "text=CT" in shown.query_string
    assert "where=modality%3DCT" in shown.query_string
    at.switch_page("pages/map.py")
    for name, value in {**MINI, "text": SENTENCE, "where": ["modality=CT"]}.items():
        at.query_params[name] = value
    at.run()
    assert not complaints(at)
    places = open_collection("small").store("radcbir-mini").projection()[["x", "y"]].to_numpy()
    np.testing.assert_allclose([line["place"] for line in chart(at)["query"]["hits"]], places[rows], atol=1e-4)
    assert len(rows) == 7


def test_an_upload_is_placed_and_no_link_holds_it(app):
    at, pixels = upload(app("retrieval", k="5"))
    rows = [card["row"] for card in cards(at)]
    shown = link(at, "Show on the map")
    assert sorted(part.partition("=")[0] for part in shown.query_string.split("&")) == [
        "collection",
        "encoder",
        "query",
    ]
    at.switch_page("pages/map.py").run()
    assert not complaints(at)
    assert at.query_params["query"] in ("session", ["session"])
    at_place, trust, _ = expected(ImageQuery(pixels), "pixels")
    places = open_collection("small").store("pixels").projection()[["x", "y"]].to_numpy()
    assert_marked(at, at_place, trust, places[rows])
    assert "The ring is mine.png, put in the middle of its 15 nearest images" in words(at)
    at.switch_page("app.py").run()
    at.switch_page("pages/map.py").run()
    at.query_params["query"] = "session"
    at.run()
    assert chart(at)["query"]["placed"]
    at.switch_page("pages/retrieval.py")
    at.query_params["source"] = "upload"
    at.run()
    button(at, "Remove").click().run()
    at.switch_page("pages/map.py").run()
    assert not complaints(at)
    assert chart(at)["query"] is None
    assert "query" not in at.query_params


def test_in_another_session_it_is_said_that_an_upload_is_not_there(app):
    at = app("map", query="session")
    assert not complaints(at)
    assert chart(at)["query"] is None
    assert "is in the memory of the session that asked it, and in no link" in words(at)
    at = app("map", query="everything")
    assert "query = everything. It is left out" in complaints(at)


def test_a_changed_picture_is_placed_by_what_it_has_become(app):
    manifest = open_collection("small").manifest
    image_id = manifest.record(30)["image_id"]
    at = app("retrieval", image=image_id, perturb="rotate:90")
    assert not complaints(at)
    assert "query=session" in link(at, "Show on the map").query_string
    at.switch_page("pages/map.py").run()
    assert not complaints(at)
    assert f"The ring is {image_id}, changed, put in the middle" in words(at)
    assert chart(at)["query"]["placed"]
    at.switch_page("pages/retrieval.py")
    at.query_params["image"] = image_id
    at.run()
    at.switch_page("pages/map.py").run()
    assert f"The ring is the query {image_id} (preservation" in words(at)
    assert not chart(at)["query"]["placed"]


def test_an_upload_is_placed_on_the_map_of_another_encoder_by_that_one(mapped):
    at, pixels = upload(mapped("retrieval", collection="small", encoder="pixels"))
    at.switch_page("pages/map.py")
    for name, value in {**MINI, "query": "session"}.items():
        at.query_params[name] = value
    at.run()
    assert not complaints(at)
    assert_marked(at, *expected(ImageQuery(pixels)))


def test_where_a_query_is_put_is_found_once(mapped, monkeypatch):
    calls = []

    def counted(*arguments, **named):
        calls.append(named["n_neighbors"])
        return place(*arguments, **named)

    monkeypatch.setattr("pages.parts.map.map_query.place", counted)
    at = mapped("map", **MINI, text=SENTENCE)
    first = chart(at)["query"]
    at.query_params["color"] = "modality"
    at.run()
    assert chart(at)["query"] == first
    assert calls == [15]
    box(at).set_value("MRI of the brain").run()
    assert chart(at)["query"]["place"] != first["place"]
    assert calls == [15, 15]
