"""What readers did, entry by entry: what one may be, and that it comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radcbir_core.collections.entry_log import lines_of
from radcbir_core.collections.reader_studies.reading_log import (
    Reading,
    add_readings,
    checked_reading,
    log_path,
    new_reading,
    read_readings,
)

STEP = {"step": "1", "image_id": "a", "condition": "with", "period": "1"}
SHOWN = Reading("0" * 32, "2026-11-30T10:00:00+00:00", "R1", "shown", **STEP)
ANSWER = replace(SHOWN, id="1" * 32, kind="answer", answer="mass", confidence="3", seconds="2.500")


def test_entries_come_back_as_they_were_written(copied) -> None:
    joined = new_reading("joined", reader="R☃", number="4", study="d", by="me")
    assert read_readings(copied.folder, "one").entries == ()
    assert add_readings("small", "one", lambda _: [joined, SHOWN, ANSWER]) == 3
    log = read_readings(copied.folder, "one")
    assert (log.entries, log.damaged) == ((joined, SHOWN, ANSWER), ())
    assert log_path(copied.folder, "one").read_bytes() == lines_of([joined, SHOWN, ANSWER])
    assert read_readings(copied.folder, "two").entries == ()


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (replace(SHOWN, id="x"), "an id of 32"),
        (replace(SHOWN, kind="seen"), "a kind of joined, shown, answer, passed"),
        (replace(SHOWN, when="today"), "a time with its zone"),
        (replace(SHOWN, when="2026-11-30T10:00:00"), "a time with its zone"),
        (replace(SHOWN, reader=""), "a reader's name"),
        (replace(SHOWN, reader="a\nb"), "a reader's name"),
        (replace(SHOWN, reader="x" * 61), "a reader's name"),
        (replace(SHOWN, reason="x" * 4097), "at most 4,096 characters"),
        (replace(SHOWN, kind="joined"), "the number of a reader"),
        (replace(SHOWN, step="one"), "a step and its image_id"),
        (replace(SHOWN, image_id=""), "a step and its image_id"),
        (replace(SHOWN, condition="both"), "a condition of without or with"),
        (replace(SHOWN, period="3"), "a period of 0, 1 or 2"),
        (replace(ANSWER, answer=""), "an answer with a confidence"),
        (replace(ANSWER, confidence="-1"), "an answer with a confidence"),
        (replace(ANSWER, seconds=""), "an answer with a confidence"),
        (replace(ANSWER, looked="1e3"), "a number of seconds, but looked"),
        (replace(ANSWER, hidden="-1"), "a number of seconds, but hidden"),
    ],
)
def test_what_cannot_be_one(entry, expected) -> None:
    with pytest.raises(ValueError, match=expected):
        checked_reading(entry)
    assert checked_reading(SHOWN) is SHOWN
    assert checked_reading(ANSWER) is ANSWER


def test_lines_that_are_none_are_told_and_cost_no_other(copied) -> None:
    path = log_path(copied.folder, "one")
    path.parent.mkdir()
    bad = b'{"id": "2", "when": "x", "reader": "R", "kind": "shown"}\n{"other": "1"}\n'
    path.write_bytes(bad + lines_of([ANSWER]))
    log = read_readings(copied.folder, "one")
    assert log.entries == (ANSWER,)
    assert [number for number, _ in log.damaged] == [1, 2]
    assert log.damaged[0][1].startswith("expected an id of 32")
