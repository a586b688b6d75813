"""Text in pixels, wherever a page shows an image: marks, filters, the list of problems, uploads and the report."""

from __future__ import annotations

import io

import numpy as np
import pytest

from pages.parts.collections import burned_panel
from pages.parts.frame.rights import Visitor
from pages.parts.retrieval import report_button, upload_text
from radcbir_core.burned_text import picture_look
from radcbir_core.burned_text.text_rule import judged
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.text_boxes import MARK, NOTHING, TEXT, TextBoxes, keys_of, write_text_boxes
from radcbir_core.images.blackout import no_boxes
from radcbir_core.images.thumbnailing import gray_of
from radcbir_core.jobs.kinds import find_burned_text
from tests.core.burned_text.stand_in import StandIn, written
from tests.core.images.dicom_files import dicom_bytes
from tests.pages.conftest import wait
from tests.pages.reading import cards, complaints, html, words

TEXTS = [3, 30]


def look(pixels):
    return judged(StandIn()(pixels))


@pytest.fixture
def found(app, copied_data):
    """The collection ``small``, in two images of which text was found, and a letter in a third."""
    collection = open_collection("small")
    number = len(collection)
    states = np.full(number, NOTHING)
    states[TEXTS], states[5] = TEXT, MARK
    boxes = [np.array([[0, 0, 1000, 500]], np.int16) if state != NOTHING else no_boxes() for state in states]
    keys = keys_of(collection.manifest)
    write_text_boxes(collection.layout.text_boxes, keys, TextBoxes.of(states, boxes, detector="d"))
    return open_collection("small")


def button(at, label: str):
    return next(one for one in at.button if one.label.startswith(label))


def upload(at, data: bytes, name: str):
    at.segmented_control[0].set_value("upload").run()
    at.file_uploader[0].set_value((name, data, "application/octet-stream"))
    return at.run()


def png(image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_cards_are_marked_by_sign_and_words_and_can_be_filtered(app, found) -> None:
    ids = [found.manifest.image_id(row) for row in TEXTS]
    at = app("retrieval", view="browse", of_text_in_pixels="seems burned in")
    assert not complaints(at)
    assert [card["image_id"] for card in cards(at)] == ids
    assert all(card["said"][0]["text"] == "▤ text" for card in cards(at))
    (choice,) = [box for box in at.selectbox if box.label == "Text in pixels"]
    assert choice.options == ["any", "a letter or mark", "none found", "seems burned in"]
    at = app("retrieval", image=ids[0], k="60", where="text_in_pixels=seems burned in")
    assert not complaints(at)
    shown = {card["image_id"]: card["said"] for card in cards(at)}
    assert list(shown) == [ids[1]]
    assert shown[ids[1]][0] == {"kind": "text", "text": "▤ text", "title": "Text seems burned in: found at 1 place"}
    assert "seems burned in: found at 1 place" in html(at)
    at = app("retrieval", image=found.manifest.image_id(5), k="60")
    marked = {card["image_id"] for card in cards(at) if any(mark["kind"] == "text" for mark in card["said"])}
    assert marked == set(ids)
    assert "<td>a letter or mark</td>" in html(at)


def test_problems_say_it_and_what_to_install(app, found, monkeypatch) -> None:
    monkeypatch.setattr(burned_panel, "is_installed", lambda: False)
    found.layout.text_boxes.unlink()
    at = app("collections", collection="small", show="small", part="problems")
    assert not complaints(at)
    assert "Not looked at: 61 images." in words(at)
    assert "requirements-ocr.txt" in words(at)
    assert not [one for one in at.button if one.label.startswith(("Look for text", "Paint it"))]


def test_text_is_looked_for_painted_black_and_shown_again_by_buttons(app, copied_data, in_threads, monkeypatch) -> None:
    for module in (burned_panel, find_burned_text):
        monkeypatch.setattr(module, "is_installed", lambda: True)

    class OfSome(StandIn):
        def __call__(self, pixels):
            return super().__call__(written_of(self.asked))

    def written_of(number: int):
        return np.asarray(written(text=number in TEXTS))

    monkeypatch.setattr(find_burned_text, "load_detector", OfSome)
    at = app("collections", collection="small", show="small", part="problems")
    button(at, "Look for text in 61 images").click().run()
    wait()
    at = app("collections", collection="small", show="small", part="problems")
    assert not complaints(at)
    assert "Text seems burned into 2 images; of 0 the header says so." in words(at)
    flagged = np.flatnonzero(open_collection("small").burned_text().flagged)
    assert len(flagged) == 2
    assert any("text detector" in frame.value["source"].tolist() for frame in at.dataframe)
    before = open_collection("small").thumbnail(int(flagged[0]))
    button(at, "Paint it black").click().run()
    wait()
    at = app("collections", collection="small", show="small", part="problems")
    assert "In the thumbnails it is painted black" in words(at)
    painted = open_collection("small").thumbnail(int(flagged[0]))
    assert painted != before
    assert np.asarray(gray_of(painted)).min() < 10
    button(at, "Show it in the thumbnails").click().run()
    wait()
    assert open_collection("small").thumbnail(int(flagged[0])) == before


def test_a_report_asks_whether_text_is_black_and_it_is_by_default(app, found, monkeypatch) -> None:
    given = []
    offer = report_button.offer

    class Box:
        def __init__(self, box) -> None:
            self._box = box

        def download_button(self, label, content, **options):
            given.append(content)

        def toggle(self, *words, **options):
            return self._box.toggle(*words, **options)

    monkeypatch.setattr(report_button, "offer", lambda box, *rest, **options: offer(Box(box), *rest, **options))
    at = app("retrieval", image=found.manifest.image_id(3), k="5")
    assert not complaints(at)
    assert "is painted black" in given[-1]().decode()
    toggle = next(one for one in at.toggle if one.label == "Text black")
    toggle.set_value(False).run()
    assert "and is shown, as whoever made this report chose" in given[-1]().decode()
    at = app("retrieval", image=found.manifest.image_id(10), k="1")
    assert not [one for one in at.toggle if one.label == "Text black"]


def test_an_upload_with_text_is_flagged_as_it_comes(app, monkeypatch) -> None:
    monkeypatch.setattr(upload_text, "look_if_installed", lambda: look)
    at = upload(app("retrieval"), png(written()), "scan.png")
    assert "Text seems to be burned into this image. It may name somebody; it is painted black in a report." in words(
        at
    )
    assert "found at 1 place" in html(at)
    at = upload(app("retrieval"), png(written(text=False)), "scan.png")
    assert not complaints(at)
    assert "none found" in html(at)


def test_what_a_header_tells_of_an_upload_is_said_and_what_to_install(app, monkeypatch) -> None:
    monkeypatch.setattr(picture_look, "is_installed", lambda: False)
    pixels = np.asarray(written(text=False)).astype(np.uint16)
    at = upload(app("retrieval"), dicom_bytes(pixels, BurnedInAnnotation="YES"), "scan.dcm")
    assert "it cannot be painted black: a report has no picture" in words(at)
    assert "its header says so" in html(at)
    at = upload(app("retrieval"), dicom_bytes(pixels), "scan.dcm")
    assert not complaints(at)
    assert "requirements-ocr.txt" in html(at)


def test_several_uploads_are_looked_at_one_by_one(app, monkeypatch) -> None:
    pixels = np.asarray(written(text=False)).astype(np.uint16)
    files = [
        ("told.dcm", dicom_bytes(pixels, BurnedInAnnotation="YES")),
        ("plain.dcm", dicom_bytes(pixels)),
        ("words.png", png(written(text=True))),
        ("none.png", png(written(text=False))),
    ]
    for installed, said in (
        (False, ["its header says so", "", "", ""]),
        (True, ["its header says so", "", "found at 1 place", ""]),
    ):
        monkeypatch.setattr(picture_look, "is_installed", lambda installed=installed: installed)
        monkeypatch.setattr(picture_look, "_detector", StandIn)
        at = app("retrieval", source="upload", upload="several")
        at.file_uploader[0].set_value([(name, data, "application/octet-stream") for name, data in files])
        at.run()
        assert f"burned into {sum(map(bool, said))} image" in words(at)
        assert ("is not looked for here" in words(at)) != installed
        (table,) = [frame.value for frame in at.dataframe]
        assert dict(zip(table["query"], table["text in pixels"], strict=True)) == dict(
            zip([name for name, _ in files], said, strict=True)
        )


@pytest.mark.parametrize(("role", "said"), [("owner", "requirements-ocr.txt"), ("viewer", "not looked for here")])
def test_how_to_look_for_text_in_an_upload_is_said_to_who_can_install_it(monkeypatch, role, said) -> None:
    monkeypatch.setattr("pages.parts.frame.rights.visitor", lambda: Visitor("anna", role))
    monkeypatch.setattr(upload_text, "known", lambda *_: upload_text.UploadText(told=False, state=None))
    ((name, value),) = upload_text.facts_of(None, None)
    assert name == "text in pixels"
    assert said in value
    assert ("pip" in value) == (role == "owner")
