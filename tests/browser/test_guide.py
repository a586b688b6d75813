"""By keyboard alone: to the first hit within five Tabs, and along the tour."""

from __future__ import annotations

import pytest

from tests.browser.test_retrieve import quiet

pytestmark = pytest.mark.browser

FOCUSED = """() => {
  let element = document.activeElement
  while (element && element.shadowRoot && element.shadowRoot.activeElement) element = element.shadowRoot.activeElement
  return [element.getAttribute("aria-label") || element.textContent, element.closest("li.card") !== null]
}"""


def test_five_tabs_lead_to_the_first_hit_and_the_tour_goes_on_by_enter(server, page):
    page.goto(f"{server}/retrieval?image=small-data-source%2Fchest_00.png")
    page.locator("li.card:has(.rank)").nth(9).wait_for()
    quiet(page)
    tabs = 0
    while not page.evaluate(FOCUSED)[1] and tabs < 6:
        page.keyboard.press("Tab")
        tabs += 1
        said = page.evaluate(FOCUSED)[0]
        if said.startswith("Skip to"):
            page.keyboard.press("Enter")
            page.wait_for_function(f"(before) => ({FOCUSED})()[0] !== before", arg=said)
    said, in_card = page.evaluate(FOCUSED)
    assert in_card
    assert tabs <= 5
    first = page.locator("li.card:has(.rank)").first.get_attribute("data-image-id")
    assert said.startswith("Open large")
    assert first in said

    page.locator(".st-key-radcbir-help-retrieval button").click()
    page.get_by_text("keeps images of the same patient").wait_for()
    page.get_by_role("link", name="Take the tour").click()
    seen = []
    for number in range(1, 8):
        card = page.locator(".radcbir-tour", has_text=f"Tour, {number} of 7")
        card.wait_for()
        quiet(page)
        seen.append(card.locator("b").inner_text())
        if number < 7:
            page.get_by_role("link", name="Next: ").focus()
            page.keyboard.press("Enter")
    assert seen[0] == "What there is"
    assert seen[-1] == "Bring your own images"
    assert len(set(seen)) == 7
    page.get_by_role("button", name="End the tour").click()
    page.locator(".radcbir-tour").wait_for(state="detached")
    assert "tour=" not in page.url
