"""Fixtures for the pages: an app that starts from app.py, on a data folder with or without a collection."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

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
def empty_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """As ``app``, on an empty data folder."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path))
    return run_page


def run_page(page: str = "", /, **query: str | list[str]) -> AppTest:
    at = AppTest.from_file(str(APP), default_timeout=30)
    at.run()
    if page:
        at.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        at.query_params[name] = value
    return at.run() if page or query else at
