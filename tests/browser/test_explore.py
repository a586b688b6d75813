"""What a person does on the Pathology page, in a real browser."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = pytest.mark.browser


def parameter(page, name):
    """What the URL says."""
    return parse_qs(urlsplit(page.url).query).get(name, [])


def chart(page):
    """The area of the chart, once it is drawn."""
    area = page.locator(".js-plotly-plot .nsewdrag").first
    area.wait_for()
    page.get_by_test_id("stStatusWidget").wait_for(state="detached")
    return area.bounding_box()


def test_a_click_on_a_bar_opens_the_label_and_a_second_one_closes_it(server, page):
    page.goto(f"{server}/pathology?level=anatomy")
    box = chart(page)
    heading = page.locator("h3.radcbir-label")
    labels = page.locator(".js-plotly-plot .yaxislayer-above text").all_text_contents()
    assert sorted(labels) == ["abdomen", "brain", "chest"]

    def click(number):
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * (number + 0.5) / 3, steps=5)
        page.wait_for_timeout(700)  # until the bar knows of the mouse; sooner, two clicks would be a double click
        page.mouse.down()
        page.mouse.up()

    click(1)
    heading.wait_for()
    opened = heading.inner_text()
    assert opened == labels[1]
    page.wait_for_url(lambda url: f"label={opened}" in url)
    page.locator(".radcbir-confusion tr", has_text="itself").wait_for()
    page.get_by_text("Queries, worst first").wait_for()
    page.locator("li.card").nth(10).wait_for()
    click(2)
    heading.filter(has_text=labels[2]).wait_for()
    click(2)
    heading.wait_for(state="detached")
    assert not parameter(page, "label")
