"""From a click on the Retrieval page to the new hits, warm, in headless Chromium.

Usage: python benchmarks/click_to_hits.py NAME [--encoder pixels] [--clicks 30]

Needs the collection NAME in the data folder, Playwright, and Chromium. Opens the page, then clicks "Query" on one hit
after another; each time runs from the click until the page shows that image as its query and ten new hits, every
picture of them drawn.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from radcbir_core.collection import open_collection

REPOSITORY = Path(__file__).resolve().parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

# The grid lives in a shadow root, which plain selectors do not enter.
FIND = """
const all = (root, selector) => [
  ...root.querySelectorAll(selector),
  ...[...root.querySelectorAll('*')].filter(e => e.shadowRoot).flatMap(e => all(e.shadowRoot, selector)),
];
const cards = all(document, 'li.card');
"""
CLICK = f"""(position) => {{ {FIND}
  const id = cards[position].dataset.imageId;
  window.radcbirBefore = cards.map(c => c.dataset.imageId).join();
  window.radcbirWanted = id;
  window.radcbirStart = performance.now();
  all(cards[position], 'a.use')[0].click();
  return id;
}}"""
DONE = f"""() => {{ {FIND}
  const facts = [...document.querySelectorAll('.radcbir-facts td')].map(e => e.textContent);
  const drawn = all(document, 'li.card img').every(image => image.complete && image.naturalWidth);
  const changed = cards.map(c => c.dataset.imageId).join() !== window.radcbirBefore;
  return facts.includes(window.radcbirWanted) && changed && drawn ? performance.now() - window.radcbirStart : null;
}}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--encoder", default="pixels")
    parser.add_argument("--clicks", type=int, default=30)
    options = parser.parse_args()
    first = open_collection(options.name).manifest.record(0)["image_id"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    server = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        state = urllib.parse.urlencode({"collection": options.name, "encoder": options.encoder, "image": first})
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(f"http://127.0.0.1:{port}/retrieval?{state}")
            page.locator("li.card").nth(9).wait_for(timeout=60_000)
            times = []
            for number in range(options.clicks + 3):
                page.evaluate(CLICK, number % 10)
                times.append(page.wait_for_function(DONE, timeout=30_000).json_value())
                page.wait_for_timeout(300)
            browser.close()
    finally:
        server.terminate()
        server.wait()
    warm = np.array(times[3:])
    print(
        f"click to hits, {len(warm)} clicks on {options.name} with {options.encoder}: "
        f"median {np.median(warm):.0f} ms   p95 {np.quantile(warm, 0.95):.0f} ms   worst {warm.max():.0f} ms"
    )


def wait_for(url: str) -> None:
    """Wait until the server answers, at most a minute."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - always this machine
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    main()
