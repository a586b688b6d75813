"""From a click to its hits: how long the Retrieval page takes, warm, in a real browser.

    python -m benchmarks.click_to_hits COLLECTION [--encoder radcbir-mini] [--clicks 40]
                                       [--of hit facet like region gallery-region]

Starts the app on a free port and does on random images of the collection what a person does, by the mouse: a hit is
taken as the next query; a value of a facet is switched on and off; hits are marked as Like this, so that the query is a
composed one; a box is drawn on the query, and searched in whole images or in regions of them (where they are embedded:
``build … --tiles``). The clock runs in the browser: from the button's release to the frame after all thumbnails of the
new hits are decoded. Clicks that change no hit (a value that all hits have) are left out. Prints of each the median,
the 95th percentile and the range, the ratio to what is aimed at, and what the server takes of a processor. Needs
Chromium on the PATH and playwright (requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import numpy as np
from playwright.sync_api import Page, sync_playwright

from radcbir_core.collections.collection import Collection, open_collection

REPOSITORY = Path(__file__).resolve().parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
WARM_UP = 3
FACETS = ("pathologies", "split", "view")
_GIVE_UP_MS = 3000

WATCH = """([limit]) => {
  const cards = () => {
    const hosts = [...document.querySelectorAll("*")].filter((element) => element.shadowRoot)
    return hosts.map((host) => [...host.shadowRoot.querySelectorAll("li.card")]).find((found) => found.length) ?? []
  }
  const told = () => cards().map((card) => card.dataset.imageId).join(" ")
  const shown = (card) => {
    const image = card.querySelector("img")
    return image === null || (image.complete && image.naturalWidth > 0)
  }
  const before = told()
  window.radcbirWaited = new Promise((done) => {
    addEventListener("pointerup", () => {
      const start = performance.now()
      const look = () => {
        if (told() !== before && cards().every(shown)) {
          requestAnimationFrame(() => done(performance.now() - start))
        } else if (performance.now() - start > limit) done(null)
        else setTimeout(look, 2)
      }
      look()
    }, { capture: true, once: true })
  })
}"""


def serve(port: int) -> subprocess.Popen[bytes]:
    """Start the app and wait until it answers."""
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5):
                return process
        except OSError:
            time.sleep(0.5)
    process.terminate()
    raise SystemExit("the app did not start")


def processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """What the server has taken of processors so far; on Linux."""
    after_name = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def take_a_hit(page: Page) -> Iterator[Callable[[], None]]:
    """A hit as the next query."""
    yield page.locator("li.card:has(.rank) a.use").nth(1).click


def change_facets(page: Page) -> Iterator[Callable[[], None]]:
    """Values of facets on and off."""
    for column in FACETS:
        pills = page.locator(f".st-key-radcbir-facet-{column} button[data-variant=pills]")
        if pills.count() > 1:
            yield pills.nth(1).click
            yield pills.nth(1).click


def mark_hits(page: Page) -> Iterator[Callable[[], None]]:
    """Hits as Like this, so that a query of two and of three images is asked."""
    for position in (4, 7):
        yield page.locator("li.card:has(.rank) button.set-like").nth(position).click


def draw_regions(page: Page) -> Iterator[Callable[[], None]]:
    """Boxes on the query image: the upper left part, and the lower right one."""
    page.get_by_text("Search a region").click()
    field = page.get_by_role("group", name="Region of the query image")
    field.locator("img").wait_for()
    page.wait_for_timeout(1500)
    for first, last in ((0.1, 0.6), (0.4, 0.95)):
        field.scroll_into_view_if_needed()
        area = field.bounding_box()
        assert area is not None
        places = [(area["x"] + area["width"] * at, area["y"] + area["height"] * at) for at in (first, last)]
        page.mouse.move(*places[0])
        page.mouse.down()
        page.mouse.move(*places[1], steps=3)
        yield page.mouse.up


def find_regions(page: Page) -> Iterator[Callable[[], None]]:
    """The same boxes, searched in regions of the images."""
    page.get_by_text("Search a region").click()
    page.get_by_role("radio", name="Regions", exact=True).click()
    page.locator("li.card .found").first.wait_for()
    page.get_by_text("Search a region").click()  # draw_regions opens it again
    yield from draw_regions(page)


WHAT: Final = {
    "hit": ("a hit taken as the next query", 500, take_a_hit),
    "facet": ("a facet changed", 200, change_facets),
    "like": ("a composed query", 400, mark_hits),
    "region": ("a region query", 500, draw_regions),
    "gallery-region": ("a region query among regions of the gallery", 500, find_regions),
}
"""What is clicked: in words, the milliseconds that are aimed at, and how it is done."""


def measured(name: str, page: Page, process: subprocess.Popen[bytes], open_one: Callable[[], None], clicks: int) -> str:
    """One line on one kind of click.

    Args:
        name: Of :data:`WHAT`.
        page: The browser's.
        process: The server.
        open_one: Opens another query.
        clicks: How many are measured.
    """
    said, aim, actions = WHAT[name]
    found: list[float] = []
    server: list[float] = []
    while len(found) < WARM_UP + clicks:
        open_one()
        for act in actions(page):
            page.evaluate(WATCH, [_GIVE_UP_MS])
            before = processor_seconds(process)
            act()
            taken = page.evaluate("() => window.radcbirWaited")
            page.wait_for_timeout(500)
            if taken is not None:
                found.append(float(taken))
                server.append(processor_seconds(process) - before)
    times = sorted(found[WARM_UP:])
    median, late = statistics.median(times), float(np.percentile(times, 95))
    return (
        f"{said}, {len(times)} clicks: median {median:.0f} ms ({median / aim:.2f} of {aim} ms), p95 {late:.0f} ms, "
        f"{times[0]:.0f} to {times[-1]:.0f} ms; "
        f"the server takes {1000 * statistics.mean(server[WARM_UP:]):.0f} ms of a processor a click"
    )


def opener(page: Page, address: str, collection: Collection, encoder_id: str) -> Callable[[], None]:
    """What opens Retrieval on another random image of the collection each time."""
    random = np.random.default_rng(0)

    def open_one() -> None:
        image_id = collection.manifest.image_id(int(random.integers(len(collection))))
        query = {"collection": collection.name, "encoder": encoder_id, "image": image_id}
        page.goto(f"{address}/retrieval?{urlencode(query)}")
        page.locator("li.card:has(.rank)").nth(9).wait_for(timeout=60_000)
        page.wait_for_timeout(1500)

    return open_one


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("collection")
    parser.add_argument("--encoder", default="radcbir-mini")
    parser.add_argument("--of", nargs="+", choices=list(WHAT), default=list(WHAT))
    parser.add_argument("--clicks", type=int, default=40)
    options = parser.parse_args()
    collection = open_collection(options.collection)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = serve(port)
    print(f"{len(collection):,} images, {options.encoder}, 10 hits:")
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            open_one = opener(page, f"http://127.0.0.1:{port}", collection, options.encoder)
            for name in options.of:
                print(measured(name, page, process, open_one, options.clicks), flush=True)
            browser.close()
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
