"""A reader reads: joins, is shown one case after the other, answers, and goes on where they stopped.

Owns how far a reader is, and what may be written next. All of it is read from the log, so that a page that is loaded
again, another machine or a server that was killed go on at the first case without an answer. What is written is checked
while nobody else can write: a case that was answered is not answered again, also where two browsers show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.reader_studies.reading_log import (
    LONGEST_READER,
    Reading,
    Readings,
    add_readings,
    new_reading,
    read_readings,
)
from radcbir_core.collections.reader_studies.study_definition import Case, Study
from radcbir_core.errors import ImageError, StudyError
from radcbir_core.reader_study.study_design import Step, course_of
from radcbir_core.storage import disk_errors

MOST_BYTES: Final = 512_000_000
"""Of the file of an image that is shown."""
LONGEST_SECONDS: Final = 30 * 24 * 3600.0
LONGEST_REASON: Final = 400
"""Characters of why a case was passed."""


@dataclass(frozen=True)
class Course:
    """How far a reader is.

    Attributes:
        study: Which study.
        reader: By what name they read.
        number: Which reader, from 0; None of one who has not joined.
        steps: All that they read, in order.
        done: Step → how it was answered or passed.
        shown: Step → when its page was opened, each time.
        ready_at: When the next step may be read; None where it may be now.
    """

    study: Study
    reader: str
    number: int | None
    steps: tuple[Step, ...]
    done: dict[int, Reading]
    shown: dict[int, tuple[Reading, ...]]
    ready_at: datetime | None = None

    @property
    def next(self) -> Step | None:
        """The first step that was neither answered nor passed; None where there is none."""
        return next((step for step in self.steps if step.number not in self.done), None)

    @property
    def is_complete(self) -> bool:
        """Whether all is read."""
        return self.number is not None and self.next is None

    def case(self, step: Step) -> Case:
        """The case of a step."""
        return (self.study.practice if step.is_practice else self.study.cases)[step.case]


@dataclass(frozen=True)
class Answered:
    """What a reader says of a case.

    Attributes:
        answer: One of the study's answers.
        confidence: How sure they are.
        seconds: By the server's steady clock, since the page was sent.
        looked: By the browser's, since the picture was there, while the page was visible; None where it told nothing.
        hidden: Seconds in which the page was hidden.
        longest_hidden: The longest stretch of these.
    """

    answer: str
    confidence: int
    seconds: float
    looked: float | None = None
    hidden: float | None = None
    longest_hidden: float | None = None


@dataclass(frozen=True)
class CasePicture:
    """The file of a case or of a hit.

    Attributes:
        data: Its bytes.
        frame: Which of its frames; None where it is one image.
    """

    data: bytes
    frame: int | None


def check_reader(name: str) -> str:
    """A reader's name as it is kept.

    Raises:
        StudyError: It cannot be one.

    Example:
        >>> check_reader("  Reader   1 ")
        'Reader 1'
    """
    reader = " ".join(name.split())
    if not 1 <= len(reader) <= LONGEST_READER or not reader.isprintable():
        raise StudyError(
            f"Expected a name of 1 to {LONGEST_READER} characters in one line, but it is {name[:80]!r}. Choose another."
        )
    return reader


def read_course(collection: Collection, study: Study, reader: str) -> Course:
    """How far a reader is.

    Raises:
        StudyError: It cannot be a name; or the study is another one than the one they have begun.
        CollectionError: The log cannot be read.
    """
    return _course(study, check_reader(reader), read_readings(collection.folder, study.name))


def write_joined(collection: Collection, study: Study, reader: str, *, by: str) -> Course:
    """Let a reader begin; one who has begun before goes on.

    Args:
        collection: Where the study is.
        study: Which.
        reader: By what name.
        by: Who is logged in.

    Returns:
        How far they are.

    Raises:
        StudyError: It cannot be a name.
        CollectionError: The collection is being changed.
        StorageError: No space left, or no permission.
    """
    name = check_reader(reader)

    def made(log: Readings) -> list[Reading]:
        joined = [entry for entry in log.entries if entry.kind == "joined"]
        if any(entry.reader == name for entry in joined):
            return []
        number = 1 + max((int(entry.number) for entry in joined), default=-1)
        return [_new("joined", reader=name, by=by, number=str(number), study=study.digest)]

    add_readings(collection.name, study.name, made)
    return read_course(collection, study, name)


def write_shown(collection: Collection, study: Study, reader: str, step: Step, *, by: str) -> None:
    """Keep that a case is being shown, before it is.

    Raises:
        StudyError: It is not the next case of this reader.
        CollectionError: The collection is being changed.
        StorageError: No space left, or no permission.
    """

    def made(log: Readings) -> list[Reading]:
        return [_new("shown", reader=reader, by=by, **_of_step(study, _checked_next(study, reader, step.number, log)))]

    add_readings(collection.name, study.name, made)


def write_answer(collection: Collection, study: Study, reader: str, step: Step, told: Answered, *, by: str) -> None:
    """Keep an answer; on disk when this returns, and never changed.

    Raises:
        StudyError: It is no answer of this study, or the case is not this reader's next one.
        CollectionError: The collection is being changed.
        StorageError: No space left, or no permission.
    """
    if told.answer not in study.answers:
        raise StudyError(f"Expected one of the study's answers, but it is {told.answer[:80]!r}. Choose one of these.")
    if not study.least_confidence <= told.confidence <= study.most_confidence:
        raise StudyError(
            f"Expected a confidence from {study.least_confidence} to {study.most_confidence}, but it is "
            f"{told.confidence}. Choose one."
        )

    def made(log: Readings) -> list[Reading]:
        asked = _checked_next(study, reader, step.number, log)
        if not any(e.kind == "shown" and e.reader == reader and e.step == str(asked.number) for e in log.entries):
            raise StudyError("Expected an answer to a case that was shown, but this one was not. Reload the page.")
        return [
            _new(
                "answer",
                reader=reader,
                by=by,
                **_of_step(study, asked),
                answer=told.answer,
                confidence=str(told.confidence),
                seconds=_seconds(min(max(told.seconds, 0.0), LONGEST_SECONDS)),
                looked=_seconds(told.looked),
                hidden=_seconds(told.hidden),
                longest_hidden=_seconds(told.longest_hidden),
            )
        ]

    add_readings(collection.name, study.name, made)


def write_passed(collection: Collection, study: Study, reader: str, step: Step, *, reason: str, by: str) -> None:
    """Keep that a case was passed, because it cannot be shown any more.

    Raises:
        StudyError: It is not this reader's next case.
        CollectionError: The collection is being changed.
        StorageError: No space left, or no permission.
    """

    def made(log: Readings) -> list[Reading]:
        asked = _checked_next(study, reader, step.number, log)
        return [_new("passed", reader=reader, by=by, **_of_step(study, asked), reason=reason[:LONGEST_REASON])]

    add_readings(collection.name, study.name, made)


def row_of_case(collection: Collection, image_id: str, sha256: str) -> int:
    """The row of the image of a case or a hit.

    Raises:
        StudyError: The collection does not hold it any more, or holds another file by its id. No message names it.
    """
    rows = collection.manifest.rows_with("image_id", image_id)
    if not len(rows):
        raise StudyError("Expected the image of this case, but the collection does not hold it any more.")
    row = int(rows[0])
    if sha256 and str(collection.manifest.record(row, ["sha256"])["sha256"] or sha256) != sha256:
        raise StudyError("Expected the image of this case, but the collection has another file in its place.")
    return row


def picture_of(collection: Collection, row: int) -> CasePicture:
    """The file of an image, to be shown by itself, under no name.

    Raises:
        StudyError: It is not there, cannot be read, or is too large. No message names it.
    """
    try:
        (found,) = collection.image_files([row])
        if isinstance(found, ImageError):
            raise StudyError("Expected the image file of this case, but it is not there.") from found
        if isinstance(found, OSError):
            raise found
        path, frame = found
        with disk_errors(collection.image_root):
            if path.stat().st_size > MOST_BYTES:
                raise StudyError(f"Expected an image file of at most {MOST_BYTES:,} bytes, but this one is larger.")
            return CasePicture(path.read_bytes(), frame)
    except OSError as error:
        raise StudyError("Expected the image file of this case, but it cannot be read.") from error


def check_unchanged(study: Study, joined: Reading) -> None:
    """Make sure that a study is the one that a reader has begun: else their answers are to other cases.

    Args:
        study: As it is now.
        joined: The entry with which the reader began.

    Raises:
        StudyError: It is another one.
    """
    if joined.study != study.digest:
        raise StudyError(
            f"Expected the study {study.name} as it was when {joined.reader} began, but it has been changed since. "
            "Copy it back from where it was kept."
        )


def _course(study: Study, reader: str, log: Readings) -> Course:
    mine = [entry for entry in log.entries if entry.reader == reader]
    joined = next((entry for entry in mine if entry.kind == "joined"), None)
    if joined is None:
        return Course(study, reader, None, tuple(course_of(study, 0)), {}, {})
    check_unchanged(study, joined)
    steps = tuple(course_of(study, int(joined.number)))
    done: dict[int, Reading] = {}
    shown: dict[int, list[Reading]] = {}
    for entry in mine:
        if entry.kind in {"answer", "passed"}:
            done.setdefault(int(entry.step), entry)
        elif entry.kind == "shown":
            shown.setdefault(int(entry.step), []).append(entry)
    course = Course(study, reader, int(joined.number), steps, done, {at: tuple(all_) for at, all_ in shown.items()})
    return Course(**{**course.__dict__, "ready_at": _ready_at(course)})


def _ready_at(course: Course) -> datetime | None:
    """When the second period may begin, for a reader who has ended the first."""
    step = course.next
    if step is None or step.period != 2 or not course.study.washout_hours:
        return None
    first = [course.done[one.number].when for one in course.steps if one.period == 1]
    ready = datetime.fromisoformat(max(first)) + timedelta(hours=course.study.washout_hours)
    return ready if ready > datetime.now(UTC) else None


def _checked_next(study: Study, reader: str, number: int, log: Readings) -> Step:
    """The step of a number, if it is the reader's next one.

    Raises:
        StudyError: It is not.
    """
    course = _course(study, reader, log)
    step = course.next
    if course.number is None or step is None:
        raise StudyError("Expected a case that is to be read, but there is none for this reader. Reload the page.")
    if step.number != number:
        raise StudyError(
            f"Expected an answer to case {step.number} of {len(course.steps)}, but this is case {number}: it was "
            "answered before, perhaps in another window. Nothing was changed."
        )
    if course.ready_at is not None:
        raise StudyError(f"Expected the second reading from {course.ready_at:%Y-%m-%d %H:%M} UTC on. Come back then.")
    return step


def _of_step(study: Study, step: Step) -> dict[str, str]:
    case = (study.practice if step.is_practice else study.cases)[step.case]
    return {
        "step": str(step.number),
        "image_id": case.image_id,
        "condition": step.condition,
        "period": str(step.period),
    }


def _new(kind: str, **said: str) -> Reading:
    try:
        return new_reading(kind, **said)  # type: ignore[arg-type]
    except ValueError as error:
        raise StudyError(f"Expected {error}. Reload the page.") from error


def _seconds(value: float | None) -> str:
    """Seconds as the log has them; "" of what was not told, or cannot be."""
    if value is None or not 0 <= value <= LONGEST_SECONDS:
        return ""
    return f"{value:.3f}"
