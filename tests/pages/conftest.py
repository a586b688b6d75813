"""Fixtures for the pages: an app that starts from app.py, on a data folder with or without a collection."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.jobs import first_start as starting
from tests.stand_ins import use_stand_ins

APP = Path(__file__).resolve().parents[2] / "app.py"

App = Callable[..., AppTest]


@pytest.fixture
def app(small_data: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """Run a page on the data folder with the collection ``small``: ``app("retrieval", image="…", where=["a=b"])``.

    The first argument is the page's name, "" for Home; the rest is its URL. It starts from app.py, as a person does,
    and then switches.
    """
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return run_page


@pytest.fixture
def copied_data(app: App, small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a copy of the collection ``small`` that a test may change; ``app`` runs on the copy."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "collections" / "small"


@pytest.fixture
def text_app(app: App, small_text_data: Path, mini: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """As ``app``; the collection has embeddings of a random radcbir-mini too, which has a text tower."""
    monkeypatch.setenv("RADCBIR_DATA", str(small_text_data))
    return run_page


@pytest.fixture
def empty_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """As ``app``, on an empty data folder, where the demonstration has been drawing for ever."""
    end = threading.Event()

    def draw_for_ever(*, progress: Callable[[str, int, int], None]) -> None:
        progress("draw", 600, 2400)
        end.wait(60)

    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path))
    monkeypatch.setattr("radcbir_core.synthetic.demonstration.make_demo", draw_for_ever)
    yield run_page
    end.set()
    end_jobs()


@pytest.fixture
def first_start(tmp_path: Path, tiny_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """As ``app``, on an empty data folder, where the demonstration is made quickly (see stand_ins.py)."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    use_stand_ins(monkeypatch, tiny_root)
    yield run_page
    end_jobs()


def end_jobs() -> None:
    """Wait until every job has ended, so that none works on in the data folder of the next test."""
    for job in starting._jobs.values():
        job.wait(60)
    starting._jobs.clear()


def run_page(page: str = "", /, **query: str | list[str]) -> AppTest:
    at = AppTest.from_file(str(APP), default_timeout=30)
    at.run()
    if page:
        at.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        at.query_params[name] = value
    return at.run() if page or query else at
