"""What the readers of a study have done: ``reader-studies/<name>.jsonl``, one entry a line.

Owns the form of an entry. There are four kinds: a reader *joined*, a case was *shown* (once for each time that its page
was opened), it was *answered*, or it was *passed*, because its image is gone. Reading and adding are those of every log
(``entry_log.py``): entries are added, none is changed, and what is acknowledged is on disk.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from radcbir_core.collections.entry_log import Entries, EntryLog, check_id_and_kind, now, utc
from radcbir_core.collections.layout import Layout

ReadingKind = Literal["joined", "shown", "answer", "passed"]

READING_KINDS: Final[tuple[ReadingKind, ...]] = get_args(ReadingKind)
LONGEST_READER: Final = 60
"""Characters of a reader's name."""
MOST_BYTES: Final = 64_000_000
"""Of the log of a study: some 200,000 entries."""

_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_NUMBER: Final = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,6})?)?")
_LONGEST: Final = 4_096


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that a reader did.

    Attributes:
        id: Its own, 32 hexadecimal digits.
        when: UTC, ISO 8601.
        reader: By what name they read.
        kind: One of :data:`READING_KINDS`.
        by: Who was logged in, or whose account the server ran under.
        number: Of one who joined: which reader they are, from 0; it decides about their order.
        study: Of one who joined: the digest of the study as it was.
        step: Else: which of their cases it was, from 1.
        image_id: Of the case.
        condition: In which it was shown: "without" or "with".
        period: 1 or 2; 0 of practice.
        answer: What they said.
        confidence: How sure they were.
        seconds: By the server's steady clock: from when the page was sent, the last time it was, to the answer.
        looked: By the browser's: from when the picture was there, while the page was visible. Empty where it told none.
        hidden: Seconds in which the page was hidden meanwhile.
        longest_hidden: The longest stretch of these.
        reason: Of one that was passed: why.
    """

    id: str
    when: str
    reader: str
    kind: ReadingKind
    by: str = ""
    number: str = ""
    study: str = ""
    step: str = ""
    image_id: str = ""
    condition: str = ""
    period: str = ""
    answer: str = ""
    confidence: str = ""
    seconds: str = ""
    looked: str = ""
    hidden: str = ""
    longest_hidden: str = ""
    reason: str = ""


Readings = Entries[Reading]
"""What is in a log, and the lines of it that cannot be read."""


def new_reading(kind: ReadingKind, *, reader: str, **said: str) -> Reading:
    """An entry of now.

    Args:
        kind: What it is.
        reader: Who did it.
        **said: The other attributes of a :class:`Reading`.

    Raises:
        ValueError: It cannot be one; the text reads on from "Expected".
    """
    return checked_reading(Reading(uuid.uuid4().hex, now(), reader, kind, **said))


def checked_reading(entry: Reading) -> Reading:
    """An entry if it can be one.

    Raises:
        ValueError: It cannot; the text reads on from "Expected".
    """
    check_id_and_kind(entry.id, entry.kind, READING_KINDS)
    utc(entry.when)
    if not 1 <= len(entry.reader) <= LONGEST_READER or not entry.reader.isprintable():
        raise ValueError(f"a reader's name of 1 to {LONGEST_READER} characters in one line, but it is another")
    if any(len(text) > _LONGEST for text in astuple(entry)):
        raise ValueError(f"texts of at most {_LONGEST:,} characters, but one is longer")
    _refuse_parts(entry)
    return entry


def _refuse_parts(entry: Reading) -> None:
    """Refuse what an entry of its kind cannot do without, and numbers that are none."""
    if entry.kind == "joined":
        if not _WHOLE.fullmatch(entry.number):
            raise ValueError(f"the number of a reader, but number = {entry.number[:40]!r}")
        return
    if not _WHOLE.fullmatch(entry.step) or not entry.image_id:
        raise ValueError("a step and its image_id, but one is missing")
    if entry.condition not in {"without", "with"} or entry.period not in {"0", "1", "2"}:
        raise ValueError("a condition of without or with, and a period of 0, 1 or 2, but one is another")
    if entry.kind == "answer" and not (entry.answer and _WHOLE.fullmatch(entry.confidence) and entry.seconds):
        raise ValueError("an answer with a confidence and its seconds, but one is missing")
    for name in ("seconds", "looked", "hidden", "longest_hidden"):
        if not _NUMBER.fullmatch(getattr(entry, name)):
            raise ValueError(f"a number of seconds, but {name} = {getattr(entry, name)[:40]!r}")


def log_path(folder: Path, name: str) -> Path:
    """Where the log of a study lies, present or not.

    Args:
        folder: The collection's.
        name: Of the study.
    """
    return Layout(folder).reader_studies / f"{name}.jsonl"


def read_readings(folder: Path, name: str) -> Readings:
    """What the readers of a study have done; nothing where nobody has begun.

    Args:
        folder: The collection's.
        name: Of the study.

    Raises:
        CollectionError: The log cannot be read, or is larger than one can be.
    """
    return _LOG.read(log_path(folder, name))


def add_readings(collection_name: str, name: str, made: Callable[[Readings], Sequence[Reading]]) -> int:
    """Add to what readers have done; on disk when this returns.

    Args:
        collection_name: Of the collection.
        name: Of the study.
        made: Makes the entries, told what is there while nobody else can add; it may refuse by raising.

    Returns:
        How many were added.

    Raises:
        CollectionNotFoundError: There is no such collection.
        CollectionError: It is being changed, or the log is as large as one can be.
        StorageError: No space left, or no permission.
    """
    return _LOG.add(collection_name, lambda folder: log_path(folder, name), made)


_LOG: Final = EntryLog(
    "readings",
    form=Reading,
    needs=frozenset({"id", "when", "reader", "kind"}),
    checked=checked_reading,
    too_large="Export the answers, and go on with another study.",
    most=lambda: MOST_BYTES,
)
