"""The table of images: one row an image, in the order that everything else follows.

Owns the columns of a manifest, what a label is at each level, which images belong together (patient, study, series,
exact duplicate), and filtering. Holds columns as Arrow data, read when they are asked for, and hands out integer codes,
so that 1.6 million rows are as easy as sixteen. Never changes a row and never touches an image file.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from radcbir_core.collections.manifests.manifest_columns import Columns, ColumnsInFile, ColumnsInMemory, indices_of
from radcbir_core.errors import CollectionError, ImageNotFoundError, QueryError
from radcbir_core.storage import atomic_path
from radcbir_core.vocabulary import normal_modality

Level = Literal["modality", "anatomy", "label"]
Grouping = Literal["duplicate", "series", "study", "patient", "dataset"]

LEVELS: tuple[Level, ...] = get_args(Level)
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)
"""What the manifest itself says of images that belong together."""

TEXT_COLUMNS = (
    "image_id",
    "path",
    "dataset",
    "split",
    "modality",
    "anatomy",
    "patient_id",
    "study_id",
    "caption",
    "view",
    "sha256",
)
COLUMNS = (*TEXT_COLUMNS[:6], "pathologies", *TEXT_COLUMNS[6:], "width", "height", "duplicate_group")

FRAME_COLUMN = "dicom_frame"
"""A further column: which frame of its file an image is, counted from 0; empty where the file is one image."""

GROUP_COLUMNS: dict[Grouping, str] = {
    "duplicate": "duplicate_group",
    "series": "series_id",
    "study": "study_id",
    "patient": "patient_id",
    "dataset": "dataset",
}
"""Which column says of images that they belong together; ``duplicate_group`` holds numbers, the others text."""
_NEVER_A_MEASURE = frozenset({*TEXT_COLUMNS, "pathologies", "series_id", "duplicate_group"})
_NEVER_A_FILTER = frozenset({"image_id", "path", "sha256", "caption", "duplicate_group"})
_MOST_MASKS = 64
"""Kept of filters, a bit a row each."""
_MOST_FLAGS = 1 << 24
_WRITTEN_TOGETHER = 1 << 17
"""Rows of a part of the file: so many are read for one of them."""
_ASKED_BEFORE_SORTING = 4
"""So many values of a column are looked for in all rows: as long as sorting it takes."""
_MOST_ASKED = 256
"""Kept of values that were looked for, and of each as many rows."""
_FIRST_ROWS = 20_000
"""Of a column with too many values to filter by, so many rows tell it already."""
_MANY_ROWS = 10_000
_COMPARED = 32
"""Up to so many values each is compared with all rows: a tenth of a millisecond a million rows, eight for a look-up."""


@dataclass(frozen=True, slots=True)
class Codes:
    """A column as integers.

    Attributes:
        values: The distinct values, sorted.
        codes: ``(N,)`` int32; row → position in ``values``, or -1 where the row has no value.
    """

    values: tuple[str, ...]
    codes: npt.NDArray[np.int32]

    def counts(self) -> dict[str, int]:
        """How many rows have each value, most frequent first; rows without a value are not counted."""
        numbers = np.bincount(self.codes + 1, minlength=len(self.values) + 1)[1:]
        order = np.argsort(-numbers, kind="stable")
        return {self.values[i]: int(numbers[i]) for i in order}

    def text(self, rows: npt.ArrayLike) -> list[str]:
        """The values of ``rows``, "" where a row has none."""
        return [self.values[code] if code >= 0 else "" for code in self.codes[np.asarray(rows)]]


@dataclass(frozen=True)
class ListCodes:
    """A column of lists as integers.

    Attributes:
        values: The distinct values, sorted.
        codes: ``(M,)`` int32, what all lists hold, one list behind the other: positions in ``values``, or -1 for an
            empty text.
        lengths: ``(N,)`` int32, how much of it is each row's.
    """

    values: tuple[str, ...]
    codes: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]

    @cached_property
    def rows(self) -> npt.NDArray[np.intp]:
        """``(M,)`` ascending: whose each of the codes is."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @cached_property
    def one_each(self) -> bool:
        """Whether each row has one value, so that codes are rows."""
        return bool((self.lengths == 1).all())

    def counts(self) -> dict[str, int]:
        """How many times each value is there, most frequent first, then by the value."""
        return Codes(self.values, self.codes).counts()


class Manifest:
    """The images of one collection; row *i* here is row *i* of the embeddings, thumbnails, graph and map.

    Args:
        table: An Arrow table with at least :data:`COLUMNS`; text columns hold "" where nothing is known,
            ``pathologies`` is a list of strings, ``duplicate_group`` an integer, -1 where the image has no exact copy.
            Or such columns, which are read when they are asked for.
        digest: What identifies this very table (SHA-256 of its file).
    """

    def __init__(self, table: pa.Table | Columns, *, digest: str) -> None:
        self._columns: Columns = ColumnsInMemory(table) if isinstance(table, pa.Table) else table
        missing = [column for column in COLUMNS if column not in self._columns.schema.names]
        if missing:
            raise CollectionError(
                f"Expected a manifest with the columns {', '.join(COLUMNS)}, but {', '.join(missing)} "
                "is missing. Import the collection again."
            )
        self.digest = digest
        self._codes: dict[str, Codes] = {}
        self._numbers: dict[str, tuple[int, int]] = {}
        self._counts: dict[str, dict[str, int]] = {}
        self._groups: dict[Grouping, npt.NDArray[np.int32]] = {}
        self._masks: OrderedDict[tuple[str, frozenset[str]], npt.NDArray[np.uint8]] = OrderedDict()
        self._orders: dict[str, npt.NDArray[np.int32]] = {}
        self._asked: dict[str, OrderedDict[str, npt.NDArray[np.intp]]] = {}
        self._attached: list[str] = []
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return self._columns.number

    @property
    def table(self) -> pa.Table:
        """All columns. Of millions of rows prefer those that are needed (:meth:`columns`), which alone are read then.

        Raises:
            CollectionError: The file is damaged.
        """
        return self._columns.table()

    @property
    def schema(self) -> pa.Schema:
        """The columns and their types; nothing is read for it."""
        return self._columns.schema

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Some columns in this order, each in one piece.

        Raises:
            QueryError: No such column.
            CollectionError: The file is damaged.
        """
        for name in names:
            self._check_there(name)
        return self._columns.table(names)

    @property
    def column_names(self) -> list[str]:
        """All columns, those of :data:`COLUMNS` first, then the further ones of the source."""
        return list(self._columns.schema.names)

    def arrow(self, name: str) -> pa.ChunkedArray:
        """A column as it is, in one piece; one of lists as well.

        Raises:
            QueryError: No such column.
            CollectionError: The file is damaged.
        """
        self._check_there(name)
        return self._columns.column(name)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The whole table as pandas, rows in order. A copy: on millions of rows prefer the other methods."""
        frame: pd.DataFrame = self.table.to_pandas()
        frame["pathologies"] = [list(labels) for labels in frame["pathologies"]]
        return frame

    def rows(self, rows: npt.ArrayLike, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """A few rows as pandas, in the order asked for.

        Args:
            rows: ``(R,)`` row numbers.
            columns: Which columns; all by default.
        """
        table = self.table if columns is None else self.columns(columns)
        some = table.take(pa.array(np.asarray(rows, dtype=np.int64)))
        # Threads for ten rows are waited for longer than they work.
        frame: pd.DataFrame = some.to_pandas(use_threads=len(some) > _MANY_ROWS)
        if "pathologies" in frame:
            frame["pathologies"] = [list(labels) for labels in frame["pathologies"]]
        return frame

    def with_image_ids(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table of images as it is written for others: by their image_id, not by their row.

        Args:
            table: With a column ``row`` of row numbers.
        """
        ids = self.rows(table["row"].to_numpy(), ["image_id"])["image_id"].to_numpy()
        return table.assign(row=ids).rename(columns={"row": "image_id"})

    def record(self, row: int, columns: Sequence[str] | None = None) -> dict[str, Any]:
        """One row as a dictionary: column → value, ``pathologies`` a list.

        Args:
            row: Its number.
            columns: Which columns, which alone are read; all by default.

        Raises:
            ImageNotFoundError: No such row.
            QueryError: No such column.
        """
        if not 0 <= row < len(self):
            raise ImageNotFoundError(
                f"Expected a row from 0 to {len(self) - 1}, but row = {row}. Choose another image."
            )
        for name in columns or ():
            self._check_there(name)
        return self._columns.row(row, self.column_names if columns is None else columns)

    def image_id(self, row: int) -> str:
        """What an image is called.

        Raises:
            ImageNotFoundError: No such row.
        """
        return str(self.record(row, ["image_id"])["image_id"])

    def column(self, name: str) -> npt.NDArray[np.object_]:
        """A column as ``(N,)`` Python strings, "" where a row has none.

        Raises:
            QueryError: No such column.
        """
        return np.asarray(self._text(name).to_pylist(), dtype=object)

    def codes(self, name: str) -> Codes:
        """A column as integer codes; computed once and kept. Not for ``pathologies``, which holds lists.

        Raises:
            QueryError: No such column.
        """
        with self._lock:
            if name not in self._codes:
                self._check_column(name)
                self._codes[name] = _encode(self._columns.encoded(name))
            return self._codes[name]

    def attach(self, name: str, codes: Codes) -> None:
        """Let images be filtered by something that is known of them and is no column of the table.

        Args:
            name: What it is called; a column of the same name keeps it, and nothing is attached.
            codes: ``(N,)``.
        """
        with self._lock:
            if name not in self._columns.schema.names:
                self._codes[name] = codes
                self._attached.append(name)

    def counts(self, name: str) -> dict[str, int]:
        """How many images have each value of a column, most frequent first; of ``pathologies``, each for what it shows.

        Counted once.

        Raises:
            QueryError: No such column.
        """
        with self._lock:
            if name not in self._counts:
                self._counts[name] = self.pathologies.counts() if name == "pathologies" else self.codes(name).counts()
            return dict(self._counts[name])

    @cached_property
    def pathologies(self) -> ListCodes:
        """The pathologies of all images as integer codes.

        Raises:
            CollectionError: The file is damaged.
        """
        return list_codes(self.arrow("pathologies"))

    def distinct(self, name: str) -> tuple[int, int]:
        """How many distinct values a column has, and of how many images one is known; codes are not made for it.

        Raises:
            QueryError: No such column.
        """
        with self._lock:
            if name not in self._numbers:
                self._check_column(name)
                codes = self._codes.get(name)
                self._numbers[name] = (
                    _numbers(self._columns.encoded(name))
                    if codes is None
                    else (len(codes.values), int(np.count_nonzero(codes.codes >= 0)))
                )
            return self._numbers[name]

    def numbers(self, name: str, rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """A column of a few rows as numbers; NaN where a row has none.

        Args:
            name: The column; a source's text counts where it reads as a finite number.
            rows: ``(R,)`` row numbers.

        Returns:
            ``(R,)`` float64.

        Raises:
            QueryError: No such column.
        """
        self._check_column(name)
        values = pd.to_numeric(self.rows(rows, [name])[name], errors="coerce").to_numpy(dtype=np.float64)
        return np.where(np.isfinite(values), values, np.nan)

    def numeric_columns(self, rows: npt.ArrayLike) -> list[str]:
        """The columns that measure something: all that these rows know reads as numbers, and these differ.

        Args:
            rows: ``(R,)`` row numbers.
        """
        candidates = [
            name
            for name in self.column_names
            if name not in _NEVER_A_MEASURE and not _is_nested(self._columns.schema.field(name))
        ]
        table = self.rows(rows, candidates)
        measures = []
        for name in candidates:
            values = table[name].replace("", None).dropna()
            numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
            if len(numbers) and np.isfinite(numbers).all() and np.ptp(numbers) > 0:
                measures.append(name)
        return measures

    def says(self, name: str) -> bool:
        """Whether a column says something of any image; in most, the first images tell already.

        Raises:
            QueryError: No such column, or one of lists.
        """
        self._check_column(name)
        with self._lock:
            is_known = name in self._codes or name in self._numbers
        if not is_known and pc.any(pc.not_equal(self._first(name), "")).as_py():
            return True
        return self.distinct(name)[1] > 0

    def labels(self, level: Level) -> Codes:
        """What each image is, at one level; -1 where an image has no label at that level.

        The full label is ``modality/anatomy/pathology`` and is given to images with a known modality and anatomy and
        exactly one pathology, as in Denner et al. (arXiv 2403.06567, section 2.1).

        Args:
            level: "modality", "anatomy" or "label".

        Raises:
            QueryError: No such level.
        """
        if level not in LEVELS:
            raise QueryError(f"Expected a level of {', '.join(LEVELS)}, but level = {level!r}. Choose one of these.")
        if level != "label":
            return self.codes(level)
        with self._lock:
            if "/label" not in self._codes:
                self._codes["/label"] = self._full_labels()
            return self._codes["/label"]

    def _full_labels(self) -> Codes:
        """Of numbers, and not of words: there are few labels, and millions of images."""
        modality, anatomy, pathologies = self.codes("modality"), self.codes("anatomy"), self.pathologies
        rows = np.flatnonzero((pathologies.lengths == 1) & (modality.codes >= 0) & (anatomy.codes >= 0))
        finding = pathologies.codes[np.cumsum(pathologies.lengths, dtype=np.int64)[rows] - 1]
        names = (*pathologies.values, "")  # -1, an empty text, is the last one
        place = (modality.codes[rows].astype(np.int64) * len(anatomy.values) + anatomy.codes[rows]) * len(names)
        found, number = _distinct(
            place + finding % len(names), most=len(modality.values) * len(anatomy.values) * len(names)
        )
        pairs, last = np.divmod(found, len(names))
        words = [
            f"{modality.values[m]}/{anatomy.values[a]}/{names[p]}"
            for m, a, p in zip(
                *(one.tolist() for one in (*np.divmod(pairs, max(len(anatomy.values), 1)), last)), strict=True
            )
        ]
        order = sorted(range(len(words)), key=words.__getitem__)
        rank = np.empty(len(words), dtype=np.int32)
        rank[order] = np.arange(len(words), dtype=np.int32)
        codes = np.full(len(self), -1, dtype=np.int32)
        codes[rows] = rank[number]
        return Codes(values=tuple(words[one] for one in order), codes=codes)

    @property
    def pathology_counts(self) -> dict[str, int]:
        """How many images show each pathology, most frequent first; an image with two counts for both."""
        return self.counts("pathologies")

    def groups(self, grouping: Grouping) -> npt.NDArray[np.int32]:
        """Which images belong together: equal numbers share a patient, study, series and so on.

        Patient, study and series identifiers are compared over the whole collection, since data sets share patients.

        Returns:
            ``(N,)`` int32, -1 where it is not known (or where an image has no exact copy).

        Raises:
            QueryError: No such grouping.
        """
        if grouping not in GROUPINGS:
            raise QueryError(
                f"Expected a grouping of {', '.join(GROUPINGS)}, but grouping = {grouping!r}. Choose among these."
            )
        name = GROUP_COLUMNS[grouping]
        with self._lock:
            if grouping not in self._groups:
                if grouping == "duplicate":
                    self._groups[grouping] = np.asarray(self.arrow(name), dtype=np.int32)
                elif name not in self._columns.schema.names:
                    self._groups[grouping] = np.full(len(self), -1, dtype=np.int32)
                else:
                    self._groups[grouping] = self.codes(name).codes
            return self._groups[grouping]

    def known(self, grouping: Grouping) -> int:
        """Of how many images it is known to which group they belong.

        Raises:
            QueryError: No such grouping.
        """
        return int(np.count_nonzero(self.groups(grouping) >= 0))

    def mask(self, where: Mapping[str, Sequence[str]]) -> npt.NDArray[np.bool_]:
        """Which images satisfy a filter: every column must match, by any of its values.

        ``pathologies`` matches an image that shows any of the values; "" matches images without a value; spellings of
        a modality ("X-ray") are understood.

        Args:
            where: Column → accepted values.

        Returns:
            ``(N,)`` bool.

        Raises:
            QueryError: A column or a value that the collection does not have.
        """
        accepted: npt.NDArray[np.bool_] | None = None
        for column, values in where.items():
            of_column = self._kept_mask(column, values)
            accepted = of_column if accepted is None else np.logical_and(accepted, of_column, out=accepted)
        return np.ones(len(self), dtype=bool) if accepted is None else accepted

    def _kept_mask(self, column: str, values: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Which images have one of some values, from the last filters if it was among these; the caller's to change."""
        key = column, frozenset(values)
        with self._lock:
            packed = self._masks.get(key)
            if packed is not None:
                self._masks.move_to_end(key)
        if packed is not None:
            return np.unpackbits(packed, count=len(self)).view(np.bool_)
        mask = self._pathology_mask(values) if column == "pathologies" else self._column_mask(column, values)
        with self._lock:
            self._masks[key] = np.packbits(mask)
            if len(self._masks) > _MOST_MASKS:
                self._masks.popitem(last=False)
        return mask

    def _column_mask(self, column: str, values: Sequence[str]) -> npt.NDArray[np.bool_]:
        codes = self.codes(column)
        places: set[int] = set()
        for value in values:
            place = _place(value, codes.values)
            if place is None and column == "modality":
                place = _place(normal_modality(value), codes.values)
            if place is None:
                raise QueryError(_unknown_value(column, value, codes.values))
            places.add(place)
        return _is_any_of(codes.codes, places, number=len(codes.values))

    def _pathology_mask(self, values: Sequence[str]) -> npt.NDArray[np.bool_]:
        for value in values:
            if value and value not in self.pathology_counts:
                raise QueryError(_unknown_value("pathologies", value, tuple(self.pathology_counts)))
        column = self.pathologies
        wanted = {place for place, value in enumerate(column.values) if value in values}
        found = _is_any_of(column.codes, wanted, number=len(column.values))
        if column.one_each:
            return found
        accepted = column.lengths == 0 if "" in values else np.zeros(len(self), dtype=bool)
        accepted[column.rows[np.flatnonzero(found)]] = True
        return accepted

    def row_of(self, image_id: str) -> int:
        """The row of an image.

        Raises:
            ImageNotFoundError: The collection does not hold it.
        """
        rows = self.rows_with("image_id", image_id)
        if not len(rows):
            raise ImageNotFoundError(
                f"Expected an image_id of this collection, but image_id = {image_id!r} is not in it. "
                "Choose another image."
            )
        return int(rows[0])

    def rows_of(self, image_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """The rows of many images at once; -1 where the collection does not hold one.

        Args:
            image_ids: ``(R,)``, in any order.
        """
        column = self.arrow("image_id")
        # The few are looked up, not the many: 1.6 million take 30 ms so, and half a second the other way around.
        rows = np.flatnonzero(np.asarray(pc.is_in(column, value_set=pa.array(image_ids, column.type))))
        place = dict(zip(column.take(pa.array(rows)).to_pylist(), rows.tolist(), strict=True))
        return np.array([place.get(image_id, -1) for image_id in image_ids], dtype=np.int64)

    def rows_with(self, column: str, value: str) -> npt.NDArray[np.intp]:
        """The rows whose ``column`` is ``value``, ascending; for columns such as sha256 that are not worth encoding.

        For the first values all rows are compared. Who asks for more of them has the column sorted once, which takes up
        to a second for a million rows, and then some microseconds a value.

        Raises:
            QueryError: No such column.
        """
        self._check_column(column)
        with self._lock:
            asked = self._asked.setdefault(column, OrderedDict())
            if value not in asked:
                order = self._order(column, sort=len(asked) >= _ASKED_BEFORE_SORTING)
                if order is None:
                    found = np.flatnonzero(np.asarray(pc.equal(self._text(column), value)))
                else:
                    values = self.arrow(column)
                    first = bisect_left(order, value, key=lambda row: values[row].as_py() or "")
                    last = bisect_right(order, value, lo=first, key=lambda row: values[row].as_py() or "")
                    found = np.sort(order[first:last]).astype(np.intp)
                if len(found) > _MOST_ASKED:
                    return found
                asked[value] = found
                if len(asked) > _MOST_ASKED:
                    asked.popitem(last=False)
            return asked[value].copy()

    def _order(self, column: str, *, sort: bool) -> npt.NDArray[np.int32] | None:
        """The rows in the order of a column of text; None where it is not sorted yet, or holds no text."""
        if sort and column in TEXT_COLUMNS and column not in self._orders:
            self._orders[column] = np.asarray(pc.sort_indices(self._text(column))).astype(np.int32)
        return self._orders.get(column)

    def find(self, text: str, *, limit: int = 50) -> npt.NDArray[np.int64]:
        """Rows whose image_id contains ``text`` (upper and lower case alike), the first ``limit`` of them."""
        contains = pc.match_substring(self.arrow("image_id"), text, ignore_case=True)
        return np.flatnonzero(np.asarray(contains))[:limit].astype(np.int64)

    def filterable(self, *, most: int = 200) -> list[str]:
        """Columns worth filtering by: 2 to ``most`` distinct values, identifiers left out; ``pathologies`` too.

        What was attached comes last, also where all images have one value.
        """
        names = []
        for name in self.column_names:
            if name == "pathologies":
                if len(self.pathology_counts) > 1:
                    names.append(name)
            elif _is_nested(self._columns.schema.field(name)):
                continue  # a source's own lists: there is no filter for these
            elif name not in _NEVER_A_FILTER and self._has_few(name, most) and len(self.codes(name).values) > 1:
                names.append(name)
        # Of those of which nothing is known there is nothing to choose.
        return names + [name for name in self._attached if (self._codes[name].codes >= 0).any()]

    def _first(self, name: str) -> pa.ChunkedArray:
        return self._columns.first(name, _FIRST_ROWS).cast(pa.string())

    def _has_few(self, name: str, most: int) -> bool:
        """Whether a column has at most so many values; the first rows mostly tell of one with more."""
        with self._lock:
            is_known = name in self._codes
        if not is_known and len(self) > _FIRST_ROWS:
            first = pc.unique(self._first(name))
            if len(first) - first.null_count - (pc.index(first, "").as_py() >= 0) > most:
                return False
        return len(self.codes(name).values) <= most

    def write(self, path: Path) -> None:
        """Write the table as parquet, in one step.

        Raises:
            StorageError: No space left, or no permission.
        """
        with atomic_path(path) as partial:
            pq.write_table(self.table, partial, compression="zstd", row_group_size=_WRITTEN_TOGETHER)

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read a manifest that :meth:`write` wrote; its columns when they are asked for.

        Raises:
            CollectionError: The file is missing or damaged.
        """
        columns = ColumnsInFile(path)
        if odd := odd_column(columns.schema):
            raise CollectionError(
                f"Expected a manifest, but the column {odd[:80]} in {path} has another type, or is there twice. "
                "Import the collection again."
            )
        return cls(columns, digest=columns.digest)

    def _check_column(self, name: str) -> None:
        self._check_there(name)
        if _is_nested(self._columns.schema.field(name)):
            raise QueryError(f"Expected a column of one value a row, but column = {name!r} holds lists. Use the frame.")

    def _check_there(self, name: str) -> None:
        if name not in self._columns.schema.names:
            close = get_close_matches(name, self.column_names, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Choose one of {', '.join(self.column_names)}."
            raise QueryError(f"Expected a column of the manifest, but column = {name!r}. {hint}")

    def _text(self, name: str) -> pa.ChunkedArray:
        self._check_column(name)
        return pc.fill_null(self._columns.column(name).cast(pa.string()), "")


def list_codes(column: pa.ChunkedArray) -> ListCodes:
    """A column of lists as integer codes; of what is no text, the text of it.

    Example:
        >>> found = list_codes(pa.chunked_array([[["b", "a"], [], None], [["a", ""]]]))
        >>> found.values, found.codes.tolist(), found.lengths.tolist(), found.rows.tolist()
        (('a', 'b'), [1, 0, 0, -1], [2, 0, 0, 2], [0, 0, 3, 3])
    """
    lists = column.combine_chunks()
    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int32)
    found = _encode(pc.list_flatten(lists).cast(pa.string()).dictionary_encode())
    return ListCodes(found.values, found.codes, lengths)


def _is_nested(field: pa.Field) -> bool:
    return bool(pa.types.is_nested(field.type))


def odd_column(schema: pa.Schema) -> str:
    """The first of :data:`COLUMNS` in a table's schema that is of another type than a manifest's; "" for none.

    Example:
        >>> odd_column(pa.schema({"path": pa.string(), "width": pa.string()}))
        'width'
    """
    for field in schema:
        if field.name in TEXT_COLUMNS:
            fits = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        elif field.name == "pathologies":
            fits = (pa.types.is_list(field.type) or pa.types.is_large_list(field.type)) and (
                pa.types.is_string(field.type.value_type) or pa.types.is_large_string(field.type.value_type)
            )
        else:
            fits = field.name not in COLUMNS or pa.types.is_integer(field.type)
        if not fits or schema.names.count(field.name) > 1:
            return str(field.name)
    return ""


def _encode(encoded: pa.DictionaryArray) -> Codes:
    """Numbered values → sorted ones and codes; "" becomes -1, and so does what is not there."""
    words = encoded.dictionary
    # Bytes of UTF-8 are in the order of the characters that they stand for.
    order = np.asarray(pc.sort_indices(words)).astype(np.int64)
    if len(order) and not words[int(order[0])].as_py():
        order = order[1:]
    position = np.full(len(words) + 1, -1, dtype=np.int32)  # the last stands for what is not there
    position[order] = np.arange(len(order), dtype=np.int32)
    codes = position.take(indices_of(encoded, unknown=len(words)))
    return Codes(values=tuple(words.take(pa.array(order)).to_pylist()), codes=codes)


def _numbers(encoded: pa.DictionaryArray) -> tuple[int, int]:
    """How many values there are beside "", and how many rows have one of them."""
    empty = pc.index(encoded.dictionary, "").as_py()
    unknown = encoded.indices.null_count
    if empty >= 0:
        unknown += int(np.count_nonzero(indices_of(encoded, unknown=-1) == empty))
    return len(encoded.dictionary) - (empty >= 0), len(encoded) - unknown


def _distinct(numbers: npt.NDArray[np.int64], *, most: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.integer]]:
    """The distinct ones of some numbers below ``most``, ascending, and for each number which of them it is."""
    if most > _MOST_FLAGS:
        found, number = np.unique(numbers, return_inverse=True)
        return found, number
    there = np.zeros(most, dtype=bool)
    there[numbers] = True
    found = np.flatnonzero(there)
    place = np.empty(most, dtype=np.int32)
    place[found] = np.arange(len(found), dtype=np.int32)
    return found, place.take(numbers)


def _is_any_of(codes: npt.NDArray[np.int32], places: Collection[int], *, number: int) -> npt.NDArray[np.bool_]:
    """``(M,)``; which codes, from -1 for no value to below the number of values, are among some."""
    if len(places) <= _COMPARED:
        mask = np.zeros(len(codes), dtype=np.bool_)
        for place in places:
            mask |= codes == place
        return mask
    wanted = np.zeros(number + 1, dtype=np.bool_)  # the last stands for no value, whose code is -1
    wanted[list(places)] = True
    found: npt.NDArray[np.bool_] = wanted.take(codes)
    return found


def _place(value: str, values: Sequence[str]) -> int | None:
    """The code of a value among sorted ones, -1 for "" and None for one that is not there."""
    if not value:
        return -1
    place = bisect_left(values, value)
    return place if place < len(values) and values[place] == value else None


def _unknown_value(column: str, value: str, known: Sequence[str]) -> str:
    close = get_close_matches(value, known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"It has {', '.join(map(repr, known[:10]))}."
    return f"Expected a value of the column {column}, but {column} = {value!r}. {hint}"
