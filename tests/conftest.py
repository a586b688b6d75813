"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_images() -> Path:
    """The folder of real radiological images, or a skip where it is not at hand."""
    folder = Path(os.environ.get("RADCBIR_REAL", REPOSITORY.parent / "shared" / "real"))
    if not (folder / "nih_cxr14" / "manifest.csv").is_file():
        pytest.skip(f"real images are not at hand: {folder} has no nih_cxr14/manifest.csv (set RADCBIR_REAL)")
    return folder
