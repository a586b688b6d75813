"""From click to hits: how long the Retrieval page takes, warm, in a real browser.

    python -m benchmarks.click_to_hits COLLECTION [--encoder pixels] [--k 10] [--clicks 50]

Starts the app on a free port, opens the page on a random image of the collection and clicks "Query" under one hit after
the other. The clock runs in the browser: from the click to the frame after all thumbnails of the new hits are decoded.
Prints the median, the 95th percentile and the range, and their ratio to the 500 ms that a person notices as waiting.
Needs Chromium on the PATH and playwright (requirements-dev.txt).
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
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from playwright.sync_api import sync_playwright

from radcbir_core.collections.collection import open_collection

REPOSITORY = Path(__file__).resolve().parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
LIMIT_MS = 500
WARM_UP = 3

CLICK = """([position, k]) => new Promise((done) => {
  const cards = () => {
    const hosts = [...document.querySelectorAll("*")].filter((element) => element.shadowRoot)
    return hosts.map((host) => [...host.shadowRoot.querySelectorAll("li.card")]).find((found) => found.length) ?? []
  }
  const shown = (card) => {
    const image = card.querySelector("img")
    return image === null || (image.complete && image.naturalWidth > 0)
  }
  const before = new Set(cards())
  const start = performance.now()
  cards()[position].querySelector("a.use").click()
  const look = () => {
    const now = cards()
    if (now.length === k && !before.has(now[0]) && now.every(shown)) {
      requestAnimationFrame(() => done(performance.now() - start))
    } else setTimeout(look, 2)
  }
  look()
})"""


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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("collection")
    parser.add_argument("--encoder", default="pixels")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--clicks", type=int, default=50)
    options = parser.parse_args()
    collection = open_collection(options.collection)
    row = int(np.random.default_rng(0).integers(len(collection)))
    query = {
        "collection": options.collection,
        "encoder": options.encoder,
        "image": collection.manifest.record(row)["image_id"],
        "k": options.k,
    }
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = serve(port)
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(f"http://127.0.0.1:{port}/retrieval?{urlencode(query)}")
            page.locator("li.card:has(.rank)").nth(options.k - 1).wait_for(timeout=60_000)
            page.wait_for_timeout(2000)
            found = []
            for click in range(WARM_UP + options.clicks):
                found.append(page.evaluate(CLICK, [click % options.k, options.k]))
                page.wait_for_timeout(500)
            browser.close()
    finally:
        process.terminate()
        process.wait()
    times = sorted(found[WARM_UP:])
    median, late = statistics.median(times), float(np.percentile(times, 95))
    print(
        f"{len(collection):,} images, {options.encoder}, k = {options.k}, {len(times)} clicks: "
        f"median {median:.0f} ms ({median / LIMIT_MS:.2f} of {LIMIT_MS} ms), p95 {late:.0f} ms, "
        f"{times[0]:.0f} to {times[-1]:.0f} ms"
    )


if __name__ == "__main__":
    main()
