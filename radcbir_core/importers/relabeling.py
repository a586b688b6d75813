"""A table of corrections → other labels in a collection that stands.

Owns the reading of such a table: which image a line means, what its words are in the manifest's, and what would change.
Words become the manifest's exactly as in an import, and it is told which did. Writing them, and the history, is
``collections/corrections.py``'s business.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pandas as pd
import pyarrow as pa

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.corrections import BY, SEPARATOR, WHEN, history_of, replaced, write_correction
from radcbir_core.collections.entry_log import utc
from radcbir_core.collections.export import EXPORTED_AS
from radcbir_core.collections.locks import at_rest
from radcbir_core.collections.manifests.digests import IMAGE_COLUMNS
from radcbir_core.collections.manifests.manifest import FRAME_COLUMN
from radcbir_core.collections.reviews.review_log import CORRECTED, LONGEST_NAME
from radcbir_core.errors import ManifestError
from radcbir_core.importers.rows.identifiers import IDENTIFIERS
from radcbir_core.importers.rows.normalizing import COMPUTED, Changes, is_bracketed, listed_in, normalize_row
from radcbir_core.importers.rows.sources import Cell, CsvTable, Row
from radcbir_core.spreadsheet_cells import untamed
from radcbir_core.vocabulary import tidy

_BATCH_ROWS: Final = 16_384
_LABELS: Final = ("pathologies", "pathology", "labels_all")
_NAMES_OF: Final = {**dict.fromkeys(_LABELS[1:], "pathologies"), "split_hint": "split"}
"""Columns of a source that an import reads a column of the manifest from."""
_TAMED: Final = frozenset({"image_id", "path", BY, *CORRECTED, *_LABELS})
"""Columns in which an apostrophe before what looks like a formula is a spreadsheet's, as tables of RadCBIR have it."""


@dataclass(frozen=True, slots=True)
class Relabeling:
    """What a table of corrections changes.

    Attributes:
        collection: The collection: as it is then, or as it is where nothing was written.
        cells: One row a cell that changes: ``row``, ``image_id``, ``column``, ``from``, ``to``; several pathologies
            with ``|`` between them.
        lines: How many lines the table has.
        changes: What normalization changed in its words: column, from, to, rows.
        notes: What has to be known, one sentence each.
        written: Whether the collection has been changed.
    """

    collection: Collection
    cells: pd.DataFrame
    lines: int
    changes: list[dict[str, str | int]]
    notes: list[str] = field(default_factory=list)
    written: bool = False

    @property
    def images(self) -> int:
        """How many images change."""
        return int(self.cells["row"].nunique())

    @property
    def columns(self) -> dict[str, int]:
        """Column → how many of its cells change."""
        return {str(name): int(count) for name, count in self.cells["column"].value_counts().items()}


def correct_labels(name: str, table: Path, *, by: str = "", dry_run: bool = False) -> Relabeling:
    """Correct labels of a collection by a table, in one step; embeddings, graph and map stay as they are.

    The table has a column ``image_id``, or ``path`` as the collection has it, and the columns to change: those of a
    manifest, and any further column that the collection has. Its cells are read as an import reads them; an empty cell
    means that nothing is known. ``image_id``, ``path``, ``dicom_frame`` and what is computed from the files
    (``sha256``, ``width``, ``height``, ``duplicate_group``) say which image is meant, or nothing, and are never
    changed: so a whole exported manifest, edited, is such a table too. ``corrected_by`` and ``corrected_at``, where the
    collection has no such columns, say who made a line and when, for the history. In these, in labels and in
    what names an image, an apostrophe before ``=``, ``+``, ``-`` or ``@`` is a spreadsheet's, and not the cell's.

    Args:
        name: The collection.
        table: A CSV; UTF-8; comma, semicolon or tab between cells; plain or gzip.
        by: Who corrects, for the history, where the table does not say it.
        dry_run: Whether to tell only what would change.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It is being built or changed.
        ManifestError: The table cannot be read, has a column that the collection has not, or a line in it names no
            image of the collection or one that another line names.
        StorageError: No space left, or no permission.
    """
    if dry_run:
        return _Corrections(open_collection(name), table).read()[0]
    with at_rest(name) as folder:
        before = Collection(folder)
        corrections = _Corrections(before, table)
        proposed, corrected = corrections.read()
        if not len(proposed.cells):
            return proposed
        cells = {
            column: [str(cell) for cell in proposed.cells[column]] for column in ("image_id", "column", "from", "to")
        } | corrections.made_by(proposed.cells["row"].tolist())
        write_correction(before, corrected, history_of(cells, source=table.name, by=by))
    return Relabeling(
        open_collection(name), proposed.cells, proposed.lines, proposed.changes, proposed.notes, written=True
    )


class _Corrections:
    """One table, read against one collection."""

    def __init__(self, collection: Collection, path: Path) -> None:
        self.collection = collection
        self.manifest = collection.manifest
        self.path = path
        self.table = CsvTable(path, lower=True)
        if not {"image_id", "path"} & set(self.table.columns):
            self.table.refuse_data_as_header(certainly=False)
        self.changes = Changes()
        self.notes: list[str] = []
        self.by_id = "image_id" in self.table.columns
        self.targets = self._targets()
        self._made: dict[int, tuple[str, str]] = {}
        self._seen = np.zeros(len(self.manifest), dtype=np.int64)
        self._index = pd.Index(self.manifest.column("image_id") if self.by_id else self._places())
        self._beside = pd.Index(self._places()) if self.by_id and "path" in self.table.columns else None
        self._spellings = {
            "anatomy": {word.casefold(): word for word in self.manifest.codes("anatomy").values},
            "pathologies": {word.casefold(): word for word in self.manifest.pathology_counts},
        }

    def read(self) -> tuple[Relabeling, pa.Table]:
        """What changes, and the manifest with it."""
        cells: list[dict[str, Any]] = []
        values: dict[str, tuple[list[int], list[Any]]] = {name: ([], []) for name in self.targets.values()}
        lines = 0
        for batch in self._batches():
            lines += len(batch)
            rows = self._rows_of(batch)
            now = self.manifest.rows(rows, ["image_id", *values])
            for row, line, told in zip(rows.tolist(), batch, now.to_dict("records"), strict=True):
                before = {str(name): cell for name, cell in told.items()}
                self._made[row] = self._made_of(line)
                for column, after in self._read(line, before).items():
                    if _same(before[column], after):
                        continue
                    image_id = before["image_id"]
                    cell = {"row": row, "image_id": image_id, "column": column}
                    cells.append(cell | {"from": _text(before[column]), "to": _text(after)})
                    values[column][0].append(row)
                    values[column][1].append(after)
        if not lines:
            raise ManifestError(
                f"Expected at least one correction, but {self.path} has a header and no line below it. Add one."
            )
        corrected = self.manifest.table
        for column, (positions, new) in values.items():
            if positions:
                place = corrected.column_names.index(column)
                kind = corrected.schema.field(column).type
                whole = replaced(corrected.column(column), np.array(positions, dtype=np.int64), pa.array(new, kind))
                corrected = corrected.set_column(place, column, whole)
        frame = pd.DataFrame(cells, columns=["row", "image_id", "column", "from", "to"])
        return Relabeling(self.collection, frame, lines, self.changes.rows(), self.notes), corrected

    def made_by(self, rows: Sequence[int]) -> dict[str, list[str]]:
        """Who made the corrections of some rows, and when, as far as the table says it; once it was read."""
        made = [self._made.get(row, ("", "")) for row in rows]
        return {"by": [by for by, _ in made], "when": [when for _, when in made]}

    def _targets(self) -> dict[str, str]:
        """Column of the table → column of the manifest that it changes."""
        if not self.by_id and "path" not in self.table.columns:
            raise ManifestError(
                f"Expected a column image_id or path that says which image a line means, but {self.path} has "
                f"{', '.join(self.table.columns)[:300]}. Name one of them so."
            )
        fixed = {*IMAGE_COLUMNS, *COMPUTED}
        known = {name.lower(): name for name in self.manifest.column_names if name not in fixed}
        self.provenance = [name for name in (BY, WHEN) if name in self.table.columns and name not in known]
        targets: dict[str, str] = {}
        for name in self.table.columns:
            if name in fixed or name in self.provenance:
                continue
            plain = name.removeprefix(EXPORTED_AS)
            if name not in known and plain in known and plain not in self.table.columns:
                targets[name] = known[plain]  # an export called it so, because an import would read labels from it
                continue
            if name not in known and name not in _NAMES_OF:
                close = get_close_matches(name, [*known, *_NAMES_OF], n=1)
                hint = f"Did you mean {close[0]}?" if close else f"It has {', '.join(known)}."
                raise ManifestError(
                    f"Expected columns that {self.collection.name} has, but line 1 of {self.path} has {name!r}. {hint}"
                )
            if name in known:
                targets[name] = known[name]
            if name in _NAMES_OF:
                targets.setdefault(_NAMES_OF[name], _NAMES_OF[name])
        if not targets:
            raise ManifestError(
                f"Expected a column to change, but {self.path} has only {', '.join(self.table.columns)[:300]}, which "
                "say what image it is or are computed from its file. Add the column to correct, such as pathologies."
            )
        passed_over = [name for name in self.table.columns if name in COMPUTED]
        if passed_over:
            self.notes.append(f"Computed from the files, and not changed: {', '.join(passed_over)}.")
        return targets

    @cached_property
    def _paths(self) -> frozenset[str]:
        """Of the collection's images; looked into for each line whose path has a backslash."""
        return frozenset(self.manifest.column("path"))

    def _places(self) -> list[str]:
        """What names each image by its file: the path, and the frame where a file has several."""
        places = [str(path) for path in self.manifest.column("path")]
        if FRAME_COLUMN in self.manifest.column_names:
            places = [_place(path, str(f)) for path, f in zip(places, self.manifest.column(FRAME_COLUMN), strict=True)]
        # A file that stands there as several images names none of them; what has a zero byte in front is no path.
        several = pd.Index(places).duplicated(keep=False)
        return [f"\0{row}" if several[row] else place for row, place in enumerate(places)]

    def _batches(self) -> Iterator[list[Row]]:
        rows = self.table.rows()
        while batch := list(islice(rows, _BATCH_ROWS)):
            for row in batch:
                if row.reason:
                    raise ManifestError(f"{row.reason.removesuffix('.')}: line {row.line} of {self.path}. Correct it.")
            yield [
                replace(row, cells={name: untamed(str(c)) if name in _TAMED else c for name, c in row.cells.items()})
                for row in batch
            ]

    def _rows_of(self, batch: Sequence[Row]) -> Any:
        """The row of the manifest that each line means."""
        keys = [self._key(row) for row in batch]
        rows = self._index.get_indexer(pd.Index(keys))
        for row, key, line in zip(rows.tolist(), keys, batch, strict=True):
            if row < 0:
                raise self._unknown(key, line)
            if self._seen[row]:
                raise ManifestError(
                    f"Expected one line an image, but line {line.line} of {self.path} names the image of line "
                    f"{self._seen[row]} again: {key.partition(chr(0))[0]!r}. Take one of them out."
                )
            self._seen[row] = line.line
        if self._beside is not None:
            self._check_paths(batch, rows)
        return rows

    def _check_paths(self, batch: Sequence[Row], rows: Any) -> None:
        """A path may be written from another folder; one that is another image's means that a column slipped."""
        others = cast("pd.Index[Any]", self._beside).get_indexer(pd.Index([self._place_in(row) for row in batch]))
        for line, row, other in zip(batch, rows.tolist(), others.tolist(), strict=True):
            if other not in {-1, row}:
                image_id = str(line.cells["image_id"]).strip()
                raise ManifestError(
                    f"Expected image_id and path of one image, but line {line.line} of {self.path} has image_id = "
                    f"{image_id[:120]!r} and the path of another, {str(line.cells['path'])[:120]!r}. Correct the line; "
                    "if one column was sorted without the others, sort it back."
                )

    def _made_of(self, row: Row) -> tuple[str, str]:
        """Who made a line, and when, as far as it says so."""
        by, when = (tidy(str(row.cells.get(name, ""))) if name in self.provenance else "" for name in (BY, WHEN))
        try:
            return by[:LONGEST_NAME], utc(when) if when else ""
        except ValueError as error:
            raise ManifestError(
                f"Expected {error}, in {WHEN} of line {row.line} of {self.path}. Correct it, or leave it empty."
            ) from error

    def _key(self, row: Row) -> str:
        return str(row.cells["image_id"]).strip() if self.by_id else self._place_in(row)

    def _place_in(self, row: Row) -> str:
        path = str(row.cells["path"]).strip()
        if "\\" in path and path not in self._paths:
            path = path.replace("\\", "/")
        if Path(path).is_absolute():
            path = os.path.relpath(os.path.normpath(path), os.path.realpath(self.collection.image_root))
        return _place(os.path.normpath(path) if path else "", str(row.cells.get(FRAME_COLUMN, "")).strip())

    def _unknown(self, key: str, line: Row) -> ManifestError:
        path = key.partition("\0")[0]
        said = f"image_id = {key[:120]!r}" if self.by_id else f"path = {path[:120]!r}"
        if not self.by_id and path in self._paths:
            return ManifestError(
                f"Expected lines that name one image, but line {line.line} of {self.path} has {said}, a file of "
                f"several images. Name it by image_id, or add the column {FRAME_COLUMN}."
            )
        return ManifestError(
            f"Expected images of {self.collection.name}, but line {line.line} of {self.path} has {said}, which it does "
            "not hold. Correct the line, or take it out."
        )

    def _read(self, row: Row, before: Mapping[str, Any]) -> dict[str, Cell]:
        """Column of the manifest → what a line says of it; ``before`` is what the manifest says."""
        labels = {name: cell for name, cell in row.cells.items() if name in _LABELS}
        told = {name: cell for name, cell in row.cells.items() if name in self.targets and name not in labels}
        normal = normalize_row({**told, "path": "-"}, dataset="", changes=self.changes) | labels
        said: dict[str, Cell] = {}
        for name, column in self.targets.items():
            cell = normal[name]
            if name in IDENTIFIERS and str(told.get(name, "")).strip() == before[column]:
                cell = before[column]  # imported under another rule of spelling, and not corrected
            if column == "pathologies":
                said[column] = self._pathologies(labels, row.line, before=before[column])
            else:
                said[column] = self._spelled(name, str(cell), self.changes) if name == "anatomy" else cell
        return said

    def _pathologies(self, labels: Mapping[str, Cell], line: int, *, before: list[str]) -> list[str]:
        """What a line says that an image shows, in whichever of the columns that an import reads it from.

        An exported manifest may have it twice, as the manifest's own list and as the source said it; who corrects it
        corrects one of them. Then what differs from the collection is the correction.
        """
        for cell in (str(cell).strip() for cell in labels.values()):
            if is_bracketed(cell) and listed_in(cell) == cell.split(SEPARATOR):
                raise ManifestError(
                    f"Expected pathologies with {SEPARATOR} between them, but line {line} of {self.path} has the list "
                    f"{cell[:80]!r}. Write it without brackets and quotes; nothing where none is known."
                )
        forms = [{name: labels[name] for name in form if name in labels} for form in (_LABELS[:1], _LABELS[1:])]
        read = [self._words(form, Changes()) for form in forms if form]
        differing = [words for words in read if set(words) != set(before)]
        if len(differing) > 1 and set(differing[0]) != set(differing[1]):
            one, other = (SEPARATOR.join(words) or "nothing" for words in differing)
            raise ManifestError(
                f"Expected one correction of what an image shows, but line {line} of {self.path} has {one[:80]!r} in "
                f"pathologies and {other[:80]!r} in {' and '.join(forms[1])}. Take one of these columns out."
            )
        given = [form for form in forms if form]
        return self._words(given[read.index(differing[0] if differing else read[0])], self.changes)

    def _words(self, labels: Mapping[str, Cell], changes: Changes) -> list[str]:
        words = normalize_row({**labels, "path": "-"}, dataset="", changes=changes)["pathologies"]
        return list(dict.fromkeys(self._spelled("pathologies", word, changes) for word in words))

    def _spelled(self, column: str, word: str, changes: Changes) -> str:
        """A word as the collection spells it, or the table the first time, where the two differ in case only."""
        return changes.note(column, word, self._spellings[column].setdefault(word.casefold(), word))


def _place(path: str, frame: str) -> str:
    return f"{path}\0{frame}" if frame else path


def _same(before: Any, after: Cell) -> bool:
    """Whether a cell says the same; the order of pathologies does not count."""
    return set(before) == set(after) if isinstance(after, list) else _text(before) == after


def _text(cell: Any) -> str:
    """A cell as the history has it."""
    if isinstance(cell, list):
        return SEPARATOR.join(cell)
    return "" if cell is None or cell is pd.NA or cell != cell else str(cell)  # noqa: PLR0124 - NaN
