"""The first start: from nothing to a Retrieval page that answers a sentence, in a real browser; then the second start.

    python -m benchmarks.first_start [--data FOLDER]

Starts the app on an empty data folder with the hub turned off, opens the page of a text query, and waits until it shows
ten hits; then until the map is there. Stops the server, starts it again, and measures from the address being entered
until Home shows its images. Prints seconds, with their ratio to the limits of 30 s and 3 s. Needs Chromium on the PATH
and playwright (requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import sync_playwright

REPOSITORY = Path(__file__).resolve().parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SENTENCE = "chest radiograph with pleural effusion"
FIRST_LIMIT, SECOND_LIMIT = 30, 3


@contextmanager
def serving(data: Path) -> Iterator[tuple[str, float]]:
    """The app on a data folder: its address, and when it was started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    environment = {**os.environ, "RADCBIR_DATA": str(data), "HF_HUB_OFFLINE": "1"}
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        address = f"http://127.0.0.1:{port}"
        while process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5):
                    break
            except OSError:
                time.sleep(0.1)
        yield address, started
    finally:
        process.terminate()
        process.wait()


def seconds_until(shown: Any, started: float) -> float:
    """Wait until something is on the page; how long that took since ``started``."""
    shown.wait_for(timeout=1_800_000)
    return time.monotonic() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="an empty folder; a temporary one by default")
    options = parser.parse_args()
    data = options.data or Path(tempfile.mkdtemp(prefix="radcbir-first-start-"))
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium, args=FLAGS)
            with serving(data) as (address, started):
                page, other = browser.new_page(), browser.new_page()
                page.goto(f"{address}/retrieval?text={quote(SENTENCE)}")
                other.goto(f"{address}/map")
                first = seconds_until(page.locator("li.card:has(.rank)").nth(9), started)
                print(f"first start to ten hits of a sentence: {first:.1f} s ({first / FIRST_LIMIT:.2f} of the limit)")
                whole = seconds_until(other.locator(".map[data-state=ready]").first, started)
                print(f"first start to the map: {whole:.1f} s")
            with serving(data) as (address, started):
                page = browser.new_page()
                ready = time.monotonic() - started
                opened = time.monotonic()
                page.goto(address)
                second = seconds_until(page.locator("li.card").first, opened)
                print(f"second start: first page {second:.1f} s ({second / SECOND_LIMIT:.2f} of the limit)")
                print(f"second start: the server listens after {ready:.1f} s")
            browser.close()
    finally:
        if options.data is None:
            shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
