"""The pictures of README and of docs/for-clinicians.md: what a person sees on the pages, on phantoms.

    python -m benchmarks.pictures COLLECTION [--encoder radcbir-mini] [--only NAME …] [--output docs/pictures]

Starts the app on a free port, opens the address of each picture, does by the mouse what there is to be done, and keeps
what is seen, as WebP. COLLECTION is one of phantoms, so that no picture shows a patient; for the picture of Compare it
has the encoder pixels, too. Needs Chromium on the PATH and playwright (requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.click_to_hits import FLAGS, REPOSITORY, serve
from benchmarks.findings import quiet, webp
from radcbir_core.collections.collection import Collection, open_collection

SIZE: Final = {"width": 1400, "height": 900}
FINDING: Final = {"modality": "XR", "anatomy": "chest", "pathologies": "pleural effusion"}
"""What the query shows, where a picture has one."""


def look(page: Page) -> None:
    """Nothing is to be done."""


def open_a_hit(page: Page) -> None:
    """The third hit in large, beside the query."""
    page.locator("li.card:has(.rank) button.open").nth(2).click()
    page.locator(".st-key-radcbir-large-pair, .st-key-radcbir-large").first.wait_for()


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        name: Of the file, without its suffix.
        page: Of the address, as in ``/retrieval``.
        parameters: Of the address, besides collection and encoder.
        of_query: Whether the address names the query image.
        act: What is done once the page is there.
    """

    name: str
    page: str
    parameters: dict[str, str]
    of_query: bool = False
    act: Callable[[Page], None] = look


PICTURES: Final = (
    Picture("home", "", {}),
    Picture("retrieval", "retrieval", {}, of_query=True),
    Picture("pathology", "pathology", {}),
    Picture("map", "map", {"color": "anatomy"}),
    Picture("failures", "failures", {}),
    Picture("compare", "compare", {"versus": "pixels"}),
    Picture("collections", "collections", {}),
    Picture("viewer", "retrieval", {}, of_query=True, act=open_a_hit),
    Picture("words", "retrieval", {"source": "text", "text": "water on the lung"}),
    Picture("region", "retrieval", {"region": "450,350,950,850", "whole": "2"}, of_query=True),
    Picture("story-findings", "presentation", {"step": "findings"}, of_query=True),
    Picture("story-comparison", "presentation", {"step": "comparison"}, of_query=True),
    Picture("story-failure", "presentation", {"step": "failure"}, of_query=True),
)


def query_of(collection: Collection) -> str:
    """The image_id of the query: the first image that shows :data:`FINDING`."""
    mask = collection.manifest.mask({column: [value] for column, value in FINDING.items()})
    return collection.manifest.image_id(int(np.flatnonzero(mask)[0]))


def command(*arguments: str) -> None:
    """Run a command of RadCBIR."""
    subprocess.run([sys.executable, "-m", "radcbir_core", *arguments], cwd=REPOSITORY, check=True, env=os.environ)


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("collection")
    parser.add_argument("--encoder", default="radcbir-mini")
    parser.add_argument("--only", nargs="+", choices=[picture.name for picture in PICTURES] + ["report"])
    parser.add_argument("--output", type=Path, default=Path("docs/pictures"))
    options = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    collection = open_collection(options.collection)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as play:
        query = query_of(collection)
        report = Path(scratch) / "report.html"
        asked_as = ("--encoder", options.encoder, "--exclude", "patient", "-k", "6", "--report", str(report))
        command("query", collection.name, "--id", query, *asked_as)
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport=SIZE)
        shared = {"collection": collection.name, "encoder": options.encoder}
        process = serve(port)
        try:
            for picture in PICTURES:
                if options.only and picture.name not in options.only:
                    continue
                asked = shared | ({"image": query} if picture.of_query else {}) | picture.parameters
                page.goto(f"http://127.0.0.1:{port}/{picture.page}?{urlencode(asked)}")
                quiet(page)
                picture.act(page)
                quiet(page)
                webp(page.screenshot(), options.output / f"{picture.name}.webp")
        finally:
            process.terminate()
            process.wait()
        if not options.only or "report" in options.only:
            page.goto(report.as_uri())
            webp(page.screenshot(), options.output / "report.webp")
        browser.close()


if __name__ == "__main__":
    main()
