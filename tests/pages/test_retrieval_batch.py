"""Retrieval with several uploads: each is a query, in memory only."""

from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image

from pages.parts.retrieval import batch_panel, batch_uploads
from radcbir_core.collections.collection import open_collection
from radcbir_core.search.queries.query import ImageQuery
from radcbir_core.search.retriever import Retriever
from tests.pages.reading import cards, complaints, words
from tests.small_images import draw


def png(kind: int, number: int) -> bytes:
    buffer = io.BytesIO()
    draw(kind, number).save(buffer, "PNG")
    return buffer.getvalue()


def upload(at, *files):
    at.file_uploader[0].set_value([(name, data, "application/octet-stream") for name, data in files])
    return at.run()


@pytest.fixture
def several(app):
    return app("retrieval", source="upload", upload="several", k="3")


def batch_of(at) -> batch_uploads.Batch:
    return at.session_state["radcbir:batch"]


def test_each_upload_has_its_hits_and_one_opens_as_the_query(several) -> None:
    at = upload(several, ("a.png", png(0, 40)), ("bad.png", b"none"), ("b.png", png(2, 41)))
    assert not complaints(at)
    assert "Hits of 2 images; 1 file without" in words(at)
    (table,) = [frame.value for frame in at.dataframe]
    assert list(table)[:3] == ["query", "problem", "first hit"]
    assert list(table["query"]) == ["a.png", "bad.png", "b.png"]
    assert table["problem"].str.startswith("Expected ").tolist() == [False, True, False]
    retriever = Retriever(open_collection("small"), "pixels")
    expected = {
        name: retriever.search(ImageQuery.of_bytes(data), k=3, exclude=["duplicate"]).rows().tolist()
        for name, data in (("a.png", png(0, 40)), ("b.png", png(2, 41)))
    }
    chosen = next(box for box in at.selectbox if box.label == "Hits of")
    assert chosen.options == ["a.png", "b.png"]
    assert [card["row"] for card in cards(at)] == expected["a.png"]
    chosen.set_value(2).run()
    assert [card["row"] for card in cards(at)] == expected["b.png"]
    next(button for button in at.button if button.label == "Open as the query").click().run()
    assert not complaints(at)
    assert "Still here: b.png" in words(at)
    assert [card["row"] for card in cards(at)] == expected["b.png"]


def test_an_archive_in_memory_and_filters(several) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("in/a.png", png(1, 40))
        archive.writestr("__MACOSX/in/._a.png", b"x")
    at = upload(several, ("set.zip", buffer.getvalue()))
    assert not complaints(at)
    assert "macOS adds" in words(at)
    at.query_params["where"] = ["modality=MR"]
    at.run()
    assert {card["lines"][0]["value"] for card in cards(at)} == {"brain"}
    next(button for button in at.button if button.label == "Remove").click().run()
    assert "Upload several images on the left" in words(at)


def test_what_must_not_be_read_is_refused(several) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../a.png", png(1, 40))
    at = upload(several, ("set.zip", buffer.getvalue()))
    assert "stay inside" in complaints(at)
    assert "radcbir:batch" not in at.session_state


def test_too_many_are_refused(several, monkeypatch) -> None:
    monkeypatch.setattr(batch_uploads, "MOST_FILES", 1)
    at = upload(several, ("a.png", png(0, 40)), ("b.png", png(0, 41)))
    assert "at most 1 images at once" in complaints(at)


def test_it_goes_on_bit_by_bit_and_can_be_stopped(several, monkeypatch) -> None:
    monkeypatch.setattr(batch_panel, "TOGETHER", 1)
    monkeypatch.setattr(batch_panel, "_TURN_SECONDS", -1.0)
    files = [(f"{number}.png", png(0, number)) for number in range(40, 44)]
    at = upload(several, *files)
    assert len(batch_of(at).asked) == 1
    assert not cards(at)
    next(button for button in at.button if button.label == "Stop").click().run()
    assert "Stopped: 3 images left" in words(at)
    assert len(batch_of(at).asked) == 1
    next(button for button in at.button if button.label == "Go on").click().run()
    assert len(batch_of(at).asked) == 2
    at.run()
    at.run()
    assert batch_of(at).is_done
    assert [frame.value["query"].tolist() for frame in at.dataframe] == [[name for name, _ in files]]


def test_nothing_of_it_touches_the_disk(several, tmp_path, monkeypatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    image = Image.effect_noise((300, 300), 50)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    upload(several, ("a.png", buffer.getvalue()), ("b.png", png(0, 41)))
    assert list(tmp_path.iterdir()) == []
