"""A log of a collection to which entries are added and in which none is changed: one entry a line, JSON.

Owns reading and adding, how an entry is a line, and the ids and times of entries, whatever else they say. The file is
written anew as a whole and renamed, under the collection's gate, as all files of a collection are: links and archives
rely on that, and two people at once, or a person and a command, cannot overwrite each other. A line that cannot be
read, as a copy that was cut off may have, is left where it is, told, and costs no other.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

from radcbir_core.checked_files import parse_json
from radcbir_core.collections.layout import folder_of
from radcbir_core.collections.locks import gate
from radcbir_core.errors import CollectionError
from radcbir_core.storage import atomic_bytes, disk_errors

ID: Final = re.compile(r"[0-9a-f]{32}")
"""What the id of an entry is."""
_PATIENCE: Final = 10.0
_KEPT: Final = 8


class HasId(Protocol):
    """What every entry has."""

    @property
    def id(self) -> str:
        """Its own."""


E = TypeVar("E", bound=HasId)


@dataclass(frozen=True)
class Entries(Generic[E]):
    """The entries of a log.

    Attributes:
        entries: In the order of the file; one that stands there twice, once.
        damaged: The lines that cannot be read, counted from 1, each with the reason.
    """

    entries: tuple[E, ...] = ()
    damaged: tuple[tuple[int, str], ...] = field(default=())


class EntryLog(Generic[E]):
    """One kind of log.

    Args:
        what: What it is a log of, as one says it behind "the log of".
        form: The dataclass of an entry; its attributes are texts.
        needs: Attributes that no entry is without.
        checked: Gives an entry as it is kept; a ValueError, which reads on from "Expected", where it cannot be one.
        too_large: What to do about one that is too large, a sentence.
        most: How many bytes a log may have.
    """

    def __init__(
        self,
        what: str,
        *,
        form: type[E],
        needs: AbstractSet[str],
        checked: Callable[[E], E],
        too_large: str,
        most: Callable[[], int],
    ) -> None:
        self._what = what
        self._form = form
        self._names = _names_of(form)
        self._needs = needs
        self._checked = checked
        self._too_large = too_large
        self._most = most
        self._last_read: dict[str, tuple[bytes, Entries[E]]] = {}
        """Path → what was read of it last; of a few logs, those that were read last."""
        self._lock = threading.Lock()

    def read(self, path: Path) -> Entries[E]:
        """The entries of a file; none where there is no file yet.

        Of a log that has only grown since it was read last, what is new is parsed.

        Raises:
            CollectionError: The log cannot be read, or is larger than one can be.
        """
        try:
            self._refuse_large(path, path.stat().st_size)
            content = path.read_bytes()
        except FileNotFoundError:
            return Entries()
        except OSError as error:
            raise CollectionError(
                f"Expected the log of {self._what}, but {path} cannot be read: {error.strerror}. Copy it back from "
                "where the folder came from, or remove it: nothing else depends on it."
            ) from error
        return self._parse_growing(str(path), content)

    def parse(self, content: bytes) -> Entries[E]:
        """The entries in the bytes of a log."""
        entries: dict[str, E] = {}
        damaged = []
        for number, line in enumerate(content.split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                entry = self._parse_line(line)
            except ValueError as error:
                damaged.append((number, str(error)))
            else:
                entries.setdefault(entry.id, entry)
        return Entries(tuple(entries.values()), tuple(damaged))

    def add(self, name: str, path_in: Callable[[Path], Path], made: Callable[[Entries[E]], Sequence[E]]) -> int:
        """Add entries to a log of a collection; on disk when this returns. Those that are in it are passed over.

        Args:
            name: The collection.
            path_in: The log's path in the collection's folder.
            made: Makes the entries, told what is in the log while nobody else can add to it; it may refuse by raising.

        Returns:
            How many were added.

        Raises:
            CollectionNotFoundError: There is none of that name.
            CollectionError: It is being changed, or its log is as large as one can be.
            StorageError: No space left, or no permission.
        """
        folder = folder_of(name)
        with disk_errors(folder), gate(folder, doing="changing", patience=_PATIENCE):
            folder = folder_of(name)  # it may have been removed until now
            path = path_in(folder)
            log = self.read(path)
            known = {entry.id for entry in log.entries}
            fresh = [entry for entry in made(log) if entry.id not in known]
            if fresh:
                content = path.read_bytes() if path.is_file() else b""
                if content and not content.endswith(b"\n"):
                    content += b"\n"  # a copy that was cut off: what it has of its last line stays there, and is told
                content += lines_of(fresh)
                self._refuse_large(path, len(content))
                atomic_bytes(path, content)
        return len(fresh)

    def _parse_growing(self, path: str, content: bytes) -> Entries[E]:
        with self._lock:
            before, log = self._last_read.pop(path, (b"", Entries()))
        if not (before.endswith(b"\n") and content.startswith(before)):
            before, log = b"", Entries()
        if len(content) > len(before):
            log = _joined(log, self.parse(content[len(before) :]), lines=before.count(b"\n"))
        with self._lock:
            self._last_read[path] = content, log
            while len(self._last_read) > _KEPT:
                del self._last_read[next(iter(self._last_read))]
        return log

    def _parse_line(self, line: bytes) -> E:
        try:
            told = parse_json(line)
        except ValueError as error:
            raise ValueError("it is no JSON") from error
        if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
            raise ValueError("it is no entry")
        if not set(told) <= set(self._names) or not self._needs <= set(told):
            raise ValueError("it has other fields than an entry")
        try:
            return self._checked(self._form(**told))
        except ValueError as error:
            raise ValueError(f"expected {error}") from error

    def _refuse_large(self, path: Path, length: int) -> None:
        if length > self._most():
            raise CollectionError(
                f"Expected a log of {self._what} of at most {self._most():,} bytes, but {path} would have {length:,}. "
                f"{self._too_large}"
            )


def lines_of(entries: Iterable[HasId]) -> bytes:
    r"""Entries, dataclasses, as a log has them, a line each; what is empty is left out.

    Example:
        >>> from dataclasses import make_dataclass
        >>> said = make_dataclass("Said", ["id", "text"])
        >>> lines_of([said("1", "")])
        b'{"id": "1"}\n'
    """
    told = ({name: getattr(one, name) for name in _names_of(type(one)) if getattr(one, name)} for one in entries)
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in told).encode()


def now() -> str:
    """The time as entries have it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def utc(text: str) -> str:
    """A time as entries have it.

    Raises:
        ValueError: It is none, or says no time zone; the text reads on from "Expected".

    Example:
        >>> utc("2026-11-29 07:00:00+01:00")
        '2026-11-29T06:00:00.000000+00:00'
    """
    try:
        time = datetime.fromisoformat(text.strip()[:64])
        if time.tzinfo is not None:
            return time.astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        pass  # said below, as of a time without a zone
    raise ValueError(f"a time with its zone, such as 2026-11-29T06:00:00+00:00, but it is {text[:40]!r}")


def check_id_and_kind(entry_id: str, kind: str, kinds: Sequence[str]) -> None:
    """Refuse an entry whose id or kind is none.

    Args:
        entry_id: Its id, 32 hexadecimal digits.
        kind: Its kind.
        kinds: Those that there are.

    Raises:
        ValueError: One of them is none; the text reads on from "Expected".
    """
    if not ID.fullmatch(entry_id):
        raise ValueError("an id of 32 hexadecimal digits, but it has another")
    if kind not in kinds:
        raise ValueError(f"a kind of {', '.join(kinds)}, but kind = {kind[:40]!r}")


@cache
def _names_of(form: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(form))


def _joined(log: Entries[E], further: Entries[E], *, lines: int) -> Entries[E]:
    """Two parts of a log as one; the first has so many lines."""
    entries = {entry.id: entry for entry in log.entries}
    for entry in further.entries:
        entries.setdefault(entry.id, entry)
    damaged = (*log.damaged, *((lines + number, reason) for number, reason in further.damaged))
    return Entries(tuple(entries.values()), damaged)
