"""The log of what people said of a collection's images: ``reviews.jsonl``, one entry a line.

Owns the form of an entry; reading and adding are those of every log (``entry_log.py``). Entries are added and never
changed: what somebody takes back stands there as a withdrawal, with who and when. What holds now is made of all
entries, in whatever order they came (``review_state.py``). An image goes by its image_id and the digest of its file,
never by its row.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, get_args

from radcbir_core.collections.entry_log import ID, Entries, EntryLog, check_id_and_kind, lines_of, now, utc
from radcbir_core.collections.layout import Layout
from radcbir_core.errors import CollectionError
from radcbir_core.storage import atomic_bytes
from radcbir_core.vocabulary import tidy

Kind = Literal["tag", "note", "correction", "withdrawal"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
LONGEST_TAG: Final = 60
LONGEST_NOTE: Final = 4_000
LONGEST_LABEL: Final = 400
LONGEST_NAME: Final = 200
LONGEST_ID: Final = 4_096
"""Characters of each."""
MOST_BYTES: Final = 64_000_000
"""Of the whole log: some 200,000 entries."""
CORRECTED: Final = ("modality", "anatomy", "pathologies")
"""Columns of the manifest that a correction can be of."""

_SHA256 = re.compile(r"(?:[0-9a-f]{64})?")
_IN_NOTES: Final = {ord(character): None for character in "\n\t\u200c\u200d"}
"""What a note may hold beside what is printable: new lines, and what joins letters in some scripts."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that somebody said, or took back.

    Attributes:
        id: Its own, 32 hexadecimal digits.
        when: UTC, ISO 8601.
        by: Who.
        kind: A tag, a note, a correction of a label, or the withdrawal of one of these.
        image_id: Of the image; in a pair, of the query.
        hit_id: Of the hit, where it is said of a pair.
        sha256: Of the image's file, where it is known.
        hit_sha256: Of the hit's.
        encoder: The encoder whose hits they were looking at; empty where that plays no part.
        column: Of a correction: the column of the manifest.
        text: The tag, the note, or the label that would be right; several pathologies with ``|`` between them.
        before: Of a correction: what the manifest said.
        of: Of a withdrawal: the id of what is taken back.
        imported_by: Who brought it in by a table; empty for whoever said it here.
    """

    id: str
    when: str
    by: str
    kind: Kind
    image_id: str = ""
    hit_id: str = ""
    sha256: str = ""
    hit_sha256: str = ""
    encoder: str = ""
    column: str = ""
    text: str = ""
    before: str = ""
    of: str = ""
    imported_by: str = ""

    @property
    def order(self) -> tuple[str, str]:
        """By what entries are put in order: when, and where that is the same, the id."""
        return self.when, self.id


_FIELDS: Final = tuple(field.name for field in fields(Entry))


Log = Entries[Entry]
"""The entries of a log, and the lines of it that cannot be read."""


def new_entry(kind: Kind, *, by: str, **said: str) -> Entry:
    """An entry of now.

    Args:
        kind: What it is.
        by: Who says it.
        **said: The other attributes of an :class:`Entry`.

    Raises:
        CollectionError: It cannot be one: a tag that is empty or too long, for example.
    """
    try:
        return checked(Entry(uuid.uuid4().hex, now(), tidy(by)[:LONGEST_NAME] or "not known", kind, **said))
    except ValueError as error:
        raise CollectionError(f"Expected {error}. Write it otherwise.") from error


def checked(entry: Entry) -> Entry:
    """An entry as it is kept, if it can be one; a tag without outer blanks, a time in UTC.

    Raises:
        ValueError: It cannot; the text reads on from "Expected".
    """
    check_id_and_kind(entry.id, entry.kind, KINDS)
    _refuse_names(entry)
    changed: dict[str, Any] = {"when": utc(entry.when)}
    if entry.kind == "withdrawal":
        if not ID.fullmatch(entry.of):
            raise ValueError("a withdrawal of an entry, but it names none")
    elif not entry.image_id:
        raise ValueError("an image_id, but there is none")
    elif entry.hit_id == entry.image_id:
        raise ValueError("two images in a pair, but both are the same")
    elif entry.kind == "tag":
        changed["text"] = _tag(entry.text)
    elif entry.kind == "note":
        changed["text"] = _note(entry.text)
    elif entry.column not in CORRECTED or entry.hit_id:
        raise ValueError(f"a correction of {', '.join(CORRECTED)} of one image, but column = {entry.column[:40]!r}")
    elif max(len(entry.text), len(entry.before)) > LONGEST_LABEL or not (entry.text + entry.before + "x").isprintable():
        raise ValueError(f"a label of at most {LONGEST_LABEL} characters in one line, but it is another")
    return Entry(**{name: changed.get(name, getattr(entry, name)) for name in _FIELDS})


def _refuse_names(entry: Entry) -> None:
    """Refuse whatever is too long, or no name, of what every kind of entry has."""
    for name in ("by", "imported_by", "encoder"):
        text = getattr(entry, name)
        if len(text) > LONGEST_NAME or not (text + "x").isprintable():
            raise ValueError(f"a name of at most {LONGEST_NAME} characters in one line, but {name} is another")
    if not entry.by:
        raise ValueError("who says it, but by is empty")
    for name in ("image_id", "hit_id"):
        text = getattr(entry, name)
        if len(text) > LONGEST_ID or any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError(f"an image_id of at most {LONGEST_ID:,} characters, but {name} is another")
    for name in ("sha256", "hit_sha256"):
        if not _SHA256.fullmatch(getattr(entry, name)):
            raise ValueError(f"a SHA-256 of 64 hexadecimal digits, but {name} is another")


def _tag(text: str) -> str:
    tag = " ".join(text.split())
    if not 1 <= len(tag) <= LONGEST_TAG or not tag.isprintable():
        raise ValueError(f"a tag of 1 to {LONGEST_TAG} characters in one line, but it is {text[:80]!r}")
    return tag


def _note(text: str) -> str:
    note = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not 1 <= len(note) <= LONGEST_NOTE or not note.translate(_IN_NOTES).isprintable():
        raise ValueError(f"a note of 1 to {LONGEST_NOTE:,} characters, without control characters, but it is another")
    return note


def read_log(folder: Path) -> Log:
    """The entries of a collection; none where nothing was said yet.

    Args:
        folder: The collection's.

    Raises:
        CollectionError: The log cannot be read, or is larger than one can be.
    """
    return _LOG.read(Layout(folder).reviews)


def parse_log(content: bytes) -> Log:
    r"""The entries in the bytes of a log.

    Example:
        >>> parse_log(b'{"id": "cut o').damaged
        ((1, 'it is no JSON'),)
    """
    return _LOG.parse(content)


def add_entries(name: str, entries: Sequence[Entry]) -> int:
    """Add entries to a collection's log; on disk when this returns. Those that are in it already are passed over.

    Args:
        name: The collection.
        entries: As :func:`new_entry` and :func:`checked` give them.

    Returns:
        How many were added.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It is being changed, or its log is as large as one can be.
        StorageError: No space left, or no permission.
    """
    return _LOG.add(name, lambda folder: Layout(folder).reviews, lambda _: entries)


def leave_out_damaged(folder: Path) -> None:
    """Write a log anew without the lines that cannot be read; for a copy that is given to others.

    Raises:
        CollectionError: The log cannot be read.
        StorageError: No space left, or no permission.
    """
    log = read_log(folder)
    if log.damaged:
        atomic_bytes(Layout(folder).reviews, lines_of(log.entries))


_LOG: Final = EntryLog(
    "reviews",
    form=Entry,
    needs=frozenset({"id", "when", "by", "kind"}),
    checked=checked,
    too_large="Export the reviews, move the file away, and import those that are still wanted.",
    most=lambda: MOST_BYTES,
)
