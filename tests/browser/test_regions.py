"""What a person does to find regions of the gallery, in a real browser: embed them, switch, see where, look."""

from __future__ import annotations

import shutil
from urllib.parse import parse_qs, urlsplit

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.search.queries.query import RowQuery
from radcbir_core.search.queries.region import Box, region_query
from radcbir_core.search.queries.tile_grid import found_said
from radcbir_core.search.retriever import Retriever
from tests.browser.conftest import run_server
from tests.browser.test_retrieve import quiet

pytestmark = pytest.mark.browser


@pytest.fixture
def copied(chromium, small_data, tmp_path, monkeypatch):
    """The address of the app on a copy of the collection ``small``, where jobs may write."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    with run_server(["-m", "streamlit"], tmp_path / "data", tmp_path / "log.txt") as address:
        yield address
    assert "Traceback" not in (tmp_path / "log.txt").read_text(errors="replace")


def test_regions_are_embedded_by_a_click_found_and_seen_on_the_hits(copied, page):
    page.goto(f"{copied}/retrieval?image=small-data-source%2Fchest_00.png&region=0,0,500,500&exclude=none")
    page.get_by_role("button", name="Embed regions").click()
    page.get_by_role("radio", name="Regions", exact=True).click(timeout=60_000)
    page.wait_for_url(lambda url: "among=regions" in url)
    boxes = page.locator("li.card .found-box")
    page.locator("li.card .found").nth(9).wait_for()
    boxes.first.wait_for(state="attached")
    quiet(page)

    collection = open_collection("small")
    query = region_query(Box(0, 0, 500, 500), collection.read_image(0).pixels, RowQuery((0,)))
    answer = Retriever(collection, "pixels", encoder=lambda: load_encoder("pixels")).search(query, k=10, regions=True)
    cards = page.locator("li.card:has(.rank)")
    assert [cards.nth(at).get_attribute("data-image-id") for at in range(10)] == answer.table()["image_id"].tolist()
    found = answer.found_boxes()
    assert [cards.nth(at).locator(".found").inner_text() for at in range(10)] == [
        f"▢ {found_said(box)}" for box in found
    ]

    # The frame lies on the very part of the picture, within a pixel.
    at = next(place for place, box in enumerate(found) if box.right - box.left < 1000)
    picture, frame = cards.nth(at).locator("img").bounding_box(), cards.nth(at).locator("rect.over").bounding_box()
    side = picture["width"] / 1000
    assert abs(frame["x"] - (picture["x"] + found[at].left * side)) < 2
    assert abs(frame["y"] - (picture["y"] + found[at].top * side)) < 2
    assert abs(frame["width"] - (found[at].right - found[at].left) * side) < 4

    cards.nth(at).get_by_role("button", name="Open large").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text(f"Rank {at + 1} of 10, similarity").wait_for()
    dialog.get_by_text(found_said(found[at])).first.wait_for()
    stage = dialog.locator(".stage").last
    page.wait_for_function("stage => stage.side.picture !== null", arg=stage.element_handle())
    assert stage.evaluate("stage => stage.side.found") == [int(side) for side in found[at].word.split(",")]
    assert dialog.locator(".stage").first.evaluate("stage => stage.side.found") is None, "the query has none"
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="Images").click()
    boxes.first.wait_for(state="detached")
    assert parse_qs(urlsplit(page.url).query).get("among", ["images"]) == ["images"]
    quiet(page)
