"""Tags, notes and corrections of a collection's images, and how corrections stand before and after relabeling."""

from __future__ import annotations

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.corrections import read_corrections
from radcbir_core.collections.reviews.review_log import new_entry, read_log
from radcbir_core.collections.reviews.review_state import state_of
from radcbir_core.collections.reviews.review_table import csv_of
from radcbir_core.collections.reviews.reviewing import (
    corrections_table,
    identity_of,
    images_in,
    known_images,
    normal_label,
    presence_of,
    proposals,
    read_reviews,
    write_correction_of,
    write_note,
    write_tag,
    write_withdrawals,
)
from radcbir_core.errors import CollectionError, ImageNotFoundError
from radcbir_core.importers.relabeling import correct_labels


def ids(collection) -> list[str]:
    return collection.manifest.column("image_id").tolist()


def correct(collection, image_id, by="anna", **labels) -> int:
    return write_correction_of(collection, image_id, labels, by=by, review=read_reviews(collection.folder).of(image_id))


def test_tags_and_notes_know_their_images(copied) -> None:
    one, other, *_ = ids(copied)
    write_tag(copied, (one, ""), "artifact", by="anna")
    write_note(copied, (one, other), "alike", by="ben", encoder="pixels")
    tag, note = read_log(copied.folder).entries
    assert (tag.by, tag.sha256, tag.hit_sha256) == ("anna", copied.manifest.record(0)["sha256"], "")
    assert (note.hit_id, note.encoder, note.hit_sha256) == (other, "pixels", copied.manifest.record(1)["sha256"])
    write_withdrawals(copied, [tag], by="ben")
    assert read_reviews(copied.folder).of(one).tag_names == ()
    assert [entry.by for entry in read_log(copied.folder).entries] == ["anna", "ben", "ben"]


def test_what_one_person_says_twice_is_said_once(copied) -> None:
    one = ids(copied)[0]
    for by, note in (("anna", "see left"), ("anna", " see left\n"), ("ben", "see left"), ("anna", "see right")):
        write_note(copied, (one, ""), note, by=by)
    first = read_reviews(copied.folder).of(one).notes
    assert [(note.by, note.text) for note in first] == [
        ("anna", "see left"),
        ("ben", "see left"),
        ("anna", "see right"),
    ]
    write_withdrawals(copied, first[:1], by="anna")
    write_note(copied, (one, ""), "see left", by="anna")
    assert len(read_reviews(copied.folder).of(one).notes) == 3


def test_images_that_are_not_there_cannot_be_spoken_of(copied) -> None:
    with pytest.raises(ImageNotFoundError):
        write_tag(copied, ("nobody", ""), "artifact", by="anna")
    assert not copied.layout.reviews.exists()


def test_images_that_are_gone_or_others_keep_what_was_said(copied) -> None:
    one = ids(copied)[0]
    gone = new_entry("tag", by="me", image_id="gone", text="x")
    other = new_entry("tag", by="me", image_id=one, sha256="0" * 64, text="x")
    there = new_entry("tag", by="me", text="x", **identity_of(copied, (one, "")))
    known = known_images(copied, images_in([gone, other, there]))
    assert [presence_of(known, entry) for entry in (gone, other, there)] == ["gone", "other file", "there"]


def test_a_correction_changes_nothing_but_the_log(copied) -> None:
    before = copied.manifest_path.read_bytes()
    one = ids(copied)[0]
    now = copied.manifest.record(0)
    assert correct(copied, one, pathologies=["No finding", " second  Thing"], anatomy=now["anatomy"]) == 1
    (entry,) = read_log(copied.folder).entries
    assert (entry.column, entry.text) == ("pathologies", "normal|second Thing")
    assert entry.before == "|".join(now["pathologies"])
    assert open_collection("small").manifest_path.read_bytes() == before
    assert correct(copied, one, pathologies=["second Thing", "normal"]) == 1  # says the same
    assert len(read_log(copied.folder).entries) == 1


def test_who_corrects_back_takes_the_correction_back(copied) -> None:
    one = ids(copied)[0]
    correct(copied, one, anatomy="elbow")
    assert correct(copied, one, anatomy=copied.manifest.record(0)["anatomy"]) == 0
    assert proposals(copied, read_reviews(copied.folder)) == []


def test_labels_are_spelled_as_the_collection_does(copied) -> None:
    anatomy = copied.manifest.codes("anatomy").values[0]
    assert normal_label(copied, "anatomy", f" {anatomy.upper()} ") == anatomy
    assert normal_label(copied, "anatomy", "unknown") == ""
    assert normal_label(copied, "modality", "X-ray") == "XR"
    assert normal_label(copied, "pathologies", "new one|No finding|new one") == "new one|normal"
    with pytest.raises(CollectionError, match="Expected a modality of XR, CT, MR, US, other, but it is 'endoscopy'"):
        normal_label(copied, "modality", "endoscopy")
    with pytest.raises(CollectionError, match=r"Expected pathologies without \|"):
        normal_label(copied, "pathologies", ["a|b"])


def test_relabel_takes_the_open_corrections_and_keeps_who_and_when(copied, tmp_path) -> None:
    one, two, three, *_ = ids(copied)
    correct(copied, one, anatomy="elbow")
    correct(copied, one, by="ben", pathologies=["=1+1", "new"])
    correct(copied, two, anatomy="hand")
    correct(copied, two, by="ben", anatomy="foot")
    write_tag(copied, (three, ""), "artifact", by="anna")
    log = read_log(copied.folder).entries
    reviews = state_of([*log, new_entry("correction", by="x", image_id="gone", column="anatomy", text="y")])
    table = corrections_table(copied, reviews)
    assert table.columns.tolist() == ["image_id", "anatomy", "pathologies", "corrected_by", "corrected_at"]
    assert table["image_id"].tolist() == [one, two]
    assert table["corrected_by"].tolist() == ["anna; ben", "ben"]
    assert [one.standing for one in proposals(copied, reviews)] == ["open", "open", "superseded", "open", "gone"]

    (tmp_path / "t.csv").write_bytes(csv_of(table))
    relabeled = correct_labels("small", tmp_path / "t.csv", by="chief")
    after = open_collection("small")
    assert sorted(relabeled.cells["column"]) == ["anatomy", "anatomy", "pathologies"]
    assert after.manifest.record(0)["pathologies"] == ["=1+1", "new"]
    assert [after.manifest.record(row)["anatomy"] for row in (0, 1)] == ["elbow", "foot"]
    history = read_corrections(after)
    assert sorted(zip(history["by"], history["column"], strict=True)) == [
        ("anna; ben", "anatomy"),
        ("anna; ben", "pathologies"),
        ("ben", "anatomy"),
    ]
    assert set(history["when"]) <= {entry.when for entry in log}
    assert [one.standing for one in proposals(after, reviews)] == [
        "applied",
        "applied",
        "superseded",
        "applied",
        "gone",
    ]
    assert len(corrections_table(after, reviews)) == 0


def test_every_label_of_the_collection_goes_through_a_table_unchanged(copied, tmp_path) -> None:
    """A table of corrections has cells that are not corrected; these must stay, whatever they hold."""
    for number, image_id in enumerate(ids(copied)):
        correct(copied, image_id, **({"anatomy": "elbow"} if number % 2 else {"modality": "US"}))
    correct(copied, ids(copied)[0], pathologies=["new"])
    before = copied.manifest.frame
    table = corrections_table(copied, read_reviews(copied.folder))
    (tmp_path / "t.csv").write_bytes(csv_of(table))
    cells = correct_labels("small", tmp_path / "t.csv", dry_run=True).cells
    expected = {
        (row.image_id, column)
        for row in before.itertuples()
        for column, label, now in (("anatomy", "elbow", row.anatomy), ("modality", "US", row.modality))
        if (row.Index % 2 == (column == "anatomy")) and label != now
    } | {(before["image_id"][0], "pathologies")}
    assert set(zip(cells["image_id"], cells["column"], strict=True)) == expected
