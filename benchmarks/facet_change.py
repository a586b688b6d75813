"""From a click on a facet to its hits: how long the Retrieval page takes, warm, in a real browser.

    python -m benchmarks.facet_change COLLECTION [--encoder radcbir-mini] [--clicks 40]

Starts the app on a free port, opens the page on a random image of the collection and clicks one value of a facet after
the other, on and off again. The clock runs in the browser: from the click to the frame after all thumbnails of the new
hits are decoded. Clicks that change no hit (a value that all hits have) are left out. Prints the median, the 95th
percentile and the range, the ratio to the 200 ms that are aimed at, and what the server takes of a processor. Needs
Chromium on the PATH and playwright (requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.click_to_hits import FLAGS, WARM_UP, serve
from radcbir_core.collections.collection import open_collection

LIMIT_MS = 200
COLUMNS = ("pathologies", "split", "view")
_GIVE_UP_MS = 3000

CLICK = """([column, position, limit]) => new Promise((done) => {
  const cards = () => {
    const hosts = [...document.querySelectorAll("*")].filter((element) => element.shadowRoot)
    return hosts.map((host) => [...host.shadowRoot.querySelectorAll("li.card")]).find((found) => found.length) ?? []
  }
  const told = () => cards().map((card) => card.dataset.imageId).join(" ")
  const shown = (card) => {
    const image = card.querySelector("img")
    return image === null || (image.complete && image.naturalWidth > 0)
  }
  const pills = document.querySelectorAll(`.st-key-radcbir-facet-${column} button[data-variant="pills"]`)
  if (pills.length <= position) return done(null)
  const before = told()
  const start = performance.now()
  pills[position].click()
  const look = () => {
    const now = performance.now() - start
    if (told() !== before && cards().every(shown)) {
      requestAnimationFrame(() => done(performance.now() - start))
    } else if (now > limit) done(null)
    else setTimeout(look, 2)
  }
  look()
})"""


def processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """What the server has taken of processors so far; on Linux."""
    after_name = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("collection")
    parser.add_argument("--encoder", default="radcbir-mini")
    parser.add_argument("--clicks", type=int, default=40)
    options = parser.parse_args()
    collection = open_collection(options.collection)
    random = np.random.default_rng(0)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = serve(port)
    found: list[float] = []
    server = 0.0
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            while len(found) < WARM_UP + options.clicks:
                row = int(random.integers(len(collection)))
                image_id = collection.manifest.image_id(row)
                query = {"collection": options.collection, "encoder": options.encoder, "image": image_id}
                page.goto(f"http://127.0.0.1:{port}/retrieval?{urlencode(query)}")
                page.locator("li.card:has(.rank)").first.wait_for(timeout=60_000)
                page.wait_for_timeout(2000)
                for column in COLUMNS:
                    for _ in ("on", "off"):
                        before = processor_seconds(process)
                        taken = page.evaluate(CLICK, [column, 1, _GIVE_UP_MS])
                        found += [] if taken is None else [float(taken)]
                        page.wait_for_timeout(500)
                        server += 0 if taken is None else processor_seconds(process) - before
            browser.close()
    finally:
        process.terminate()
        process.wait()
    times = sorted(found[WARM_UP:])
    median, late = statistics.median(times), float(np.percentile(times, 95))
    print(
        f"{len(collection):,} images, {options.encoder}, {len(times)} clicks on facets: median {median:.0f} ms "
        f"({median / LIMIT_MS:.2f} of {LIMIT_MS} ms), p95 {late:.0f} ms, {times[0]:.0f} to {times[-1]:.0f} ms; "
        f"the server takes {1000 * server / len(found):.0f} ms of a processor a click"
    )


if __name__ == "__main__":
    main()
