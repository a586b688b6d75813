"""A reader's way through a study: joining, order, resuming, two at once, and what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from radcbir_core.collections.reader_studies import reading_log
from radcbir_core.collections.reader_studies.reading_log import log_path, read_readings
from radcbir_core.collections.reader_studies.study_definition import Study, study_path, write_study
from radcbir_core.errors import CollectionError, ImageError, StudyError
from radcbir_core.reader_study.reading_course import (
    LONGEST_REASON,
    Answered,
    check_reader,
    picture_of,
    read_course,
    row_of_case,
    write_answer,
    write_joined,
    write_passed,
    write_shown,
)
from radcbir_core.reader_study.study_design import course_of
from radcbir_core.storage import write_json
from tests.conftest import REPOSITORY
from tests.core.reader_study.made_studies import made

TOLD = Answered("mass", 3, 2.5, 2.0, 0.25, 0.25)


@pytest.fixture
def study(copied) -> Study:
    one = made()
    write_study("small", one)
    return one


def read_all(copied, study, reader: str, *, until: int = 10_000) -> None:
    course = write_joined(copied, study, reader, by="me")
    while (step := course.next) is not None and step.number <= until:
        write_shown(copied, study, reader, step, by="me")
        write_answer(copied, study, reader, step, TOLD, by="me")
        course = read_course(copied, study, reader)


def test_a_reader_reads_all_in_their_order(copied, study) -> None:
    assert read_course(copied, study, "R1").number is None
    read_all(copied, study, "R1")
    course = read_course(copied, study, "R1")
    assert (course.number, course.is_complete, course.next) == (0, True, None)
    assert course.steps == tuple(course_of(study, 0))
    assert list(course.done) == [step.number for step in course.steps]
    for step in course.steps:
        entry = course.done[step.number]
        assert (entry.image_id, entry.condition, entry.period) == (
            course.case(step).image_id,
            step.condition,
            str(step.period),
        )
        assert (entry.answer, entry.confidence, entry.seconds) == ("mass", "3", "2.500")
        assert (entry.looked, entry.hidden, entry.longest_hidden) == ("2.000", "0.250", "0.250")
        assert len(course.shown[step.number]) == 1


def test_readers_are_numbered_as_they_come_and_keep_their_number(copied, study) -> None:
    numbers = [write_joined(copied, study, reader, by="me").number for reader in ("b", "a", "b", " a  ", "c")]
    assert numbers == [0, 1, 0, 1, 2]
    assert len(read_readings(copied.folder, "one").entries) == 3


def test_one_goes_on_at_the_first_case_without_an_answer(copied, study) -> None:
    read_all(copied, study, "R1", until=3)
    step = read_course(copied, study, "R1").next
    assert step is not None
    assert step.number == 4
    for _ in range(2):  # a page that was loaded again
        write_shown(copied, study, "R1", step, by="me")
    course = read_course(copied, study, "R1")
    assert course.next == step
    assert len(course.shown[4]) == 2


def test_an_answer_is_given_once_and_in_order(copied, study) -> None:
    course = write_joined(copied, study, "R1", by="me")
    first, second = course.steps[:2]
    with pytest.raises(StudyError, match="Expected an answer to a case that was shown"):
        write_answer(copied, study, "R1", first, TOLD, by="me")
    with pytest.raises(StudyError, match="Expected an answer to case 1 of 9, but this is case 2"):
        write_shown(copied, study, "R1", second, by="me")
    write_shown(copied, study, "R1", first, by="me")
    write_answer(copied, study, "R1", first, TOLD, by="me")
    before = log_path(copied.folder, "one").read_bytes()
    with pytest.raises(StudyError, match="answered before, perhaps in another window"):
        write_answer(copied, study, "R1", first, replace(TOLD, answer="normal"), by="me")
    assert log_path(copied.folder, "one").read_bytes() == before


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (replace(TOLD, answer="edema"), "Expected one of the study's answers"),
        (replace(TOLD, confidence=0), "Expected a confidence from 1 to 5"),
        (replace(TOLD, confidence=6), "Expected a confidence from 1 to 5"),
    ],
)
def test_what_is_no_answer_is_refused(copied, study, told, expected) -> None:
    course = write_joined(copied, study, "R1", by="me")
    write_shown(copied, study, "R1", course.steps[0], by="me")
    with pytest.raises(StudyError, match=expected):
        write_answer(copied, study, "R1", course.steps[0], told, by="me")
    assert not read_course(copied, study, "R1").done


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), 1e12])
def test_times_that_cannot_be_are_left_out(copied, study, seconds) -> None:
    course = write_joined(copied, study, "R1", by="me")
    write_shown(copied, study, "R1", course.steps[0], by="me")
    told = replace(TOLD, looked=seconds, hidden=None)
    write_answer(copied, study, "R1", course.steps[0], told, by="me")
    entry = read_course(copied, study, "R1").done[1]
    assert (entry.looked, entry.hidden, entry.seconds) == ("", "", "2.500")


def test_who_has_not_joined_cannot_answer(copied, study) -> None:
    with pytest.raises(StudyError, match="there is none for this reader"):
        write_shown(copied, study, "R1", course_of(study, 0)[0], by="me")
    assert not log_path(copied.folder, "one").exists()


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x00b"])
def test_what_is_no_name_is_refused(copied, study, name) -> None:
    with pytest.raises(StudyError, match="Expected a name of 1 to 60 characters"):
        write_joined(copied, study, name, by="me")
    assert check_reader(" a\n b ") == "a b"


def test_the_second_reading_waits_for_the_hours_between(copied, monkeypatch) -> None:
    study = made(washout_hours=48.0)
    write_study("small", study)
    read_all(copied, study, "R1", until=5)  # practice, and the first period
    course = read_course(copied, study, "R1")
    assert course.next is not None
    assert course.next.period == 2
    last = datetime.fromisoformat(course.done[5].when)
    assert course.ready_at == last + timedelta(hours=48)
    with pytest.raises(StudyError, match="Expected the second reading from"):
        write_shown(copied, study, "R1", course.next, by="me")

    class Later(datetime):
        @classmethod
        def now(cls, tz=UTC):
            return last + timedelta(hours=48, seconds=1)

    monkeypatch.setattr("radcbir_core.reader_study.reading_course.datetime", Later)
    assert read_course(copied, study, "R1").ready_at is None
    write_shown(copied, study, "R1", course.next, by="me")


def test_a_study_that_was_changed_is_not_gone_on_with(copied, study) -> None:
    read_all(copied, study, "R1", until=2)
    other = made(seed=8)
    with pytest.raises(StudyError, match="it has been changed since"):
        read_course(copied, other, "R1")
    with pytest.raises(StudyError, match="it has been changed since"):
        write_shown(copied, other, "R1", course_of(other, 0)[2], by="me")


def test_a_case_whose_image_is_gone_is_passed_and_it_is_kept(copied, study) -> None:
    course = write_joined(copied, study, "R1", by="me")
    with pytest.raises(StudyError) as gone:
        row_of_case(copied, "no such", "")
    write_passed(copied, study, "R1", course.steps[0], reason=str(gone.value), by="me")
    course = read_course(copied, study, "R1")
    assert (course.done[1].kind, course.done[1].reason, course.next) == ("passed", str(gone.value), course.steps[1])
    write_passed(copied, study, "R1", course.steps[1], reason="gone " * 1_000, by="me")
    assert read_course(copied, study, "R1").done[2].reason == ("gone " * 1_000)[:LONGEST_REASON]


def test_the_image_of_a_case_is_found_or_it_is_said_and_no_message_names_it(copied, monkeypatch) -> None:
    record = copied.manifest.record(0)
    assert row_of_case(copied, record["image_id"], record["sha256"]) == row_of_case(copied, record["image_id"], "") == 0
    assert picture_of(copied, 0).data == copied.image_path(0).read_bytes()
    with pytest.raises(StudyError, match="does not hold it any more"):
        row_of_case(copied, "no such", "")
    with pytest.raises(StudyError, match="another file in its place") as other:
        row_of_case(copied, record["image_id"], "0" * 64)
    path = copied.image_path(0)
    gone = ImageError(f"Expected {path}, but it is not there.")
    for found, expected in ((gone, "it is not there"), (PermissionError(13, "refused", str(path)), "cannot be read")):
        monkeypatch.setattr(type(copied), "image_files", lambda _self, _rows, found=found: iter([found]))
        with pytest.raises(StudyError, match=expected) as missing:
            picture_of(copied, 0)
        assert path.name not in str(missing.value)
    assert record["image_id"] not in str(other.value)
    monkeypatch.setattr(type(copied), "image_files", lambda *_: iter([(path, 2)]))
    assert picture_of(copied, 0).frame == 2
    monkeypatch.setattr("radcbir_core.reader_study.reading_course.MOST_BYTES", 10)
    with pytest.raises(StudyError, match="at most 10 bytes"):
        picture_of(copied, 0)


def test_a_log_that_is_full_is_said_and_nothing_is_lost(copied, study, monkeypatch) -> None:
    read_all(copied, study, "R1", until=2)
    before = log_path(copied.folder, "one").read_bytes()
    monkeypatch.setattr(reading_log, "MOST_BYTES", len(before) + 10)
    step = read_course(copied, study, "R1").next
    assert step is not None
    with pytest.raises(CollectionError, match="Expected a log of readings of at most"):
        write_shown(copied, study, "R1", step, by="me")
    assert log_path(copied.folder, "one").read_bytes() == before


READING = """
import sys
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.reader_studies.study_definition import read_study
from radcbir_core.reader_study.reading_course import *
collection = open_collection("small")
study = read_study(collection.folder, "one")
print("ready", flush=True)
sys.stdin.readline()
course = write_joined(collection, study, sys.argv[1], by="me")
while (step := course.next) is not None:
    write_shown(collection, study, sys.argv[1], step, by="me")
    write_answer(collection, study, sys.argv[1], step, Answered("mass", 3, 1.0), by="me")
    print(step.number, flush=True)
    course = read_course(collection, study, sys.argv[1])
"""


def reader_process(name: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", READING, name],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def start(process: subprocess.Popen[str]) -> None:
    process.stdin.write("go\n")
    process.stdin.flush()


def test_two_readers_at_once_lose_nothing(copied, study) -> None:
    readers = [reader_process(name) for name in ("anna", "ben")]
    for one in readers:
        start(one)
    for one in readers:
        one.communicate(timeout=60)
        assert one.returncode == 0
    courses = [read_course(copied, study, name) for name in ("anna", "ben")]
    assert {course.number for course in courses} == {0, 1}
    assert all(course.is_complete and len(course.done) == 9 for course in courses)
    assert not read_readings(copied.folder, "one").damaged


def test_who_is_killed_goes_on_where_answers_were_kept(copied, study) -> None:
    reader = reader_process("anna")
    start(reader)
    told = [int(reader.stdout.readline()) for _ in range(3)]
    reader.send_signal(signal.SIGKILL)
    reader.communicate(timeout=60)
    assert told == [1, 2, 3]
    course = read_course(copied, study, "anna")
    assert set(told) <= set(course.done)
    assert not read_readings(copied.folder, "one").damaged
    read_all(copied, study, "anna")
    finished = read_course(copied, study, "anna")
    assert finished.is_complete
    answers = [entry for entry in read_readings(copied.folder, "one").entries if entry.kind == "answer"]
    assert sorted(int(entry.step) for entry in answers) == list(range(1, 10))


def test_what_was_written_by_hand_into_a_study_is_noticed(copied, study) -> None:
    read_all(copied, study, "R1", until=1)
    path = study_path(copied.folder, "one")
    import json

    told = json.loads(path.read_text())
    told["cases"][0]["truth"] = "normal"
    write_json(path, told)
    from radcbir_core.collections.reader_studies.study_definition import read_study

    with pytest.raises(StudyError, match="changed since"):
        read_course(copied, read_study(copied.folder, "one"), "R1")
