"""The log: what an entry may be, adding, damage, and two processes that write at the same time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import filelock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.collections import entry_log
from radcbir_core.collections.changes import rename_collection
from radcbir_core.collections.entry_log import lines_of, utc
from radcbir_core.collections.layout import Layout
from radcbir_core.collections.reviews import review_log
from radcbir_core.collections.reviews.review_log import (
    LONGEST_NOTE,
    LONGEST_TAG,
    Entry,
    add_entries,
    checked,
    leave_out_damaged,
    new_entry,
    parse_log,
    read_log,
)
from radcbir_core.errors import CollectionError, CollectionNotFoundError, StorageError
from tests.conftest import REPOSITORY

ID = "0" * 32
TAG = Entry(ID, "2026-01-02T03:04:05.000000+00:00", "me", "tag", "a", text="artifact")


def test_an_entry_comes_back_as_it_was_written(copied) -> None:
    note = new_entry("note", by="  an\nna ", image_id="a", hit_id="b", text=" two\r\nlines ", encoder="pixels")
    assert (note.by, note.text) == ("an na", "two\nlines")
    assert add_entries("small", [TAG, note]) == 2
    assert read_log(copied.folder).entries == (TAG, note)


def test_what_is_there_is_not_added_again(copied) -> None:
    assert [add_entries("small", [TAG, TAG]), add_entries("small", [TAG])] == [2, 0]
    assert read_log(copied.folder).entries == (TAG,)


def test_nothing_was_said_yet(copied) -> None:
    assert read_log(copied.folder) == review_log.Log()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"id": "x"}, "an id of 32"),
        ({"kind": "like"}, "a kind of tag, note, correction, withdrawal"),
        ({"when": "yesterday"}, "a time with its zone"),
        ({"when": "2026-01-02T03:04:05"}, "a time with its zone"),
        ({"when": "0001-01-01T00:00:00+14:00"}, "a time with its zone"),
        ({"by": ""}, "who says it"),
        ({"by": "a\nb"}, "a name of at most"),
        ({"encoder": "x" * 201}, "a name of at most"),
        ({"image_id": ""}, "an image_id, but there is none"),
        ({"image_id": "x" * 4097}, "an image_id of at most"),
        ({"hit_id": "a"}, "two images in a pair"),
        ({"sha256": "abc"}, "a SHA-256"),
        ({"text": " "}, "a tag of 1 to 60"),
        ({"text": "x" * (LONGEST_TAG + 1)}, "a tag of 1 to 60"),
        ({"text": "a\u202eb"}, "a tag of 1 to 60"),
        ({"kind": "note", "text": "x" * (LONGEST_NOTE + 1)}, "a note of 1 to 4,000"),
        ({"kind": "note", "text": "a\x00b"}, "a note of 1 to 4,000"),
        ({"kind": "correction"}, "a correction of modality, anatomy, pathologies"),
        ({"kind": "correction", "column": "anatomy", "hit_id": "b"}, "a correction of modality"),
        ({"kind": "correction", "column": "anatomy", "text": "x" * 401}, "a label of at most 400"),
        ({"kind": "correction", "column": "anatomy", "before": "a\nb"}, "a label of at most 400"),
        ({"kind": "withdrawal"}, "a withdrawal of an entry"),
    ],
)
def test_what_can_be_no_entry_is_refused_and_in_a_log_left_out(changed, expected) -> None:
    wrong = replace(TAG, **changed)
    with pytest.raises(ValueError, match=expected):
        checked(wrong)
    log = parse_log(lines_of([TAG]) + lines_of([wrong]))
    assert log.entries == (TAG,)
    assert [line for line, _ in log.damaged] == [2]


def test_half_a_character_is_no_image_id() -> None:
    with pytest.raises(ValueError, match="an image_id of at most"):
        checked(replace(TAG, hit_id="\ud800"))
    assert parse_log(lines_of([TAG]).replace(b'"a"', b'"\\ud800"')).damaged


def test_a_new_entry_that_can_be_none_is_an_error() -> None:
    with pytest.raises(CollectionError, match=r"Expected a tag of 1 to 60 characters in one line, but it is ''\. "):
        new_entry("tag", by="me", image_id="a", text="")


def test_notes_in_scripts_that_join_letters() -> None:
    text = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645\tx\ny"
    assert checked(replace(TAG, kind="note", text=text)).text == text


def test_times_are_in_utc() -> None:
    assert utc(" 2026-01-01T00:30:00+01:00 ") == "2025-12-31T23:30:00.000000+00:00"


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b'{"id": 1}', b"\xff\xfe", b"[" * 200, b'{"id": "a", "id": "b"}', b"null", b'{"kind": "tag"}'],
)
def test_damaged_lines_cost_no_other(line) -> None:
    log = parse_log(line + b"\n" + lines_of([TAG]))
    assert (log.entries, len(log.damaged)) == ((TAG,), 1)


@given(st.binary(max_size=80))
def test_any_bytes_are_entries_or_damaged(content) -> None:
    log = parse_log(content + b"\n" + lines_of([TAG]))
    assert TAG in log.entries


def test_a_log_that_was_cut_off_keeps_what_it_has_and_goes_on(copied) -> None:
    path = copied.layout.reviews
    path.write_bytes(lines_of([TAG]) + lines_of([replace(TAG, id="1" * 32)])[:-20])
    assert [number for number, _ in read_log(copied.folder).damaged] == [2]
    later = replace(TAG, id="2" * 32)
    add_entries("small", [later])
    log = read_log(copied.folder)
    assert (log.entries, [number for number, _ in log.damaged]) == ((TAG, later), [2])
    leave_out_damaged(copied.folder)
    assert read_log(copied.folder) == review_log.Log((TAG, later))


@given(st.lists(st.sampled_from(["whole", "damaged", "again", "cut", "replaced"]), max_size=8))
def test_a_log_that_grows_is_read_as_one_that_is_read_whole(steps) -> None:
    content = b""
    with tempfile.TemporaryDirectory() as folder:
        path = Layout(Path(folder)).reviews
        for number, step in enumerate(steps):
            line = lines_of([replace(TAG, id=f"{number:032x}")])
            content += {"whole": line, "damaged": b"{}\n", "again": lines_of([TAG]), "cut": line[:-9]}.get(step, b"")
            if step == "replaced":
                content = line
            path.write_bytes(content)
            assert read_log(Path(folder)) == parse_log(content)


def test_a_log_that_is_too_large_is_refused_and_stays(copied, monkeypatch) -> None:
    add_entries("small", [TAG])
    before = copied.layout.reviews.read_bytes()
    monkeypatch.setattr(review_log, "MOST_BYTES", len(before) + 10)
    with pytest.raises(CollectionError, match="Expected a log of reviews of at most"):
        add_entries("small", [replace(TAG, id="1" * 32)])
    assert copied.layout.reviews.read_bytes() == before
    monkeypatch.setattr(review_log, "MOST_BYTES", 10)
    with pytest.raises(CollectionError, match="Export the reviews"):
        read_log(copied.folder)


def test_a_log_that_cannot_be_read_is_an_error(copied) -> None:
    copied.layout.reviews.symlink_to(copied.layout.reviews.name)
    with pytest.raises(CollectionError, match=r"reviews\.jsonl cannot be read"):
        read_log(copied.folder)


def test_nobody_writes_while_the_collection_is_being_changed(copied, monkeypatch) -> None:
    monkeypatch.setattr(entry_log, "_PATIENCE", 0.0)
    with (
        filelock.FileLock(copied.layout.gate),
        pytest.raises(CollectionError, match="nobody else to be changing small"),
    ):
        add_entries("small", [TAG])
    assert not copied.layout.reviews.exists()


def test_a_collection_that_is_not_there(copied) -> None:
    with pytest.raises(CollectionNotFoundError):
        add_entries("other", [TAG])


def test_a_folder_that_cannot_be_written_is_one_sentence(copied, monkeypatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(entry_log, "atomic_bytes", refused)
    with pytest.raises(StorageError, match="Expected a folder that can be written, but it is read-only"):
        add_entries("small", [TAG])


def test_a_renamed_and_a_copied_collection_keep_what_was_said(copied) -> None:
    add_entries("small", [TAG])
    renamed = rename_collection("small", "other")
    shutil.copytree(renamed.folder, renamed.folder.with_name("copy"))
    assert read_log(renamed.folder).entries == read_log(renamed.folder.with_name("copy")).entries == (TAG,)


def test_two_processes_that_write_at_the_same_time_lose_nothing(copied) -> None:
    writing = """
import sys
from radcbir_core.collections.reviews.review_log import add_entries, new_entry
print("ready", flush=True)
sys.stdin.readline()
for number in range(15):
    add_entries("small", [new_entry("note", by=sys.argv[1], image_id="a", text=f"note {number}")])
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", writing, who],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for who in ("anna", "ben")
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.communicate()[0] for writer in writers] == ["", ""]
    log = read_log(copied.folder)
    assert not log.damaged
    assert sorted((entry.by, entry.text) for entry in log.entries) == sorted(
        (who, f"note {number}") for who in ("anna", "ben") for number in range(15)
    )
