"""The presentation as a person gives it: by the keys alone, and by the mouse; whole at the size of any projector."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import run_server
from tests.browser.test_contrast import TOO_FAINT
from tests.browser.test_explore import parameter

pytestmark = pytest.mark.browser

SIZES = ((1280, 720), (1024, 768), (1400, 900), (1920, 1080))
CLIPPED = """() => {
  const main = document.querySelector("[data-testid=stMain]")
  const slide = document.querySelector(".st-key-radcbir-presentation")
  const inside = (one) => {
    const box = one.getBoundingClientRect()
    return box.left >= 0 && box.right <= innerWidth + 1 && box.top >= 0 && box.bottom <= innerHeight + 1
  }
  const all = [...slide.querySelectorAll("h1, p, img, button, figcaption, li, input")]
  const parts = all.filter((one) => one.getClientRects().length)
  const cut = [...slide.querySelectorAll("figcaption, button")].filter((one) => one.scrollHeight > one.clientHeight + 2)
  const squeezed = [...slide.querySelectorAll("input")].filter((one) => {
    const root = one.closest("[data-testid=stTextInputRootElement]")
    return one.offsetHeight > root.offsetHeight + 1
  })
  return [
    ...squeezed.map((one) => `squeezed: ${one.outerHTML.slice(0, 80)}`),
    ...parts.filter((one) => !inside(one)).map((one) => `outside: ${one.outerHTML.slice(0, 80)}`),
    ...cut.map((one) => `cut: ${one.textContent}`),
    ...(main.scrollHeight > main.clientHeight + 1 ? ["it scrolls"] : []),
  ]
}"""
WITH_ROOT = """
import pathlib, sys
from radcbir_core.encoders import registry
registry.ROOT = pathlib.Path(sys.argv.pop(1))
from streamlit.web.cli import main
main()
"""


@pytest.fixture(scope="module")
def server(chromium, small_mapped_data, tiny_root, tmp_path_factory):
    """The app on a collection of which a random radcbir-mini, which reads words, has made everything."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with run_server(["-c", WITH_ROOT, str(tiny_root)], small_mapped_data, log) as address:
        yield address


def at_step(page, name, title):
    page.get_by_role("heading", level=1, name=title).wait_for()
    page.locator(".st-key-radcbir-slide-next button").wait_for()
    page.wait_for_selector('[data-testid=stApp][data-test-script-state="notRunning"]')
    assert parameter(page, "step") == ([name] if name else [])
    return [page.evaluate(CLIPPED), page.evaluate(TOO_FAINT)[0]]


def test_a_talk_by_the_keys_alone(server, page):
    page.set_viewport_size({"width": 1280, "height": 720})
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{server}/failures?collection=small&encoder=pixels&view=mined")
    present = page.get_by_role("link", name="Present")
    present.wait_for()
    present.focus()
    page.keyboard.press("Enter")
    wrong = [at_step(page, "", "Choose a case")]
    assert page.locator("[data-testid=stSidebar]").is_hidden()
    page.keyboard.press("2")
    wrong.append(at_step(page, "similar", "The most similar images"))
    (image,) = parameter(page, "image")
    assert page.locator("figcaption span").all_text_contents() == [""] * 7
    page.keyboard.press("PageDown")
    wrong.append(at_step(page, "findings", "What they show"))
    verdicts = page.locator("figcaption b").all_text_contents()
    assert verdicts[0] == "The case"
    assert all(re.match(r"[✓≈✗?] \w", verdict) for verdict in verdicts[1:])
    assert not page.evaluate("document.getAnimations().length")
    page.keyboard.press("ArrowLeft")
    at_step(page, "similar", "The most similar images")
    page.keyboard.press("ArrowRight")
    at_step(page, "findings", "What they show")
    page.keyboard.press("ArrowRight")
    wrong.append(at_step(page, "comparison", re.compile("[Bb]ody part")))
    page.keyboard.press("PageDown")
    wrong.append(at_step(page, "failure", re.compile("Very similar, and yet")))
    page.keyboard.press("PageDown")
    page.wait_for_timeout(300)
    assert parameter(page, "step") == ["failure"], "this encoder reads no words: there is no further step"
    assert parameter(page, "image") == [image]
    assert wrong == [[[], []]] * 5
    page.reload()
    at_step(page, "failure", re.compile("Very similar, and yet"))
    page.keyboard.press("Escape")
    page.wait_for_url("**/failures?**view=mined**")
    page.locator("[data-testid=stSidebar]").wait_for()


def test_a_talk_by_the_mouse_fits_every_screen(server, page):
    page.goto(f"{server}/presentation?collection=small&encoder=radcbir-mini")
    at_step(page, "", "Choose a case")
    wrong = []

    def look():
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            wrong.extend((width, fault) for fault in page.evaluate(CLIPPED))

    look()
    page.locator(".st-key-radcbir-slide-tile-1 button").wait_for()  # it lies over its picture, once it is drawn
    picture = page.locator(".st-key-radcbir-slide-cases img").nth(1).bounding_box()
    page.mouse.click(picture["x"] + picture["width"] / 2, picture["y"] + picture["height"] / 2)
    at_step(page, "similar", "The most similar images")
    look()
    for name, title in (
        ("findings", "What they show"),
        ("comparison", re.compile("[Bb]ody part")),
        ("failure", re.compile("Very similar, and yet")),
        ("text", "Ask in words"),
    ):
        page.get_by_role("button", name="Next").click()
        at_step(page, name, title)
        look()
    page.get_by_role("button", name="chest radiograph with pneumonia").click()
    page.locator(".radcbir-slide-grid img").nth(5).wait_for()
    page.get_by_text("meaningless sentences").wait_for()
    at_step(page, "text", "Ask in words")
    look()
    box = page.get_by_placeholder("in your own words")
    box.press_sequentially("2 ")
    page.wait_for_timeout(300)
    assert parameter(page, "text") == ["chest radiograph with pneumonia"], "a number that is written chooses nothing"
    box.fill("zebra")
    box.press("Enter")
    page.get_by_text("Not known here: zebra.").wait_for()
    box.press("ArrowLeft")
    box.press("PageUp")
    at_step(page, "failure", re.compile("Very similar, and yet"))
    assert wrong == []

    page.goto(page.url)
    at_step(page, "failure", re.compile("Very similar, and yet"))
    page.get_by_role("button", name="Leave").click()
    page.wait_for_url(re.compile(r"127\.0\.0\.1:\d+/\?"))
