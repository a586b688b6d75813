"""Results of evaluations on disk: named tables, notes and facts, written in one step.

Owns the files of one result's folder. What the numbers mean, and what the folder is called, is evaluation.py's.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from radcbir_core.checked_files import parse_json
from radcbir_core.errors import CollectionError, CollectionNotFoundError
from radcbir_core.storage import atomic_path, digest_file, digest_of, disk_errors, exchange, write_json

_RECORD = "result.json"
_DIGEST = "digest"
_TABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_UNFINISHED = ".unfinished-"
_ABANDONED_AFTER = 24 * 3600.0
_LARGE = 4 << 20
"""Bytes of a table's file; of smaller ones all are read at once."""
_AS_LARGE = 16
"""Times a table's file is the table in memory, at most about."""


class KeptTables(Mapping[str, pd.DataFrame]):
    """The tables of a result, by their names, in order; a large one is read when it is first asked for.

    With a line a query a table has millions of lines, which who wants a mean does not need. Its file is held open until
    it is read: what is read is what was looked at, whatever takes its place meanwhile. Safe to share between threads.

    Args:
        files: Open ones, by the tables' names.

    Raises:
        OSError: One cannot be read. So do others; ValueError and ArrowException too.
    """

    def __init__(self, files: Mapping[str, BinaryIO]) -> None:
        self._lock = threading.RLock()
        self._files = dict(files)
        self._read: dict[str, pd.DataFrame] = {}
        self._lengths: dict[str, int] = {}
        for name, file in files.items():
            self._lengths[name] = file.seek(0, os.SEEK_END)
            if self._lengths[name] < _LARGE:
                self._table(name)
            else:
                file.seek(0)
                pq.read_metadata(file)  # so that what is no table is known now

    def __getitem__(self, name: str) -> pd.DataFrame:
        try:
            with self._lock:
                return self._table(name)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise CollectionError(
                f"Expected the results of an evaluation that were kept, but the table {name} cannot be read. "
                "Remove the folder evaluation of the encoder, and compute them again."
            ) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    @property
    def memory(self) -> int:
        """How many bytes the tables take in memory: those that were read; of the others a guess, on the large side."""
        read = sum(int(table.memory_usage(index=True, deep=True).sum()) for table in self._read.values())
        return read + sum(_AS_LARGE * length for name, length in self._lengths.items() if name not in self._read)

    def _table(self, name: str) -> pd.DataFrame:
        if name not in self._read:
            file = self._files[name]
            file.seek(0)
            self._read[name] = pd.read_parquet(file)
            file.close()
        return self._read[name]


class Kept(NamedTuple):
    """What is kept of an evaluation.

    Attributes:
        tables: By their names, in order.
        notes: What one has to know to read the numbers, one sentence each.
        facts: Single numbers and words.
    """

    tables: Mapping[str, pd.DataFrame]
    notes: tuple[str, ...]
    facts: dict[str, Any]


def read_result(folder: Path) -> Kept | None:
    """The result in a folder; ``None``, so that it is computed again, where none can be read.

    None can be where a byte is another than was written, or where a version before has written it without its digest.
    The folder may come from anybody, in an archive: the names of its tables lead nowhere else.
    """
    try:
        record = parse_json((folder / _RECORD).read_bytes())
        names, notes, facts = record["tables"], record["notes"], record["facts"]
        words = [*names, *notes] if isinstance(names, list) and isinstance(notes, list) else [None]
        plain = all(isinstance(word, str) for word in words) and all(map(_TABLE.fullmatch, names))
        if not plain or not isinstance(facts, dict):
            return None
        with contextlib.ExitStack() as opened:
            files = {name: opened.enter_context((folder / f"{name}.parquet").open("rb")) for name in names}
            digests = [hashlib.file_digest(file, "sha256").hexdigest() for file in files.values()]
            if _digest_of(record, digests) != record[_DIGEST]:
                return None
            tables = KeptTables(files)
            opened.pop_all()  # the tables close them
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    return Kept(tables, tuple(notes), facts)


def check_permission(folder: Path) -> None:
    """Do nothing if a result's folder may be written, as far as permissions say.

    Raises:
        StorageError: It may not.
    """
    place = next((parent for parent in folder.parents if parent.is_dir()), folder)
    if not os.access(place, os.W_OK | os.X_OK):
        with disk_errors(place):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))


def write_result(folder: Path, kept: Kept, **described: Any) -> None:
    """Write all files of one result, in one step.

    Args:
        folder: Its own.
        kept: What is kept.
        **described: What it is and was made of, for whoever opens the folder; as JSON can hold it.

    Raises:
        CollectionNotFoundError: The collection has been removed or renamed meanwhile; nothing is left at its old place.
        StorageError: No space left, or no permission.
    """
    unfinished = folder.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}")
    record = {**described, "tables": list(kept.tables), "notes": kept.notes, "facts": kept.facts}
    with disk_errors(folder):
        try:
            if not folder.parent.parent.is_dir():
                raise CollectionNotFoundError(
                    f"Expected the collection to be there still, but {folder.parent.parent} is gone: it was removed or "
                    "renamed meanwhile, and these results are not kept. Ask again under its new name."
                )
            unfinished.mkdir(parents=True)
            for name, table in kept.tables.items():
                with atomic_path(unfinished / f"{name}.parquet") as partial:
                    table.to_parquet(partial)
            # As JSON gives it back: what is read is compared with it.
            record = json.loads(json.dumps(record))
            digest = _digest_of(record, [digest_file(unfinished / f"{name}.parquet") for name in kept.tables])
            write_json(unfinished / _RECORD, record | {_DIGEST: digest})
            _take_place(unfinished, folder)
        finally:
            for left in (unfinished, unfinished.with_name(f"{unfinished.name}-before")):
                shutil.rmtree(left, ignore_errors=True)
    _remove_unread(folder.parent)


def _digest_of(record: dict[str, Any], tables: list[str]) -> str:
    """What identifies a result: all that its record says, and the bytes of its tables."""
    told = {name: value for name, value in record.items() if name != _DIGEST}
    return digest_of(json.dumps(told, sort_keys=True), *tables)


def _take_place(unfinished: Path, folder: Path) -> None:
    """Give a folder its name; what had the name before is there until then, where the disk can exchange names."""
    if folder.is_dir():
        if exchange(unfinished, folder):
            return
        # A moment without either: whoever looks then computes the same again.
        with contextlib.suppress(FileNotFoundError):
            folder.rename(unfinished.with_name(f"{unfinished.name}-before"))
    try:
        unfinished.rename(folder)
    except OSError:
        # Another process has just written the same results: the same numbers, so either will do.
        if read_result(folder) is None:
            raise


def _remove_unread(evaluations: Path) -> None:
    """Remove what nobody reads any more: results without a record, and what was killed while it was written."""
    with contextlib.suppress(FileNotFoundError):  # the collection was removed meanwhile
        for other in evaluations.iterdir():
            if other.name.startswith(_UNFINISHED):
                abandoned = time.time() - other.stat().st_mtime > _ABANDONED_AFTER
            else:
                abandoned = not (other / _RECORD).is_file()
            if abandoned:
                shutil.rmtree(other, ignore_errors=True)
