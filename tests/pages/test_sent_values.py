"""What the viewer is sent: every stored value as it is, what it means, and what the browser makes of it."""

from __future__ import annotations

import doctest
import gzip
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pages.parts.images.viewer import sent_values
from pages.parts.images.viewer.sent_values import message, packed, read_message
from radcbir_core.errors import ImageError
from radcbir_core.images import StoredImage, Window, display_image
from radcbir_core.images.display.grayscale import LookupTable, Rescale, to_display

CODE = Path(sent_values.__file__).parent / "canvas"
RANDOM = np.random.default_rng(7)


def image(stored, **more):
    return StoredImage(name="a.dcm", format="DICOM", stored=np.ascontiguousarray(stored), **more)


def noise(kind, shape=(40, 30)):
    if np.dtype(kind).kind == "f":
        return RANDOM.normal(3, 40, shape).astype(kind)
    info = np.iinfo(kind)
    numbers = RANDOM.integers(max(info.min, -(2**40)), min(info.max, 2**40), shape, endpoint=True)
    return numbers.astype(kind)


def test_the_examples_in_the_docstrings_run():
    result = doctest.testmod(sent_values)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    "kind", ["u1", "i1", "<u2", ">u2", "<i2", ">i2", "<u4", ">i4", "<i8", "<f2", ">f4", "<f8", "?"]
)
def test_every_value_arrives(kind):
    stored = (noise("u1") > 99) if kind == "?" else noise(kind)
    content = message(image(stored, unit="HU", frame=3, frames=9))
    head, values = read_message(content)
    assert (values == stored).all()
    assert values.shape == stored.shape
    assert (len(content) - values.nbytes) % 8 == 0, "a browser reads numbers of eight bytes at multiples of eight only"
    assert (head["low"], head["high"]) == (float(stored.min()), float(stored.max()))
    assert (head["unit"], head["frame"], head["frames"], head["step"]) == ("HU", 3, 9, 1)


def test_color_arrives_as_three_values_and_gray_that_was_saved_as_color_as_one():
    color = noise("u1", (5, 6, 3))
    assert (read_message(message(image(color, as_is=True)))[1] == color).all()
    gray = np.repeat(noise("u1", (5, 6, 1)), 3, axis=2)
    head, values = read_message(message(image(gray, as_is=True)))
    assert (values == gray[..., 0]).all()
    assert head["own"]["source"] == "as stored"


@pytest.mark.parametrize("voi", [None, Window(40, 400, "header"), Window(9, 80, "header", "sigmoid")])
def test_its_own_window_is_the_one_that_pages_show_it_through(voi):
    scan = image(noise("<i2"), voi=voi, modality=Rescale(2.0, -100.0))
    shown = display_image(scan).window
    own = read_message(message(scan))[0]["own"]
    assert Window(**own) == shown


def test_the_automatic_window_is_the_percentiles_of_what_is_no_padding():
    stored = np.arange(1001, dtype=np.int16).reshape(7, 143)
    scan = image(np.where(stored < 200, -3000, stored), padding=(-3000.0, -3000.0), modality=Rescale(1.0, -50.0))
    automatic = read_message(message(scan))[0]["automatic"]
    low, high = np.percentile(np.arange(200, 1001) - 50.0, [0.5, 99.5])
    assert automatic["center"] == pytest.approx((low + high) / 2 + 0.5)
    assert automatic["width"] == pytest.approx(high - low + 1)


def test_what_is_nowhere_a_number_still_travels():
    head, values = read_message(message(image(np.full((2, 2), np.nan, np.float32))))
    assert np.isnan(values).all()
    assert (head["low"], head["high"]) == (0.0, 0.0)


def test_pixels_that_are_not_square_come_with_the_size_at_which_they_are():
    assert read_message(message(image(noise("u1", (10, 30)), square=(20, 30))))[0]["size"] == [20, 30]
    assert read_message(message(image(noise("u1", (10, 30)))))[0]["size"] == [10, 30]


def test_of_a_very_large_picture_every_second_row_and_column_is_sent_and_that_is_said(monkeypatch):
    monkeypatch.setattr(sent_values, "MOST_PIXELS", 500)
    stored = noise("u1", (40, 31))
    head, values = read_message(message(image(stored)))
    assert (values == stored[::2, ::2]).all()
    assert head["size"] == [40, 31]
    assert "one of 2 rows and columns" in head["remarks"][-1]


def test_the_last_ones_are_kept_within_a_limit_and_errors_are_not(monkeypatch):
    monkeypatch.setattr(sent_values, "_KEPT", type(sent_values._KEPT)())
    read = []

    def reads(name):
        return lambda: read.append(name) or image(noise("u2"))

    first = packed("first", reads("first"))
    assert packed("first", reads("first")) is first
    assert read_message(gzip.decompress(first))[1].shape == (40, 30)
    packed("second", reads("second"), most=len(first) + 10)
    packed("first", reads("first"))
    assert read == ["first", "second", "first"]

    def fails():
        raise ImageError("Expected an image.")

    for _ in range(2):
        with pytest.raises(ImageError):
            packed("damaged", fails)
    assert packed("damaged", reads("damaged"))


# --- What the browser makes of them ---

WINDOWS = [
    Window(40, 400, "given"),
    Window(-3.5, 1, "given"),
    Window(20, 2.5, "given"),
    Window(30000, 65536, "given"),
    Window(12, 90, "given", "linear exact"),
    Window(7, 300, "given", "sigmoid"),
]
TABLE = LookupTable(-20, 12, np.clip(np.cumsum(np.arange(60) % 7) * 19, 0, 4095).astype(np.uint16))
SIMPLE = Rescale()
IMAGES = [
    image(noise("u1"), modality=SIMPLE),
    image(noise("i1"), modality=Rescale(0.5, 3.0), inverted=True),
    image(noise("<u2"), modality=Rescale(0.01, -40.0), padding=(100.0, 9000.0)),
    image(noise("<i2"), modality=Rescale(1.0, -1024.0), padding=(-32000.0, -20000.0), inverted=True),
    image(noise("<i2"), modality=LookupTable(-500, 8, RANDOM.integers(0, 255, 900).astype(np.uint16))),
    image(noise("<i4"), modality=Rescale(1e-9, 0.0)),
    image(np.where(noise("u1") > 240, np.nan, noise("<f4")), padding=None),
    image(noise("<f8") + 0.5, modality=TABLE),
    image(noise("u1", (12, 10, 3))),
    image(noise("<u2", (12, 10, 3))),
]
SCRIPT = """
import { readFileSync, writeFileSync } from "node:fs"
import { Picture } from "./picture.js"
const cases = JSON.parse(readFileSync("cases.json"))
const painted = cases.map(({ file, window, inverted, step }) => {
  const bytes = readFileSync(file)
  const { shader, head } = new Picture(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  const [height, width] = head.shape.map((side) => Math.ceil(side / step))
  const pixels = new Uint32Array(height * width)
  shader.paint(pixels, window, inverted, step)
  return [...new Uint8Array(pixels.buffer)]
})
writeFileSync("painted.json", JSON.stringify(painted))
"""


def expected(scan, window, *, inverted):
    """The shades by NumPy, which the pages show images with."""
    modality = SIMPLE if scan.is_color else scan.modality
    padding = None if scan.is_color else scan.padding
    turned = inverted != (scan.inverted and not scan.is_color)
    return to_display(scan.stored, modality=modality, voi=window, padding=padding, inverted=turned)[0]


def test_the_browser_makes_the_same_shades_of_them_as_numpy(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; tests/browser/test_viewer.py compares shades in a browser")
    for module in ("picture.js", "shades.js"):
        shutil.copy(CODE / module, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(SCRIPT)
    asked, wanted = [], []
    for number, scan in enumerate(IMAGES):
        (tmp_path / f"{number}.bin").write_bytes(message(scan))
        # A table has no place for what is no number.
        for at, window in enumerate([*WINDOWS, *([] if np.isnan(scan.stored).any() else [TABLE])]):
            inverted, step = at % 2 == 1, 1 + at % 3
            said = {"center": 0, "width": 1, "table": sent_values._table(TABLE)}
            if isinstance(window, Window):
                said = {"center": window.center, "width": window.width, "function": window.function}
            asked.append({"file": f"{number}.bin", "window": said, "inverted": inverted, "step": step})
            wanted.append(expected(scan, window, inverted=inverted)[::step, ::step])
    (tmp_path / "cases.json").write_text(json.dumps(asked))
    subprocess.run([node, "run.js"], cwd=tmp_path, check=True, timeout=60)
    painted = json.loads((tmp_path / "painted.json").read_text())
    assert len(painted) == len(wanted) == len(IMAGES) * 7 - 1
    for one, pixels, shades in zip(asked, painted, wanted, strict=True):
        found = np.array(pixels, dtype=np.uint8).reshape(*shades.shape[:2], 4)
        assert (found[..., 3] == 255).all()
        same = shades if shades.ndim == 3 else np.repeat(shades[..., None], 3, axis=2)
        assert (found[..., :3] == same).all(), one
