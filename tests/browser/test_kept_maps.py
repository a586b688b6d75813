"""What a person does on the Map where more than one is kept, in a real browser."""

from __future__ import annotations

import re
import shutil

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.projection.map_making import make_map
from radcbir_core.projection.map_options import MapOptions
from tests import quick_jobs
from tests.browser.conftest import run_server
from tests.browser.test_map import AROUND_ALL, parameter, path, ready, said, selected

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def with_maps(chromium, small_mapped_data, tiny_root, tmp_path_factory):
    """The address of the app, on a copy of the collection ``small`` with two maps, and an encoder that reads text."""
    folder = tmp_path_factory.mktemp("with-maps")
    shutil.copytree(small_mapped_data, folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(folder / "data"))
        make_map(open_collection("small").store("pixels"), "wide", options=MapOptions(n_neighbors=30))
        quick_jobs.prepare(patch, folder / "quick", builds=False, demonstration=tiny_root)
        with run_server(["-m", "streamlit"], folder / "data", folder / "log.txt") as address:
            yield address


def test_another_map_is_chosen_and_what_is_selected_on_it_stays_selected(with_maps, page):
    page.goto(f"{with_maps}/map?encoder=pixels&where=anatomy%3Dbrain")
    ready(page)
    page.get_by_role("combobox", name="Map", exact=True).click()
    page.get_by_role("option", name="wide", exact=True).click()
    page.wait_for_url(lambda url: "map=wide" in url)
    page.get_by_text("Map wide: 30 images in a neighborhood").wait_for()
    path(page, AROUND_ALL)
    selected(page, "[1-9][0-9]* of 20 selected")
    summary = page.locator(".radcbir-summary").inner_text()
    (outline,) = parameter(page, "select")
    assert outline.startswith("/wide@lasso:")
    page.get_by_role("combobox", name="Map", exact=True).click()
    page.get_by_role("option", name="standard", exact=True).click()
    page.wait_for_url(lambda url: "map=standard" in url)
    ready(page)
    assert page.locator(".radcbir-summary").inner_text() == summary
    assert parameter(page, "select") == [outline]
    assert said(page, "shown") == "20"


def test_a_sentence_is_placed_and_its_hits_are_looked_at_and_shown_on_the_map_again(with_maps, page):
    page.goto(f"{with_maps}/map?encoder=radcbir-mini")
    ready(page)
    box = page.get_by_role("textbox", name="Place a sentence")
    box.fill("CT of the abdomen")
    box.press("Enter")
    page.get_by_text("The ring is “CT of the abdomen”, put in the middle of its 15 nearest images").wait_for()
    assert parameter(page, "text") == ["CT of the abdomen"]
    page.get_by_role("link", name="Its hits").click()
    page.wait_for_url(re.compile("/retrieval"))
    page.get_by_role("link", name="Show on the map").click()
    page.wait_for_url(re.compile("/map"))
    ready(page)
    assert parameter(page, "text") == ["CT of the abdomen"]
    page.get_by_text("the lines go to its first 10 hits, by rank").wait_for()
    page.get_by_role("button", name="Take it off").click()
    page.get_by_role("button", name="Take it off").wait_for(state="detached")
    assert not parameter(page, "text")
