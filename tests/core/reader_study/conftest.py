"""A collection that a study may be made in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from radcbir_core.collections.collection import Collection, open_collection


@pytest.fixture
def copied(small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Collection:
    """A copy of the small collection that a test may change."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small")
