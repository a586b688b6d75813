"""A collection to export, and another machine to open it on."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from radcbir_core.collections.changes import relocate_images
from radcbir_core.collections.collection import Collection, open_collection


@pytest.fixture
def small(small_data, tmp_path, monkeypatch) -> Collection:
    """A copy of the small collection, with images of its own that a test may move, on "this machine"."""
    shutil.copytree(small_data, tmp_path / "here")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "here"))
    shutil.copytree(open_collection("small").image_root, tmp_path / "images")
    return relocate_images("small", tmp_path / "images")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Callable[[], None]:
    """Go to another machine: another data folder, and no images where they were."""

    def go() -> None:
        monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "there"))
        if (tmp_path / "images").exists():
            (tmp_path / "images").rename(tmp_path / "moved")

    return go
