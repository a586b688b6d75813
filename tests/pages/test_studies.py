"""The reader studies on Review: making one, how far readers are, figures, and what has become of the collection."""

from __future__ import annotations

import re

import pytest

from radcbir_core.audit import audit_path
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.reader_studies.reading_log import log_path
from radcbir_core.collections.reader_studies.study_definition import list_studies, read_study
from radcbir_core.importers.relabeling import correct_labels
from tests.pages.reading import complaints, html, words
from tests.pages.test_reading import made, press, read


@pytest.fixture
def collection(copied_data) -> Collection:
    return open_collection("small")


def studies(app):
    return app("review", part="studies")


def button(at, label: str):
    (found,) = [one for one in at.get("button") if one.label.startswith(label)]
    return found


def test_a_study_is_made_of_what_was_chosen(app, collection) -> None:
    at = studies(app)
    assert not complaints(at)
    assert button(at, "Make the study").disabled
    at.text_input(key="radcbir:study:title").set_value("Chest & more!")
    at.multiselect(key="radcbir:study:answers:pathologies").set_value(["pneumonia", "normal"])
    at.number_input(key="radcbir:study:cases").set_value(4)
    at.selectbox(key="radcbir:study:design").set_value("split")
    at.run()
    assert "Patients with an image that can be a case: pneumonia 5, normal" in words(at)
    button(at, "Make the study").click().run()
    assert not complaints(at)
    assert list_studies(collection.folder) == ["chest-more"]
    study = read_study(collection.folder, "chest-more")
    assert (study.title, study.answers, len(study.cases), study.design) == (
        "Chest & more!",
        ("pneumonia", "normal"),
        4,
        "split",
    )
    assert (study.encoder_id, study.k, study.reveal) == ("pixels", 6, "end")
    assert "make study" in audit_path().read_text()
    assert [code.value for code in at.code][-1].endswith("reading?collection=small&study=chest-more")


def test_too_many_cases_are_said_and_no_study_is_made(app, collection) -> None:
    at = studies(app)
    at.text_input(key="radcbir:study:title").set_value("Chest")
    at.multiselect(key="radcbir:study:answers:pathologies").set_value(["pneumonia", "normal"])
    at.number_input(key="radcbir:study:cases").set_value(500)
    at.run()
    button(at, "Make the study").click().run()
    assert "Expected 500 cases of different patients" in complaints(at)
    assert list_studies(collection.folder) == []


def test_it_says_how_far_readers_are_and_what_they_answered(app, collection) -> None:
    study = made(collection)
    read(collection, study, "R1", steps=9)
    read(collection, study, "R2", steps=3)
    at = studies(app)
    assert not complaints(at)
    progress = at.dataframe[0].value
    assert progress["Reader"].tolist() == ["R1", "R2"]
    assert progress["Readings"].tolist() == ["8 of 8", "2 of 8"]
    assert progress["At"].tolist() == ["done", "first reading"]
    rights = sum(case.truth == "normal" for case in study.cases)
    assert "Without retrieval" in html(at)
    assert f"({len(study.cases)} cases, 2 readers)" in html(at)
    assert re.search(r"Over \d+ pairs of a reader and a case with both", words(at))
    assert "crossover: each case in both conditions" in words(at)
    assert rights == 2
    assert "The CSV is for your model; this is a look." in words(at)
    assert "CSV (10)" in str([one.proto for one in at.get("download_button")])
    assert not [one for one in at.get("button") if one.label == "Remove"]


def test_one_without_answers_can_be_removed(app, collection) -> None:
    made(collection)
    at = press(studies(app), "Remove")
    assert not complaints(at)
    assert list_studies(collection.folder) == []


def test_what_has_become_of_the_collection_is_said(app, collection, tmp_path) -> None:
    study = made(collection)
    table = tmp_path / "corrections.csv"
    table.write_text(f"image_id,pathologies\n{study.cases[0].image_id},effusion\n")
    correct_labels("small", table, by="me")
    at = studies(app)
    assert "Labels of the collection have changed since" in words(at)
    assert "embeddings have been made again" not in words(at)
    log_path(collection.folder, "chest").write_bytes(b"{cut off\n")
    assert "1 line of it cannot be read, first 1: it is no JSON" in complaints(studies(app))


def test_viewers_see_none(app, collection, monkeypatch) -> None:
    made(collection)
    monkeypatch.setattr("pages.parts.frame.rights.is_open_to_others", lambda: True)
    at = studies(app)
    assert "made, read and evaluated by editors; you are a viewer" in words(at)
    assert not [code for code in at.code if "reading?" in code.value]


def test_who_removes_a_collection_is_told_of_the_answers(app, collection) -> None:
    def said() -> str:
        return words(app("collections", collection="small", show="small", part="change"))

    assert "reader studies" not in said()
    made(collection)
    assert "its reader studies with all that readers have answered" in said()
