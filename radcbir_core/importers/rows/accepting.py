"""Rows → Arrow columns: what is accepted, what is refused and why, and what only the whole table shows.

Owns the pass over the rows: they stream through it in batches and become Arrow columns at once, so that 1.6 million of
them fit into a laptop's memory. At the end: image_ids that two sources share, one spelling of a word, exact duplicates,
and the same bytes under two labels.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.collections.corrections import replaced
from radcbir_core.collections.manifests.manifest import COLUMNS, Manifest
from radcbir_core.collections.records.record import PROBLEM_COLUMNS
from radcbir_core.errors import ManifestError
from radcbir_core.importers.rows.checking import Checked, Checker, Wanted
from radcbir_core.importers.rows.main_reason import main_reason
from radcbir_core.importers.rows.normalizing import Cells, Changes, filled_columns, further_columns, normalize_row
from radcbir_core.importers.rows.sources import Row, Source
from radcbir_core.importers.rows.uniting import (
    UNITED_COLUMNS,
    ImageRows,
    Meetings,
    reader_column,
    unite,
    united_notes,
)
from radcbir_core.progress import Progress
from radcbir_core.vocabulary import is_known, spelling_to_use
from radcbir_core.wording import counted

_BATCH_ROWS = 64
_CHUNK_ROWS = 16_384
MOST_PROBLEMS = 2_000_000
"""Rows that cannot be used, of which each is listed with its reason: about 1.3 GB, and a minute."""
# A source's own columns have no blank in front, so that these are never among them.
_SOURCE, _LINE, _WITHOUT_ID, _WITHOUT_DATASET = " source", " line", " without id", " without dataset"
_OWN = [_SOURCE, _LINE, _WITHOUT_ID, _WITHOUT_DATASET]
_OF_THE_FILE = frozenset({"image_id", "path", "sha256", "width", "height"})
_LICENCE_COLUMNS = ("licence", "license")


@dataclass(frozen=True, slots=True)
class _Candidate:
    source: int
    row: Row
    cells: Cells


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the rows of a manifest come from, and what their tables did not say.

    Attributes:
        names: What each source's folder, or its format, calls the data set.
        sources: ``(N,)``; each row's source.
        without_id: ``(N,)``; whether its table says no image_id.
        without_dataset: ``(N,)``; whether its table says no data set.
    """

    names: tuple[str, ...]
    sources: npt.NDArray[np.int32]
    without_id: npt.NDArray[np.bool_]
    without_dataset: npt.NDArray[np.bool_]

    def is_made_of_folder(self, row: int, image_id: str) -> bool:
        """Whether a row's image_id was made of its source's name, and so is another where that is named otherwise."""
        return bool(self.without_id[row]) or image_id.startswith(f"{self.names[self.sources[row]]}/")


class AcceptedRows:
    """The rows accepted so far, as Arrow chunks, and the account of the others."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self.changes = Changes()
        self.problems: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.root = Path(os.path.commonpath([source.root for source in sources]))
        self._further = further_columns(sources)
        self._schema = _schema(self._further)
        self._chunks: list[pa.RecordBatch] = []
        self._pending: list[tuple[_Candidate, Checked]] = []
        self._met = [Meetings() for _ in self.sources]
        self._refused: dict[tuple[int, str], str] = {}
        self._further_rows = 0
        self._anatomies: Counter[str] = Counter()
        self._pathologies: Counter[str] = Counter()
        self._licences: Counter[str] = Counter()
        self._remarks: Counter[tuple[int, str]] = Counter()
        self._accepted = 0

    def accept_all(self, checker: Checker, progress: Progress) -> None:
        """Check the rows of all sources in their order, and accept those that can be used.

        Raises:
            ManifestError: Not one can be used, or too many cannot.
        """
        batches: deque[list[_Candidate]] = deque()

        def asked() -> Iterator[list[Wanted]]:
            for batch in self._candidates():
                batches.append(batch)
                yield [Wanted(self.sources[c.source].root, str(c.cells["path"]), c.row.frame) for c in batch]

        done = 0
        for results in checker.in_order(asked()):
            for candidate, checked in zip(batches.popleft(), results, strict=True):
                self._accept(candidate, checked)
            if len(self.problems) > MOST_PROBLEMS:
                raise _too_many_problems(self.sources, self.problems)
            done = self._done()
            progress("import", done, max(done, sum(source.expected for source in self.sources)))
        self._flush()
        for (number, remark), images in self._remarks.items():
            self.sources[number].notes.append(f"In {counted(images, 'image')}: {remark}")
        self._refuse_further_rows()
        progress("import", done := self._done(), done)
        if not self._accepted:
            raise nothing_usable(self.sources, self.problems)

    def _done(self) -> int:
        return self._accepted + self._further_rows + len(self.problems)

    def _candidates(self) -> Iterator[list[_Candidate]]:
        for number, source in enumerate(self.sources):
            usable = (_Candidate(number, row, self._cells(source, row)) for row in self._usable(number))
            images = (candidate for candidate in usable if self._is_image(candidate))
            while batch := list(islice(images, _BATCH_ROWS)):
                yield batch

    def _is_image(self, candidate: _Candidate) -> bool:
        """Whether a row is the first of its image; what the others say waits until all of them are there."""
        if not self._met[candidate.source].is_further(candidate.row, candidate.cells):
            return True
        self._further_rows += 1
        self._anatomies[str(candidate.cells["anatomy"])] += 1
        self._pathologies.update(candidate.cells["pathologies"])
        return False

    def _usable(self, number: int) -> Iterator[Row]:
        source = self.sources[number]
        for row in source.rows:
            source.seen += 1
            if row.reason:
                path = str(row.cells.get("path", ""))
                self._refuse(number, row, path, str(row.cells.get("image_id", "")), row.reason)
            else:
                yield row

    def _cells(self, source: Source, row: Row) -> Cells:
        return normalize_row(row.cells, dataset=source.dataset, changes=self.changes)

    def _accept(self, candidate: _Candidate, checked: Checked) -> None:
        cells, number, row = candidate.cells, candidate.source, candidate.row
        image_id = str(cells["image_id"])
        reason = checked.reason
        is_first = self._met[number].is_first(row, cells)
        if not reason and not is_first and (number, image_id) not in self._refused:
            reason = row.again or (
                f"Expected image_ids that differ, but image_id = {image_id!r} stands on an earlier line too, "
                "for another file."
            )
        if reason:
            self._refuse(number, row, str(cells["path"]), image_id, reason)
            if is_first:
                self._refused[number, image_id] = reason
            return
        if not is_first:
            self._refuse_rows_of(number, image_id, self._refused.pop((number, image_id)))
            self._met[number].begin_with(row, cells)
        self._accepted += 1
        self.sources[number].images += 1
        self._remarks.update((number, remark) for remark in checked.remarks)
        self._anatomies[str(cells["anatomy"])] += 1
        self._pathologies.update(cells["pathologies"])
        licence = next((str(cells[name]) for name in _LICENCE_COLUMNS if cells.get(name)), "")
        self._licences[licence or self.sources[number].licence] += 1
        self._pending.append((candidate, checked))
        if len(self._pending) == _CHUNK_ROWS:
            self._flush()

    def _refuse_further_rows(self) -> None:
        """What holds of the first row of an image whose file cannot be used holds of its other rows."""
        for (number, image_id), reason in self._refused.items():
            self._refuse_rows_of(number, image_id, reason)

    def _refuse_rows_of(self, number: int, image_id: str, reason: str) -> None:
        image = self._met[number].images.pop(image_id, None)
        for row, cells in image.rows if image is not None else ():
            self._further_rows -= 1
            self._refuse(number, row, str(cells["path"]), image_id, reason)

    def _refuse(self, number: int, row: Row, path: str, image_id: str, reason: str) -> None:
        origin = str(row.origin or self.sources[number].origin)
        self.problems.append(dict(zip(PROBLEM_COLUMNS, (origin, row.line, path, image_id, reason), strict=True)))

    def _flush(self) -> None:
        """The rows that were accepted since the last time become one chunk."""
        if not self._pending:
            return
        start = len(str(self.root).rstrip("/")) + 1
        columns: dict[str, list[Any]] = {
            "path": [checked.path[start:] for _, checked in self._pending],
            _SOURCE: [candidate.source for candidate, _ in self._pending],
            _LINE: [candidate.row.line for candidate, _ in self._pending],
            _WITHOUT_ID: [not str(c.row.cells.get("image_id", "")).strip() for c, _ in self._pending],
            _WITHOUT_DATASET: [not is_known(str(c.row.cells.get("dataset", ""))) for c, _ in self._pending],
            **{
                name: [getattr(checked, name) for _, checked in self._pending] for name in ("sha256", "width", "height")
            },
        }
        arrays = [
            pa.array(
                columns[item.name]
                if item.name in columns
                else [candidate.cells.get(item.name, "") for candidate, _ in self._pending],
                item.type,
            )
            for item in self._schema
        ]
        self._chunks.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._pending.clear()

    def manifest(self) -> tuple[Manifest, Origins]:
        """The manifest of the accepted rows, and where they come from; words that differ in case only become one.

        Raises:
            ManifestError: All rows of the only sources there are contradict each other.
        """
        table = self._united(pa.Table.from_batches(self._chunks, schema=self._schema))
        table = self._told_apart(table)
        table = self._one_spelling(table)
        table = self._without_contradictions(table)
        groups = pa.array(duplicate_groups(table.column("sha256")), pa.int32())
        united = [name for name in UNITED_COLUMNS if name in table.column_names]
        names = list(dict.fromkeys([*COLUMNS, *filled_columns(self.sources), *united]))
        origins = Origins(
            tuple(source.dataset for source in self.sources),
            *(np.asarray(table.column(name)) for name in (_SOURCE, _WITHOUT_ID, _WITHOUT_DATASET)),
        )
        return Manifest(table.append_column("duplicate_group", groups).select(names), digest=""), origins

    def licences(self) -> dict[str, int]:
        """Licence → images; images without one are not counted."""
        return {licence: count for licence, count in self._licences.most_common() if licence}

    def _united(self, table: pa.Table) -> pa.Table:
        """Images that have several rows with what all of these say; one whose rows contradict each other is left out.

        The columns of readers are filled for every image of a source that says who has read it.
        """
        if not any(met.images for met in self._met):
            return table
        spelled = spelling_to_use(self._anatomies) | spelling_to_use(self._pathologies)
        readers = [reader_column(source.columns) for source in self.sources]
        changed: dict[int, Cells] = {}
        reasons: dict[int, str] = {}
        outvoted = rows = 0
        for row, number, first, image in self._with_several_rows(table, readers):
            united = unite(first, image, reader=readers[number], spelled=spelled)
            if united.conflict:
                reasons[row] = united.conflict
                self._refuse_rows_of(number, str(first["image_id"]), united.conflict)
                continue
            changed[row] = united.cells
            outvoted += united.outvoted
            rows += len(image.rows)
        images = sum(len(met.images) for met in self._met)
        self.notes += united_notes(images=images, rows=rows + images, outvoted=outvoted, with_readers=any(readers))
        out = np.zeros(table.num_rows, dtype=bool)
        out[list(reasons)] = True
        return self._leave_out(_with_cells(table, changed), out, lambda row: reasons[row])

    def _with_several_rows(
        self, table: pa.Table, readers: Sequence[str]
    ) -> Iterator[tuple[int, int, dict[str, Any], ImageRows]]:
        """Row, source, cells and further rows of each image that has some, and of all where the readers are known."""
        sources = np.asarray(table.column(_SOURCE))
        for number, met in enumerate(self._met):
            if not met.images:
                continue
            of_source = np.flatnonzero(sources == number)
            for part in np.array_split(of_source, len(of_source) // _CHUNK_ROWS + 1):
                ids = table.column("image_id").take(pa.array(part)).to_pylist()
                rows = [n for n, name in zip(part.tolist(), ids, strict=True) if readers[number] or name in met.images]
                cells = table.drop_columns(_OWN).take(pa.array(rows, pa.int64())).to_pylist()
                for row, first in zip(rows, cells, strict=True):
                    yield row, number, first, met.images.get(first["image_id"], ImageRows(0))

    def _told_apart(self, table: pa.Table) -> pa.Table:
        """An image_id that two sources use is put behind its data set's name in each of them."""
        if len(self.sources) < 2:
            return table
        uses = Counter(
            image_id
            for number, met in enumerate(self._met)
            for image_id in met
            if (number, image_id) not in self._refused
        )
        shared = {image_id for image_id, count in uses.items() if count > 1}
        if not shared:
            return table
        ids, datasets = table.column("image_id").to_pylist(), table.column("dataset").to_pylist()
        ids = [f"{d}/{i}" if i in shared else i for i, d in zip(ids, datasets, strict=True)]
        table = _replace(table, "image_id", pa.array(ids, pa.string()))
        again = pd.Series(ids).duplicated().to_numpy(dtype=bool)
        reason = "Expected image_ids that differ, but another source of the same data set has this one too."
        return self._leave_out(table, again, lambda _row: reason)

    def _one_spelling(self, table: pa.Table) -> pa.Table:
        anatomy, pathologies = spelling_to_use(self._anatomies), spelling_to_use(self._pathologies)
        if anatomy:
            self._note("anatomy", anatomy, self._anatomies)
            column = [anatomy.get(word, word) for word in table.column("anatomy").to_pylist()]
            table = _replace(table, "anatomy", pa.array(column, pa.string()))
        if pathologies:
            self._note("pathologies", pathologies, self._pathologies)
            lists = table.column("pathologies").to_pylist()
            lists = [list(dict.fromkeys(pathologies.get(word, word) for word in words)) for words in lists]
            table = _replace(table, "pathologies", pa.array(lists, pa.list_(pa.string())))
        return table

    def _note(self, column: str, replacements: dict[str, str], counts: Counter[str]) -> None:
        for old, new in replacements.items():
            self.changes.note(column, old, new, rows=counts[old])

    def _without_contradictions(self, table: pa.Table) -> pa.Table:
        """Leave out images with the same bytes and different labels, where their data set gives one label a file."""
        strict = np.asarray([source.one_label_a_file for source in self.sources])
        if not strict.any():
            return table
        groups = duplicate_groups(table.column("sha256"))
        suspects = np.flatnonzero((groups >= 0) & strict[np.asarray(table.column(_SOURCE))])
        if not len(suspects):
            return table
        few = table.select(["modality", "anatomy", "pathologies"]).take(pa.array(suspects)).to_pylist()
        labels: dict[int, dict[str, None]] = {}
        for row, label in zip(suspects, few, strict=True):
            text = "/".join([label["modality"], label["anatomy"], "|".join(label["pathologies"])])
            labels.setdefault(int(groups[row]), {})[text] = None
        contradicting = {group: list(of_group) for group, of_group in labels.items() if len(of_group) > 1}
        out = np.zeros(len(groups), dtype=bool)
        out[suspects] = np.isin(groups[suspects], list(contradicting))
        return self._leave_out(
            table,
            out,
            lambda row: (
                "Expected one label for the same bytes, but files with exactly these are labeled "
                f"{', '.join(contradicting[int(groups[row])])}. Left out, because it cannot be known which is right."
            ),
        )

    def _leave_out(self, table: pa.Table, out: npt.NDArray[np.bool_], reason: Callable[[int], str]) -> pa.Table:
        rows = np.flatnonzero(out)
        columns = [_SOURCE, _LINE, "path", "image_id", *(n for n in _LICENCE_COLUMNS if n in self._further)]
        for row, cells in zip(rows, table.select(columns).take(pa.array(rows)).to_pylist(), strict=True):
            source = self.sources[cells[_SOURCE]]
            self._refuse(cells[_SOURCE], Row(cells[_LINE], {}), cells["path"], cells["image_id"], reason(int(row)))
            source.images -= 1
            licence = next((cells[name] for name in _LICENCE_COLUMNS if cells.get(name)), "")
            self._licences[licence or source.licence] -= 1
        if len(rows) == table.num_rows:
            raise nothing_usable(self.sources, self.problems)
        return table.filter(pa.array(~out)) if len(rows) else table


def _schema(further: Sequence[str]) -> pa.Schema:
    types = {"pathologies": pa.list_(pa.string()), "width": pa.int32(), "height": pa.int32()}
    names = [name for name in (*COLUMNS, *further) if name != "duplicate_group"]
    return pa.schema(
        [(name, types.get(name, pa.string())) for name in names]
        + [(_SOURCE, pa.int32()), (_LINE, pa.int32()), (_WITHOUT_ID, pa.bool_()), (_WITHOUT_DATASET, pa.bool_())]
    )


def _with_cells(table: pa.Table, changed: Mapping[int, Cells]) -> pa.Table:
    """The table with other cells in some rows; columns that it lacks are empty in the others."""
    rows = np.fromiter(changed, dtype=np.int64, count=len(changed))
    for name in dict.fromkeys(name for cells in changed.values() for name in cells):
        if name in _OF_THE_FILE:
            continue
        if name not in table.column_names:
            table = table.append_column(name, pa.chunked_array([pa.repeat("", table.num_rows)]))
        kind = table.schema.field(name).type
        empty: Any = [] if pa.types.is_list(kind) else ""
        new = pa.array([cells.get(name, empty) for cells in changed.values()], kind)
        table = _replace(table, name, replaced(table.column(name), rows, new))
    return table


def _replace(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def duplicate_groups(digests: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    """Number the digests that occur more than once, in order of first occurrence; -1 for the others and for ""."""
    encoded = pc.dictionary_encode(digests).combine_chunks()
    codes = np.asarray(encoded.indices)  # in order of first occurrence
    repeated = np.bincount(codes, minlength=len(encoded.dictionary)) > 1
    repeated &= np.asarray(pc.not_equal(encoded.dictionary, ""), dtype=bool)
    numbers = np.where(repeated, np.cumsum(repeated) - 1, -1).astype(np.int32)
    groups: npt.NDArray[np.int32] = numbers[codes]
    return groups


def nothing_usable(
    sources: Sequence[Source], problems: Sequence[dict[str, Any]], *, rows: int | None = None
) -> ManifestError:
    """What to tell of sources without a single usable image.

    Args:
        sources: Which.
        problems: Their rows, or the first of them, with the columns of problems.csv.
        rows: How many rows cannot be used; as many as there are problems by default.
    """
    if not problems:
        origins = ", ".join(str(source.origin) for source in sources)
        return ManifestError(f"Expected at least one image, but there is no row in {origins}. Check the files.")
    main, number = main_reason(problems, sources), len(problems) if rows is None else rows
    return ManifestError(
        f"Expected at least one usable image, but {counted(number, 'row')} of {counted(len(sources), 'source')} "
        f"cannot be used; {main.told()}",
        remedy=main.remedy,
    )


def _too_many_problems(sources: Sequence[Source], problems: Sequence[dict[str, Any]]) -> ManifestError:
    main = main_reason(problems, sources)
    return ManifestError(
        f"Expected at most {MOST_PROBLEMS:,} rows that cannot be used, but there are more; {main.told()} "
        "Give a table of the images that are there.",
        remedy=main.remedy,
    )
