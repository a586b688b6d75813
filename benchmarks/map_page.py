"""The Map page at any size, in a real browser without WebGL: how soon it is there, and how it feels.

    python -m benchmarks.map_page [--rows 1600000] [--data FOLDER] [--pictures FOLDER] [--name NAME]

Takes a collection of the data folder that has a map, or draws one of `synthesize` (16 dimensions: the page reads none
of them) and puts a map beside it: a cluster a label around its anatomy, tails, and a few points far from all. The
neighbor graph that the record names is not there, and nothing here asks for it. Starts the app on it, opens the Map in
headless Chromium started with --disable-webgl --disable-webgl2 --disable-3d-apis, and prints each figure beside its
limit: the first paint of a server that has just started, of one that has not, and of a browser that has been there
before; the milliseconds of a frame while panning and zooming, and once all is still; from letting go of a lasso around
about 20,000 images until the page says how many they are; another color; pointing at an image until its card and its
picture are there. Paints are counted from the address being entered. Beside the clock stand the processor's seconds of
the server and of the browser, which say more where others are at work on the machine. Needs Chromium on the PATH and
playwright (requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from playwright.sync_api import TimeoutError as NotThere
from playwright.sync_api import sync_playwright

from benchmarks.first_start import FLAGS, serving
from benchmarks.measuring import say
from radcbir_core.collections.artifacts import EMBEDDINGS, NEIGHBORS, PROJECTION, made_record
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.encoder_data.store import content_digest
from radcbir_core.storage import atomic_path
from radcbir_core.synthetic.embedding_collection import ENCODER_ID, make_synthetic
from radcbir_core.synthetic.embedding_plan import EmbeddingPlan

WITHOUT_WEBGL = ("--disable-webgl", "--disable-webgl2", "--disable-3d-apis", "--disable-dev-shm-usage")
FRAMES = 40
FEW = 20_000


def make_map(name: str) -> None:
    """Lay out a collection as nobody has computed it, and record it as if it had been built."""
    collection = open_collection(name)
    store = collection.store(ENCODER_ID)
    random = np.random.default_rng(0)
    label, anatomy = (collection.manifest.labels(level).codes for level in ("label", "anatomy"))
    centers = random.uniform(-12, 12, (anatomy.max() + 1, 2))
    offsets = random.normal(0, 1.6, (label.max() + 1, 2))
    number = len(collection)
    places = centers[anatomy] + offsets[label] + random.normal(0, 0.5, (number, 2)) * random.gamma(2, 0.5, (number, 1))
    far = random.choice(number, min(200, number // 10), replace=False)
    places[far] += random.normal(0, 15, (len(far), 2))
    frame = pd.DataFrame(places.astype(np.float32), columns=["x", "y"])
    frame["preservation"] = random.uniform(0, 1, number).astype(np.float32)
    with atomic_path(store.projection_path) as path:
        frame.to_parquet(path, index=False)
    made = dict(store.record["artifacts"])
    made[NEIGHBORS.name] = made_record(NEIGHBORS, of={EMBEDDINGS.name: made[EMBEDDINGS.name]["digest"]}, digest="none")
    digest = content_digest(PROJECTION, store.layout)
    made[PROJECTION.name] = made_record(PROJECTION, of={NEIGHBORS.name: "none"}, digest=digest)
    store.update(artifacts=made)


@dataclass(frozen=True)
class Server:
    """The process that serves the app, as Linux tells of it."""

    pid: int

    @classmethod
    def of_mine(cls) -> Server:
        """The child of this process that serves."""
        mine = os.getpid()
        children = Path(f"/proc/{mine}/task/{mine}/children").read_text().split()
        return cls(next(int(one) for one in children if "streamlit" in Path(f"/proc/{one}/cmdline").read_text()))

    def busy(self) -> float:
        """The processor's seconds so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """The largest resident memory so far, in MB."""
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024


@dataclass(frozen=True)
class Machines:
    """What works for the page: the server, and the browser with all its processes."""

    server: Server
    browser: Any

    def busy(self) -> tuple[float, float]:
        """The processor's seconds so far, of the server and of the browser."""
        told = self.browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
        return self.server.busy(), sum(one["cpuTime"] for one in told["processInfo"])


@contextmanager
def measured(by: Machines) -> Iterator[dict[str, float]]:
    """The clock's seconds, and the processor's: ``server`` and ``browser``."""
    busy, begun = by.busy(), time.perf_counter()
    found: dict[str, float] = {}
    yield found
    found["clock"] = time.perf_counter() - begun
    found |= {name: after - before for name, after, before in zip(("server", "browser"), by.busy(), busy, strict=True)}


def spent(took: dict[str, float]) -> str:
    """What the processors did meanwhile."""
    return f"processor: server {took['server']:.2f} s, browser {took['browser']:.2f} s"


def paint(page: Any, address: str, name: str) -> None:
    """Open the Map and wait until its first frame is there."""
    page.goto(f"{address}/map?collection={name}")
    page.locator(".map[data-state=ready][data-took]").wait_for(timeout=120_000)


DRAWN = "map-page"


def rest(page: Any) -> None:
    """Wait until the script and the map rest."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=120_000)
    page.wait_for_timeout(400)


def moving(what: str, page: Any, by: Machines, act: Any) -> None:
    """The milliseconds of the frame after each of several acts."""
    took = []
    with measured(by) as spent_in_all:
        for number in range(FRAMES):
            act(number)
            page.wait_for_timeout(25)
            took.append(float(page.locator(".map").get_attribute("data-took")))
    each = 1000 * spent_in_all["browser"] / FRAMES
    more = (
        f"longest {max(took):.0f} ms; {each:.0f} ms of the browser's processors each, with the events and the waiting"
    )
    say(f"frame while {what}, median of {FRAMES}", statistics.median(took), "ms", limit=40, more=more)


def drive(by: Machines, address: str, name: str, *, fresh: bool, pictures: Path | None) -> None:
    """Measure one server: its first paint and, where it is warm, everything else."""
    context = by.browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    with measured(by) as took:
        paint(page, address, name)
    if fresh:
        say("first paint, server just started", took["clock"], "s", more=spent(took))
        rest(page)
        context.close()
        return
    say("first paint, cold browser", took["clock"], "s", limit=2.5, more=spent(took))
    rest(page)
    with measured(by) as took:
        paint(page, address, name)
    say("first paint, browser that has been there", took["clock"], "s", limit=1, more=spent(took))
    rest(page)
    say("frame, all points", float(page.locator(".map").get_attribute("data-took")), "ms", limit=40)
    if pictures is not None:
        page.screenshot(path=pictures / "all.png")
    box = page.locator(".map .area").bounding_box()
    x, y = box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.45
    page.get_by_role("button", name="Pan", exact=True).click()
    page.mouse.move(x, y)
    page.mouse.down()
    moving("panning", page, by, lambda number: page.mouse.move(x + 3 * number, y + 2 * number))
    page.mouse.up()
    rest(page)
    say("frame when the pan is over", float(page.locator(".map").get_attribute("data-took")), "ms", limit=40)
    moving("zooming", page, by, lambda number: page.mouse.wheel(0, -40 if number < FRAMES / 2 else 40))
    rest(page)
    page.locator(".map .area").focus()
    page.keyboard.press("0")
    rest(page)
    lasso(page, x, y, by, pictures)
    with measured(by) as took:
        page.get_by_role("combobox", name="Color by").click()
        page.get_by_role("option", name="Modality", exact=True).click()
        page.locator(".map .legend h4", has_text="Modality").wait_for()
    say("another color, until it is there", took["clock"], "s", more=spent(took))
    rest(page)
    point(page, box, pictures)
    context.close()


def lasso(page: Any, x: float, y: float, by: Machines, pictures: Path | None) -> None:
    """Draw around about so many images, by what a first attempt holds, and wait for the answer."""
    page.get_by_role("button", name="Lasso", exact=True).click()
    radius, held = 12.0, 0
    for attempt in range(6):
        page.mouse.move(x + radius, y)
        page.mouse.down()
        for step in range(1, 64):
            page.mouse.move(x + radius * math.cos(step / 10), y + radius * math.sin(step / 10))
        before = page.locator(".radcbir-summary").inner_text() if attempt else ""
        with measured(by) as took:
            page.mouse.up()
            summary = page.locator(".radcbir-summary", has_text="selected")
            while not summary.count() or summary.inner_text() == before:
                page.wait_for_timeout(5)
        held = int(summary.inner_text().split()[0].replace(",", ""))
        rest(page)
        if 0.7 * FEW < held < 1.4 * FEW:
            break
        radius *= min(3.0, max(0.3, math.sqrt(FEW / max(held, 1))))
    say(f"lasso of {held:,} images, until their number is there", took["clock"], "s", limit=0.5, more=spent(took))
    if pictures is not None:
        page.screenshot(path=pictures / "lasso.png")
    page.locator(".map .area").focus()
    page.keyboard.press("Escape")
    rest(page)


def point(page: Any, box: dict[str, float], pictures: Path | None) -> None:
    """Point at several places, and wait for the card and its picture each time."""
    took = []
    for number in range(12):
        page.mouse.move(box["x"] + box["width"] * (0.3 + 0.02 * number), box["y"] + box["height"] * 0.97)
        page.wait_for_timeout(150)
        begun = time.perf_counter()
        page.mouse.move(box["x"] + box["width"] * (0.3 + 0.02 * number), box["y"] + box["height"] * 0.5)
        card = page.locator(".map .card:not([hidden]) img")
        try:
            card.wait_for(timeout=1000)
        except NotThere:  # a spot without a point
            continue
        card.evaluate("image => image.decode()")
        took.append(1000 * (time.perf_counter() - begun))
    if took:
        say(f"pointing at an image, until its picture is there, of {len(took)}", statistics.median(took), "ms")
    if pictures is not None:
        page.screenshot(path=pictures / "card.png")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_600_000)
    parser.add_argument("--data", type=Path, help="where the collection is made, and found again")
    parser.add_argument("--pictures", type=Path, help="a folder for pictures of the page")
    parser.add_argument("--name", help="a collection with a map, instead of one that is drawn")
    options = parser.parse_args()
    name = options.name or DRAWN
    data = options.data or Path(tempfile.mkdtemp(prefix="radcbir-map-page-"))
    os.environ["RADCBIR_DATA"] = str(data)
    if options.pictures is not None:
        options.pictures.mkdir(parents=True, exist_ok=True)
    try:
        there = (data / "collections" / name / "encoders" / ENCODER_ID / "projection.parquet").is_file()
        if not there and not options.name:
            make_synthetic(name, EmbeddingPlan.of(options.rows, dimension=16))
            make_map(name)
        print(f"{len(open_collection(name)):,} images, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        with serving(data) as (address, _), sync_playwright() as play:
            server = Server.of_mine()
            browser = play.chromium.launch(executable_path=chromium, args=[*FLAGS, *WITHOUT_WEBGL])
            by = Machines(server, browser)
            drive(by, address, name, fresh=True, pictures=None)
            drive(by, address, name, fresh=False, pictures=options.pictures)
            say("memory of the server, at most", server.memory(), "MB")
            browser.close()
    finally:
        if options.data is None:
            shutil.rmtree(data)


if __name__ == "__main__":
    main()
