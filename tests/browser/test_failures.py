"""What a person does on the Failures page, in a real browser."""

from __future__ import annotations

import re

import pytest

from tests.browser.test_explore import chart, parameter

pytestmark = pytest.mark.browser


def test_a_click_on_a_cell_opens_its_pairs_and_a_click_on_a_pair_opens_it_large(server, page):
    page.goto(f"{server}/failures?level=anatomy")
    box = chart(page)
    labels = page.locator(".js-plotly-plot .yaxislayer-above text").all_text_contents()
    number = len(labels)
    assert number == 3
    page.mouse.move(box["x"] + box["width"] * 0.5 / number, box["y"] + box["height"] * 0.5 / number, steps=5)
    page.wait_for_timeout(700)  # until the point knows of the mouse
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url(lambda url: "hit=" in url)
    (label,) = parameter(page, "label")
    assert labels[0].startswith(label)
    assert parameter(page, "hit") == [label]
    pairs = page.locator("li.pair")
    pairs.first.wait_for()
    assert pairs.count() == 12
    cards = pairs.first.locator(".card")
    assert cards.count() == 2
    ids = [cards.nth(side).get_attribute("data-image-id") for side in range(2)]

    cards.nth(1).locator("button.open").click()
    page.get_by_text("Query and hit", exact=True).wait_for()
    assert [parameter(page, name) for name in ("image", "beside")] == [[ids[0]], [ids[1]]]

    page.goto(page.url)
    page.get_by_text("Pair 1 of", exact=False).first.wait_for()
    page.get_by_role("button", name=re.compile(r"Next pair\b(?!s)")).click()  # below the pairs there is "Next pairs"
    page.get_by_text("Pair 2 of", exact=False).first.wait_for()
    page.get_by_text("Close the pair").click()
    page.get_by_text("Query and hit", exact=True).wait_for(state="detached")
    assert not parameter(page, "beside")
