r"""A collection's manifest as a file for other programs, and for an import.

Owns its two forms. A manifest as CSV is a ``manifest.csv`` that an import takes again: the manifest's columns,
``pathologies`` with ``|`` between several, then the source's further columns, all word for word; its paths start from
the collection's image root. As parquet it is the very file that the collection has, ``pathologies`` a list.
Everything streams: of 1.6 million rows a few thousand are in memory at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from radcbir_core.collections.collection import Collection
from radcbir_core.errors import CollectionError
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import atomic_path
from radcbir_core.vocabulary import normal_pathology, tidy

STEP = "export"
MANIFEST_SUFFIXES = (".csv", ".parquet")
SEPARATOR = "|"

_ROWS = 16_384
_COPIED = 4 * 1024 * 1024
_READ_FIRST = ("pathology", "labels_all")
"""Columns of a source that an import reads labels from, beside ``pathologies``; the first even before it."""
EXPORTED_AS = "source_"
"""Before the name of a column of the source that an import would read otherwise, in a CSV."""
_OF_ANOTHER_FORM = ("filepath", "anatomic_region")
"""Columns by which an import takes a table for another form; see ``importers/vectors/unified_csv.py``."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        paths: The files.
        rows: Of each.
        notes: What has to be known to read them, one sentence each.
    """

    paths: tuple[Path, ...]
    rows: int
    notes: tuple[str, ...] = ()


def export_manifest(collection: Collection, path: Path, *, progress: Progress = silent) -> Exported:
    """Write a collection's manifest as CSV or parquet, by the file's name, in one step.

    Args:
        collection: Whose.
        path: Where to; ``.csv`` or ``.parquet``. A file that is there is replaced.
        progress: Told the rows, as step "export".

    Raises:
        CollectionError: Another suffix, a damaged manifest, or words that a CSV could not say.
        StorageError: No space left, or no permission.
    """
    suffix = path.suffix.lower()
    if suffix not in MANIFEST_SUFFIXES:
        raise other_suffix("manifest", path, MANIFEST_SUFFIXES)
    refuse_own_file(collection, path)
    if suffix == ".parquet":
        with _opened(collection) as file:
            rows = int(file.metadata.num_rows)
        _copy(collection.manifest_path, path, progress)
        return Exported((path,), rows)
    names, notes = _csv_columns(collection)
    done = 0
    progress(STEP, 0, len(collection))
    with atomic_path(path) as partial, partial.open("wb") as handle:
        writer = None
        for batch in manifest_batches(collection):
            table = pa.table({names[name]: _as_text(batch.column(name), name) for name in batch.schema.names})
            if writer is None:
                writer = arrow_csv.CSVWriter(handle, table.schema)
            writer.write_table(table)
            done += table.num_rows
            progress(STEP, done, len(collection))
        if writer is None:
            raise CollectionError(f"Expected at least one image, but {collection.name} has none. Import it again.")
        writer.close()
    return Exported((path,), done, notes)


def csv_bytes_about(collection: Collection) -> int:
    """About how large the manifest is as CSV; from the parquet's own account of its columns, without reading them."""
    with _opened(collection) as file:
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        cells = int(file.metadata.num_rows) * int(file.metadata.num_columns)
    # Dictionaries make many equal words small; six characters a cell are a guess that errs on the large side.
    return max(6 * cells, sum(int(group.total_byte_size) for group in groups))


def _opened(collection: Collection) -> pq.ParquetFile:
    path = collection.manifest_path
    try:
        file = pq.ParquetFile(path)
    except (OSError, ValueError) as error:  # an ArrowInvalid is a ValueError
        raise CollectionError(
            f"Expected a readable manifest, but {path} is missing or damaged. Import the collection again."
        ) from error
    if file.metadata.num_rows != len(collection):
        raise CollectionError(
            f"Expected the manifest that collection.json describes, but {path} is another. Import the collection again."
        )
    return file


def manifest_batches(collection: Collection, *, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The manifest as it lies on disk, some thousand rows at a time; all columns, or some."""
    with _opened(collection) as file:
        yield from file.iter_batches(batch_size=_ROWS, columns=columns)


def _as_text(column: pa.Array, name: str) -> pa.Array:
    """A column as a CSV has it; "" where a row has nothing."""
    if name == "pathologies":
        return pc.binary_join(column, SEPARATOR)
    return pc.fill_null(column.cast(pa.string()), "")


def _csv_columns(collection: Collection) -> tuple[dict[str, str], tuple[str, ...]]:
    """What each column is called in the CSV, so that an import reads the same labels from it; and what to say of it."""
    with _opened(collection) as file:
        names: list[str] = list(file.schema_arrow.names)
    lower = [name.lower() for name in names]
    repeated = sorted({name for name in lower if lower.count(name) > 1})
    if repeated:
        raise CollectionError(
            f"Expected columns whose names differ in more than case, but {collection.name} has {repeated[0]!r} twice. "
            "Export it as .parquet."
        )
    called = {name: f"{EXPORTED_AS}{name}" if name in _OF_ANOTHER_FORM else name for name in names}
    asked = sorted((name for name in names if name.lower() in _READ_FIRST), reverse=True)  # pathology, labels_all
    for batch in manifest_batches(collection, columns=["pathologies", *asked]):
        lists = batch.column("pathologies")
        _refuse_separator(collection, lists)
        kept = [name for name in asked if called[name] == name]
        cells = [_as_text(batch.column(name), name).to_pylist() for name in kept]
        for *texts, pathologies in set(zip(*cells, map(tuple, lists.to_pylist()), strict=True)):
            if not _reads_the_same(dict(zip([name.lower() for name in kept], texts, strict=True)), pathologies):
                called |= {name: f"{EXPORTED_AS}{name}" for name in kept}
                break
    notes = tuple(
        f"The source's column {name} is called {new}, so that an import reads the same from the table."
        for name, new in called.items()
        if name != new
    )
    return called, notes


def _refuse_separator(collection: Collection, lists: pa.ListArray) -> None:
    words = pc.list_flatten(lists)
    wrong = pc.filter(words, pc.match_substring(words, SEPARATOR))
    if len(wrong):
        raise CollectionError(
            f"Expected pathologies without '{SEPARATOR}', which a CSV has between several, but {collection.name} has "
            f"{wrong[0].as_py()[:80]!r}. Export it as .parquet."
        )


def _reads_the_same(cells: dict[str, str], pathologies: tuple[str, ...]) -> bool:
    """Whether an import that meets these cells beside ``pathologies`` ends with the labels ``found``.

    ``pathology`` counts before ``pathologies`` unless it is empty or says "multiple"; ``labels_all`` only where both
    are empty. Case does not matter, because an import gives words one spelling.
    """
    single = cells.get("pathology", "")
    if single.strip() and tidy(single).casefold() != "multiple":
        read = [normal_pathology(single)]
    elif pathologies:
        return True
    else:
        read = [normal_pathology(word) for word in cells.get("labels_all", "").split(SEPARATOR)]
    return [word.casefold() for word in read if word] == [word.casefold() for word in pathologies]


def _copy(source: Path, target: Path, progress: Progress) -> None:
    """Copy a file in one step, telling how many megabytes are done."""
    total = max(1, source.stat().st_size // 1_000_000)
    progress(STEP, 0, total)
    with atomic_path(target) as partial, source.open("rb") as reader, partial.open("wb") as writer:
        while piece := reader.read(_COPIED):
            writer.write(piece)
            progress(STEP, min(writer.tell() // 1_000_000, total), total)
    progress(STEP, total, total)


def refuse_own_file(collection: Collection, path: Path) -> None:
    """Never write into the collection's own folder: a file of it would be replaced."""
    if path.resolve().is_relative_to(collection.folder.resolve()):
        raise CollectionError(
            f"Expected a file outside the collection's own folder, but it is {path}. Write it somewhere else."
        )


def other_suffix(what: str, path: Path, suffixes: tuple[str, ...]) -> CollectionError:
    """The error of a file whose name says another form."""
    return CollectionError(
        f"Expected a file of {' or '.join(suffixes)} for the {what}, but it is {path}. Give it one of these endings."
    )
