"""The columns of a manifest as Arrow data: in memory, or in a file that is read column by column.

Owns when a column is read, and in which form. A page looks at a few columns of a manifest; all of them are a second's
work for 1.6 million rows and some hundred megabytes. What a column means is manifest.py's business.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from radcbir_core.errors import CollectionError

_READ_AT_ONCE: Final = 1 << 20
_ROWS_KEPT: Final = 64
_LARGE_PART: Final = 200_000
_WHOLE_AFTER: Final = 2
"""When so many times the file's rows were read in large parts for single ones, the columns are read whole."""


class Columns(Protocol):
    """Columns that are there, or can be read. Safe to share between threads.

    Attributes:
        schema: What there is, and of which types.
        number: Of rows.
    """

    schema: pa.Schema
    number: int

    def column(self, name: str) -> pa.ChunkedArray:
        """A column in one piece.

        To take ten rows out of a dozen pieces costs as much as to read all of them.
        """

    def encoded(self, name: str) -> pa.DictionaryArray:
        """A column of text as its distinct values and a number a row; null where there is nothing."""

    def first(self, name: str, number: int) -> pa.ChunkedArray:
        """A column of the first so many rows."""

    def table(self, names: Sequence[str] | None = None) -> pa.Table:
        """Several columns in the order of their names, all by default, each in one piece."""

    def row(self, number: int, names: Sequence[str]) -> dict[str, Any]:
        """One row of several columns."""


class ColumnsInMemory:
    """The columns of a table."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table.combine_chunks()
        self.schema: pa.Schema = self._table.schema
        self.number: int = self._table.num_rows

    def column(self, name: str) -> pa.ChunkedArray:
        """As :meth:`Columns.column`."""
        return self._table.column(name)

    def encoded(self, name: str) -> pa.DictionaryArray:
        """As :meth:`Columns.encoded`."""
        return _in_one(self._table.column(name).cast(pa.string()).dictionary_encode())

    def first(self, name: str, number: int) -> pa.ChunkedArray:
        """As :meth:`Columns.first`."""
        return self._table.column(name).slice(0, number)

    def table(self, names: Sequence[str] | None = None) -> pa.Table:
        """As :meth:`Columns.table`."""
        return self._table if names is None else self._table.select(list(names))

    def row(self, number: int, names: Sequence[str]) -> dict[str, Any]:
        """As :meth:`Columns.row`."""
        return {name: self._table.column(name)[number].as_py() for name in names}


class ColumnsInFile:
    """The columns of a parquet file, each read when it is first asked for, and kept.

    The file is held open: what is read later is of the same bytes, whatever takes its name meanwhile.

    Args:
        path: The file.

    Attributes:
        digest: SHA-256 of its bytes, hex.

    Raises:
        CollectionError: It is missing or damaged; so do all methods.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._kept: dict[str, pa.ChunkedArray] = {}
        self._read_for_rows = 0
        self._rows: OrderedDict[tuple[int | str, ...], dict[str, pa.Scalar]] = OrderedDict()
        with self._read():
            self._file = pa.OSFile(str(path))
            self.digest = self._digest()
            self._parquet = pq.ParquetFile(self._file)
            self.schema: pa.Schema = self._parquet.schema_arrow
            self.number: int = self._parquet.metadata.num_rows

    def _digest(self) -> str:
        total = hashlib.sha256()
        while part := self._file.read_buffer(_READ_AT_ONCE):
            total.update(part)
        self._file.seek(0)
        return total.hexdigest()

    def column(self, name: str) -> pa.ChunkedArray:
        """As :meth:`Columns.column`."""
        kept = self._kept.get(name)
        return self.table([name]).column(0) if kept is None else kept

    def encoded(self, name: str) -> pa.DictionaryArray:
        """As :meth:`Columns.encoded`.

        In the file the values are numbered already: most columns need not be read as text at all.
        """
        kind = self.schema.field(name).type
        if name in self._kept or not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            return _in_one(self.column(name).cast(pa.string()).dictionary_encode())
        with self._read():
            file = pq.ParquetFile(self._file, metadata=self._parquet.metadata, read_dictionary=[name])
            column = self._whole(file.read(columns=[name]).column(name))
            encoded = _in_one(column.unify_dictionaries())
            # Another writer's file may name a value twice, or one that no row has. What is put together of several
            # pieces names each once.
            distinct = column.num_chunks > 1 or len(pc.unique(encoded.dictionary)) == len(encoded.dictionary)
            if distinct and not encoded.dictionary.null_count and _all_used(encoded):
                return encoded
            return _in_one(column.cast(pa.string()).dictionary_encode())

    def first(self, name: str, number: int) -> pa.ChunkedArray:
        """As :meth:`Columns.first`."""
        if name in self._kept:
            return self._kept[name].slice(0, number)
        with self._read():
            batches = self._parquet.iter_batches(batch_size=number, columns=[name], use_threads=False)
            found = next(batches, None)
            return pa.chunked_array([] if found is None else [found.column(0)], self.schema.field(name).type)

    def table(self, names: Sequence[str] | None = None) -> pa.Table:
        """As :meth:`Columns.table`."""
        wanted = list(self.schema.names if names is None else names)
        missing = [name for name in dict.fromkeys(wanted) if name not in self._kept]
        with self._read():
            for name in missing:
                self.schema.field(name)
            if missing:
                table = self._parquet.read(columns=missing).combine_chunks()
                self._kept |= {name: self._whole(table.column(name)) for name in missing}
            fields = [self.schema.field(name) for name in wanted]
            return pa.table([self._kept[name] for name in wanted], schema=pa.schema(fields, self.schema.metadata))

    def row(self, number: int, names: Sequence[str]) -> dict[str, Any]:
        """As :meth:`Columns.row`. Of columns that were not read yet, only the part of the file with the row is."""
        with self._read():
            missing = [name for name in names if name not in self._kept]
            if self._read_for_rows > _WHOLE_AFTER * self.number:
                self.table(missing)  # in a file of large parts, that is less than more of these
                missing = []
            found = {name: self._kept[name][number].as_py() for name in names if name in self._kept}
            if missing:
                found |= {name: cell.as_py() for name, cell in self._cells(number, missing).items()}
            return {name: found[name] for name in names}

    def _cells(self, number: int, names: list[str]) -> dict[str, pa.Scalar]:
        """Cells of one row, from the file; of the rows asked for last they are kept, since a page asks many times."""
        asked: tuple[int | str, ...] = (number, *names)
        if asked not in self._rows:
            group, inside = self._place(number)
            part = self._parquet.read_row_group(group, columns=names)
            if part.num_rows > _LARGE_PART:
                self._read_for_rows += part.num_rows
            # By way of Python, or a cell would hold all of its part in memory.
            self._rows[asked] = {
                name: pa.scalar(part.column(name)[inside].as_py(), part.column(name).type) for name in names
            }
            if len(self._rows) > _ROWS_KEPT:
                self._rows.popitem(last=False)
        self._rows.move_to_end(asked)
        return self._rows[asked]

    def _place(self, number: int) -> tuple[int, int]:
        """In which part of the file a row is, and which of its rows it is there."""
        metadata = self._parquet.metadata
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if number < rows:
                return group, number
            number -= rows
        raise ValueError(f"a file without row {number}")

    def _whole(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        if len(column) != self.number:
            raise ValueError(f"a column of {len(column)} rows")
        return column

    @contextmanager
    def _read(self) -> Iterator[None]:
        """Read alone; what cannot be read is said of the file."""
        try:
            with self._lock:
                yield
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise CollectionError(
                f"Expected a readable manifest, but {self._path} is missing or damaged. Import the collection again."
            ) from error


def _in_one(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """A column of several pieces in one."""
    if column.num_chunks == 0:
        return pa.array([], pa.string()).dictionary_encode()
    return column.combine_chunks() if column.num_chunks > 1 else column.chunk(0)


def indices_of(encoded: pa.DictionaryArray, *, unknown: int) -> npt.NDArray[np.integer]:
    """``(N,)``; the number of each row's value, ``unknown`` where there is none."""
    indices = encoded.indices
    return np.asarray(pc.fill_null(indices, unknown) if indices.null_count else indices)


def _all_used(encoded: pa.DictionaryArray) -> bool:
    """Whether each value is some row's."""
    used = np.zeros(len(encoded.dictionary) + 1, dtype=bool)
    used[indices_of(encoded, unknown=len(encoded.dictionary))] = True
    return bool(used[:-1].all())
