"""Retrieval with an image of a DICOM server: who may ask it, what is kept, and that no address comes from a visitor."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest

from pages.parts.frame import dicom_settings
from radcbir_core.collections.collection import open_collection
from radcbir_core.dicomweb import client
from radcbir_core.dicomweb.server_address import URL
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.datasets.dicom_server import known_instance
from radcbir_core.search.queries.query import ImageQuery
from radcbir_core.search.retriever import Retriever
from tests.core.images.dicom_files import SECRET
from tests.dicom_servers import slice_of, stand_in, without_settings
from tests.pages.reading import cards, complaints, html, words


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    without_settings(monkeypatch)
    monkeypatch.delenv(dicom_settings.WHO, raising=False)
    monkeypatch.setattr(client, "PAUSES", (0.01,))


@pytest.fixture
def server(monkeypatch):
    with stand_in() as (url, does):
        monkeypatch.setenv(URL, url)
        yield does


def asked_for(app, uid: str, **query):
    at = app("retrieval", source="upload", upload="server", **query)
    next(box for box in at.text_input if box.label.startswith("Study")).set_value(uid)
    return at.run()


def rows(data: bytes, k: int) -> list[int]:
    return Retriever(open_collection("small"), "pixels").search(ImageQuery.of_bytes(data), k=k).rows().tolist()


def test_a_study_is_found_and_one_of_its_images_is_the_query(app, server, small_data) -> None:
    at = asked_for(app, "1.2.9", k="4")
    assert not complaints(at)
    series = next(box for box in at.selectbox if box.label == "Series")
    assert series.options == ["1: CT, 3 images", "2: DX, 1 image"]
    (slider,) = [one for one in at.slider if one.label == "Image"]
    assert slider.value == 2
    assert [card["row"] for card in cards(at)] == rows(slice_of(2), 4)
    slider.set_value(3).run()
    assert [card["row"] for card in cards(at)] == rows(slice_of(3), 4)
    next(box for box in at.selectbox if box.label == "Series").set_value(1).run()
    assert not complaints(at)
    assert [card["row"] for card in cards(at)] == rows(slice_of(9, series="1.2.9.2", modality="DX"), 4)
    shown = words(at) + html(at) + json.dumps(dict(at.query_params))
    assert "1.2.9" not in shown
    assert SECRET not in shown
    recorded = (small_data / "audit.jsonl").read_text()
    assert "retrieve from DICOM server" in recorded
    assert "1.2.9" not in recorded
    given = server.given
    at.run()
    assert server.given == given  # what is there is not asked for again


def test_what_is_no_identifier_or_not_there_is_said_and_nothing_else_is_asked(app, server) -> None:
    for uid in ("http://127.0.0.1:1/x", "../../admin", SECRET):
        before = len(server.asked)
        at = asked_for(app, uid)
        assert "unique identifiers of DICOM" in complaints(at)
        assert len(server.asked) == before
    assert "none of this identifier" in complaints(asked_for(app, "1.2.99"))
    server.faults["1.2.9.1.1"] = "redirect"
    assert "is never followed" in complaints(asked_for(app, "1.2.9.1.1"))


def test_an_image_that_the_collection_has_from_that_server_is_known(app, server, copied_data) -> None:
    collection = import_as(ImportRequest([], "pacs", server=os.environ[URL])).collection
    known = known_instance(collection, "1.2.9.1.2")
    assert collection.manifest.record(collection.manifest.row_of(known))["modality"] == "CT"
    assert known_instance(collection, "1.2.99") is None
    assert known_instance(open_collection("small"), "1.2.9.1.2") is None


def test_it_is_offered_only_where_there_is_one_and_to_whom_it_may_concern(app, monkeypatch) -> None:
    def offered() -> bool:
        at = app("retrieval", source="upload")
        assert not at.exception
        return "Server" in [name for control in at.segmented_control for name in control.options]

    assert not offered()
    with stand_in() as (url, does):
        monkeypatch.setenv(URL, url)
        assert offered()
        monkeypatch.setattr("pages.parts.frame.rights.is_open_to_others", lambda: True)
        assert not offered()
        at = app("retrieval", source="upload", upload="server")
        assert "Expected upload to be one of those there are" in complaints(at)
        monkeypatch.setenv(dicom_settings.WHO, "viewer")
        assert offered()
        monkeypatch.setenv(dicom_settings.WHO, "everybody")
        assert not offered()
        assert does.asked == []


def test_the_secrets_name_the_server_and_its_credentials_together(monkeypatch) -> None:
    section = {"url": "https://pacs.example/rs", "token": "hush-hush"}
    monkeypatch.setattr("streamlit.secrets", SimpleNamespace(to_dict=lambda: {"dicomweb": section}))
    monkeypatch.setenv("RADCBIR_DICOMWEB_USER", "other")
    settings = dicom_settings.settings()
    assert settings[URL] == "https://pacs.example/rs"
    assert settings["RADCBIR_DICOMWEB_USER"] == ""
    assert settings["RADCBIR_DICOMWEB_TOKEN"] == "hush-hush"  # noqa: S105 - made up
