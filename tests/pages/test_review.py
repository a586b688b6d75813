"""The Review page and the panel: who says what of which image, on disk at once, seen by everybody else at once."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit import config

from pages.parts.frame import loaders, rights
from pages.parts.images import review_marks
from pages.parts.review import exchange
from radcbir_core.audit import audit_path
from radcbir_core.collections import entry_log
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.reviews.review_log import Entry, add_entries, read_log
from radcbir_core.collections.reviews.review_state import state_of
from radcbir_core.collections.reviews.review_table import import_reviews
from radcbir_core.collections.reviews.reviewing import (
    identity_of,
    read_reviews,
    write_correction_of,
    write_note,
    write_tag,
)
from tests.pages.reading import cards, complaints, html, pairs, words


@pytest.fixture
def collection(copied_data):
    return open_collection("small")


@pytest.fixture
def ids(collection) -> list[str]:
    return collection.manifest.column("image_id").tolist()


def button(at, label):
    return next(one for one in at.button if one.label.replace("\\", "") == label)


def field(elements, label):
    return next(one for one in elements if one.label == label)


def said(collection) -> list[tuple[str, str, str, str]]:
    return [(entry.kind, entry.image_id, entry.hit_id, entry.text) for entry in read_log(collection.folder).entries]


def test_where_nothing_was_said_it_says_how(app, collection) -> None:
    at = app("review")
    assert not complaints(at)
    assert "Nobody has said anything of an image yet." in words(at)
    assert not cards(at)


def test_a_case_is_tagged_noted_and_corrected_and_all_of_it_is_on_disk(app, collection, ids) -> None:
    at = app("review", image=ids[0])
    assert not complaints(at)
    button(at, "artifact").click().run()
    field(at.text_input, "Another tag").set_value("  my own ").run()
    field(at.text_area, "A note").set_value("two\nlines <b>").run()
    assert said(collection) == [
        ("tag", ids[0], "", "artifact"),
        ("tag", ids[0], "", "my own"),
        ("note", ids[0], "", "two\nlines <b>"),
    ]
    assert {entry.encoder for entry in read_log(collection.folder).entries} == {"pixels"}
    assert "two<br>lines &lt;b&gt;" in html(at)
    assert (field(at.text_input, "Another tag").value, field(at.text_area, "A note").value) == ("", "")
    (card,) = cards(at)
    assert [mark["text"] for mark in card["said"]] == ["artifact", "my own", "✎"]
    assert card["note"].startswith("two lines <b> – ")

    field(at.selectbox, "Anatomy").set_value("brain")
    field(at.multiselect, "Pathologies").set_value(["normal", "effusion"])
    button(at, "Write the correction").click().run()
    assert not complaints(at)
    assert said(collection)[3:] == [("correction", ids[0], "", "brain"), ("correction", ids[0], "", "normal|effusion")]
    assert open_collection("small").digest == collection.digest
    assert "<b>normal, effusion</b> (not applied yet)" in html(at)
    assert [mark["text"] for mark in cards(at)[0]["said"]][3:] == ["→ brain", "→ normal, effusion"]

    button(at, "artifact").click().run()
    at.button(f"radcbir:take-back:page:{read_log(collection.folder).entries[2].id}").click().run()
    state = read_reviews(collection.folder).of(ids[0])
    assert (state.tag_names, state.notes) == (("my own",), ())
    actions = [line for line in audit_path().read_text().splitlines() if '"small"' in line]
    assert len(actions) == 6
    button(at, "Close the case").click().run()
    assert "image" not in at.query_params


def test_a_pair_is_reviewed_on_its_own_and_opens_from_the_list(app, collection, ids) -> None:
    write_note(collection, (ids[0], ids[1]), "alike", by="ben", encoder="pixels")
    at = app("review")
    ((query, hit),) = pairs(at)
    assert (query["image_id"], hit["image_id"]) == (ids[0], ids[1])
    assert [mark["text"] for mark in hit["said"]] == ["↔ ✎"]
    at = app("review", image=ids[0], beside=ids[1])
    assert not complaints(at)
    button(at, "look again").click().run()
    assert said(collection)[1] == ("tag", ids[0], ids[1], "look again")
    assert not [one for one in at.button if one.label == "Write the correction"]


def test_hits_carry_what_was_said_of_them_and_of_the_pair(app, collection, ids) -> None:
    shown = cards(app("retrieval", image=ids[0]))
    hit = shown[0]["image_id"]
    write_tag(collection, (hit, ""), "artifact", by="ben")
    write_tag(collection, (ids[0], hit), "unlike", by="ben")
    write_tag(collection, (ids[1], hit), "of another query", by="ben")
    marks = cards(app("retrieval", image=ids[0]))[0]["said"]
    assert [(mark["kind"], mark["text"]) for mark in marks] == [("tag", "artifact"), ("pair", "↔ unlike")]


def test_the_list_is_filtered_and_tells_how_corrections_stand(app, collection, ids) -> None:
    write_tag(collection, (ids[0], ""), "artifact", by="anna")
    write_tag(collection, (ids[1], ""), "look again", by="ben")
    for row, anatomy in ((1, "elbow"), (2, collection.manifest.record(2)["anatomy"])):
        entry = Entry(
            f"{row:032x}",
            entry_log.now(),
            "ben",
            "correction",
            column="anatomy",
            text=anatomy,
            before="knee",
            **identity_of(collection, (ids[row], "")),
        )
        add_entries("small", [entry])
    add_entries("small", [Entry("f" * 32, entry_log.now(), "ben", "tag", "gone", text="artifact")])

    def shown(**query) -> list[str]:
        at = app("review", **query)
        assert not complaints(at)
        return [card["image_id"] for card in cards(at)]

    assert shown() == [ids[2], ids[1], ids[0]]
    assert shown(tag="artifact") == [ids[0]]
    assert shown(by="anna") == [ids[0]]
    pathology = collection.manifest.record(1)["pathologies"][0]
    assert ids[1] in shown(where=f"pathologies={pathology}")
    assert shown(kind="corrections") == [ids[1]]
    assert shown(kind="corrections", standing="applied") == [ids[2]]
    at = app("review", kind="gone")
    assert at.dataframe[0].value["image"].tolist() == ["gone"]
    assert "relabel small corrections-small.csv --dry-run" in words(at)


def test_one_goes_from_case_to_case_of_the_list(app, collection, ids) -> None:
    for row in range(3):
        write_tag(collection, (ids[row], ids[row + 1]), "unlike", by="anna")
    at = app("review", kind="pairs", image=ids[1], beside=ids[2])
    button(at, "Previous case").click().run()
    assert (at.query_params["image"], at.query_params["beside"]) == (ids[2], ids[3])
    assert button(at, "Previous case").disabled
    button(at, "Next case").click().run()
    assert at.query_params["image"] == ids[1]
    at = app("review", kind="pairs", image=ids[5])
    assert not complaints(at)
    assert button(at, "Next case").disabled


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"image": "no/such"}, "no/such"),
        ({"tag": "none such"}, "Expected tag to be one of those there are, but tag = none such"),
        ({"kind": "x"}, "Expected kind to be one of those there are"),
    ],
)
def test_links_that_name_what_is_not_there_are_told(app, collection, query, told) -> None:
    assert told in complaints(app("review", **query))


def test_a_log_with_damaged_lines_shows_the_others_and_says_so(app, collection, ids) -> None:
    write_tag(collection, (ids[0], ""), "artifact", by="anna")
    with collection.layout.reviews.open("a") as log:
        log.write("{cut off")
    at = app("review")
    assert "1 line of it cannot be read, first 2: it is no JSON" in complaints(at)
    assert len(cards(at)) == 1


def test_a_log_that_cannot_be_read_is_said_there_and_galleries_work(app, collection, monkeypatch) -> None:
    collection.layout.reviews.mkdir()
    assert "reviews.jsonl cannot be read" in complaints(app("review"))
    at = app("retrieval")
    assert not complaints(at)
    assert cards(at)[0]["said"] == []


def test_who_may_only_look_reads_and_is_refused_where_it_is_done(app, collection, ids, monkeypatch) -> None:
    write_tag(collection, (ids[0], ""), "artifact", by="anna")
    write_note(collection, (ids[0], ""), "see left", by="anna")
    at = app("review", image=ids[0])
    ready = button(at, "look again")
    values = {"server.address": "10.0.0.7"}
    original = config.get_option
    monkeypatch.setattr(config, "get_option", lambda name: values.get(name, original(name)))
    monkeypatch.setenv(rights.WITHOUT_LOGIN, "viewer")
    ready.click().run()
    assert "Expected an editor, but you are a viewer." in complaints(at)
    assert len(said(collection)) == 2
    assert not [one for one in at.button if one.label in {"artifact", "look again", "Write the correction"}]
    assert not at.text_area
    assert "see left" in html(at)
    assert '<span class="radcbir-tag">artifact</span>' in html(at)


def test_where_nothing_can_be_written_it_is_one_sentence(app, collection, ids, monkeypatch) -> None:
    at = app("review", image=ids[0])

    def refused(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(entry_log, "atomic_bytes", refused)
    field(at.text_area, "A note").set_value("not lost").run()
    assert "Expected a folder that can be written, but it is read-only" in complaints(at)
    assert field(at.text_area, "A note").value == "not lost"


def test_what_somebody_else_says_is_there_at_the_next_look(app, collection, ids) -> None:
    at = app("review", image=ids[0])
    write_tag(collection, (ids[0], ""), "artifact", by="ben")
    button(at, "look again").click().run()
    assert read_reviews(collection.folder).of(ids[0]).tag_names == ("artifact", "look again")
    assert [mark["text"] for mark in cards(at)[0]["said"]] == ["artifact", "look again"]


def test_addresses_are_those_of_the_server_that_the_browser_knows(app, collection, ids, monkeypatch) -> None:
    for url, expected in (
        ("http://127.0.0.1:8501/review", "http://127.0.0.1:8501"),
        ("https://host/radcbir/review", "https://host/radcbir"),
        (None, ""),
        ("file:///x", ""),
    ):
        monkeypatch.setattr(st, "context", SimpleNamespace(url=url))
        assert exchange.address_of_server() == expected


def test_a_table_is_imported_and_its_bad_rows_are_listed(app, collection, ids, monkeypatch) -> None:
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerows([["kind", "text", "image_id"], ["tag", "mine", ids[0]], ["like", "x", ids[0]]])
    at = app("review")
    at.session_state["radcbir:review-import"] = import_reviews(collection, table.getvalue().encode(), by="me")
    at.run()
    assert not complaints(at)
    assert "1 entry added; 0 were there already; 1 row left out." in at.success[0].value
    assert at.dataframe[0].value["line"].tolist() == [3]
    assert [card["image_id"] for card in cards(at)] == [ids[0]]


def test_marks_are_few_and_say_the_rest_in_their_title() -> None:
    entries = [
        Entry(f"{number:032x}", f"2026-01-0{number + 1}", "anna", "tag", "a", text=f"tag {number}")
        for number in range(6)
    ]
    marks = review_marks.on_card(state_of(entries), {"image_id": "a"})
    assert [mark["text"] for mark in marks] == ["tag 0", "tag 1", "tag 2", "tag 3", "+2"]
    assert marks[-1]["title"] == "Tags: tag 4, tag 5"


def test_a_line_is_the_last_note_or_who_said_something(collection, ids) -> None:
    write_correction_of(
        collection, ids[0], {"anatomy": "elbow"}, by="ben", review=read_reviews(collection.folder).of(ids[0])
    )
    assert review_marks.line_of(loaders.reviews(collection).of(ids[0])).startswith("ben, 20")
    for note in ("first", "x" * 300):
        write_note(collection, (ids[0], ""), note, by="anna")
    assert review_marks.line_of(loaders.reviews(collection).of(ids[0])) == f"{'x' * 200}… (+1) – anna"
