"""A running app and a real Chromium, for tests of what a person does."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# Chromium without a sandbox (containers have none), and without anything that would ask the network by itself.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOCAL = re.compile(r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|data:|blob:")


def _missing(reason: str) -> None:
    """Skip, or fail where a browser is required (RADCBIR_REQUIRE_BROWSER=1)."""
    if os.environ.get("RADCBIR_REQUIRE_BROWSER") == "1":
        pytest.fail(f"a browser is required (RADCBIR_REQUIRE_BROWSER=1), but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium, driven by Playwright."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        _missing("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(chromium: Any, small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app, running on the data folder with the collection ``small``."""
    with run_server(["-m", "streamlit"], small_data, tmp_path_factory.mktemp("server") / "log.txt") as address:
        yield address


def free_port() -> int:
    """A port of this machine that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def run_server(
    streamlit: list[str],
    data: Path,
    log: Path,
    *,
    ended_by: signal.Signals = signal.SIGTERM,
    port: int | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[str]:
    """Run the app on a data folder; its address.

    Args:
        streamlit: What Python runs in the place of the command ``streamlit``.
        data: The data folder.
        log: Where to write what the server says.
        ended_by: The signal that ends it.
        port: Where; a free one by default.
        settings: Further variables of its environment.
    """
    port = free_port() if port is None else port
    command = [sys.executable, *streamlit, "run", "app.py", "--server.port", str(port)]
    environment = {**os.environ, "RADCBIR_DATA": str(data), **settings}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(process, f"{address}/_stcore/health", log)
            yield address
        finally:
            process.send_signal(ended_by)
            process.wait(timeout=20)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(240):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own server
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.25)
    pytest.fail(f"the app did not start: {log.read_text(errors='replace')[-2000:]}")


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A browser page of 1400 x 900; fails the test on console errors and on requests to anywhere but this machine."""
    opened = chromium.new_page(viewport={"width": 1400, "height": 900})
    errors: list[str] = []
    outside: list[str] = []
    missing: list[str] = []

    def hear(message: Any) -> None:
        # On a link to a page, Streamlit looks for itself below the page's address first; those two answers are 404.
        probe = "404" in message.text and "/_stcore/" in message.location.get("url", "")
        if message.type == "error" and not probe:
            errors.append(message.text)

    opened.on("console", hear)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda request: None if LOCAL.match(request.url) else outside.append(request.url))
    opened.on("requestfailed", lambda request: missing.append(request.url))
    opened.set_default_timeout(30_000)
    yield opened
    opened.close()
    assert not errors
    assert not outside
