"""Reviews as a table for other programs, and back.

Owns its form: one row for each tag, note and correction that holds, with an address that opens the case again. A table
is brought in row by row. Entries go by their id, so that nothing is doubled by a table that comes twice, and nothing
that was taken back comes again; a row that cannot be one is told by its line, and costs no other. Whoever brings it in
is kept with each entry, because a table can name anybody.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlencode

import pandas as pd

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.entry_log import now
from radcbir_core.collections.reviews.review_log import (
    CORRECTED,
    LONGEST_NAME,
    MOST_BYTES,
    Entry,
    Kind,
    add_entries,
    checked,
    read_log,
)
from radcbir_core.collections.reviews.reviewing import (
    PRESENT,
    Known,
    images_in,
    known_images,
    normal_label,
    presence_of,
    said_now,
)
from radcbir_core.errors import ManifestError, RadcbirError
from radcbir_core.spreadsheet_cells import tamed, untamed
from radcbir_core.vocabulary import tidy

COLUMNS: Final = (
    "kind",
    "text",
    "image_id",
    "hit_id",
    "column",
    "before",
    "by",
    "when",
    "encoder",
    "images",
    "address",
    "imported_by",
    "sha256",
    "hit_sha256",
    "id",
)
"""Of the table: an entry's attributes, whether its images are in the collection, and the address of the case."""
NEEDED: Final = ("kind", "text", "image_id")
"""What a table that is brought in must have."""
MOST_ROWS: Final = 200_000

_TAKEN: Final = frozenset(COLUMNS) - {"images", "address"}
_AHEAD: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a table.

    Attributes:
        added: How many entries are new.
        known: How many were there already, or were taken back.
        refused: The rows that were left out: the line each ends on, and the reason.
    """

    added: int
    known: int
    refused: tuple[tuple[int, str], ...] = ()


def case_address(collection: str, entry: Entry, *, server: str = "") -> str:
    """The address at which a case is opened again: an image, or a query beside its hit.

    Args:
        collection: Its name.
        entry: Said of the case.
        server: Where the dashboard is, as ``http://127.0.0.1:8501``; without it, the address is relative.

    Example:
        >>> entry = Entry("0" * 32, "", "me", "tag", "a b", hit_id="c", encoder="pixels")
        >>> case_address("mine", entry, server="http://127.0.0.1:8501/")
        'http://127.0.0.1:8501/review?collection=mine&encoder=pixels&image=a+b&beside=c'
    """
    words = {"collection": collection, "encoder": entry.encoder, "image": entry.image_id, "beside": entry.hit_id}
    query = urlencode({name: word for name, word in words.items() if word}, errors="surrogatepass")
    return f"{server.rstrip('/') + '/' if server else ''}review?{query}"


def review_table(collection: Collection, entries: Iterable[Entry], *, server: str = "") -> pd.DataFrame:
    """Entries as a table: :data:`COLUMNS`, all text.

    Args:
        collection: Whose images they speak of.
        entries: In the order to have them.
        server: As for :func:`case_address`.
    """
    told = list(entries)
    known = known_images(collection, images_in(told))
    rows = [
        {name: getattr(entry, name, "") for name in COLUMNS}
        | {"images": presence_of(known, entry), "address": case_address(collection.name, entry, server=server)}
        for entry in told
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def csv_of(table: pd.DataFrame) -> bytes:
    """A table of text as CSV; a cell that a spreadsheet would run as a formula has an apostrophe in front."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([tamed(str(cell)) for cell in row] for row in table.itertuples(index=False))
    return text.getvalue().encode()


def import_reviews(collection: Collection, content: bytes, *, by: str) -> Imported:
    """Bring in a table of reviews; rows that can be no entry are told and left out.

    Args:
        collection: Whose images it speaks of.
        content: The bytes of a CSV as :func:`csv_of` writes it, or one that a person wrote: ``kind`` (tag, note or
            correction), ``text``, ``image_id``; for a pair ``hit_id``, for a correction ``column``. A row without an
            id gets one made of what it says.
        by: Who brings it in; who said it too, where a row does not say.

    Raises:
        ManifestError: It is no such table.
        CollectionError: The collection is being changed.
        StorageError: No space left, or no permission.
    """
    if len(content) > MOST_BYTES:
        raise ManifestError(f"Expected a table of at most {MOST_BYTES:,} bytes, but it has {len(content):,}. Split it.")
    before = {entry.id: entry for entry in read_log(collection.folder).entries}
    rows = list(_rows(content))
    images = known_images(collection, (cells[name] for _, cells in rows for name in ("image_id", "hit_id")))
    who = tidy(by)[:LONGEST_NAME] or "not known"
    fresh: dict[str, Entry] = {}
    refused, known = [], 0
    for line, cells in rows:
        try:
            entry = _entry_in(collection, cells, images, by=who)
            there = before.get(entry.id) or fresh.get(entry.id)
            _refuse_another(entry, there)
        except ValueError as error:
            refused.append((line, f"expected {error}"))
        except RadcbirError as error:
            refused.append((line, str(error)))
        else:
            known += there is not None
            if there is None:
                fresh[entry.id] = entry
    added = add_entries(collection.name, list(fresh.values())) if fresh else 0
    return Imported(added, known + len(fresh) - added, tuple(refused))


def read_table(path: Path) -> bytes:
    """The bytes of a table on disk.

    Raises:
        ManifestError: It cannot be read.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ManifestError(f"Expected a table of at most {MOST_BYTES:,} bytes, but {path} is larger. Split it.")
        return path.read_bytes()
    except OSError as error:
        raise ManifestError(f"Expected a table of reviews, but {path}: {error.strerror}. Check the path.") from error


def _refuse_another(entry: Entry, there: Entry | None) -> None:
    """Refuse an entry whose id stands for something else."""
    said = [(one.kind, one.image_id, one.hit_id, one.column, one.text) for one in (entry, there) if one is not None]
    if len(set(said)) > 1:
        raise ValueError("an entry as it was written, but one with this id says something else; leave the id out")


def _rows(content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table by column, each with the line it ends on."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError("Expected a table as UTF-8 text, but it is not. Save it as CSV (UTF-8).") from error
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in NEEDED if name not in header]
        if missing or len(set(header)) < len(header):
            raise ManifestError(
                f"Expected a table with the columns {', '.join(NEEDED)}, each once, but it "
                f"{f'lacks {missing[0]}' if missing else 'has a column twice'}. Use one that was exported here."
            )
        for number, row in enumerate(reader):
            if number >= MOST_ROWS:
                raise ManifestError(f"Expected at most {MOST_ROWS:,} rows, but the table has more. Split it.")
            if any(cell.strip() for cell in row):
                cells = dict(zip(header, map(untamed, row), strict=False))
                yield reader.line_num, {name: cells.get(name, "") for name in _TAKEN}
    except csv.Error as error:
        raise ManifestError(
            f"Expected a CSV, but line {reader.line_num} cannot be read as one: {error}. Mend or remove it."
        ) from error


def _entry_in(collection: Collection, cells: Mapping[str, str], images: Known, *, by: str) -> Entry:
    """The entry of a row.

    Raises:
        ValueError: It can be none; the text reads on from "expected".
        RadcbirError: Likewise, as a sentence.
    """
    said = {name: cell if name in {"text", "image_id", "hit_id"} else cell.strip() for name, cell in cells.items()}
    if said["kind"] not in {"tag", "note", "correction"}:
        raise ValueError(f"a kind of tag, note or correction, but kind = {said['kind'][:40]!r}")
    if not said["id"]:
        # Of what it says: the same row is the same entry, however often its table comes.
        own = json.dumps(sorted(said.items()), ensure_ascii=True)
        said["id"] = hashlib.sha256(own.encode()).hexdigest()[:32]
    said["by"] = said["by"] or by
    said["when"] = said["when"] or now()
    if said["kind"] == "correction":
        if said["column"] not in CORRECTED:
            raise ValueError(f"a column of {', '.join(CORRECTED)}, but column = {said['column'][:40]!r}")
        said["text"] = normal_label(collection, said["column"], said["text"])
    else:
        said["column"] = said["before"] = ""
    kind = cast("Kind", said.pop("kind"))
    entry = checked(Entry(kind=kind, **{**said, "imported_by": by}))
    if datetime.fromisoformat(entry.when) > datetime.now(UTC) + _AHEAD:
        raise ValueError("a time that has come, but when is in the future")
    presence = presence_of(images, entry)
    if presence != PRESENT:
        there = "not in it" if presence == "gone" else "another file there"
        raise ValueError(f"images of {collection.name}, but one that the row names is {there}; leave the row out")
    image = images[entry.image_id]
    if entry.kind == "correction" and not entry.before:
        entry = replace(entry, before=said_now(image, entry.column))
    hit = images.get(entry.hit_id, {})
    return replace(
        entry,
        sha256=entry.sha256 or str(image["sha256"] or ""),
        hit_sha256=entry.hit_sha256 or str(hit.get("sha256") or ""),
    )
