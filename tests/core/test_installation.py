"""What pip installs works from any folder, and finds what the repository keeps beside the code."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from radcbir_core import installation
from tests.conftest import REPOSITORY
from tests.small_images import write_small_images


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder into which this very tree was installed, without what it depends on."""
    folder = tmp_path_factory.mktemp("installed") / "site"
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    subprocess.run([sys.executable, "-m", "pip", "install", *quiet, "--target", folder, REPOSITORY], check=True)
    return folder


@pytest.fixture
def environment(site, tmp_path, monkeypatch) -> dict[str, str]:
    monkeypatch.delenv("RADCBIR_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return {**os.environ, "PYTHONPATH": str(site), "XDG_DATA_HOME": str(tmp_path / "mine"), "HOME": str(tmp_path)}


def test_the_command_works_from_any_folder(site, environment, tmp_path) -> None:
    (tmp_path / "images").mkdir()
    write_small_images(tmp_path / "images")
    program = [sys.executable, site / "bin" / "radcbir"]
    importing = [*program, "import", "images", "--name", "small"]
    subprocess.run(importing, env=environment, check=True, capture_output=True)
    told = subprocess.run([*program, "list"], env=environment, check=True, capture_output=True, text=True).stdout
    assert "small" in told
    kept = tmp_path / ("Library/Application Support" if sys.platform == "darwin" else "mine") / "radcbir"
    assert (kept / "collections" / "small" / "manifest.parquet").is_file()


def test_what_stays_beside_the_code_is_found(site, environment) -> None:
    code = (
        "from radcbir_core import doctor, installation\n"
        "from radcbir_core.encoders import registry\n"
        "assert not installation.IN_REPOSITORY\n"
        "checkpoint = registry.find_checkpoint('radcbir-mini')\n"
        "assert checkpoint.weights_path.is_relative_to(installation.ROOT), checkpoint.weights_path\n"
        "assert [finding.check for finding in doctor.check_packages()][-1] == 'packages'\n"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_the_dashboard_comes_along(site, environment, tmp_path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, site / "bin" / "radcbir", "serve", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for _ in range(1200):
            assert server.poll() is None, server.stdout and server.stdout.read()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health") as answer:
                    assert answer.read() == b"ok"
                    return
            except URLError:
                time.sleep(0.1)
        pytest.fail("the dashboard did not answer")
    finally:
        server.terminate()
        server.wait()


def test_where_data_goes_unless_it_is_said(monkeypatch, tmp_path) -> None:
    assert installation.default_data_folder() == REPOSITORY / "data"
    monkeypatch.setattr(installation, "IN_REPOSITORY", False)
    assert installation.default_data_folder() == installation.user_folder(sys.platform)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setenv("HOME", "/home/someone")
    assert installation.user_folder("linux") == tmp_path / "radcbir"
    assert installation.user_folder("win32") == tmp_path / "local" / "radcbir"
    assert installation.user_folder("darwin") == Path("/home/someone/Library/Application Support/radcbir")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert installation.user_folder("linux") == Path("/home/someone/.local/share/radcbir")
