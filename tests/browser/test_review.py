"""What people do who review images, in real browsers: with the keyboard alone, and two at once."""

from __future__ import annotations

import csv
import shutil

import pytest

from tests.browser.conftest import run_server
from tests.browser.test_retrieve import quiet

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def own_server(chromium, small_data, tmp_path_factory):
    """The app on a copy of the data, which a test may change."""
    folder = tmp_path_factory.mktemp("review")
    shutil.copytree(small_data, folder / "data")
    with run_server(["-m", "streamlit"], folder / "data", folder / "log.txt") as address:
        yield address


def test_an_image_is_tagged_and_noted_with_the_keyboard_alone(own_server, page, tmp_path):
    page.goto(f"{own_server}/retrieval?image=small-data-source/chest_00.png")
    hits = page.locator("li.card:has(.rank)")
    hits.nth(9).wait_for()
    quiet(page)
    first = hits.first.get_attribute("data-image-id")
    hits.first.locator("button.open").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Rank 1 of 10").wait_for()
    page.keyboard.press("Shift+3")
    dialog.get_by_role("button", name="artifact").locator("[data-testid=stIconMaterial]").wait_for()
    while page.evaluate("document.activeElement.getAttribute('aria-label')") != "Another tag":
        page.keyboard.press("Tab")
    page.keyboard.type("seen 1 and 2")  # digits in a field are text, not tags
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="seen 1 and 2").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.type("see the left apex")
    page.keyboard.press("Control+Enter")
    dialog.locator(".radcbir-note", has_text="see the left apex").wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    marks = page.locator(f"li.card[data-image-id='{first}'] .mark")
    marks.nth(2).wait_for()
    assert marks.all_text_contents() == ["artifact", "seen 1 and 2", "✎"]

    page.goto(f"{own_server}/review")
    page.locator("li.card").first.wait_for()
    quiet(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "reviews.csv")
    with (tmp_path / "reviews.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["kind"], row["image_id"]) for row in rows] == [("tag", first), ("tag", first), ("note", first)]
    assert rows[0]["address"].startswith(f"{own_server}/review?")
    page.goto(rows[0]["address"])
    page.locator(".radcbir-note", has_text="see the left apex").wait_for()
    page.locator(".viewer[data-state=ready]").wait_for()

    page.get_by_role("button", name="Import").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "reviews.csv")
    page.get_by_role("button", name="Import it").click()
    page.get_by_text("0 entries added; 3 were there already; 0 rows left out.").wait_for()


def test_a_note_that_was_left_by_closing_is_written_once(own_server, page):
    """Also when the same image is opened again: a browser remembers what stood in a field."""
    page.goto(f"{own_server}/retrieval?image=small-data-source/chest_00.png")
    hit = page.locator("li.card:has(.rank)").nth(5)
    hit.wait_for()
    quiet(page)
    dialog = page.get_by_role("dialog")
    for text in ("first", "second"):
        hit.locator("button.open").click()
        dialog.wait_for()
        quiet(page)  # until then the field of the time before may stand beside the new one
        field = dialog.get_by_label("A note")
        field.wait_for()
        assert field.input_value() == ""
        field.click()
        page.keyboard.type(text)
        dialog.get_by_role("button", name="Close", exact=True).click()
        dialog.wait_for(state="detached")
        quiet(page)
    hit.locator("button.open").click()
    dialog.wait_for()
    quiet(page)
    notes = dialog.locator(".radcbir-note")
    notes.nth(1).wait_for()
    assert [text[:5] for text in notes.all_text_contents()] == ["first", "secon"]
    dialog.get_by_role("button", name="Take back").first.click()
    dialog.get_by_text("first").wait_for(state="detached")
    quiet(page)
    assert notes.count() == 1


def test_two_browsers_do_not_overwrite_each_other(own_server, page, chromium):
    address = f"{own_server}/review?image=small-data-source/brain_00.png"
    other = chromium.new_page(viewport={"width": 1024, "height": 900})
    for one in (page, other):
        one.goto(address)
        one.get_by_label("A note").wait_for()
        quiet(one)
    for one, text in ((page, "said in one"), (other, "said in the other")):
        one.get_by_label("A note").fill(text)
    for one in (page, other):
        one.get_by_label("A note").press("Control+Enter")
    for one, text in ((page, "said in one"), (other, "said in the other")):
        one.locator(".radcbir-note", has_text=text).wait_for()
    page.goto(address)
    notes = page.locator(".radcbir-note")
    notes.nth(1).wait_for()
    assert sorted(text.split(" in ")[0] for text in notes.all_text_contents()) == ["said", "said"]
    other.close()


def test_a_label_that_the_collection_does_not_have_yet_is_typed(own_server, page):
    page.goto(f"{own_server}/review?image=small-data-source/brain_01.png")
    page.get_by_text("Correct the label").click()
    field = page.get_by_role("combobox", name="Pathologies")
    field.wait_for()
    quiet(page)
    page.wait_for_timeout(1000)  # a form that has just opened is drawn once more, and what is typed meanwhile is lost
    field.click()
    page.keyboard.type("abscess", delay=50)
    page.get_by_role("option", name="Add: abscess").click()
    page.get_by_text("Write the correction").click()
    page.locator(".radcbir-note", has_text="abscess").wait_for()
    quiet(page)
    page.get_by_text("Corrected labels (1)").click()
    page.locator("li.card[data-image-id='small-data-source/brain_01.png']").wait_for()
