"""What a person does on the Map where more than one is kept, in a real browser."""

from __future__ import annotations

import re
import shutil
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest

from pages.parts.images.turning import turned
from radcbir_core.collections.collection import open_collection
from radcbir_core.projection.map_making import make_map
from radcbir_core.projection.map_options import MapOptions
from tests import quick_jobs
from tests.browser.conftest import run_server
from tests.browser.test_map import AROUND_ALL, HIGH, LEFT, LOW, parameter, path, ready, said, selected

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("with-maps")


@pytest.fixture
def deep_file(folder):
    """The file of the map of three dimensions."""
    (found,) = (folder / "data").glob("collections/small/encoders/pixels/**/deep.parquet")
    return found


@pytest.fixture(scope="module")
def with_maps(chromium, small_mapped_data, tiny_root, folder):
    """The address of the app, on a copy of the collection ``small`` with three maps, and an encoder that reads text."""
    shutil.copytree(small_mapped_data, folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(folder / "data"))
        make_map(open_collection("small").store("pixels"), "wide", options=MapOptions(n_neighbors=30))
        make_map(open_collection("small").store("pixels"), "deep", options=MapOptions(dimensions=3))
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


TURNED = """async (address) => {
  const at = (name) => import(address.replace("map.js", name))
  const [{ Space }, { View }] = await Promise.all([at("space.js"), at("view.js")])
  const places = [[0, 0, 0], [30000, 0, 0], [0, 30000, 0], [0, 0, 30000], [-9000, 12000, 20000]]
  const buffer = new ArrayBuffer(6 * places.length)
  for (const axis of [0, 1, 2])
    new Int16Array(buffer, 2 * axis * places.length, places.length).set(places.map((place) => place[axis]))
  const view = new View({ x: 1, y: 2, z: 3, step: 0.5 })
  view.turnTo([390.2, -20.4])
  const space = new Space(buffer)
  const points = space.seen(view.turn)
  const seen = places.map(() => null)
  for (let n = 0; n < points.count; n++)
    seen[points.positionOf(n)] = view.placeOf([points.x[n], points.y[n]])
  const part = space.seen(view.turn, 2)
  const positions = Array.from({ length: part.count }, (_, n) => part.positionOf(n)).sort()
  const query = view.placeOf(view.stepOf([7, -8, 9]))
  return { turn: view.turn, seen, positions, query, places }
}"""


def test_the_browser_turns_places_as_the_server_does(with_maps, page):
    with page.expect_response(re.compile("/map.js")) as code:
        page.goto(f"{with_maps}/map?encoder=pixels")
    ready(page)
    found = page.evaluate(TURNED, code.value.url)
    assert found["turn"] == [30, -20]
    places = np.array(found["places"]) * 0.5 + [1, 2, 3]
    np.testing.assert_allclose(found["seen"], np.column_stack(turned(*places.T, (30, -20))), atol=0.26)
    assert found["positions"] == [0, 2, 4]
    np.testing.assert_allclose(found["query"], np.column_stack(turned(*np.array([[7.0], [-8], [9]]), (30, -20)))[0])


def test_a_map_of_three_dimensions_is_turned_and_an_outline_selects_from_that_side(with_maps, deep_file, page):
    page.goto(f"{with_maps}/map?encoder=pixels&map=deep")
    box = ready(page)
    assert said(page, "turn") == "0,0"
    page.get_by_role("button", name="Turn", exact=True).click()
    page.mouse.move(box["x"] + 200, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 250, steps=5)
    page.mouse.up()
    page.locator(".map[data-turn='40,-20']").wait_for()
    assert (said(page, "shown"), said(page, "seen")) == ("61", "61")
    page.locator(".map .area").focus()
    page.keyboard.press("ArrowLeft")
    page.locator(".map[data-turn='34,-20']").wait_for()
    page.get_by_role("button", name="Box", exact=True).click()
    path(page, [(LEFT, HIGH), (0.5, LOW)])
    selected(page, "[0-9]+ of 61 selected")
    (outline,) = parameter(page, "select")
    assert outline.startswith("/deep/34/-20@box:")
    number = page.locator(".radcbir-summary b").inner_text()
    left, bottom, right, top = map(float, outline.rpartition(":")[2].split(","))
    places = pd.read_parquet(deep_file)[["x", "y", "z"]].to_numpy()
    x, y = turned(*places.T, (34, -20))
    assert number == str(int(((x >= left) & (x <= right) & (y >= bottom) & (y <= top)).sum()))
    # The link opens the map from the side from which the outline was drawn.
    page.goto("about:blank")
    page.goto(f"{with_maps}/map?encoder=pixels&map=deep&select={quote(outline, safe='')}")
    page.locator(".map[data-turn='34,-20']").wait_for()
