"""Two encoders of one collection."""

from __future__ import annotations

import shutil

import pytest

from radcbir_core.collections.collection import open_collection
from tests.core.evaluation.reports.slow_comparison import FAILED
from tests.second_encoder import add_encoder


@pytest.fixture
def pair(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    add_encoder(open_collection("small"), noise=2.0)
    collection = open_collection("small")
    return collection.store("pixels"), collection.store("second")


@pytest.fixture
def with_failures(pair):
    """As ``pair``; the second encoder could not embed three of the images."""
    collection = pair[0].collection
    shutil.rmtree(collection.encoder_folder("second"))
    add_encoder(collection, noise=2.0, failed=FAILED)
    return collection.store("pixels"), collection.store("second")
