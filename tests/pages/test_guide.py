"""Help beside each title, the tour over the pages, and the link past the controls."""

from __future__ import annotations

import re

import pytest

from pages.parts.frame import shell
from pages.parts.frame.guide import page_help, tour
from radcbir_core.collections.collection import open_collection
from tests.pages.reading import complaints, html

NAMES = [title for title, _, _ in shell.PAGES]


def test_each_page_has_help_in_words() -> None:
    assert sorted(NAMES) == sorted(page_help.PAGES)
    for page in NAMES:
        text = re.sub("<[^>]*>", " ", page_help.words(page))
        assert len(text.split()) > 30
        assert not set(text) & set("{}")
        opened = re.findall("<([a-z]+)", page_help.words(page))
        assert sorted(opened) == sorted(re.findall("</([a-z]+)>", page_help.words(page)))


def test_the_drawing_of_precision_counts_right() -> None:
    ten = re.search('<div class="radcbir-ten">.*?</div>', page_help.words("Pathology"), re.DOTALL).group(0)
    assert ten.count("✓") + ten.count("✗") == 10
    assert f"{ten.count('✓')} of 10: P@10 = .{ten.count('✓')}00" in ten


@pytest.mark.parametrize("page", ["", "retrieval", "pathology", "map", "compare"])
def test_help_is_on_the_page(app, page) -> None:
    at = app(page)
    assert page_help.words((page or "home").capitalize()) in html(at)


def test_the_tour_has_a_card_a_stop_and_ends(app, small_data) -> None:
    collection = open_collection("small")
    stops = tour.stops_of(collection, "pixels")
    assert [stop.name for stop in stops] == ["start", "hits", "fewer", "precision", "failures", "map", "own"]
    for at_stop, stop in enumerate(stops):
        page = "" if stop.page == "Home" else stop.page.lower()
        asked = {"image": collection.manifest.image_id(0)} if "an image" in stop.needs else {}
        at = app(page, tour=stop.name, **asked)
        assert not complaints(at)
        assert f"<b>{stop.title}</b><small>Tour, {at_stop + 1} of {len(stops)}</small>" in html(at)
        links = [link.proto.label for link in at.get("page_link")]
        assert [f"Next: {later.title}" for later in stops[at_stop + 1 : at_stop + 2]] == [
            label for label in links if label.startswith("Next: ")
        ]
        assert ("Back" in links) == bool(at_stop)
    at.button(key="radcbir:tour-end").click().run()
    assert "tour" not in at.query_params
    assert "Tour, " not in html(at)


def test_a_stop_is_shown_on_its_own_page_alone_and_one_that_is_none_is_said(app) -> None:
    at = app("pathology", tour="map")
    assert not complaints(at)
    assert "Tour, " not in html(at)
    at = app("", tour="nowhere")
    assert "tour = nowhere" in complaints(at)
    assert "There are: start, hits," in complaints(at)


def test_where_the_encoder_reads_the_tour_asks_in_words(text_app, small_text_data) -> None:
    collection = open_collection("small")
    names = [stop.name for stop in tour.stops_of(collection, "radcbir-mini")]
    assert "words" in names
    assert "compare" in names
    assert "words" not in [stop.name for stop in tour.stops_of(collection, "pixels")]
    at = text_app("retrieval", encoder="radcbir-mini", tour="words", source="text")
    assert not complaints(at)
    assert "<b>Ask in words</b>" in html(at)


def test_without_an_encoder_the_tour_goes_where_something_is_to_be_seen(copied_data, monkeypatch) -> None:
    collection = open_collection("small")
    monkeypatch.setattr(type(collection), "encoder_ids", lambda self: [])
    assert [stop.name for stop in tour.stops_of(collection, None)] == ["start", "own"]
