"""What a person does in the viewer, in a real browser: by mouse, and by keyboard alone."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.images import read_stored
from radcbir_core.images.decoded_image import Window
from radcbir_core.images.display.grayscale import Rescale, to_display
from radcbir_core.importers import import_collection
from radcbir_core.pipeline import build_collection
from tests.browser.conftest import run_server
from tests.browser.test_retrieve import quiet
from tests.core.images.dicom_files import dicom_bytes

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A data folder with six CT scans of 12 bits; the last has five frames, and pixels twice as high as wide."""
    folder, random = tmp_path_factory.mktemp("viewer"), np.random.default_rng(3)
    source = folder / "source"
    source.mkdir()
    lines = ["path,modality,anatomy,pathology"]
    for number in range(6):
        shape = (5, 32, 64) if number == 5 else (64, 64)
        y, x = np.mgrid[0 : shape[-2], 0 : shape[-1]]
        head = np.where(np.hypot(y - shape[-2] / 2, x - 32) < 14 + number, 1064, 24)
        values = np.broadcast_to(head, shape) + random.integers(0, 60, shape)
        more = {"frames": 5, "PixelSpacing": [2.0, 1.0]} if number == 5 else {}
        elements = {"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}
        content = dicom_bytes(values.astype(np.uint16), WindowCenter=40, WindowWidth=400, **elements, **more)
        (source / f"scan_{number}.dcm").write_bytes(content)
        lines.append(f"scan_{number}.dcm,CT,head,{'hemorrhage' if number % 2 else 'normal'}")
    (source / "manifest.csv").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(folder / "data"))
        report = import_collection([source], name="scans", title="Scans")
        build_collection(report.collection, load_encoder("pixels"))
        yield folder / "data", open_collection("scans")


@pytest.fixture(scope="module")
def address(chromium, scans, tmp_path_factory):
    with run_server(["-m", "streamlit"], scans[0], tmp_path_factory.mktemp("log") / "log.txt") as running:
        yield running


def opened(page, address, query="source/scan_0.dcm"):
    """The first hit of a query, in the viewer."""
    page.goto(f"{address}/retrieval?collection=scans&exclude=none&image={query}")
    hits = page.locator("li.card:has(.rank)")
    hits.nth(4).wait_for()
    quiet(page)
    hits.first.locator("button.open").focus()
    page.keyboard.press("Enter")
    viewer = page.locator(".viewer[data-state=ready]")
    viewer.wait_for()
    return viewer


def painted(page, side):
    """The shades that a side is painted with, before they are scaled: (H, W)."""
    taken = side.locator(".stage").evaluate("""(stage) => {
        const { painted } = stage.side
        const { data, width, height } = painted.getContext("2d").getImageData(0, 0, painted.width, painted.height)
        return [height, width, [...data.filter((_, at) => at % 4 === 0)]]
    }""")
    return np.array(taken[2], dtype=np.uint8).reshape(taken[0], taken[1])


def shades(collection, image_id, window, *, inverted=False):
    stored = read_stored(collection.image_path(collection.manifest.row_of(image_id)))
    center, width = window
    given = Window(center, width, "given")
    return to_display(stored.stored, modality=stored.modality, voi=given, inverted=inverted)[0]


def test_by_keyboard_alone(address, scans, page):
    viewer = opened(page, address)
    dialog, sides = page.get_by_role("dialog"), viewer.locator(".side")
    query, hit = sides.nth(0), sides.nth(1)
    first = hit.get_attribute("data-image-id")
    assert query.get_attribute("data-image-id") == "source/scan_0.dcm"
    assert "Rank 1 of 5" in hit.inner_text()
    hit.locator(".reading", has_text="C 40 W 400 HU (the file's)").wait_for()
    assert (painted(page, hit) == shades(scans[1], first, (40, 400))).all()
    page.keyboard.press("4")
    hit.locator(".reading", has_text="C 400 W 1800 HU (Bone)").wait_for()
    query.locator(".reading", has_text="(Bone)").wait_for()
    page.keyboard.press("i")
    viewer.locator("[data-act=invert][aria-pressed=true]").wait_for()
    assert (painted(page, hit) == shades(scans[1], first, (400, 1800), inverted=True)).all()

    # The next hit, with its text, through the window that was chosen; what stands beside follows.
    page.keyboard.press("ArrowRight")
    hit.get_by_text("Rank 2 of 5").wait_for()
    second = hit.get_attribute("data-image-id")
    assert second != first
    assert hit.locator("td").last.inner_text() == scans[1].manifest.record(scans[1].manifest.row_of(second))["sha256"]
    assert "(Bone)" in hit.locator(".reading").inner_text()
    page.locator(".st-key-radcbir-beside-viewer:not([inert])").wait_for()
    page.keyboard.press("r")
    hit.locator(".reading", has_text="(the file's)").wait_for()

    page.keyboard.press("e")
    hit.locator(".seen", has_text="pixels saw 32 × 32 pixels").wait_for()
    page.keyboard.press("?")
    help_ = viewer.locator(".help[role=dialog]")
    help_.wait_for()
    page.keyboard.press("Escape")
    help_.wait_for(state="hidden")
    assert dialog.is_visible(), "Escape has closed the help and not the dialog"
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")


def test_by_mouse(address, scans, page):
    viewer = opened(page, address, "source/scan_5.dcm")
    query, hit = viewer.locator(".side").nth(0), viewer.locator(".side").nth(1)

    # Pixels twice as high as wide: 32 rows and 64 columns are a square.
    drawn = query.locator(".stage").evaluate("(stage) => { const m = stage.side.matrix; return [m.a * 64, m.d * 64] }")
    assert drawn[0] == pytest.approx(drawn[1])
    assert painted(page, query).shape == (32, 64)

    query.get_by_text("Frame 3 of 5").wait_for()
    query.locator(".stage").hover()
    page.mouse.wheel(0, 100)
    query.get_by_text("Frame 4 of 5 (searched: 3)").wait_for()
    stored = read_stored(scans[1].image_path(5), frame=3).stored
    expected = to_display(stored, modality=Rescale(1, -1024), voi=Window(40, 400, "given"))[0]
    page.wait_for_timeout(300)
    assert (painted(page, query) == expected).all()

    box = hit.locator(".stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    assert hit.locator(".value").inner_text().endswith("HU")
    page.mouse.down()
    page.mouse.move(x + 100, y + 40, steps=4)
    page.mouse.up()
    reading = hit.locator(".reading")
    page.wait_for_function("(reading) => !reading.textContent.includes('file')", arg=reading.element_handle())
    said = reading.inner_text().split()
    assert float(said[1]) == pytest.approx(40 + 40 / 400 * 399, rel=1e-3)
    assert float(said[3]) == pytest.approx(1 + 399 * np.exp(100 / 250), rel=1e-3)

    # Both zoom about the pointer; alone once they are not linked.
    def zooms():
        return viewer.evaluate("(root) => [...root.querySelectorAll('.stage')].map((stage) => stage.side.view.zoom)")

    page.mouse.wheel(0, -300)
    page.wait_for_timeout(200)
    one, other = zooms()
    assert one == other > 1.4
    viewer.get_by_role("button", name="Linked zoom").click()
    viewer.get_by_role("button", name="Zoom in").click()
    one, other = zooms()
    assert other > one
    page.get_by_role("button", name="Next").click()
    hit.get_by_text("Rank 2 of 5").wait_for()
    page.get_by_role("button", name="Use as query").click()
    page.get_by_role("dialog").wait_for(state="detached")


def test_a_file_that_is_gone_is_said_beside_its_thumbnail(address, scans, chromium):
    page = chromium.new_page()  # one that may report the answer 404
    path = scans[1].image_path(4)
    away = path.rename(path.with_suffix(".away"))
    try:
        page.goto(f"{address}/review?collection=scans&image=source/scan_4.dcm")
        trouble = page.locator(".viewer .trouble")
        trouble.get_by_text("scan_4.dcm, but it is not there").wait_for()
        assert str(path.parent) not in trouble.inner_text()
        assert trouble.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
        page.locator(".viewer .side h4", has_text="CT · head · normal").wait_for()
    finally:
        away.rename(path)
        page.close()
