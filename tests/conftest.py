"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest
from hypothesis import settings

from tests.small_images import write_small_images
from tests.tiny_encoder import write_tiny_encoder

# How long one example takes says more of the machine than of the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# Tests start some hundred processes, each of which would compile all that it imports, and every run all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in one order: with several threads the last bits of a product depend on how many are free."""
    import torch
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def real_images() -> Path:
    """The folder of real radiological images, or a skip where it is not at hand."""
    folder = Path(os.environ.get("RADCBIR_REAL", REPOSITORY.parent / "shared" / "real"))
    if not (folder / "nih_cxr14" / "manifest.csv").is_file():
        pytest.skip(f"real images are not at hand: {folder} has no nih_cxr14/manifest.csv (set RADCBIR_REAL)")
    return folder


@pytest.fixture(scope="session")
def small_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 61 readable small images and their manifest.csv, see small_images.py."""
    folder = tmp_path_factory.mktemp("small-source")
    write_small_images(folder)
    return folder


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder (for RADCBIR_DATA) with the collection ``small``, imported from small images, built with pixels.

    Made once a test run, also where several workers run the tests. Read-only: a test that changes it copies it.
    """
    from radcbir_core.encoders import load_encoder
    from radcbir_core.importers import import_collection
    from radcbir_core.pipeline import build_collection

    shared = _shared(tmp_path_factory)
    data, source, done = shared / "small-data", shared / "small-data-source", shared / "small-data.done"
    with filelock.FileLock(shared / "small-data.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(data))
        if not done.exists():
            source.mkdir()
            write_small_images(source)
            report = import_collection([source], name="small", title="Small & <made up>")
            # Its pictures of a kind differ by noise alone; if all were one picture, there would be little to find.
            patch.setattr("radcbir_core.near_duplicates.finding.agree", lambda _, a, b: np.zeros(len(a), dtype=bool))
            build_collection(report.collection, load_encoder("pixels"))
            done.touch()
    return data


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the whole test run, the same for all of its workers."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands for the repository's folder: it holds a random radcbir-mini. Read-only: see ``mini``."""
    root = _shared(tmp_path_factory) / "tiny-root"
    with filelock.FileLock(root.with_suffix(".lock")):
        if not (root / "done").exists():
            write_tiny_encoder(root)
            (root / "done").touch()
    return root


@pytest.fixture
def mini(tiny_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a random radcbir-mini, which the registry takes for the committed one. Read-only."""
    monkeypatch.setattr("radcbir_core.encoders.registry.ROOT", tiny_root)
    return tiny_root / "data" / "encoders" / "radcbir-mini"


@pytest.fixture(scope="session")
def small_text_data(small_data: Path, tiny_root: Path) -> Path:
    """As ``small_data``, with embeddings and an index of a random radcbir-mini too; use it with ``mini``. Read-only."""
    from radcbir_core.embed import embed

    return _with_mini(small_data, "small-text-data", embed, tiny_root=tiny_root)


@pytest.fixture(scope="session")
def small_mapped_data(small_text_data: Path, tiny_root: Path) -> Path:
    """As ``small_text_data``, built to the end with the random radcbir-mini, its map included. Read-only."""
    from radcbir_core.pipeline import build_collection

    return _with_mini(small_text_data, "small-mapped-data", build_collection, tiny_root=tiny_root)


def _with_mini(before: Path, name: str, make: Callable[[Any, Any], object], *, tiny_root: Path) -> Path:
    """A copy of a data folder beside it, to which something was done with the random radcbir-mini; made once."""
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.encoders import load_encoder

    data = before.with_name(name)
    with filelock.FileLock(data.with_suffix(".lock")), pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(data))
        patch.setattr("radcbir_core.encoders.registry.ROOT", tiny_root)
        if not data.with_suffix(".done").exists():
            shutil.copytree(before, data)
            make(open_collection("small"), load_encoder("radcbir-mini", device="cpu"))
            data.with_suffix(".done").touch()
    return data
