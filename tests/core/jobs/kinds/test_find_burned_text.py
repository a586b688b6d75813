"""Text in pixels as jobs: found, painted black, shown again; refused where nothing is installed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError, TextDetectionError
from radcbir_core.images.thumbnailing import gray_of
from radcbir_core.jobs import run_here, start
from radcbir_core.jobs.kinds import find_burned_text, record_of, request_in
from radcbir_core.jobs.kinds.find_burned_text import WISHES, FindBurnedText
from radcbir_core.pipeline import build_collection
from tests.core.burned_text.collections import with_texts
from tests.core.burned_text.stand_in import StandIn, written


@pytest.fixture
def built(tmp_path, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(find_burned_text, "is_installed", lambda: True)
    monkeypatch.setattr(find_burned_text, "load_detector", StandIn)
    build_collection(with_texts(tmp_path / "pictures"), load_encoder("pixels"))


def brightest(row: int) -> int:
    return int(np.asarray(gray_of(open_collection("c").thumbnail(row)))[-20:].max())


@pytest.mark.parametrize("wish", WISHES)
def test_a_record_keeps_the_wish(wish) -> None:
    request = FindBurnedText("c", wish)
    assert request_in(json.loads(json.dumps(record_of(request)))) == request
    with pytest.raises(CollectionError, match="Expected one of find, black-out, show, but wish = 'read'"):
        FindBurnedText.from_json({"name": "c", "wish": "read"})


def test_found_painted_and_shown_again(built, tmp_path) -> None:
    run_here(FindBurnedText("c"))
    assert open_collection("c").burned_text().flagged.sum() == 2
    assert brightest(1) > 220
    run_here(FindBurnedText("c", "black-out"))
    assert brightest(1) < 160
    # What is found later is painted at once, where thumbnails are to be without text.
    written(seed=2).save(tmp_path / "pictures" / "2.png")
    open_collection("c").layout.text_boxes.unlink()
    run_here(FindBurnedText("c"))
    assert open_collection("c").burned_text().flagged.sum() == 3
    run_here(FindBurnedText("c", "show"))
    assert brightest(1) > 220


def test_where_nothing_is_installed_it_is_said_before_anything_begins(built, monkeypatch) -> None:
    monkeypatch.setattr(find_burned_text, "is_installed", lambda: False)
    with pytest.raises(TextDetectionError, match="requirements-ocr"):
        start(FindBurnedText("c"))
    FindBurnedText("c", "black-out").check()
    with pytest.raises(CollectionError, match="Expected the name of a collection"):
        start(FindBurnedText("gone"))
