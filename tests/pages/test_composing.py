"""Adding to the query on Retrieval: marks, words, further images, weights, undoing, and the address of it all."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.search.queries.composition import Composition
from radcbir_core.search.queries.query import ImageQuery, RowQuery, TextQuery
from radcbir_core.search.retriever import Retriever
from tests.pages.conftest import run_page
from tests.pages.reading import cards, chart, complaints, components, html, words
from tests.small_images import draw

MINI = {"collection": "small", "encoder": "radcbir-mini"}
SENTENCE = "CT of the abdomen with a cyst"
EXCLUDED = ["duplicate", "patient"]


def ids():
    return open_collection("small").manifest.frame["image_id"].tolist()


def button(at, label, number=0):
    return [one for one in at.button if one.label == label][number]


def box(at, label):
    return next((one for one in at.text_input if one.label == label), None)


def sliders(at):
    return {one.label: one for one in at.slider}


def added(at):
    """What the address says was added."""
    value = at.query_params["add"]
    return [value] if isinstance(value, str) else list(value)


def hits(query, composition, encoder_id="pixels", k=10):
    collection = open_collection("small")
    retriever = Retriever(collection, encoder_id, encoder=lambda: load_encoder(encoder_id, device="cpu"))
    return retriever.search(composition.query(query, collection), k=k, exclude=EXCLUDED).rows().tolist()


def shown(at):
    return [card["row"] for card in cards(at) if "rank" in card]


def test_an_address_says_all_of_it(app) -> None:
    name = ids()
    add = [f"like:{name[3]}", f"unlike:{name[40]}", f"image:0.5:{name[9]}"]
    at = app("retrieval", image=name[0], add=add, rocchio="1,0.5,0.25", exclude=EXCLUDED)
    assert not complaints(at)
    assert shown(at) == hits(RowQuery((0,)), Composition.of(add, "1,0.5,0.25"))
    assert all(card["composed_similarity"] for card in cards(at) if "rank" in card)
    assert "compare with the labels of the query image by itself" in html(at)
    assert "cosines with the composed query, on a scale of their own" in html(at)
    assert html(at).count('class="radcbir-step"') == 3
    assert "Hits of the unchanged query that stay" in html(at)
    assert sliders(at)["α: the query itself"].value == 1
    assert sliders(at)["β: mean of what is like this"].value == 0.5
    assert sliders(at)["γ: mean of what is not like that"].value == 0.25
    assert sliders(at)["Weight"].value == 0.5


def test_nothing_added_is_the_query_as_it_was(app) -> None:
    at = app("retrieval", image=ids()[0], exclude=EXCLUDED)
    assert all("similarity" in card for card in cards(at))
    assert "β: mean of what is like this" not in sliders(at)
    assert any(shown.get("marking") for shown in components(at))


def test_further_images_weights_and_taking_out(app) -> None:
    name = ids()
    at = app("retrieval", image=name[0], exclude=EXCLUDED)
    box(at, "Add an image").set_value(name[9]).run()
    assert added(at) == [f"image:1:{name[9]}"]
    assert box(at, "Add an image").value == ""
    next(one for one in at.segmented_control if one.label == "What is added is").set_value("unlike").run()
    box(at, "Add an image").set_value(name[40]).run()
    both = [f"image:1:{name[9]}", f"image:-1:{name[40]}"]
    assert added(at) == both
    assert shown(at) == hits(RowQuery((0,)), Composition.of(both))
    [one for one in at.slider if one.label == "Weight"][1].set_value(-0.35).run()
    assert added(at) == [both[0], f"image:-0.35:{name[40]}"]
    sliders(at)["α: the query itself"].set_value(2.0).run()
    assert at.query_params["rocchio"] == "2,0.75,0.15"
    button(at, "Take out").click().run()
    assert added(at) == [f"image:-0.35:{name[40]}"]
    assert not complaints(at)
    for expected in (
        [both[0], f"image:-0.35:{name[40]}"],
        [both[0], f"image:-0.35:{name[40]}"],
        both,
        both[:1],
    ):
        button(at, "Undo").click().run()
        assert added(at) == expected
    assert "rocchio" not in at.query_params
    button(at, "Undo").click().run()
    assert "add" not in at.query_params
    assert shown(at) == Retriever(open_collection("small"), "pixels").search(0, exclude=EXCLUDED).rows().tolist()


def test_a_link_is_undone_step_by_step_and_all_at_once(app) -> None:
    name = ids()
    add = [f"like:{name[3]}", f"like:{name[4]}"]
    at = app("retrieval", image=name[0], add=add)
    button(at, "Undo").click().run()
    assert added(at) == add[:1]
    button(at, "Start over").click().run()
    assert "add" not in at.query_params
    button(at, "Undo").click().run()
    assert added(at) == add[:1]


def test_words_are_added_where_the_encoder_reads(text_app, app) -> None:
    name = ids()
    at = text_app("retrieval", **MINI, image=name[0], exclude=EXCLUDED, within="anatomy", hubness="csls")
    box(at, "Add words").set_value(f"  {SENTENCE} ").run()
    assert added(at) == [f"text:2:{SENTENCE}"]
    assert not complaints(at)
    assert "there is a text in the query" in words(at), "hubs are held back for images alone"
    assert "as the query" in html(at), "the anatomy of its image"
    at.query_params["within"] = ""
    at.run()
    expected = hits(RowQuery((0,)), Composition.of([f"text:2:{SENTENCE}"]), "radcbir-mini")
    assert shown(at) == expected
    box(at, "Add words").set_value("--").run()
    assert "Expected a text with at least one word" in complaints(at)
    assert shown(at) == expected
    at = text_app("retrieval", collection="small", encoder="pixels", image=name[0], add=f"text:1:{SENTENCE}")
    assert box(at, "Add words") is None
    assert "words cannot be added" in words(at)
    assert "has none: it compares images only" in complaints(at)
    assert not cards(at)
    button(at, "Take out").click().run()
    assert not complaints(at)
    assert len(cards(at)) == 10


def test_how_added_words_are_read_is_said(text_app) -> None:
    at = text_app("retrieval", **MINI, image=ids()[0], add=["text:1:no PTX, pnuemothorax", "text:1:--"])
    assert "“no PTX, pnuemothorax” · read as pnuemothorax, without pneumothorax; not known: pnuemothorax" in html(at)
    assert "Expected a text with at least one word" in complaints(at)
    assert not at.exception


def test_a_sentence_and_hits_marked_on_it(text_app) -> None:
    name = ids()
    at = text_app("retrieval", **MINI, text=SENTENCE, add=[f"like:{name[30]}"], exclude=EXCLUDED)
    assert not complaints(at), "nor that the sentence by itself is no better than nonsense"
    assert shown(at) == hits(TextQuery(SENTENCE), Composition.of([f"like:{name[30]}"]), "radcbir-mini")


def test_what_an_address_says_wrongly_is_reported(app) -> None:
    name = ids()
    add = ["like:nobody", "image:9:x", f"like:{name[3]}", f"unlike:{name[3]}", "text:a"]
    at = app("retrieval", image=name[0], add=add, rocchio="1,2", exclude=EXCLUDED)
    said = complaints(at)
    assert "nobody" in said
    assert said.count("It is left out") == 3
    assert "Expected Rocchio's three weights" in said
    assert shown(at) == hits(RowQuery((0,)), Composition.of([f"unlike:{name[3]}"]))
    box(at, "Add an image").set_value("nobody either").run()
    assert "nobody either" in complaints(at)


def test_what_cancels_out_is_said_and_can_be_taken_back(app) -> None:
    name = ids()
    at = app("retrieval", image=name[0], add=f"image:-1:{name[0]}")
    assert "cancel each other out" in complaints(at)
    assert "cannot be asked as it is composed" in words(at)
    assert not cards(at)
    button(at, "Undo").click().run()
    assert len(cards(at)) == 10
    at = app("retrieval", image=name[0], rocchio="0,1,1")
    assert "Expected a query of which something counts" in complaints(at)


def test_another_image_begins_anew(app) -> None:
    at = app("retrieval", image=ids()[0], add=f"like:{ids()[3]}", rocchio="2,1,1")
    button(at, "Random").click().run()
    assert "add" not in at.query_params
    assert "rocchio" not in at.query_params


def test_uploads_and_changed_pictures_are_composed_too(app) -> None:
    name = ids()
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(draw(0, 99))).save(buffer, format="PNG")
    add = [f"like:{name[3]}"]
    at = app("retrieval", add=add, exclude=EXCLUDED, source="upload")
    at.file_uploader[0].set_value(("mine.png", buffer.getvalue(), "image/png"))
    at.run()
    assert not complaints(at)
    pixels = np.asarray(draw(0, 99))
    assert shown(at) == hits(ImageQuery(pixels), Composition.of(add))
    assert "Kept in this session's memory only; not part of the link" in words(at)
    unchanged = shown(app("retrieval", image=name[0], add=add, exclude=EXCLUDED, k="30"))
    at = app("retrieval", image=name[0], add=add, exclude=EXCLUDED, perturb="rotate:40", k="30")
    assert not complaints(at)
    assert shown(at) != unchanged


def test_it_is_marked_on_the_map_in_this_session(small_mapped_data, mini, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(small_mapped_data))
    name = ids()
    at = run_page("retrieval", **MINI, image=name[0], add=[f"like:{name[3]}", f"text:1:{SENTENCE}"])
    found = shown(at)
    at.switch_page("pages/map.py").run()
    assert at.query_params["query"] == "session"
    assert not complaints(at)
    marked = chart(at)["query"]
    projection = open_collection("small").store("radcbir-mini").projection()
    np.testing.assert_allclose(
        [line["place"] for line in marked["hits"]], projection[["x", "y"]].to_numpy()[found], atol=1e-4
    )
    assert f"{name[0]}, composed" in words(at)
    elsewhere = run_page("map", **MINI, query="session")
    assert "a composed query, is in the memory of the session that asked it" in words(elsewhere)


def test_why_these_two_says_what_it_is_of(app) -> None:
    name = ids()
    at = app("retrieval", image=name[0], add=f"like:{name[3]}", beside=name[7], why="auto")
    assert not complaints(at)
    assert "The query is composed, and no image" in words(at)


@pytest.mark.parametrize("kind", ["like", "unlike"])
def test_the_browser_reports_marks_of_hits_that_are_shown(app, kind) -> None:
    """A mark is taken from the rows that the page has sent, and from no other."""
    from pages.parts.images.gallery import _clicked

    at = app("retrieval", image=ids()[0])
    rows = np.array(shown(at))
    assert _clicked({kind: int(rows[2])}, kind, rows) == rows[2]
    assert _clicked({kind: 10_000}, kind, rows) is None
