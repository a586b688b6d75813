"""What a person does on the Map, in a real browser that has no WebGL."""

from __future__ import annotations

import http.client
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = pytest.mark.browser


WITHOUT_WEBGL = """
const getContext = HTMLCanvasElement.prototype.getContext
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind.startsWith("webgl") ? null : getContext.call(this, kind, ...more)
}
"""
"""As on the virtual desktops of hospitals."""


@pytest.fixture(autouse=True)
def without_webgl(page):
    page.add_init_script(WITHOUT_WEBGL)


def parameter(page, name):
    """What the URL says."""
    return parse_qs(urlsplit(page.url).query).get(name, [])


def ready(page):
    """The area of the map, once it is drawn and the script rests."""
    page.locator(".map[data-state=ready][data-seen]").wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    return page.locator(".map .area").bounding_box()


def said(page, name):
    return page.locator(".map").get_attribute(f"data-{name}")


def path(page, corners, *, key=None):
    """Press the mouse at the first corner, draw to the others, and let go; corners as shares of the map."""
    box = ready(page)
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in corners]
    page.mouse.move(*places[0])
    if key:
        page.keyboard.down(key)
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()
    if key:
        page.keyboard.up(key)


def selected(page, text):
    page.locator(".radcbir-summary", has_text=re.compile(rf"^\s*{text}")).wait_for()
    ready(page)


LEFT, RIGHT, HIGH, LOW = 0.004, 0.996, 0.1, 0.996
AROUND_ALL = [(LEFT, HIGH), (LEFT, 0.09), (0.31, 0.09), (0.31, 0.004), (0.7, 0.004), (0.7, LOW), (LEFT, LOW)]
EVERYTHING = "select=box%3A-999%2C-999%2C999%2C999"


def point_at_one(page):
    """Move the mouse over the map until it is at a point; where that is."""
    box = ready(page)
    area = page.locator(".map .area")
    for y in range(60, int(box["height"]) - 40, 24):
        for x in range(10, int(box["width"] * 0.66), 24):
            place = box["x"] + x, box["y"] + y
            page.mouse.move(*place)
            if "on" in str(area.get_attribute("class")).split():
                return place
    raise AssertionError("there is no point")


def test_the_map_is_drawn_without_webgl_and_says_how_many_it_shows(server, page):
    page.goto(f"{server}/map")
    assert page.evaluate("() => !document.createElement('canvas').getContext('webgl')"), "this test needs none"
    ready(page)
    assert (said(page, "shown"), said(page, "seen"), said(page, "mode")) == ("61", "61", "shapes")
    assert page.locator(".map .status").inner_text() == "61 in view · a sign an image"


def test_a_lasso_opens_its_images_shift_adds_alt_takes_away_escape_clears(server, page):
    page.goto(f"{server}/map?where=anatomy%3Dbrain")
    page.get_by_text("Draw around points to see their images.").wait_for()
    ready(page)
    legend = page.locator(".map .legend .entry")
    assert legend.filter(has_text="brain").locator(".count").inner_text() == "20"
    box = [(LEFT, 0.15), (RIGHT, LOW)]
    page.get_by_role("button", name="Box", exact=True).click()
    path(page, box)
    selected(page, "20 of 20 selected")
    page.wait_for_url(lambda url: "select=box" in url)
    assert page.locator("li.card").count() == 20
    page.get_by_role("button", name="Lasso", exact=True).click()
    path(page, [(0.4, 0.002), (0.5, 0.002), (0.5, 0.015)])
    selected(page, "0 of 20 selected")
    assert len(parameter(page, "select")) == 1
    page.get_by_role("button", name="Box", exact=True).click()
    path(page, box, key="Shift")
    selected(page, "20 of 20 selected")
    assert [text[:4] for text in parameter(page, "select")] == ["lass", "box:"]
    path(page, box, key="Alt")
    selected(page, "0 of 20 selected")
    assert [text[:4] for text in parameter(page, "select")] == ["lass", "box:", "-box"]

    page.goto(page.url)
    selected(page, "0 of 20 selected")
    page.locator(".map .area").focus()
    page.keyboard.press("Escape")
    page.get_by_text("Draw around points to see their images.").wait_for()
    assert not parameter(page, "select")
    page.go_back()
    selected(page, "0 of 20 selected")


def test_the_selection_outlives_other_colors_and_a_click_on_clear_takes_it_back(server, page):
    page.goto(f"{server}/map?{EVERYTHING}")
    selected(page, "61 of 61 selected")
    page.get_by_role("combobox", name="Color by").click()
    page.get_by_role("option", name="Modality", exact=True).click()
    page.wait_for_url(lambda url: "color=modality" in url)
    page.locator(".map .legend h4", has_text="Modality").wait_for()
    selected(page, "61 of 61 selected")
    page.get_by_text("Clear selection").click()
    page.get_by_text("Draw around points to see their images.").wait_for()
    assert not parameter(page, "select")


def test_the_legend_shows_a_category_alone_and_selections_hold_to_it(server, page):
    page.goto(f"{server}/map?color=modality&{EVERYTHING}")
    selected(page, "61 of 61 selected")
    entry = page.locator(".map .legend .entry")
    count = int(entry.filter(has_text="MR").locator(".count").inner_text())
    entry.filter(has_text="MR").click()
    selected(page, f"{count} of 61 selected")
    assert parameter(page, "only") == ["MR"]
    assert entry.filter(has_text="MR").get_attribute("aria-pressed") == "true"
    also = int(entry.filter(has_text="CT").locator(".count").inner_text())
    entry.filter(has_text="CT").click(modifiers=["Shift"])
    selected(page, f"{count + also} of 61 selected")
    assert sorted(parameter(page, "only")) == ["CT", "MR"]
    page.get_by_role("button", name="Show all again").click()
    selected(page, "61 of 61 selected")
    assert not parameter(page, "only")


LEGEND = """async (address) => {
  const { Legend } = await import(address)
  const root = document.createElement("div")
  document.body.append(root)
  const told = []
  const legend = new Legend(root, (only) => told.push(only), () => told.push("look"))
  const entry = (name, count, folded, known) => ({ name, count, folded, known, color: "#56B4E9" })
  const entries = [entry("a", 9, false, true), entry("<b>", 2, true, true), entry("c", 1, true, true)]
  const colors = { kind: "categories", title: "t", legend: [...entries, entry("none", 4, false, false)] }
  legend.set(colors, [], [9, 2, 1, 4], { ground: [0, 0, 0], others: "#A8A8A8", none: "#777777" })
  const names = () => [...root.querySelectorAll("li .name")].map((name) => name.textContent).join()
  const click = (title) => root.querySelector(`[title^="${title}"]`).click()
  const said = [names(), legend.colorOf(1)]
  click("Show their names")
  said.push(names())
  click("Give <b> a color")
  said.push(names(), legend.colorOf(1), legend.signOf(0) !== legend.signOf(1))
  click("<b>: 2")
  click("c: 1")
  click("c: 1")
  click("Fold <b> into")
  said.push(names(), legend.colorOf(1))
  return { said, told }
}"""


def test_rare_categories_are_folded_and_can_be_called_back(server, page):
    with page.expect_response(re.compile("/legend.js")) as code:
        page.goto(f"{server}/map")
    ready(page)
    found = page.evaluate(LEGEND, code.value.url)
    assert found["said"] == [
        *("a,2 others,none", "#A8A8A8"),
        "a,2 others,<b>,c,none",
        # The last one that is folded is called by its name.
        *("a,<b>,c,c,none", "#56B4E9", True),
        *("a,2 others,<b>,c,none", "#A8A8A8"),
    ]
    assert found["told"] == ["look", ["<b>"], ["c"], [], "look", []]


def test_pointing_at_an_image_shows_it_and_a_click_selects_it(server, page):
    page.goto(f"{server}/map")
    place = point_at_one(page)
    card = page.locator(".map .card")
    card.wait_for()
    image_id = card.get_attribute("data-image-id")
    assert card.locator("b").inner_text() == image_id
    assert card.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    page.mouse.click(*place)
    selected(page, "1 of 61 selected")
    assert parameter(page, "select") == [f"image:{image_id}"]
    assert page.locator("li.card").get_attribute("data-image-id") == image_id


def test_the_keys_move_and_zoom_the_map_and_the_page_keeps_its_wheel(server, page):
    page.goto(f"{server}/map")
    box = ready(page)
    page.mouse.move(box["x"] + 200, box["y"] + 300)
    page.mouse.wheel(0, -300)
    page.locator(".map .hint", has_text="Click the map, or hold Ctrl").wait_for()
    assert said(page, "seen") == "61"
    page.locator(".map .area").focus()
    for _ in range(12):
        page.keyboard.press("+")
    page.locator(".map:not([data-seen='61'])").wait_for()
    page.keyboard.press("0")
    page.locator(".map[data-seen='61']").wait_for()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    page.locator(".map[data-seen='0']").wait_for()
    page.keyboard.press("0")
    page.locator(".map[data-seen='61']").wait_for()
    page.mouse.wheel(0, -1200)
    page.mouse.wheel(0, -1200)
    page.locator(".map:not([data-seen='61'])").wait_for()


def test_where_the_map_was_left_it_is_when_one_comes_back_and_resizing_keeps_it(server, page):
    page.goto(f"{server}/map")
    ready(page)
    page.locator(".map .area").focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    page.locator(".map[data-seen='0']").wait_for()
    page.get_by_role("link", name="Home").first.click()
    page.wait_for_url(re.compile(r"/(\?|$)"))
    page.get_by_role("link", name="Map").first.click()
    ready(page)
    assert said(page, "seen") == "0"
    page.set_viewport_size({"width": 1024, "height": 700})
    page.locator(".map .area").focus()
    page.keyboard.press("0")
    page.locator(".map[data-seen='61']").wait_for()


def test_an_image_of_a_selection_becomes_the_query_and_is_marked_on_the_map(server, page):
    page.goto(f"{server}/map?{EVERYTHING}")
    card = page.locator("li.card").first
    chosen = card.get_attribute("data-image-id")
    card.get_by_text("Query", exact=True).click()
    page.wait_for_url(re.compile("/retrieval"))
    page.locator(".radcbir-summary", has_text="same anatomy").wait_for()
    assert parameter(page, "image") == [chosen]
    page.get_by_role("link", name="Map").first.click()
    page.wait_for_url(re.compile("/map"))
    ready(page)
    page.get_by_text(re.compile(rf"The ring is the query {re.escape(chosen)} .*; the lines go to its first")).wait_for()
    page.get_by_role("button", name="To the query").click()
    page.locator(".map:not([data-seen='61'])").wait_for()
    assert int(said(page, "seen")) >= 11, "the query and its hits, at least"
    page.get_by_role("button", name="Take it off").click()
    page.get_by_role("button", name="To the query").wait_for(state="hidden")


def test_what_is_selected_on_one_of_two_maps_is_selected_on_both(server, page):
    page.goto(f"{server}/map?color=anatomy&beside=color%3Amodality")
    maps = page.locator(".map[data-state=ready][data-seen='61']")
    maps.nth(1).wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    second = maps.nth(1)
    second.get_by_role("button", name="Box", exact=True).click()
    box = second.locator(".area").bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 3, steps=8)
    page.mouse.up()
    page.wait_for_url(lambda url: "select=box" in url)
    summary = page.locator(".radcbir-summary")
    summary.wait_for()
    assert parameter(page, "beside") == ["color:modality"]
    maps.nth(1).wait_for()
    first = maps.nth(0).locator(".area")
    first.focus()
    page.keyboard.press("Escape")
    summary.wait_for(state="detached")
    assert not parameter(page, "select")


RASTER = """async (address) => {
  const at = (name) => import(address.replace("map.js", name))
  const [{ Points }, { Raster }, { View }] = await Promise.all([at("points.js"), at("raster.js"), at("view.js")])
  let seed = 7
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647
  const many = 60000
  const few = 40
  const count = many + few
  // The rare ones lie among the others, one by one.
  const place = () => random() * 9000 - 4500
  const all = Array.from({ length: count }, (_, n) => [place(), place(), n < many ? 0 : 1])
  const cell = ([x, y]) => (((y | 0) + 32768) >> 8) * 256 + (((x | 0) + 32768) >> 8)
  all.sort((one, other) => cell(one) - cell(other))
  const buffer = new ArrayBuffer(4 * count)
  new Int16Array(buffer, 0, count).set(all.map(([x]) => x))
  new Int16Array(buffer, 2 * count).set(all.map(([, y]) => y))
  const codes = Uint8Array.from(all, ([, , code]) => code)
  const points = new Points(buffer)
  const view = new View({ x: 0, y: 0, step: 1 })
  view.resize(100, 100)
  view.fit([-4500, -4500, 4500, 4500])
  const raster = new Raster(document.createElement("canvas"))
  const paint = { kind: "categories", mostSigns: 1000, ground: [0, 0, 0], dim: [9, 9, 9] }
  paint.colors = [[0, 0, 255], [255, 0, 0]]
  while (paint.colors.length < 256) paint.colors.push([0, 255, 0])
  const back = new Uint8Array(256)
  const red = () => {
    const { data } = raster.image
    return data.filter((value, n) => n % 4 === 0 && value > 40 && data[n + 3] === 255).length
  }
  const sum = () => raster.counts.reduce((before, one) => before + one, 0)
  const found = {}
  const draw = (weights, mask, chosen) => {
    points.dress(codes, mask, Float64Array.from({ length: 256 }, (_, code) => weights[code] ?? 1), back, chosen)
    return raster.draw(points, view, paint, { ratio: 1, coarse: false })
  }
  found.mode = draw([1 / Math.sqrt(many), 1 / Math.sqrt(few)], null, null).mode
  found.sum = sum()
  found.within = points.within(view)
  found.weighted = red()
  draw([1, 1], null, null)
  found.drowned = red()
  const mask = new Uint8Array(Math.ceil(count / 8))
  codes.forEach((code, n) => { if (code === 1 || n % 3 === 0) mask[n >> 3] |= 128 >> (n & 7) })
  draw([1, 1], mask, null)
  found.masked = [sum(), points.shown, codes.filter((code, n) => code === 1 || n % 3 === 0).length]
  const chosen = new Uint8Array(mask.length)
  codes.forEach((code, n) => { if (code === 1) chosen[n >> 3] |= 128 >> (n & 7) })
  draw([1, 1], null, chosen)
  found.chosen = [sum(), red()]
  view.zoom(4, 50, 50)
  draw([1, 1], null, null)
  found.zoomed = [sum(), points.within(view)]
  const near = points.nearest(view, 50, 50, 12)
  const far = (n) => (points.x[n] - view.x) ** 2 + (points.y[n] - view.y) ** 2
  let least = Infinity
  for (let n = 0; n < count; n++) least = Math.min(least, far(n))
  found.nearest = Math.sqrt(far(near)) - Math.sqrt(least) <= 1 / view.scale
  return found
}"""


def test_every_point_counts_and_rare_ones_are_not_drowned(server, page):
    with page.expect_response(re.compile("/map.js")) as code:
        page.goto(f"{server}/map")
    ready(page)
    found = page.evaluate(RASTER, code.value.url)
    assert (found["mode"], found["sum"], found["within"]) == ("density", 60_040, 60_040)
    # About eleven points share a pixel, and a rare one weighs as 39 of the others.
    assert found["drowned"] < 15 < 24 < found["weighted"] <= 40
    assert found["masked"][0] == found["masked"][1] == found["masked"][2] < 60_040
    assert found["chosen"][0] == 60_040
    assert 36 <= found["chosen"][1] <= 40
    assert found["zoomed"][0] == found["zoomed"][1] < 10_000
    assert found["nearest"]


def ask(server, address, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server).port, timeout=20)
    connection.request("GET", address, headers={"Accept-Encoding": "gzip", **headers})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


def test_what_is_drawn_is_fetched_while_the_code_loads_and_once(server, page):
    held, fetched = [], []

    def hold(route):
        held.append(route)

    page.route("**/radcbir-data/code/**", hold)
    page.on("request", lambda request: fetched.append(request.url) if "/radcbir-data/" in request.url else None)
    page.goto(f"{server}/map")
    page.wait_for_function("() => performance.getEntriesByType('resource').some((one) => one.name.includes('/bytes/'))")
    assert len(held) == len({route.request.url for route in held}) > 5, "no module waits for another"
    for route in held:
        route.continue_()
    ready(page)
    assert len([url for url in fetched if "/bytes/" in url]) == 2
    assert len(fetched) == len(set(fetched))


def test_what_the_map_fetches_is_for_its_own_page_and_named_by_what_it_is(server, page):
    with page.expect_response(re.compile("/radcbir-data/bytes/")) as fetched:
        page.goto(f"{server}/map")
    ready(page)
    address = urlsplit(fetched.value.url).path
    status, headers, content = ask(server, address)
    assert status == 200
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert "Content-Encoding" not in headers
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert len(content) in (61, 4 * 61)
    assert ask(server, address, **{"If-None-Match": headers["ETag"]})[0] == 304
    for refused in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Host": "evil.example"}):
        status, _, content = ask(server, address, **refused)
        assert status == 403
        assert content.startswith(b"Expected a request")
    assert ask(server, "/radcbir-data/bytes/none")[0] == 404
    with page.expect_response(re.compile("/radcbir-data/map/")) as fetched:
        point_at_one(page)
    status, headers, content = ask(server, urlsplit(fetched.value.url).path)
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    facts = json.loads(content)
    status, headers, content = ask(server, f"/{facts['thumbnail']}")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "image/jpeg", "no-store")
    assert content.startswith(b"\xff\xd8")
    assert ask(server, f"/{facts['thumbnail']}", **{"Sec-Fetch-Site": "cross-site"})[0] == 403
