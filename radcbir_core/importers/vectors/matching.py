"""Which vector belongs to which row: by name or by order, and over what a collection has already.

Owns the join of tables and files of vectors, the only one there is: from here on, row order is the law. Reads no vector
and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.manifests.manifest import COLUMNS
from radcbir_core.collections.records.record import PROBLEM_COLUMNS
from radcbir_core.errors import CollectionError, ManifestError
from radcbir_core.importers.rows.identifiers import IDENTIFIERS, spelled_as_known
from radcbir_core.importers.vectors.table_rows import TableRows, problems_table
from radcbir_core.importers.vectors.vector_files import VectorFile, some
from radcbir_core.wording import counted


@dataclass(slots=True)
class Matched:
    """The rows of all tables, and which vector each has.

    Attributes:
        table: The rows, those of the manifest's columns that a table can tell.
        files: ``(N,)`` which file the vector is in, -1 for none.
        places: ``(N,)`` where in that file.
        problems: What was left out.
    """

    table: pa.Table
    files: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    problems: pd.DataFrame

    def only(self, kept: npt.NDArray[np.bool_]) -> Matched:
        """The rows that a mask keeps."""
        if kept.all():
            return self
        rows = pa.array(np.flatnonzero(kept))
        return Matched(self.table.take(rows), self.files[kept], self.places[kept], self.problems)


def match(tables: Sequence[TableRows], vectors: Sequence[VectorFile]) -> Matched:
    """Find each row's vector.

    Rows without one, vectors without a row, and a second row for one image become problems.

    Args:
        tables: The rows.
        vectors: The files; matched by name if all of them have names, else by order, a file a table.

    Raises:
        ManifestError: They do not belong together.
    """
    table = pa.concat_tables([t.table for t in tables], promote_options="default")
    origins = np.repeat(np.arange(len(tables)), [t.table.num_rows for t in tables])
    lines = np.concatenate([t.lines for t in tables])
    problems = [t.problems for t in tables]

    if all(file.keys is not None for file in vectors):
        known = pa.array([path for t in tables for path in t.problems["path"]], pa.string())
        files, places, unused = _by_name(table, vectors, known=known)
        problems += unused
    else:
        files, places = _by_order(tables, vectors)

    ids = table.column("image_id")
    again = _stand_again(ids)
    without = files < 0
    if without.all():
        raise ManifestError(_nothing_matches(tables, vectors))
    for mask, reason in (
        (again, "Expected one row an image, but this one stands on an earlier line too."),
        (without & ~again, "Expected a vector for every row, but none of the files has one of this name."),
    ):
        for number in np.unique(origins[mask]):
            rows = np.flatnonzero(mask & (origins == number))
            paths = table.column("path").take(pa.array(rows)).to_pylist()
            problems.append(problems_table(tables[number].origin, lines=lines[rows], paths=paths, reasons=reason))
    joined = pd.concat(problems, ignore_index=True)[PROBLEM_COLUMNS]
    return Matched(table, files, places, joined).only(~again & ~without)


def _stand_again(ids: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Whether each stands before itself, too."""
    distinct = pc.unique(ids)
    if len(distinct) == len(ids):
        return np.zeros(len(ids), dtype=bool)
    again = np.ones(len(ids), dtype=bool)
    again[np.unique(np.asarray(pc.index_in(ids, value_set=distinct)), return_index=True)[1]] = False
    return again


def _by_name(
    table: pa.Table, vectors: Sequence[VectorFile], *, known: pa.Array
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], list[pd.DataFrame]]:
    """Which vector each row has, by the vectors' names; and the vectors that no row asks for, as problems.

    A vector whose row is a problem itself (``known``) is not one more.
    """
    names = pa.concat_arrays([pa.array(file.keys, pa.string()) for file in vectors])
    starts = np.concatenate([[0], np.cumsum([len(file) for file in vectors])]).astype(np.int64)
    first = np.asarray(pc.index_in(names, value_set=names))
    repeated = np.flatnonzero(first != np.arange(len(names)))
    if len(repeated):
        one, other = (int(np.searchsorted(starts, row, "right") - 1) for row in (first[repeated[0]], repeated[0]))
        raise ManifestError(
            f"Expected one vector an image, but {names[int(repeated[0])].as_py()} is in {vectors[one].path} and again "
            f"in {vectors[other].path}. Give each vector once."
        )
    vector_of = pc.index_in(table.column("path"), value_set=names)
    vector_of = pc.coalesce(vector_of, pc.index_in(table.column("image_id"), value_set=names))
    slashes = pc.replace_substring(table.column("path"), "\\", "/")
    vector_of = pc.coalesce(vector_of, pc.index_in(slashes, value_set=names))
    whole = np.asarray(pc.fill_null(vector_of, -1)).astype(np.int64)
    files = np.where(whole >= 0, np.searchsorted(starts, whole, side="right") - 1, -1)
    places = np.where(whole >= 0, whole - starts[files], -1)
    unused = np.ones(len(names), dtype=bool)
    unused[whole[whole >= 0]] = False
    unused &= ~np.asarray(pc.is_in(names, value_set=known))
    problems = []
    for number, file in enumerate(vectors):
        rows = np.flatnonzero(unused[starts[number] : starts[number + 1]])
        if len(rows):
            left = names.take(pa.array(rows + starts[number])).to_pylist()
            reason = "Expected a row for every vector, but no table has one of this name."
            problems.append(problems_table(file.path, lines=[0] * len(rows), paths=left, reasons=reason))
    return files, places, problems


def _by_order(
    tables: Sequence[TableRows], vectors: Sequence[VectorFile]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row i of a table has vector i of the file beside it; both are taken in the order given."""
    if len(tables) != len(vectors):
        raise ManifestError(
            "Expected one table a file of vectors without names, but those given are "
            f"{counted(len(vectors), 'file')} and {counted(len(tables), 'table')}. Give each file with its table, in "
            "the same order."
        )
    for table, file in zip(tables, vectors, strict=True):
        if table.total != len(file):
            raise ManifestError(
                f"Expected as many rows as vectors, but {table.origin} has {counted(table.total, 'row')} and "
                f"{file.path} {counted(len(file), 'vector')} without names. Give the table of these vectors."
            )
    files = np.repeat(np.arange(len(tables)), [t.table.num_rows for t in tables]).astype(np.int64)
    return files, np.concatenate([t.positions for t in tables]).astype(np.int64)


def _nothing_matches(tables: Sequence[TableRows], vectors: Sequence[VectorFile]) -> str:
    row = tables[0].table.column("path")[0].as_py() if tables[0].table.num_rows else "no usable row"
    keys = vectors[0].keys
    return (
        f"Expected rows of {some([str(t.origin) for t in tables])} that name vectors of "
        f"{some([str(file.path) for file in vectors])}, but none does: the first row is {row!r}, the first vector "
        f"{keys[0] if keys else ''!r}. Give the table of the same data set."
    )


def complete(table: pa.Table) -> pa.Table:
    """All columns of a manifest, in its order; what only an image file tells is empty."""
    rows = table.num_rows
    missing = {
        "width": pa.nulls(rows, pa.int32()),
        "height": pa.nulls(rows, pa.int32()),
        "duplicate_group": pa.repeat(pa.scalar(-1, pa.int32()), rows),
    }
    columns = {name: missing[name] if name in missing else table.column(name) for name in COLUMNS}
    further = {
        name: pc.fill_null(table.column(name).cast(pa.string()), "")
        for name in table.column_names
        if name not in COLUMNS
    }
    return pa.table(columns | further)


def gone_on(before: Collection, matched: Matched) -> Matched:
    """The rows of a collection that is there with the new ones after them, and which vector each of them has now.

    Args:
        before: The collection.
        matched: The rows of the tables now.

    Raises:
        CollectionError: The tables say otherwise of an image that the collection has.
    """
    there, new = before.manifest.table, complete(matched.table)
    for name in set(IDENTIFIERS) & set(new.column_names) & set(there.column_names):
        spelled = spelled_as_known(new.column(name), there.column(name))
        new = new.set_column(new.column_names.index(name), name, spelled)
    position = np.asarray(
        pc.fill_null(pc.index_in(new.column("image_id"), value_set=there.column("image_id").combine_chunks()), -1)
    )
    known = np.flatnonzero(position >= 0)
    shared = [name for name in new.column_names if name in there.column_names]
    for name in shared:
        ours = there.column(name).take(pa.array(position[known])).combine_chunks()
        theirs = new.column(name).take(pa.array(known)).combine_chunks()
        if not ours.equals(theirs):
            ours, theirs = ours.to_pylist(), theirs.to_pylist()
            row = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
            image_id = there.column("image_id")[int(position[known[row]])].as_py()
            raise CollectionError(
                f"Expected the rows that {before.name} has already to be the same, but {name} of {image_id} is "
                f"{ours[row]!r} there and {theirs[row]!r} here. Import under another name, or remove it first."
            )
    fresh = np.flatnonzero(position < 0)
    table = there
    if len(fresh):
        added = new.take(pa.array(fresh))
        table = pa.concat_tables([there, added], promote_options="default")
        table = pa.table({name: table.column(name) for name in table.column_names})
        for name in table.column_names:
            if name not in COLUMNS:
                table = table.set_column(
                    table.column_names.index(name), name, pc.fill_null(table.column(name).cast(pa.string()), "")
                )
    files = np.full(table.num_rows, -1, dtype=np.int64)
    places = files.copy()
    where = np.concatenate([position[known], np.arange(len(there), table.num_rows)])
    rows = np.concatenate([known, fresh])
    files[where], places[where] = matched.files[rows], matched.places[rows]
    return Matched(table, files, places, matched.problems)
