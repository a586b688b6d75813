"""What a person does on the Compare page, in a real browser."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.conftest import run_server
from tests.second_encoder import add_encoder

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def two_encoders(chromium, small_data: Path, tmp_path_factory: pytest.TempPathFactory):
    """The address of the app on a collection with two encoders."""
    data = tmp_path_factory.mktemp("two-encoders") / "data"
    shutil.copytree(small_data, data)
    before = os.environ.get("RADCBIR_DATA")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(data))
        from radcbir_core.collections.collection import open_collection

        add_encoder(open_collection("small"), noise=2.0)
    assert os.environ.get("RADCBIR_DATA") == before
    with run_server(["-m", "streamlit"], data, tmp_path_factory.mktemp("server") / "log.txt") as address:
        yield address


def parameter(page, name):
    """What the URL says."""
    return parse_qs(urlsplit(page.url).query).get(name, [])


def test_from_the_choice_of_b_to_both_rankings_of_a_disagreement(two_encoders, page):
    page.goto(f"{two_encoders}/compare?encoder=pixels&versus=chance&k=1")
    page.get_by_text("it is computed, not drawn").wait_for()
    page.get_by_role("link", name="Compare").wait_for()

    page.get_by_role("combobox", name="Versus").click()
    page.get_by_role("option", name="second").click()
    page.wait_for_url(lambda url: "versus=second" in url)
    page.get_by_text("it is computed, not drawn").wait_for(state="detached")

    page.get_by_text("Disagreements", exact=True).click()
    page.wait_for_url(lambda url: "section=disagreements" in url)
    card = page.locator("li.card").first
    card.wait_for()
    chosen = card.get_attribute("data-image-id")
    card.get_by_text("Query", exact=True).click()
    page.wait_for_url(lambda url: "section=rankings" in url)
    assert parameter(page, "image") == [chosen]

    cells = page.locator("li.cell")
    cells.nth(19).wait_for()
    assert cells.count() == 20
    shared = page.locator("li.cell[data-number='1']")
    assert shared.count() == 2
    assert shared.first.get_attribute("data-image-id") == shared.last.get_attribute("data-image-id")
    lines = page.locator(".between path")
    assert lines.count() == page.locator("li.cell[data-number]").count() / 2
    shared.first.hover()
    page.locator(".between path.lit").wait_for()
    assert page.locator("li.cell.lit").count() == 2

    shared.first.locator("button.open").click()
    page.get_by_role("dialog").get_by_text("Rank ", exact=False).wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")

    next_query = cells.nth(3).get_attribute("data-image-id")
    cells.nth(3).get_by_text("Query", exact=True).click()
    page.wait_for_function("name => decodeURIComponent(location.search).includes(name)", arg=f"image={next_query}")
    page.locator(".radcbir-facts td", has_text=next_query).first.wait_for()

    page.reload()
    page.locator("li.cell").nth(19).wait_for()
    assert parameter(page, "image") == [next_query]
    assert parameter(page, "versus") == ["second"]


def test_a_click_on_a_line_opens_the_label(two_encoders, page):
    page.goto(f"{two_encoders}/compare?encoder=pixels&versus=second&section=pathologies&level=anatomy&k=10")
    area = page.locator(".js-plotly-plot .nsewdrag").first
    area.wait_for()
    page.get_by_test_id("stStatusWidget").wait_for(state="detached")
    labels = page.locator(".js-plotly-plot .yaxislayer-above text").all_text_contents()
    assert sorted(labels) == ["abdomen", "brain", "chest"]
    box = area.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 1.5 / 3, steps=5)
    page.wait_for_timeout(700)  # until the line knows of the mouse
    page.mouse.down()
    page.mouse.up()
    page.locator("h3.radcbir-label", has_text=labels[1]).wait_for()
    page.wait_for_url(lambda url: f"label={labels[1]}" in url)
    page.locator(".radcbir-cells").wait_for()
