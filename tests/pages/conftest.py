"""Fixtures for the pages: an app that starts from app.py, on a data folder with or without a collection."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import AppTest, app_test, local_script_runner

from radcbir_core.jobs import list_jobs
from radcbir_core.jobs.kinds.embed_regions import EmbedRegions
from radcbir_core.jobs.kinds.evaluate_encoder import EvaluateEncoder
from radcbir_core.jobs.kinds.export_file import ExportFile
from radcbir_core.jobs.kinds.find_burned_text import FindBurnedText
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
from radcbir_core.jobs.kinds.lay_out_map import LayOutMap
from radcbir_core.jobs.kinds.make_demonstration import MakeDemonstration
from tests.quick_jobs import wait_for
from tests.stand_ins import use_stand_ins

APP = Path(__file__).resolve().parents[2] / "app.py"

App = Callable[..., AppTest]


@pytest.fixture(scope="session", autouse=True)
def done_once() -> Iterator[None]:
    """What a server does once is done once for all AppTests, each of which would do it anew.

    To look through the installed packages for components takes as long as to draw a page.
    """
    found = manifest_scanner.scan_component_manifests()
    compiled = ScriptCache()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", lambda: found)
        for module in (app_test, local_script_runner):
            patch.setattr(module, "ScriptCache", lambda: compiled)
        yield


@pytest.fixture
def app(small_data: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """Run a page on the data folder with the collection ``small``: ``app("retrieval", image="…", where=["a=b"])``.

    The first argument is the page's name, "" for Home; the rest is its URL. It begins there, as a link does.
    """
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return run_page


@pytest.fixture
def copied_data(app: App, small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a copy of the collection ``small`` that a test may change; ``app`` runs on the copy."""
    shutil.copytree(small_data, tmp_path / "data", ignore=shutil.ignore_patterns("audit.jsonl"))
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "collections" / "small"


@pytest.fixture
def text_app(app: App, small_text_data: Path, mini: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """As ``app``; the collection has embeddings of a random radcbir-mini too, which has a text tower."""
    monkeypatch.setenv("RADCBIR_DATA", str(small_text_data))
    return run_page


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Jobs that would run in processes run in threads, where a test can replace what they do; all end with the test."""
    kinds = (
        EmbedRegions,
        EvaluateEncoder,
        ExportFile,
        FindBurnedText,
        ImportAndBuild,
        LayOutMap,
        MakeDemonstration,
    )
    for kind in kinds:
        monkeypatch.setattr(kind, "runner", "thread")
    yield
    for job in list_jobs():
        job.stop()
    wait()


@pytest.fixture
def empty_app(tmp_path: Path, in_threads: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """As ``app``, on an empty data folder, where the demonstration has been drawing for ever."""
    end = threading.Event()

    def draw_for_ever(*, progress: Callable[[str, int, int], None], **_: object) -> None:
        progress("draw", 600, 2400)
        end.wait(60)

    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path))
    monkeypatch.setattr("radcbir_core.jobs.kinds.make_demonstration.make_demo", draw_for_ever)
    yield run_page
    end.set()


@pytest.fixture
def first_start(tmp_path: Path, tiny_root: Path, in_threads: None, monkeypatch: pytest.MonkeyPatch) -> App:
    """As ``app``, on an empty data folder, where the demonstration is made quickly (see stand_ins.py)."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    use_stand_ins(monkeypatch, tiny_root)
    return run_page


def wait() -> None:
    """Wait until every job of this data folder has ended, and nobody holds it any more."""
    for job in list_jobs():
        job.wait(60)
        wait_for(lambda job=job: not job.is_alive())


def run_page(page: str = "", /, **query: str | list[str]) -> AppTest:
    """What who opens the address of a page sees; it is the first page of the session."""
    at = AppTest.from_file(str(APP), default_timeout=30)
    if page:
        at.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()
