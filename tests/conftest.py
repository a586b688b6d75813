"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import filelock
import pytest

from tests.small_images import write_small_images

REPOSITORY = Path(__file__).resolve().parent.parent


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
    from radcbir_core.build import build
    from radcbir_core.encoders import load_encoder
    from radcbir_core.importers import import_collection

    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    data, source, done = shared / "small-data", shared / "small-data-source", shared / "small-data.done"
    with filelock.FileLock(shared / "small-data.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(data))
        if not done.exists():
            source.mkdir()
            write_small_images(source)
            report = import_collection([source], name="small", title="Small & <made up>")
            build(report.collection, load_encoder("pixels"))
            done.touch()
    return data
