"""What pictures are like: by hand, from thumbnails, and kept."""

from __future__ import annotations

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.evaluation.image_facts import FACTS, facts_of, image_facts


def webp(gray: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(gray.astype(np.uint8)).convert("RGB").save(stream, "WEBP", lossless=True)
    return stream.getvalue()


@pytest.fixture
def store(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small").store("pixels")


def test_they_are_what_is_seen() -> None:
    half = np.zeros((4, 8))
    half[:, 4:] = 255
    brightness, contrast, sharpness = facts_of(webp(half))
    # One step of 1 among seven across, none down; the contrast is a half.
    assert (brightness, contrast) == pytest.approx((0.5, 0.5))
    assert sharpness == pytest.approx((1 / 7 + 0) / 2 / 0.5)
    stripes = np.zeros((4, 8))
    stripes[:, ::2] = 255
    assert facts_of(webp(stripes))[2] > sharpness
    assert np.isnan(facts_of(b"no picture")).all()


def test_they_are_read_once_for_the_images_that_there_are(store, monkeypatch) -> None:
    facts = image_facts(store)
    assert list(facts.columns) == list(FACTS)
    assert len(facts) == len(store.collection)
    row = 7
    assert facts.loc[row, list(FACTS[:3])].tolist() == pytest.approx(facts_of(store.collection.thumbnail(row)))
    record = store.collection.manifest.record(row)
    assert facts.loc[row, "aspect"] == pytest.approx(record["width"] / record["height"], abs=0.005)
    monkeypatch.setattr(Collection, "thumbnail", None)  # it must not be asked again
    assert image_facts(open_collection("small").store("pixels")).equals(facts)


def test_without_thumbnails_there_are_none(store, monkeypatch) -> None:
    monkeypatch.setattr(Collection, "thumbnail", lambda self, row: None)
    assert image_facts(store) is None
    assert image_facts(store) is None
