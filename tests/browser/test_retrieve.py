"""What a person does on the Retrieval page, in a real browser."""

from __future__ import annotations

import io
import re
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from PIL import Image

from tests.small_images import HTML_LABEL, draw

pytestmark = pytest.mark.browser


def image_of(page):
    """The image that the URL says is the query."""
    return parse_qs(urlsplit(page.url).query).get("image", [None])[0]


def png(kind: int, number: int, side: int = 48) -> bytes:
    buffer = io.BytesIO()
    draw(kind, number).resize((side, side), Image.Resampling.NEAREST).save(buffer, format="PNG", compress_level=0)
    return buffer.getvalue()


def quiet(page) -> None:
    """Wait until nothing runs and nothing is asked for: a widget that says so comes late, and goes early."""
    page.locator('[data-testid=stApp][data-test-script-state="notRunning"]').wait_for()
    page.get_by_test_id("stStatusWidget").wait_for(state="detached")
    assert page.locator("[data-testid=stException]").count() == 0


def test_upload_an_image_see_hits_click_one_it_becomes_the_query(server, page):
    page.goto(f"{server}/retrieval")
    page.get_by_text("Upload", exact=True).click()
    file = {"name": "mine.png", "mimeType": "image/png", "buffer": png(1, 99, side=1536)}
    assert len(file["buffer"]) > 2 * 1024 * 1024
    page.locator("input[type=file]").set_input_files(file)
    hits = page.locator("li.card:has(.rank)")
    hits.nth(9).wait_for()
    assert hits.count() == 10
    assert "abdomen" in hits.first.inner_text()
    page.get_by_text("Kept in this session's memory only").wait_for()
    assert image_of(page) is None
    assert hits.first.locator("img").evaluate("image => image.complete && image.naturalWidth > 0")

    chosen = hits.nth(3).get_attribute("data-image-id")
    hits.nth(3).get_by_text("Query", exact=True).click()
    page.wait_for_url(lambda url: "image=" in url)
    assert image_of(page) == chosen
    page.locator(".radcbir-summary", has_text="same anatomy").wait_for()
    page.locator(".radcbir-facts td", has_text=chosen.rsplit("/", 1)[-1]).first.wait_for()
    page.get_by_role("img", name=f"Query: {chosen}").wait_for()
    # The query is drawn before its hits are; until they come, those of the last query stay.
    page.wait_for_function(
        "id => ![...document.querySelectorAll('li.card')].some(card => card.dataset.imageId === id)", arg=chosen
    )
    assert hits.count() == 10
    quiet(page)


def test_open_an_image_large_go_to_the_next_and_use_it_as_query(server, page):
    page.goto(f"{server}/retrieval")
    cards = page.locator("li.card")
    cards.nth(5).wait_for()
    quiet(page)
    second = cards.nth(1).get_attribute("data-image-id")
    cards.nth(0).get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Image 1 of 61").wait_for()
    dialog.get_by_role("button", name="Next").click()
    dialog.get_by_text("Image 2 of 61").wait_for()
    dialog.locator(".radcbir-facts td", has_text=second).first.wait_for()
    dialog.get_by_role("button", name="Use as query").click()
    page.locator("li.card:has(.rank)").nth(9).wait_for()
    assert image_of(page) == second
    assert page.get_by_role("dialog").count() == 0


def test_the_query_opens_large(server, page):
    page.goto(f"{server}/retrieval")
    page.locator("li.card").first.get_by_text("Query", exact=True).click()
    page.locator("li.card:has(.rank)").nth(9).wait_for()
    quiet(page)
    page.get_by_role("button", name=f"Open large: Query: {image_of(page)}").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Image 1 of 1").wait_for()
    dialog.locator(".viewer[data-state=ready]").wait_for()
    assert dialog.locator(".side").get_attribute("data-image-id") == image_of(page)
    quiet(page)


def test_labels_that_are_html_are_shown_as_text(server, page):
    page.goto(f"{server}/retrieval?of_pathologies={'%3Cb%20onclick%3D%22x()%22%3Ebold%3C%2Fb%3E%20%26%20%22quoted%22'}")
    card = page.locator("li.card").first
    card.wait_for()
    assert HTML_LABEL in card.inner_text()
    assert card.locator("b").count() == 0
    card.get_by_role("button", name="Open large").click()
    dialog = page.get_by_role("dialog")
    dialog.locator(".radcbir-facts td", has_text=HTML_LABEL).first.wait_for()
    assert dialog.locator(".radcbir-facts b").count() == 0


def test_the_collection_stays_open_across_pages_and_back_returns(server, page):
    page.goto(server)
    page.locator("li.card").first.wait_for()
    quiet(page)
    page.locator("li.card").first.get_by_text("Query", exact=True).click()
    page.wait_for_url(re.compile("/retrieval\\?"))
    page.locator("li.card:has(.rank)").nth(9).wait_for()
    first = image_of(page)
    second = page.locator("li.card:has(.rank)").first.get_attribute("data-image-id")
    page.locator("li.card:has(.rank)").first.get_by_text("Query", exact=True).click()
    page.get_by_role("img", name=f"Query: {second}").wait_for()
    quiet(page)
    page.go_back()
    page.get_by_role("img", name=f"Query: {first}").wait_for()
    quiet(page)
    page.get_by_test_id("stSidebar").get_by_text("Home", exact=True).click()
    page.get_by_text("Exact copies").wait_for()
    quiet(page)
    page.get_by_test_id("stSidebar").get_by_text("Retrieval", exact=True).click()
    page.get_by_role("img", name=f"Query: {first}").wait_for()
    assert image_of(page) == first


def test_the_hits_can_be_saved_as_a_table(server, page, tmp_path):
    page.goto(f"{server}/retrieval?k=5")
    page.locator("li.card").first.wait_for()
    page.locator("li.card").first.get_by_text("Query", exact=True).click()
    page.locator("li.card:has(.rank)").nth(4).wait_for()
    quiet(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "hits.csv")
    table = pd.read_csv(tmp_path / "hits.csv")
    expected = "rank image_id path similarity modality anatomy pathologies patient_id dataset"
    expected += " percentile percentile_alike chance"
    assert table.columns.tolist() == expected.split()
    assert len(table) == 5


def test_hits_are_marked_by_key_and_by_click_and_marks_are_undone(server, page):
    page.goto(f"{server}/retrieval?image=small-data-source%2Fchest_00.png")
    hits = page.locator("li.card:has(.rank)")
    hits.nth(9).wait_for()
    quiet(page)

    def added():
        return parse_qs(urlsplit(page.url).query).get("add", [])

    liked = hits.nth(1).get_attribute("data-image-id")
    hits.nth(1).get_by_role("button", name="Open large").focus()
    page.keyboard.press("+")
    page.wait_for_url(lambda url: "add=" in url)
    assert added() == [f"like:{liked}"]
    page.get_by_text("Composed of 1 step").wait_for()
    quiet(page)
    unliked = hits.nth(0).get_attribute("data-image-id")
    assert unliked != liked
    hits.nth(0).get_by_role("button", name="Not like that").click()
    page.get_by_text("Composed of 2 steps").wait_for()
    assert added() == [f"like:{liked}", f"unlike:{unliked}"]
    page.get_by_role("button", name="Take out").first.wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Composed of 1 step").wait_for()
    page.go_back()
    page.get_by_text("Composed of 2 steps").wait_for()
    assert added() == [f"like:{liked}", f"unlike:{unliked}"]
    quiet(page)


def test_a_region_is_drawn_by_mouse_and_by_keys(server, page):
    page.goto(f"{server}/retrieval?image=small-data-source%2Fchest_00.png")
    page.locator("li.card:has(.rank)").nth(9).wait_for()
    quiet(page)

    def region():
        return [int(side) for side in parse_qs(urlsplit(page.url).query)["region"][0].split(",")]

    page.get_by_text("Search a region").click()
    field = page.get_by_role("group", name="Region of the query image")
    field.locator("img").wait_for()
    field.scroll_into_view_if_needed()
    area = field.bounding_box()
    page.mouse.move(area["x"] + area["width"] / 4, area["y"] + area["height"] / 4)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] / 2, area["y"] + area["height"] * 3 / 4, steps=3)
    page.mouse.up()
    page.wait_for_url(lambda url: "region=" in url)
    drawn = region()
    assert all(abs(side - meant) < 30 for side, meant in zip(drawn, [250, 250, 500, 750], strict=True))
    page.get_by_text("Weight of the whole image").wait_for()
    quiet(page)
    field.focus()
    for key in ("ArrowRight", "Shift+ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.wait_for_function("before => !location.search.includes(before)", arg="%2C".join(map(str, drawn)))
    left, top, right, bottom = drawn
    assert region() == [left + 25, top, right + 25, bottom + 25]
    quiet(page)
    field.focus()
    page.keyboard.press("Delete")
    page.wait_for_url(lambda url: "region=" not in url)
    quiet(page)


def test_a_click_on_a_count_filters_and_one_hit_a_patient_stays(server, page):
    page.goto(f"{server}/retrieval?image=small-data-source%2Fchest_02.png&one=patient&k=40")
    page.locator("li.card:has(.rank)").first.wait_for()
    quiet(page)
    count = page.locator(".st-key-radcbir-facet-modality button", has_text="MR")
    before = page.locator("li.card:has(.rank)").count()
    count.click()
    page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("where") == ["modality=MR"])
    page.locator(".radcbir-summary", has_text="Only modality = MR").wait_for()
    quiet(page)
    modalities = page.locator("li.card:has(.rank) .modality").all_inner_texts()
    assert set(modalities) == {"MR"}
    assert len(modalities) < before
    assert parse_qs(urlsplit(page.url).query)["one"] == ["patient"]
    page.go_back()
    page.wait_for_url(lambda url: "where" not in url)
