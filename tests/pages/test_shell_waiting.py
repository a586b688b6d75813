"""A page that waits for an artifact looks at the collection as it is now, not as it was when the page was drawn."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pages.parts.frame import shell
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.pipeline import build_collection


def test_what_is_built_of_images_that_came_meanwhile_ends_the_waiting(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    source, random = tmp_path / "source", np.random.default_rng(0)
    source.mkdir()

    def draw(numbers: range) -> None:
        for number in numbers:
            Image.fromarray(random.integers(0, 256, (16, 16), dtype=np.uint8)).save(source / f"{number}.png")

    draw(range(4))
    build_collection(import_as(ImportRequest([source], "few")).collection, load_encoder("pixels"))
    opened = shell.Opened(open_collection("few"), "pixels")
    assert shell._is_current(opened, "neighbors")
    draw(range(4, 8))
    import_as(ImportRequest([source], "few", add=True))
    assert not shell._is_current(opened, "neighbors")
    build_collection(open_collection("few"), load_encoder("pixels"))
    assert shell._is_current(opened, "neighbors")
    assert opened.collection.store("pixels").states()["neighbors"] != "current"  # of the images of before
