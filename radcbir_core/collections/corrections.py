"""Corrected labels: writing them into a collection that stands, and the history of what was corrected.

Owns the change of labels in one step, and ``corrections.csv``, which only ever grows: one row a cell, with what it was
before. Nothing that was computed is touched: which artifacts are made of labels is the table's business.

A corrected manifest is written beside the one that is there, under a new name, and then the history; that both count is
decided by ``collection.json`` alone, which is written last and names the manifest and how many rows of the history are
true. Whoever is stopped before that has changed nothing, and what is left behind is removed at the next correction.
Whoever opened the collection before goes on reading the manifest of before, which stays until then.
"""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.layout import Layout, is_manifest_name
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.collections.records.record import manifest_facts, write_record
from radcbir_core.errors import CollectionError
from radcbir_core.storage import atomic_bytes, disk_errors, remove_own_partials

COLUMNS: Final = ("when", "by", "source", "image_id", "column", "from", "to")
"""Of the history: when it was corrected (UTC), by whom and from which table as far as that is known, and the cell."""

SEPARATOR: Final = "|"
"""Between several pathologies, in the history."""

BY: Final = "corrected_by"
WHEN: Final = "corrected_at"
"""Columns of a table of corrections that say who made each line, and when."""

_COUNTED: Final = "corrections"


def read_corrections(collection: Collection) -> pd.DataFrame:
    """The history of a collection's corrections, the earliest first: :data:`COLUMNS`, all text.

    Raises:
        CollectionError: It is damaged.
    """
    rows = corrected_cells(collection)
    if not rows:
        return pd.DataFrame(columns=list(COLUMNS), dtype=object)
    path = collection.layout.corrections
    try:
        history = pd.read_csv(path, dtype=str, keep_default_na=False, nrows=rows)
    except (OSError, ValueError) as error:
        raise CollectionError(
            f"Expected the history of {rows:,} corrections, but {path} is missing or damaged. Copy it back from where "
            "the folder came from."
        ) from error
    if list(history.columns) != list(COLUMNS) or len(history) != rows:
        raise CollectionError(
            f"Expected the history of {rows:,} corrections, but {path} has another form. Copy it back from where the "
            "folder came from."
        )
    return history


def corrected_cells(collection: Collection) -> int:
    """How many cells of a collection's manifest have been corrected since it was imported."""
    told = collection.record.get(_COUNTED, 0)
    return told if isinstance(told, int) and not isinstance(told, bool) and told > 0 else 0


def history_of(
    cells: Mapping[str, Sequence[str]], *, source: str, by: str = "", when: datetime | None = None
) -> pd.DataFrame:
    """Rows for the history.

    Args:
        cells: ``image_id``, ``column``, ``from`` and ``to`` of each cell that is corrected; ``by`` and ``when`` where
            the table says who made which correction, and when, "" where it does not say it of a cell.
        source: The table that says so.
        by: Who corrected them; empty where that is not known.
        when: When; now by default.
    """
    at = (when or datetime.now(UTC)).isoformat(timespec="seconds")
    history = pd.DataFrame({name: list(cells[name]) for name in ("image_id", "column", "from", "to")}, dtype=object)
    told = {name: cells.get(name, [""] * len(history)) for name in ("when", "by")}
    history = history.assign(when=[one or at for one in told["when"]], by=[one or by for one in told["by"]])
    return history.assign(source=source)[list(COLUMNS)]


def add_to_history(folder: Path, before: Collection, further: pd.DataFrame) -> dict[str, Any]:
    """Write the history of a collection with further rows; they count once the record that is returned is written.

    Args:
        folder: Where the history is to lie: the collection's folder, or a revised copy of it.
        before: The collection as it was.
        further: As :func:`history_of` gives it.

    Returns:
        What collection.json has to tell of it.

    Raises:
        CollectionError: The history is damaged.
        StorageError: No space left, or no permission.
    """
    whole = pd.concat([read_corrections(before), further], ignore_index=True)
    text = io.StringIO()
    # Every cell between quotes: a lone carriage return is written without them else, and read as the end of a row.
    whole.to_csv(text, index=False, quoting=csv.QUOTE_ALL)
    atomic_bytes(Layout(folder).corrections, text.getvalue().encode())
    return {_COUNTED: len(whole)}


def replaced(column: pa.ChunkedArray, rows: npt.NDArray[np.int64], values: pa.Array) -> pa.ChunkedArray:
    """A column with other values in some rows.

    Example:
        >>> replaced(pa.chunked_array([["a", "b"], ["c"]]), np.array([2]), pa.array(["z"])).to_pylist()
        ['a', 'b', 'z']
    """
    source = np.arange(len(column))
    source[rows] = len(column) + np.arange(len(rows))
    both = pa.chunked_array([*column.chunks, values.cast(column.type)], column.type)
    return both.take(pa.array(source))


def write_correction(collection: Collection, table: pa.Table, history: pd.DataFrame) -> None:
    """Give a collection a manifest with other labels, in one step; call it while the collection is at rest.

    Args:
        collection: As it is.
        table: Its manifest as it is to be: the same images in the same order.
        history: What is corrected, as :func:`history_of` gives it.

    Raises:
        CollectionError: The images are others, or the history is damaged.
        StorageError: No space left, or no permission.
    """
    digests = collection.digests_with(table)
    if digests.images != collection.digests.images:
        raise CollectionError(
            f"Expected the same images in the same order, but those of {collection.name} would be others. Correct "
            "labels only, or import the images anew."
        )
    folder = collection.folder
    kept = {collection.manifest_path.name}
    with disk_errors(folder):
        remove_manifests(folder, keep=kept)
        remove_own_partials(folder)
        path = Layout(folder).manifest.with_stem(f"{Layout(folder).manifest.stem}-{uuid.uuid4().hex[:16]}")
        Manifest(table, digest="").write(path)
        facts = manifest_facts(path, table, digests=digests) | add_to_history(folder, collection, history)
        write_record(folder, collection.record | facts)


def remove_manifests(folder: Path, *, keep: set[str]) -> None:
    """Remove the manifests of before earlier corrections, and those of corrections that were stopped."""
    for path in folder.iterdir():
        if is_manifest_name(path.name) and path.name not in keep:
            path.unlink(missing_ok=True)
