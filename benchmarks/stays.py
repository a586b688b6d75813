"""The way of one P@k: how many functions it passes from the neighbor graph to the Pathology page.

Usage: python -m benchmarks.stays [--list]

Draws 60 small images of three labels, imports and builds them with ``pixels``, forgets what was evaluated, and opens
the Pathology page, which then reads the graph, evaluates and shows the figures. Every function of the repository that
is called meanwhile is noted, in whatever thread; those that Home calls too are taken off, because they belong to the
frame and not to the figure. Prints how many distinct functions are left, and in how many modules, by folder;
``--list`` names them. Fewer stays are a shorter way for whoever follows a number through the code.
"""

from __future__ import annotations

import argparse
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[1]
OWN = (str(REPOSITORY / "radcbir_core") + os.sep, str(REPOSITORY / "pages") + os.sep)
IMAGES_A_LABEL = 20


class Stays:
    """Notes every function of the repository that is called, in this thread and in those begun meanwhile."""

    def __init__(self) -> None:
        self._seen: set[CodeType] = set()

    def __enter__(self) -> Stays:
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            self._seen.add(frame.f_code)

    def functions(self) -> set[tuple[str, str]]:
        """Module path and qualified name of each; what is inside another function counts as that function."""
        return {
            (str(Path(code.co_filename).relative_to(REPOSITORY)), code.co_qualname.partition(".<locals>")[0])
            for code in self._seen
            if code.co_filename.startswith(OWN) and code.co_flags & inspect.CO_OPTIMIZED  # no class body
        }


def make_collection(data: Path) -> None:
    """A built collection ``drawn`` in ``data``, without anything evaluated."""
    source = data / "source"
    source.mkdir(parents=True)
    random = np.random.default_rng(0)
    rows = ["path,modality,anatomy,pathology,patient_id"]
    for label, name in enumerate(("normal", "mass", "edema")):
        for number in range(IMAGES_A_LABEL):
            pixels = random.integers(0, 120, (32, 32)) + 60 * label
            Image.fromarray(pixels.astype(np.uint8)).save(source / f"{name}-{number}.png")
            rows.append(f"{name}-{number}.png,XR,chest,{name},{name}-{number // 2}")
    (source / "manifest.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for words in (["import", str(source), "--name", "drawn"], ["build", "drawn", "--encoder", "pixels"]):
        subprocess.run([sys.executable, "-m", "radcbir_core", *words], check=True, capture_output=True, cwd=REPOSITORY)
    shutil.rmtree(data / "collections" / "drawn" / "encoders" / "pixels" / "evaluation")


def called_by(page: str) -> set[tuple[str, str]]:
    """What opening a page calls; ``""`` is Home."""
    from streamlit.testing.v1 import AppTest

    at = AppTest.from_file(str(REPOSITORY / "app.py"), default_timeout=120)
    at.query_params["collection"] = "drawn"
    with Stays() as stays:
        at.run()
        if page:
            at.switch_page(f"pages/{page}.py").run()
    if at.exception:
        raise SystemExit(f"Expected the page {page or 'Home'}, but: {at.exception[0].value}")
    return stays.functions()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name every function")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RADCBIR_DATA"] = folder
        make_collection(Path(folder))
        called_by("")  # warms caches, so that both pages below are counted alike
        way = called_by("pathology") - called_by("")
    folders = Counter(str(Path(module).parent) for module, _ in way)
    print(f"{len(way)} functions in {len({module for module, _ in way})} modules, from the neighbor graph to the page")
    for name, count in sorted(folders.items()):
        print(f"{count:5d}  {name}")
    if asked.list:
        print(*(f"{module}:{name}" for module, name in sorted(way)), sep="\n")


if __name__ == "__main__":
    main()
