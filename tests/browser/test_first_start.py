"""The first start on an empty data folder, in real browsers."""

from __future__ import annotations

import signal
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from radcbir_core.jobs import list_jobs
from tests import quick_jobs
from tests.browser.conftest import run_server

pytestmark = pytest.mark.browser


@pytest.fixture
def controls(tiny_root, tmp_path, monkeypatch):
    """What holds the demonstration up; it is a quick one, in the server too, which must know the same encoder."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    yield quick_jobs.prepare(monkeypatch, tmp_path / "quick", demonstration=tiny_root, images=24, drawn=True)
    quick_jobs.end()


@pytest.fixture
def fresh(chromium, controls, tmp_path):
    with run_server(["-m", "streamlit"], tmp_path / "data", tmp_path / "log") as address:
        yield address
    assert "Traceback" not in (tmp_path / "log").read_text(errors="replace")


def test_a_first_start_reaches_retrieval_and_a_sentence_gives_hits(fresh, page, chromium, tmp_path):
    second = chromium.new_page()
    page.goto(f"{fresh}/retrieval?source=text")
    second.goto(f"{fresh}/map")
    page.get_by_text("The demonstration collection is being made").wait_for()

    page.get_by_role("textbox", name="What the images should show").wait_for(timeout=300_000)
    examples = page.locator(".st-key-radcbir-examples button")
    assert examples.count() == 3, "one a label, and so small a demonstration has three"
    sentence = examples.first.inner_text()
    examples.first.click()
    hits = page.locator("li.card:has(.rank)")
    hits.nth(9).wait_for(timeout=60_000)
    assert parse_qs(urlsplit(page.url).query)["text"] == [sentence]
    assert hits.first.locator(".similarity").inner_text().startswith("text ")
    page.locator(".radcbir-summary", has_text="Modality:").wait_for()

    box = page.get_by_role("textbox", name="What the images should show")
    box.fill("ultrasound of the liver")
    box.press("Enter")
    page.wait_for_url(lambda url: "ultrasound" in url)
    page.get_by_test_id("stStatusWidget").wait_for(state="detached")
    assert hits.count() == 10

    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "hits.csv")
    table = pd.read_csv(tmp_path / "hits.csv")
    assert table.columns.tolist()[:5] == ["rank", "image_id", "path", "text_similarity", "modality"]
    assert len(table) == 10

    hits.first.get_by_role("button", name="Open large").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Rank 1 of 10, text-image cosine").wait_for()
    chosen = dialog.locator(".radcbir-facts tr", has_text="image id").locator("td").inner_text()
    dialog.get_by_role("button", name="Use as query").click()
    page.get_by_role("img", name=f"Query: {chosen}").wait_for()
    assert "text" not in parse_qs(urlsplit(page.url).query)
    page.go_back()
    page.wait_for_url(lambda url: "text=ultrasound" in url)

    second.locator(".map[data-state=ready]").first.wait_for(timeout=60_000)
    second.close()
    assert len(list((tmp_path / "data" / "collections").glob("[!.]*"))) == 1


def test_a_killed_server_leaves_the_making_to_its_process_and_the_next_server_shows_it(chromium, controls, tmp_path):
    controls.rest_at("index")
    server = ["-m", "streamlit"], tmp_path / "data", tmp_path / "log"
    with run_server(*server, ended_by=signal.SIGKILL) as address:
        pages = [chromium.new_page() for _ in range(2)]
        for page in pages:
            page.goto(f"{address}/map")
        for page in pages:
            page.get_by_text("Index them · ").wait_for(timeout=300_000)
            page.close()
        (job,) = list_jobs()
    assert job.is_alive()
    with run_server(*server) as address:
        page = chromium.new_page()
        page.goto(f"{address}/map")
        page.get_by_text("Index them · ").wait_for(timeout=300_000)
        assert [one.id for one in list_jobs()] == [job.id]
        controls.go_on()
        page.locator(".map[data-state=ready]").first.wait_for(timeout=60_000)
        page.close()
    assert job.status().state == "done"
