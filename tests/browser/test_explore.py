"""What a person does on the Pathology page and on the Map, in a real browser."""

from __future__ import annotations

import re
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


def path(page, box, corners):
    """Press the mouse at the first corner, draw to the others, and let go; corners as shares of the chart."""
    page.wait_for_timeout(700)  # sooner after another click, Plotly would take it for a double click
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


AROUND_ALL = [(0.005, 0.005), (0.995, 0.005), (0.995, 0.995), (0.005, 0.995), (0.005, 0.01)]

CORNER = [(0.002, 0.002), (0.035, 0.002), (0.035, 0.035), (0.002, 0.035), (0.002, 0.004)]


def test_a_lasso_opens_its_images_and_the_link_shows_them_again(server, page):
    page.goto(f"{server}/map?where=anatomy%3Dbrain")
    page.get_by_text("Draw around points to see their images.").wait_for()
    path(page, chart(page), AROUND_ALL)
    page.locator(".radcbir-summary", has_text="20 of 20 selected").wait_for()
    page.wait_for_url(lambda url: "select=lasso" in url)
    cards = page.locator("li.card")
    cards.first.wait_for()
    assert cards.count() == 20
    assert page.locator(".radcbir-shares tr", has_text="brain").count() == 1
    outline = page.locator(".js-plotly-plot .selectionlayer path")
    assert outline.count() > 0, "the chart must not be drawn anew, or its outline is gone"

    page.goto(page.url)
    page.locator(".radcbir-summary", has_text="20 of 20 selected").wait_for()
    outline.first.wait_for()

    page.get_by_text("Clear selection").click()
    page.get_by_text("Draw around points to see their images.").wait_for()
    chart(page)
    assert outline.count() == 0
    assert not parameter(page, "select")
    page.go_back()
    page.locator(".radcbir-summary", has_text="20 of 20 selected").wait_for()


def test_the_selection_outlives_other_colors_until_another_is_drawn_or_it_is_taken_back(server, page):
    page.goto(f"{server}/map?where=anatomy%3Dchest")
    path(page, chart(page), AROUND_ALL)
    selected = page.locator(".radcbir-summary")
    selected.filter(has_text="21 of 21 selected").wait_for()
    page.get_by_text("Dataset", exact=True).first.click()
    page.wait_for_url(lambda url: "color=dataset" in url)
    page.locator(".js-plotly-plot .legendtitletext", has_text="Dataset").wait_for()
    page.locator(".js-plotly-plot .selectionlayer path").first.wait_for()
    assert selected.inner_text() == "21 of 21 selected"
    path(page, chart(page), CORNER)
    selected.filter(has_text="0 of 21 selected").wait_for()
    page.get_by_text("There is no image in this selection.").wait_for()
    path(page, chart(page), AROUND_ALL)
    selected.filter(has_text="21 of 21 selected").wait_for()
    box = chart(page)
    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.get_by_text("Draw around points to see their images.").wait_for()
    assert not parameter(page, "select")


def test_an_image_of_a_selection_becomes_the_query_and_is_marked_on_the_map(server, page):
    page.goto(f"{server}/map?select=box%3A-999%2C-999%2C999%2C999")
    card = page.locator("li.card").first
    chosen = card.get_attribute("data-image-id")
    card.get_by_text("Query", exact=True).click()
    page.wait_for_url(re.compile("/retrieval"))
    page.locator(".radcbir-summary", has_text="same anatomy").wait_for()
    assert parameter(page, "image") == [chosen]
    page.get_by_role("link", name="Map").first.click()
    page.wait_for_url(re.compile("/map"))
    page.locator(".js-plotly-plot .legendtext", has_text="current query").wait_for()
    page.get_by_text(f"The ring is the query {chosen}.").wait_for()


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
