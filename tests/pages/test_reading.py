"""The page Reading: who may read, what is said before a case, and that nothing of a case is told before its answer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.reading.hit_strip import label_of_hit
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.reader_studies.study_definition import Study, study_path
from radcbir_core.errors import CollectionError
from radcbir_core.reader_study.reading_course import Answered, read_course, write_answer, write_joined, write_shown
from radcbir_core.reader_study.study_making import StudyRequest, make_study
from radcbir_core.search.retriever import Retriever
from tests.pages.reading import complaints, components, html, words

REQUEST = StudyRequest("chest", ("pneumonia", "normal"), 4, title="<b>Chest</b>", practice=1, k=3, exclude=("patient",))


@pytest.fixture
def collection(copied_data: Path) -> Collection:
    return open_collection("small")


def made(collection: Collection, **changed: object) -> Study:
    request = StudyRequest(**{**REQUEST.__dict__, **changed})
    return make_study(Retriever(collection, "pixels"), request, by="me")


def opened(app, reader: str = "R1", **query: str) -> AppTest:
    return app("reading", collection="small", study="chest", reader=reader, **query)


def press(at: AppTest, label: str) -> AppTest:
    (button,) = [button for button in at.button if button.label == label]
    return button.click().run()


def read(collection: Collection, study: Study, reader: str, *, steps: int) -> None:
    course = write_joined(collection, study, reader, by="me")
    for step in course.steps[:steps]:
        write_shown(collection, study, reader, step, by="me")
        write_answer(collection, study, reader, step, Answered("normal", 2, 1.0), by="me")


def everything(at: AppTest) -> str:
    """All that the browser is sent of the page."""
    told = []

    def walk(block) -> None:
        told.append(str(getattr(block, "proto", "")))
        for child in getattr(block, "children", {}).values():
            walk(child)

    walk(at._tree)
    return "\n".join(told)


def pad(at: AppTest) -> dict:
    (found,) = [shown for shown in components(at) if "confidence_question" in shown]
    return found


def test_without_a_link_it_says_what_it_is_for(app, small_data) -> None:
    assert "Open it by the link that you were given" in words(app("reading"))
    assert "Expected the name of a reader study of small" in complaints(app("reading", collection="small", study="x"))
    assert "Expected the name of a collection" in complaints(app("reading", collection="none", study="x"))


def test_it_has_no_way_to_other_pages(app, collection) -> None:
    made(collection)
    at = opened(app)
    assert not complaints(at)
    assert not at.sidebar.children
    assert not at.get("page_link")
    assert "&lt;b&gt;Chest" in html(at)
    assert "Research use only" in html(at)


def test_one_says_by_what_name_one_reads(app, collection) -> None:
    made(collection)
    at = app("reading", collection="small", study="chest")
    assert not [button for button in at.button if button.label == "Begin"]
    at.text_input[0].set_value("  ")
    at = press(at, "Next")
    assert "Expected a name of 1 to 60 characters" in complaints(at)
    at.text_input[0].set_value(" R 1 ")
    at = press(at, "Next")
    assert at.query_params["reader"] in ("R 1", ["R 1"])
    assert [button for button in at.button if button.label == "Begin"]


def test_viewers_are_told_that_they_may_not(app, collection, monkeypatch) -> None:
    study = made(collection)
    monkeypatch.setattr("pages.parts.frame.rights.is_open_to_others", lambda: True)
    at = opened(app)
    assert "one has to be an editor here; you are a viewer" in words(at)
    assert not at.button
    assert read_course(collection, study, "R1").number is None
    monkeypatch.setenv("RADCBIR_WITHOUT_LOGIN", "editor")
    assert [button.label for button in opened(app).button] == ["Begin", "Another name"]


def test_who_logs_in_reads_by_that_name(app, collection, monkeypatch) -> None:
    from pages.parts.frame.rights import Visitor

    study = made(collection)
    monkeypatch.setattr("pages.parts.frame.rights.has_login", lambda: True)
    monkeypatch.setattr("pages.parts.frame.rights.visitor", lambda: Visitor("anna@x.org", "editor"))
    monkeypatch.setattr("pages.parts.frame.shell._let_in", lambda _: None)
    at = press(opened(app, reader="somebody else"), "Begin")
    assert not complaints(at)
    assert read_course(collection, study, "anna@x.org").number == 0
    assert read_course(collection, study, "somebody else").number is None


def test_no_clock_runs_before_somebody_begins_and_each_showing_is_kept(app, collection) -> None:
    study = made(collection)
    at = opened(app)
    assert "each of them twice" in words(at)
    assert read_course(collection, study, "R1").number is None
    at = press(at, "Begin")
    assert not complaints(at)
    assert len(read_course(collection, study, "R1").shown[1]) == 1
    at.run()
    assert len(read_course(collection, study, "R1").shown[1]) == 1
    again = opened(app)  # the page is loaded again
    assert "case 1 of 1" in words(again)
    assert len(read_course(collection, study, "R1").shown[1]) == 1
    press(again, "Go on")
    assert len(read_course(collection, study, "R1").shown[1]) == 2
    paused = press(again, "Pause")
    assert [button.label for button in paused.button] == ["Go on", "Another name"]
    assert "By this name somebody has read before, last at 20" in words(paused)


def test_who_goes_on_in_the_same_window_is_not_taken_for_somebody_else(app, collection) -> None:
    study = made(collection)
    at = press(opened(app), "Begin")
    read(collection, study, "R1", steps=1)
    at.run()
    assert "Practice is over" in words(at)
    assert "somebody has read before" not in words(at)
    assert "By this name somebody has read before" in words(opened(app))


def test_nothing_of_a_case_is_told_before_it_is_answered(app, collection) -> None:
    study = made(collection, design="split", cases=3)
    for done in range(len(read_course(collection, study, "R1").steps)):
        read(collection, study, f"R{done}", steps=done)
        course = read_course(collection, study, f"R{done}")
        step = course.next
        assert step is not None
        case = course.case(step)
        at = press(opened(app, reader=f"R{done}"), "Go on")
        assert not complaints(at)
        sent = everything(at).replace('\\"', '"')
        record = collection.manifest.record(collection.manifest.row_of(case.image_id))
        for word in (case.image_id, record["path"], record["sha256"], record["caption"], record["patient_id"]):
            assert not word or word not in sent
        for name in (record["path"].rsplit("/", 1)[-1], f"/{collection.manifest.row_of(case.image_id)}/"):
            assert name not in sent
        shown = pad(at)
        assert shown["answers"] == list(study.answers)
        if step.condition == "without":
            # Both answers are told equally often: as what can be answered, and nowhere else.
            assert [sent.count(f'"{answer}"') for answer in study.answers] == [1, 1]
            assert [html(at).split("</style>")[-1].count(answer) for answer in study.answers] == [0, 0]
            assert not [one for one in components(at) if "cards" in one]
        else:
            (strip,) = [one for one in components(at) if "cards" in one]
            assert [card["label"] for card in strip["cards"]] == list(map(label_of_hit, case.hits))
            for hit in case.hits:
                assert hit.image_id not in sent


def test_a_case_whose_image_is_gone_can_be_passed(app, collection, monkeypatch) -> None:
    study = made(collection)
    course = read_course(collection, study, "R1")
    path = collection.image_path(collection.manifest.row_of(course.case(course.steps[0]).image_id))
    monkeypatch.setattr(Path, "is_file", lambda self: self.name != path.name and os.path.isfile(self))  # noqa: PTH113
    at = press(opened(app), "Begin")
    assert "the image file of this case, but it is not there" in complaints(at)
    assert path.name not in everything(at)
    press(at, "Pass this case")
    done = read_course(collection, study, "R1").done
    assert {number: entry.kind for number, entry in done.items()} == {1: "passed"}


def test_what_cannot_be_kept_is_said_and_nothing_is_shown(app, collection, monkeypatch) -> None:
    study = made(collection)

    def refused(*_: object, **__: object) -> None:
        raise CollectionError("Expected nobody else to be changing small, but another process is.")

    at = opened(app)
    monkeypatch.setattr("pages.parts.reading.reading_room.write_shown", refused)
    at = press(at, "Begin")
    assert "nobody else to be changing small" in complaints(at)
    assert not [shown for shown in components(at) if "confidence_question" in shown]
    assert not read_course(collection, study, "R1").shown


def test_between_both_readings_one_is_told_and_waits(app, collection) -> None:
    study = made(collection, washout_hours=24.0)
    read(collection, study, "R1", steps=5)
    at = opened(app)
    assert "The second reading begins at" in words(at)
    assert not at.button
    copied = made(collection, name="other")
    read(collection, copied, "R1", steps=5)
    at = app("reading", collection="small", study="other", reader="R1")
    assert "Now you read the same cases again" in words(at)


@pytest.mark.parametrize(("reveal", "is_told"), [("end", True), ("never", False)])
def test_labels_are_revealed_at_the_end_or_never(app, collection, reveal, is_told) -> None:
    study = made(collection, reveal=reveal)
    read(collection, study, "R1", steps=8)
    assert not opened(app).dataframe
    last = read_course(collection, study, "R1").next
    assert last is not None
    write_shown(collection, study, "R1", last, by="me")
    write_answer(collection, study, "R1", last, Answered("normal", 2, 1.0), by="me")
    at = opened(app)
    assert "All is read: 8 readings" in at.success[0].value
    assert bool(at.dataframe) == is_told
    if is_told:
        table = at.dataframe[0].value
        assert table["Label"].tolist() == [case.truth for case in study.cases]
        signs = [text[0] for text in table["With retrieval"]]
        assert signs == ["✓" if case.truth == "normal" else "✗" for case in study.cases]


def test_a_study_that_is_damaged_is_said(app, collection) -> None:
    made(collection)
    study_path(collection.folder, "chest").write_text("{}")
    assert "is damaged, or of a newer version" in complaints(opened(app))
