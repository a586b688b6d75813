"""How a window goes over from one picture to the next, as the browser has it (canvas/windows.js), under node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pages.parts.images.viewer import image_viewer

CODE = Path(image_viewer.__file__).parent / "canvas"
SCRIPT = """
import { Windows, dragged, words } from "./windows.js"
const own = (center, width, source = "header") => ({ center, width, source, function: "linear" })
const picture = (scale, unit, window, automatic = null) =>
  ({ scale, head: { unit, own: window, automatic }, first: window.source === "full range" ? automatic : window })
const head = picture("HU", "HU", own(40, 400))
const abdomen = picture("HU", "HU", own(50, 350))
const dark = picture("relative", "", own(100, 201))
const bright = picture("relative", "", own(1000, 2001))
const deep = picture("relative", "", own(500, 1001, "full range"), own(300, 401, "automatic"))
const windows = new Windows()
const of = (one, modality) => {
  const { center, width, source } = windows.of(one, modality)
  return [center, width, source ?? ""]
}
const said = {}
said.first = [of(head, "CT"), of(dark, "MR"), of(deep, "MR")]
windows.set(head, "CT", { center: 400, width: 1800, source: "preset", name: "Bone" })
said.inHu = [of(abdomen, "CT"), of(dark, "CT"), of(abdomen, "other"), windows.of(abdomen, "CT").name]
windows.set(dark, "MR", { center: 120, width: 101 })
said.inProportion = [of(dark, "MR"), of(bright, "MR"), of(bright, "XR")]
windows.name(bright, "MR", "automatic")
said.automatic = [of(deep, "MR"), of(dark, "MR")]
windows.name(deep, "MR", "own")
said.own = of(deep, "MR")
windows.invert(head, "CT")
said.inverted = [windows.isInverted(abdomen, "CT"), windows.isInverted(dark, "CT")]
windows.clear()
said.cleared = [of(abdomen, "CT"), windows.isInverted(abdomen, "CT")]
const right = dragged(own(40, 401), 250, 0), down = dragged(own(40, 401), 0, 400)
said.dragged = [right.center, right.width, down.center, down.width]
said.narrowest = dragged(own(40, 1), -5000, 0).width
said.table = dragged({ ...own(40, 400), function: "table", table: {} }, 1, 1).function
said.words = [words(own(40, 400), "HU"), words({ center: -600, width: 1500, name: "Lung" }, "HU"),
  words({ ...own(128, 256), source: "as stored" }, ""), words({ center: 12.3456, width: 99999, source: "hand" }, "")]
console.log(JSON.stringify(said))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; tests/browser/test_viewer.py drives the viewer in a browser")
    folder = tmp_path_factory.mktemp("windows")
    shutil.copy(CODE / "windows.js", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "run.js").write_text(SCRIPT)
    told = subprocess.run([node, "run.js"], cwd=folder, check=True, timeout=60, capture_output=True, text=True)
    return json.loads(told.stdout)


def test_at_first_a_picture_has_its_own_window_or_the_automatic_one(said) -> None:
    assert said["first"] == [[40, 400, "header"], [100, 201, "header"], [300, 401, "automatic"]]


def test_in_hu_a_window_goes_over_as_it_is_to_the_same_modality_and_unit_alone(said) -> None:
    assert said["inHu"] == [[400, 1800, "preset"], [100, 201, "header"], [50, 350, "header"], "Bone"]


def test_without_a_unit_it_goes_over_in_proportion_to_each_pictures_own(said) -> None:
    assert said["inProportion"][0] == [120, 101, "hand"]
    assert said["inProportion"][1] == [pytest.approx(1200), pytest.approx(1001), "hand"]
    assert said["inProportion"][2] == [1000, 2001, "header"]


def test_a_named_window_is_each_pictures_own(said) -> None:
    assert said["automatic"] == [[300, 401, "automatic"], [100, 201, "header"]], "eight bits have no automatic one"
    assert said["own"] == [500, 1001, "full range"]


def test_inversion_is_of_a_kind_of_pictures_and_all_of_it_is_forgotten_together(said) -> None:
    assert said["inverted"] == [True, False]
    assert said["cleared"] == [[50, 350, "header"], False]


def test_a_drag_is_in_proportion_to_the_width_and_never_ends_in_nothing(said) -> None:
    center, wider, darker, width = said["dragged"]
    assert (center, width) == (40, 401)
    assert wider == pytest.approx(1 + 400 * 2.718281828)
    assert darker == pytest.approx(440)
    assert said["narrowest"] > 1
    assert said["table"] == "linear"


def test_a_window_in_words(said) -> None:
    assert said["words"] == ["C 40 W 400 HU (the file's)", "C -600 W 1500 HU (Lung)", "as stored", "C 12.35 W 100000"]
