"""The formats ``csv`` and ``parquet``: any table, with a mapping of its columns.

Owns reading such tables row by row. What the mapping means is mapping.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from radcbir_core.checked_files import lies_elsewhere
from radcbir_core.errors import ManifestError, Remedy
from radcbir_core.importers.datasets.manifest_tables import dataset_names
from radcbir_core.importers.request import ImportRequest
from radcbir_core.importers.rows.identifiers import recognized_note
from radcbir_core.importers.rows.mapping import Mapper, holds_marks
from radcbir_core.importers.rows.sources import CsvTable, Row, Source, real
from radcbir_core.importers.rows.table_paths import TablePaths
from radcbir_core.importers.rows.uncertain import Policy, policy_named, policy_note

_PARQUET = frozenset({".parquet", ".pq"})
_BATCH_ROWS = 8192


def is_parquet(path: Path) -> bool:
    """Whether a path is named like a parquet file."""
    return path.suffix.lower() in _PARQUET


def columns_of(path: Path, *, header: bool = True) -> list[str]:
    """The columns of a table that can be read: all of a CSV, those of a parquet file that hold text or numbers.

    Args:
        path: The table.
        header: Whether the first line of a CSV names its columns.

    Raises:
        ManifestError: It cannot be read as a table, or its first line is no header.
    """
    return list(_opened(path, header=header, columns_named=True).columns)


def _opened(path: Path, *, header: bool, columns_named: bool) -> CsvTable | _ParquetTable:
    """A table; one whose first line is no header is refused, where that is certain or its columns were not named."""
    if is_parquet(path):
        return _ParquetTable(path)
    table = CsvTable(path, header=header)
    table.refuse_data_as_header(certainly=columns_named, remedy=Remedy("again", options={"no_header": True}))
    return table


def recognizes(path: Path) -> bool:
    """Whether this is a table without a column ``path``: a parquet file, or a CSV that needs a mapping."""
    if not path.is_file():
        return False
    if is_parquet(path):
        return True
    if not path.name.lower().endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz")):
        return False
    try:
        return "path" not in CsvTable(path, lower=True).columns
    except ManifestError:
        return False  # who reads it says what is wrong with it


def read(paths: Sequence[Path], request: ImportRequest) -> list[Source]:
    """Open tables; parquet by its name, everything else as CSV.

    Args:
        paths: The tables.
        request: For its ``mapping``, ``no_header``, ``modality``, ``anatomy``, ``uncertain`` and ``image_root``.

    Raises:
        ManifestError: A table cannot be read, or lacks a column that the mapping names.
    """
    files = [real(path) for path in paths]
    for file, path in zip(files, paths, strict=True):
        if not file.is_file():
            raise ManifestError(f"Expected a table, but {path} is not a file. Check the path.")
    names = dataset_names([file.parent for file in files])
    return [_read(file, name, request) for file, name in zip(files, names, strict=True)]


def _read(path: Path, name: str, request: ImportRequest) -> Source:
    table = _opened(path, header=not request.no_header, columns_named="path" in request.mapping)
    defaults = {"modality": request.modality, "anatomy": request.anatomy}
    policy = policy_named(request.uncertain)
    mapper = Mapper(request.mapping, columns=table.columns, origin=path, defaults=defaults, uncertain=policy)
    notes = recognized_note(mapper.recognized, path.name)
    notes += table.notes if isinstance(table, _ParquetTable) else []
    single = mapper.single
    if single and holds_marks(row.cells[single] for row in table.rows() if not row.reason):
        mapper.take_as_one_hot()
        notes.append(
            f"The column {single} of {path.name} holds marks: 1, true, yes: the finding {single}; 0, false, no: none."
        )
    root = real(request.image_root or path.parent)
    rows = _mapped(table.rows(), mapper, path, notes, policy=policy)
    return Source(
        origin=path,
        root=root,
        dataset=name,
        rows=TablePaths(root, suffix=request.suffix).rows(rows, notes),
        columns=mapper.columns,
        expected=table.about(),
        notes=notes,
        rooted=True,
    )


def _mapped(rows: Iterable[Row], mapper: Mapper, path: Path, notes: list[str], *, policy: Policy) -> Iterator[Row]:
    empty = True
    certain = True
    for row in rows:
        empty = False
        if row.reason:
            yield row
            continue
        try:
            yield Row(row.line, mapper.row(row.cells))
        except ManifestError as error:
            yield Row(row.line, {}, str(error))
        if certain and mapper.uncertain_cells:
            certain = False
            notes.append(policy_note(policy))
    if empty:
        raise ManifestError(f"Expected at least one image, but {path} has no rows. Check the file.")


class _ParquetTable:
    """A parquet file, read batch by batch; columns of pictures, of other bytes and of structures are left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._reading():
            self._file = pq.ParquetFile(path, memory_map=True)
            schema = self._file.schema_arrow
        if lies_elsewhere(self._file.metadata):
            raise ManifestError(
                f"Expected a parquet file with its columns in it, but {path} says that they lie in other files. Give "
                "these, or write it as one file."
            )
        self.columns = [field.name for field in schema if _is_text(field.type)]
        left_out = [name for name in schema.names if name not in self.columns]
        self.notes = [f"Left out of {path.name}, because they hold no text: {', '.join(left_out)}."] if left_out else []
        if len(set(self.columns)) < len(self.columns):
            raise ManifestError(f"Expected no column twice, but {path} has one twice. Rename one of them.")

    def about(self) -> int:
        return int(self._file.metadata.num_rows)

    def rows(self) -> Iterator[Row]:
        line = 0
        with self._reading():
            for batch in self._file.iter_batches(_BATCH_ROWS, columns=self.columns, use_threads=False):
                cells: Mapping[str, Any]
                for cells in batch.to_pylist():
                    line += 1
                    yield Row(line, dict(cells))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise ManifestError(
                f"Expected a whole parquet file, but {self.path} cannot be read as one. Copy it again from its source."
            ) from error


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _is_text(kind.value_type)
    return not (
        pa.types.is_nested(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )
