"""What jobs on a built collection share: the collection ``small``, and what holds jobs in processes of their own up."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests import quick_jobs
from tests.quick_jobs import Controls


@pytest.fixture
def data(tmp_path, small_data, monkeypatch) -> None:
    """The collection ``small`` is there."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))


@pytest.fixture
def controls(data, tmp_path, monkeypatch) -> Iterator[Controls]:
    """What holds jobs in processes of their own up."""
    yield quick_jobs.prepare(monkeypatch, tmp_path, builds=False)
    quick_jobs.end()
