"""What the tests of importers and of commands share: pictures, tables, the columns of a collection."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def picture():
    def make(path: Path, *, seed: int = 0, size=(12, 10)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0]), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return make


@pytest.fixture
def table():
    def write(path: Path, header: list[str], rows: list[list], **style) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle, **style).writerows([header, *rows])
        return path

    return write


@pytest.fixture
def column():
    def values(collection, name: str) -> list:
        return collection.manifest.frame[name].tolist()

    return values
