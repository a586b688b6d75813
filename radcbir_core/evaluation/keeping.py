"""Results of evaluations on disk: named tables, notes and facts, written in one step.

Owns the files of one result's folder. What the numbers mean, and what the folder is called, is evaluation.py's.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from radcbir_core.checked_files import parse_json
from radcbir_core.errors import CollectionNotFoundError
from radcbir_core.storage import atomic_path, digest_file, digest_of, disk_errors, exchange, write_json

_RECORD = "result.json"
_DIGEST = "digest"
_TABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_UNFINISHED = ".unfinished-"
_ABANDONED_AFTER = 24 * 3600.0


class Kept(NamedTuple):
    """What is kept of an evaluation.

    Attributes:
        tables: By their names, in order.
        notes: What one has to know to read the numbers, one sentence each.
        facts: Single numbers and words.
    """

    tables: dict[str, pd.DataFrame]
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
        if _digest_of(record, [folder / f"{name}.parquet" for name in names]) != record[_DIGEST]:
            return None
        tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}
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
            digest = _digest_of(record, [unfinished / f"{name}.parquet" for name in kept.tables])
            write_json(unfinished / _RECORD, record | {_DIGEST: digest})
            _take_place(unfinished, folder)
        finally:
            for left in (unfinished, unfinished.with_name(f"{unfinished.name}-before")):
                shutil.rmtree(left, ignore_errors=True)
    _remove_unread(folder.parent)


def _digest_of(record: dict[str, Any], tables: list[Path]) -> str:
    """What identifies a result: all that its record says, and the bytes of its tables."""
    told = {name: value for name, value in record.items() if name != _DIGEST}
    return digest_of(json.dumps(told, sort_keys=True), *map(digest_file, tables))


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
