"""The pictures of docs/findings.md: what the pages show of a collection, without an image of it.

    python -m benchmarks.findings COLLECTION [--encoder radcbir-mini] [--output docs/pictures]

Computes what the pages then show, starts the app on a free port, opens the address of each finding and keeps the part
of the page that carries it, as WebP. Prints the figures, so that the text can be held against them. A second collection
(``--again NAME``) prints the same figures of other images; no picture is taken of it.
Needs Chromium on the PATH and playwright (requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import io
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import radcbir_core
from benchmarks.click_to_hits import FLAGS, serve

WIDTH = 1400


@dataclass(frozen=True)
class Finding:
    """One picture.

    Attributes:
        name: Of the file, without its suffix.
        address: Path and parameters of the page; collection and encoder are added.
        first: The selector of what the picture begins with; of several, the first.
        last: The selector of what it ends with.
    """

    name: str
    address: str
    first: str
    last: str


FINDINGS = (
    Finding("finding-seen", "/pathology?", ".radcbir-headline", ".st-key-radcbir-dataset-loss"),
    Finding("finding-data-set", "/pathology?view=leakage&", ".radcbir-headline", ".st-key-radcbir-half-labels"),
    Finding("finding-upside-down", "/failures?view=robustness&", ".radcbir-headline", ".js-plotly-plot"),
)


def figures(name: str, encoder: str) -> None:
    """Print what the findings say of a collection."""
    collection = radcbir_core.open_collection(name)
    for kind in ("precision", "leakage", "robustness"):
        result = radcbir_core.evaluate(collection, encoder, kind)
        print(f"\n{name}, {encoder}: {kind}")
        print(result.summary().to_string(index=False))
        print(*result.notes, sep="\n")


def quiet(page: Page) -> None:
    """Wait until the page has come to rest, twice, as one run may ask for the next."""
    for _ in range(2):
        page.wait_for_timeout(1_000)
        page.locator('[data-testid=stApp][data-test-script-state="notRunning"]').wait_for(timeout=120_000)


def webp(png: bytes, path: Path) -> None:
    """Write a picture of a page, and print how large it is."""
    Image.open(io.BytesIO(png)).convert("RGB").save(path, quality=72, method=6)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def picture(page: Page, finding: Finding) -> Image.Image:
    """The part of the page from the first to the last of what a finding names, in full width."""
    first, last = (page.locator(selector).first.bounding_box() for selector in (finding.first, finding.last))
    main = page.locator("[data-testid=stMainBlockContainer]").bounding_box()
    if first is None or last is None or main is None:
        raise SystemExit(f"{finding.address} shows no {finding.first}, or no {finding.last}")
    top, bottom = first["y"] - 12, last["y"] + last["height"] + 12
    clip = {"x": main["x"], "y": top, "width": main["width"], "height": bottom - top}
    return Image.open(io.BytesIO(page.screenshot(clip=clip)))


def main() -> None:
    """Print the figures and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("collection")
    parser.add_argument("--encoder", default="radcbir-mini")
    parser.add_argument("--again", help="a collection of other images, of which figures alone are printed")
    parser.add_argument("--output", type=Path, default=Path("docs/pictures"))
    options = parser.parse_args()
    for name in filter(None, (options.collection, options.again)):
        figures(name, options.encoder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = serve(port)
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            page = browser.new_page(viewport={"width": WIDTH, "height": 2_400})
            for finding in FINDINGS:
                asked = f"collection={options.collection}&encoder={options.encoder}"
                page.goto(f"http://127.0.0.1:{port}{finding.address}{asked}")
                quiet(page)
                path = options.output / f"{finding.name}.webp"
                picture(page, finding).save(path, lossless=True)
                print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
            browser.close()
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
