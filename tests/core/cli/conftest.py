"""What the tests of commands share: a data folder of their own, and a small collection."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def small(small_data, monkeypatch) -> Path:
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return small_data
