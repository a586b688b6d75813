"""The viewer in a real browser without a GPU: frames a second while a window is dragged, and a key until the next one.

    python -m benchmarks.viewer [--side 1024] [--seconds 4] [--data FOLDER]

Draws a dozen CT scans of 12 bits, `--side` pixels a side, builds them with `pixels`, starts the app and opens a hit
beside its query in headless Chromium started with --disable-gpu and without WebGL. Drags the window over both pictures,
which are of one kind and so change together, with one movement of the pointer a frame, and counts the frames that the
viewer draws; then zooms. Then steps through the hits with the arrow key and measures, inside the page, from the key
until picture and text are those of the next one. Beside the clock stand the processor's seconds of the browser. Needs
Chromium on the PATH and playwright (requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from benchmarks.first_start import FLAGS, serving
from benchmarks.map_page import WITHOUT_WEBGL, Machines, Server, measured, spent
from benchmarks.measuring import say
from radcbir_core.encoders import load_encoder
from radcbir_core.importers import import_collection
from radcbir_core.pipeline import build_collection

NAME = "viewer"
SCANS = 12
STEPS = 8

DRAG = """async (root, { seconds, wheel }) => {
  const stage = [...root.querySelectorAll('.stage')].at(-1)
  const box = stage.getBoundingClientRect()
  const place = (x, y) => ({ clientX: box.x + box.width / 2 + x, clientY: box.y + box.height / 2 + y, bubbles: true,
    pointerId: 1, button: 0, buttons: 1, cancelable: true })
  stage.setPointerCapture = () => {}
  if (!wheel) stage.dispatchEvent(new PointerEvent('pointerdown', place(0, 0)))
  const frames = root.frames, begun = performance.now()
  let at = 0
  const gaps = []
  let last = begun
  while (performance.now() - begun < 1000 * seconds) {
    at += 1
    if (wheel) stage.dispatchEvent(new WheelEvent('wheel', { ...place(40, 30), deltaY: at % 40 < 20 ? -60 : 60 }))
    else stage.dispatchEvent(new PointerEvent('pointermove', place(120 * Math.sin(at / 20), 60 * Math.cos(at / 15))))
    await new Promise(requestAnimationFrame)
    const now = performance.now()
    gaps.push(now - last)
    last = now
  }
  const found = (root.frames - frames) / ((performance.now() - begun) / 1000)
  if (!wheel) stage.dispatchEvent(new PointerEvent('pointerup', place(0, 0)))
  gaps.sort((one, other) => one - other)
  return [found, gaps[Math.floor(gaps.length * 0.95)]]
}"""
STEP = """async (root, { wait }) => {
  const side = [...root.querySelectorAll('.side')].at(-1)
  await new Promise((done) => setTimeout(done, wait))
  const before = root.dataset.position, head = side.querySelector('h4').textContent
  const begun = performance.now()
  const key = new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true, composed: true })
  side.querySelector('.stage').dispatchEvent(key)
  while (root.dataset.state !== 'ready' || root.dataset.position === before) await new Promise(requestAnimationFrame)
  await new Promise(requestAnimationFrame)
  if (side.querySelector('h4').textContent === head) throw new Error('another picture with the text of the one before')
  return performance.now() - begun
}"""


def draw(folder: Path, side: int) -> None:
    """Write the scans and their table."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    lines = ["path,modality,anatomy,pathology"]
    for number in range(SCANS):
        head = np.where(np.hypot(y * 1.2, x) < 0.3 + 0.01 * number, 1064, 24)
        pixels = (head + random.integers(0, 80, head.shape)).astype(np.uint16)
        scan = Dataset()
        scan.SOPClassUID, scan.SOPInstanceUID, scan.Modality = CTImageStorage, generate_uid(), "CT"
        scan.Rows, scan.Columns, scan.SamplesPerPixel = side, side, 1
        scan.PhotometricInterpretation, scan.PixelRepresentation = "MONOCHROME2", 0
        scan.BitsAllocated, scan.BitsStored, scan.HighBit = 16, 12, 11
        scan.RescaleSlope, scan.RescaleIntercept, scan.RescaleType = 1, -1024, "HU"
        scan.WindowCenter, scan.WindowWidth = 40, 400
        scan.PixelData = pixels.tobytes()
        scan.file_meta = FileMetaDataset()
        scan.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        scan.save_as(folder / f"scan_{number:02d}.dcm", enforce_file_format=True)
        lines.append(f"scan_{number:02d}.dcm,CT,head,normal")
    (folder / "manifest.csv").write_text("\n".join(lines))


def drive(by: Machines, address: str, *, side: int, seconds: float) -> None:
    """Measure in one page."""
    page = by.browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(f"{address}/retrieval?collection={NAME}&k={SCANS - 1}&exclude=none&image=source/scan_00.dcm")
    hits = page.locator("li.card:has(.rank)")
    hits.nth(SCANS - 2).wait_for(timeout=120_000)
    hits.first.locator("button.open").click()
    page.locator(".viewer[data-state=ready]").wait_for(timeout=60_000)
    page.wait_for_timeout(1000)
    root = page.locator(".viewer")
    what = f"two pictures of {side} x {side}, 12 bits"
    for name, wheel in (("dragging the window", False), ("zooming", True)):
        with measured(by) as took:
            rate, slow = root.evaluate(DRAG, {"seconds": seconds, "wheel": wheel})
        more = f"95 % of the frames within {slow:.0f} ms; {spent(took)}"
        say(f"frames a second while {name}, {what}", rate, "frames", limit=30, least=True, more=more)
        page.wait_for_timeout(500)
    ahead = [root.evaluate(STEP, {"wait": 700}) for _ in range(STEPS)]
    more = f"longest {max(ahead):.0f} ms"
    say(
        f"arrow key to the next picture with its text, median of {STEPS}",
        statistics.median(ahead),
        "ms",
        limit=150,
        more=more,
    )
    page.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--data", type=Path, help="where the collection is made; a temporary folder by default")
    options = parser.parse_args()
    data = options.data or Path(tempfile.mkdtemp(prefix="radcbir-viewer-"))
    os.environ["RADCBIR_DATA"] = str(data)
    try:
        source = data / "source"
        source.mkdir(parents=True)
        draw(source, options.side)
        build_collection(import_collection([source], name=NAME, title="Scans").collection, load_encoder("pixels"))
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        with serving(data) as (address, _), sync_playwright() as play:
            server = Server.of_mine()
            browser: Any = play.chromium.launch(executable_path=chromium, args=[*FLAGS, *WITHOUT_WEBGL])
            drive(Machines(server, browser), address, side=options.side, seconds=options.seconds)
            browser.close()
    finally:
        if options.data is None:
            shutil.rmtree(data)


if __name__ == "__main__":
    main()
