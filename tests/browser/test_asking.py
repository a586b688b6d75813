"""Other ways to ask on Retrieval, in a real browser: words, many files, a DICOM server; by touch; and the report."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from radcbir_core.dicomweb.server_address import URL
from tests import quick_jobs
from tests.browser.conftest import run_server
from tests.browser.test_retrieve import png, quiet
from tests.core.images.dicom_files import SECRET
from tests.dicom_servers import stand_in

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def asked_server(chromium, small_mapped_data, tiny_root, tmp_path_factory):
    """The address of the app, with an encoder that reads text and with a DICOM server."""
    folder = tmp_path_factory.mktemp("asking")
    with pytest.MonkeyPatch.context() as patch, stand_in() as (url, _):
        quick_jobs.prepare(patch, folder / "quick", builds=False, demonstration=tiny_root)
        with run_server(["-m", "streamlit"], small_mapped_data, folder / "log.txt", settings={URL: url}) as address:
            yield address


def asked(page, name: str) -> list[str]:
    return parse_qs(urlsplit(page.url).query).get(name, [])


def test_an_abbreviation_is_read_taken_back_and_a_slip_is_asked_back(asked_server, page):
    page.goto(f"{asked_server}/retrieval?encoder=radcbir-mini&source=text")
    box = page.get_by_label("What the images should show")
    box.fill("CXR with tumour")
    box.press("Enter")
    page.get_by_text("CXR → ").first.wait_for()
    page.locator("li.card:has(.rank)").nth(9).wait_for()
    page.get_by_text("Compared with nonsense").or_(page.get_by_text("nonsense")).first.wait_for()
    assert asked(page, "text") == ["CXR with tumour"]
    page.get_by_role("button", name="take back").first.click()
    page.wait_for_url(lambda url: "read=" in url)
    page.get_by_text("CXR: word for word").wait_for()
    quiet(page)
    page.get_by_role("button", name="read it again").click()
    page.wait_for_url(lambda url: "read=" not in url)

    box.fill("brane tumor")
    box.press("Enter")
    page.get_by_role("button", name=re.compile("^brain")).first.click()
    page.wait_for_url(lambda url: "read=brane" in url)
    page.get_by_text("brane → brain").first.wait_for()
    quiet(page)


def test_several_uploads_give_one_table_and_one_of_them_is_opened(asked_server, page, tmp_path):
    page.goto(f"{asked_server}/retrieval?encoder=pixels&source=upload&upload=several")
    files = [
        {"name": f"mine {number}.png", "mimeType": "image/png", "buffer": png(number, 50 + number)} for number in (0, 1)
    ]
    broken = {"name": "broken.png", "mimeType": "image/png", "buffer": b"no image at all"}
    page.locator("input[type=file]").set_input_files([*files, broken])
    page.get_by_text("Hits of 2 images; 1 file without").first.wait_for()
    quiet(page)
    with page.expect_download() as download:
        page.get_by_test_id("stDownloadButton").first.click()
    download.value.save_as(tmp_path / "hits.csv")
    table = pd.read_csv(tmp_path / "hits.csv", keep_default_na=False)
    assert table["query"].value_counts().to_dict() == {"mine 0.png": 10, "mine 1.png": 10, "broken.png": 1}
    assert table.loc[table["query"] == "broken.png", "problem"].item()
    page.get_by_role("button", name="Open as the query").click()
    page.get_by_text("Kept in this session's memory only").wait_for()
    page.locator("li.card:has(.rank)").nth(9).wait_for()
    quiet(page)


def test_an_image_of_a_dicom_server_is_the_query_and_its_uid_is_nowhere(asked_server, page):
    page.goto(f"{asked_server}/retrieval?encoder=pixels&source=upload&upload=server")
    box = page.get_by_label(re.compile("^Study"))
    box.fill("1.2.9")
    box.press("Enter")
    page.locator("li.card:has(.rank)").nth(9).wait_for()
    quiet(page)
    assert "1.2.9" not in page.url
    assert SECRET not in page.content()


def test_the_report_opens_by_itself_and_its_link_the_same_hits(asked_server, page, chromium, tmp_path):
    page.goto(f"{asked_server}/retrieval?encoder=pixels&image=small-data-source%2Fchest_02.png&k=7&where=split%3Dtrain")
    hits = page.locator("li.card:has(.rank)")
    hits.nth(6).wait_for()
    quiet(page)
    order = [hits.nth(at).get_attribute("data-image-id") for at in range(7)]
    with page.expect_download() as download:
        page.get_by_role("button", name="Report").click()
    download.value.save_as(tmp_path / "report.html")
    report = chromium.new_page()
    report.goto((tmp_path / "report.html").as_uri())
    report.get_by_text("Research use only").first.wait_for()
    assert report.locator("img").count() == 8
    assert report.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert "chest_02" not in report.content()
    link = report.get_by_role("link").first.get_attribute("href")
    report.close()
    page.goto(link)
    hits.nth(6).wait_for()
    quiet(page)
    assert [hits.nth(at).get_attribute("data-image-id") for at in range(7)] == order


def test_by_touch_a_region_is_drawn_and_the_viewer_goes_on_and_zooms(asked_server, chromium):
    context = chromium.new_context(viewport={"width": 1100, "height": 800}, has_touch=True)
    page = context.new_page()
    page.set_default_timeout(30_000)
    touch = context.new_cdp_session(page)

    def drag(*fingers: tuple[tuple[float, float], tuple[float, float]]) -> None:
        """Fingers from where they begin to where they end."""
        for kind, share in (("touchStart", 0), ("touchMove", 0.5), ("touchMove", 1), ("touchEnd", None)):
            points = (
                []
                if share is None
                else [
                    {
                        "x": begin[0] + share * (end[0] - begin[0]),
                        "y": begin[1] + share * (end[1] - begin[1]),
                        "id": number,
                    }
                    for number, (begin, end) in enumerate(fingers)
                ]
            )
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    page.goto(f"{asked_server}/retrieval?encoder=pixels&image=small-data-source%2Fchest_02.png")
    page.locator("li.card:has(.rank)").nth(9).wait_for()
    quiet(page)
    page.get_by_text("Search a region").tap()
    field = page.get_by_role("group", name="Region of the query image")
    field.locator("img").wait_for()
    field.scroll_into_view_if_needed()
    quiet(page)
    area = field.bounding_box()
    drag(
        (
            (area["x"] + 0.2 * area["width"], area["y"] + 0.2 * area["height"]),
            (area["x"] + 0.8 * area["width"], area["y"] + 0.9 * area["height"]),
        )
    )
    page.wait_for_url(lambda url: "region=" in url)
    sides = [int(side) for side in asked(page, "region")[0].split(",")]
    assert all(abs(side - meant) < 30 for side, meant in zip(sides, [200, 200, 800, 900], strict=True))
    quiet(page)

    page.locator("li.card:has(.rank) button.open").first.tap()
    page.locator(".viewer[data-state=ready]").wait_for()
    stage = page.locator(".viewer .side .stage").last
    zoom = "(stage) => stage.side.matrix.a"
    before, area = stage.evaluate(zoom), stage.bounding_box()
    x, y = area["x"] + area["width"] / 2, area["y"] + area["height"] / 2
    drag(((x - 20, y), (x - 80, y)), ((x + 20, y), (x + 80, y)))
    page.wait_for_timeout(300)
    assert stage.evaluate(zoom) > 2 * before
    rank = page.locator(".viewer .side").last
    rank.get_by_text("Rank 1 of 10").wait_for()
    page.locator(".viewer").get_by_role("button", name="Next").tap()
    rank.get_by_text("Rank 2 of 10").wait_for()
    context.close()
