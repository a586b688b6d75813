"""What a person does with images of their own: from a folder on the Collections page to the first hits."""

from __future__ import annotations

import shutil

import pytest

from radcbir_core.collections.archive import write_archive
from radcbir_core.collections.collection import open_collection
from tests import quick_jobs
from tests.browser.conftest import run_server
from tests.small_images import write_small_images

pytestmark = pytest.mark.browser


@pytest.fixture
def controls(tmp_path, monkeypatch):
    """What holds jobs up."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("RADCBIR_IMPORT_ROOT", str(tmp_path / "images"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield quick_jobs.prepare(monkeypatch, tmp_path / "quick")
    quick_jobs.end()


@pytest.fixture
def own_server(chromium, small_data, controls, tmp_path):
    """The app on a data folder of its own, with images of two sites to import."""
    shutil.copytree(small_data, tmp_path / "data")
    for site in ("site-a", "site-b"):
        (tmp_path / "images" / site).mkdir(parents=True)
        write_small_images(tmp_path / "images" / site)
    with run_server(["-m", "streamlit"], tmp_path / "data", tmp_path / "log.txt") as address:
        yield address


def test_import_a_folder_reload_meanwhile_and_search_in_it(own_server, page, controls):
    controls.deaf.touch()
    page.goto(f"{own_server}/collections")
    page.get_by_role("button", name="Import a collection").click()
    page.get_by_text("site-b", exact=True).click()
    page.wait_for_function("[...document.querySelectorAll('input')].some(box => box.value.endsWith('/site-b'))")
    page.get_by_role("button", name="Next").click()
    page.get_by_text("by its manifest.csv").wait_for()
    page.get_by_role("button", name="Look at it").click()
    page.get_by_text("63 rows · 2 of 63 files looked at cannot be used").wait_for()
    assert page.locator(".radcbir-counts", has_text="abdomen").count() >= 1
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Start").wait_for()
    page.wait_for_function("[...document.querySelectorAll('input')].some(box => box.value === 'site-b')")
    encoders = page.get_by_role("combobox", name="Encoders to build")
    encoders.click()
    encoders.press("Backspace")
    encoders.type("Pixels")
    encoders.press("Enter")
    page.get_by_text("Pixels (32 x 32 baseline): The thumbnail itself").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Start").click()

    working = page.get_by_text("pixels: compute embeddings and thumbnails · 0 of 61 images")
    working.wait_for()
    page.reload()
    working.wait_for()
    # Streamlit has a button of that name of its own while it is busy.
    page.locator("[class*=st-key-stop]").get_by_role("button", name="Stop").wait_for()
    controls.go_on()
    page.get_by_text("is ready: 61 images, built with pixels, 2 problems").wait_for()
    page.get_by_role("link", name="Search in site-b").click()
    page.wait_for_url(lambda url: "/retrieval" in url and "collection=site-b" in url)
    page.locator("li.card").first.get_by_text("Query", exact=True).click()
    hits = page.locator("li.card:has(.rank)")
    hits.nth(9).wait_for()
    assert hits.first.get_attribute("data-image-id").startswith("site-b/")
    page.get_by_test_id("stStatusWidget").wait_for(state="detached")
    assert page.locator("[data-testid=stException]").count() == 0


def test_open_an_archive_that_somebody_sent(own_server, page, tmp_path):
    write_archive(open_collection("small"), tmp_path / "sent.zip", images=True)
    page.goto(f"{own_server}/collections")
    page.get_by_role("button", name="Import a collection").click()
    page.get_by_text("Upload a table or a ZIP", exact=True).click()
    page.locator("input[type=file]").set_input_files(tmp_path / "sent.zip")
    page.get_by_text("sent.zip").wait_for()
    page.get_by_role("button", name="Next").click()
    page.get_by_text("an archive of a collection", exact=True).wait_for()
    name = page.get_by_role("textbox", name="Name")
    name.fill("from-a-friend")
    name.press("Enter")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("link", name="Search in from-a-friend").click()
    page.wait_for_url(lambda url: "/retrieval" in url and "collection=from-a-friend" in url)
    page.locator("li.card").first.get_by_text("Query", exact=True).click()
    page.locator("li.card:has(.rank)").nth(9).wait_for()
    assert page.locator("[data-testid=stException]").count() == 0
    opened, sent = open_collection("from-a-friend"), open_collection("small")
    assert opened.digest == sent.digest
    assert set(opened.store("pixels").states().values()) == {"current"}
