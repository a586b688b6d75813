"""Fixtures for jobs: a data folder of one's own, and a kind that counts, see counting.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from radcbir_core.jobs import liveness
from radcbir_core.jobs.kinds import KINDS
from tests import quick_jobs


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where jobs count; they rest half way while ``rest`` is there."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(KINDS, "count", "tests.core.jobs.counting:Count")
    quick_jobs.prepare(monkeypatch, tmp_path, builds=False)
    (tmp_path / "counts").mkdir()
    yield tmp_path / "counts"
    quick_jobs.end()


@pytest.fixture(params=["thread", "process", "process that takes its lock itself"])
def runner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where jobs run: each test is run with each, and must not see a difference."""
    if "itself" in request.param:
        monkeypatch.setattr(liveness, "INHERITED", False)
        monkeypatch.setenv("RADCBIR_TEST_LONE_LOCK", "1")
    return str(request.param).split()[0]
