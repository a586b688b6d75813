"""What a column of the manifest holds, for colors: categories, several of them an image, or numbers.

Owns the decision between these. Works on Arrow columns as a whole, so that 1.6 million rows take some tenths of a
second.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pages.parts.map.coloring import COLUMNS, Members

NAMES_OF_ONE: Final = frozenset({"image_id", "path", "sha256", "caption", "duplicate_group", "dicom_frame"})
"""Columns that name or describe a single image: as many values as images color nothing."""
_NEVER_NUMBERS: Final = frozenset({*COLUMNS, "patient_id", "study_id", "series_id", "view"})
_FEWEST_NUMBERS: Final = 3


def further_columns(table: pa.Table) -> list[str]:
    """The columns besides those of every collection that say something of an image, in the order of the table."""
    return [
        name
        for name in table.column_names
        if name not in COLUMNS and name not in NAMES_OF_ONE and _has_values(table.column(name))
    ]


def numbers_of(name: str, column: pa.ChunkedArray) -> npt.NDArray[np.float64] | None:
    """A column as numbers, ``(N,)`` with NaN where an image has none; None where it holds something else.

    It holds numbers where all that is known reads as finite ones, and at least three of them differ: of two, such as 0
    and 1, one is a category as the other is.

    >>> numbers_of("age", pa.chunked_array([["40", "", "71", "55"]])).tolist()
    [40.0, nan, 71.0, 55.0]
    >>> numbers_of("smoker", pa.chunked_array([[0, 1, 1]])) is None
    True
    """
    if name in _NEVER_NUMBERS:
        return None
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        text = pc.utf8_trim_whitespace(column)
        text = pc.if_else(pc.equal(text, ""), pa.scalar(None, kind), text)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        text = column
    else:
        return None
    try:
        numbers = text.cast(pa.float64())
    except pa.ArrowInvalid:
        return None  # a word among them
    values = np.asarray(numbers.to_numpy(), dtype=np.float64)
    known = values[np.asarray(numbers.is_valid())]
    if pa.types.is_floating(kind):
        known = known[~np.isnan(known)]  # how such a column says that there is none
    if not np.isfinite(known).all() or len(np.unique(known)) < _FEWEST_NUMBERS:
        return None
    return values


def list_members(column: pa.ChunkedArray) -> Members:
    """A column of lists: which rows have which value; an empty text is none.

    >>> members = list_members(pa.chunked_array([[["b", "a"], [], None, ["a"]]]))
    >>> members.values, members.rows.tolist(), members.codes.tolist(), members.size
    (('a', 'b'), [0, 0, 3], [0, 1, 0], 4)
    """
    lists = column.combine_chunks()
    flat = pc.fill_null(pc.list_flatten(lists).cast(pa.string()), "")
    rows = np.asarray(pc.list_parent_indices(lists), dtype=np.int64)
    values = tuple(sorted(value for value in pc.unique(flat).to_pylist() if value))
    codes = np.asarray(pc.fill_null(pc.index_in(flat, value_set=pa.array(values, pa.string())), -1), dtype=np.int32)
    rows, codes = rows[codes >= 0], codes[codes >= 0]
    if (np.diff(rows) == 0).any():  # each value once, however often a list says it
        rows, own = np.divmod(np.unique(rows * len(values) + codes), len(values))
        codes = own.astype(np.int32)
    return Members(values, rows, codes, len(column))


def is_list(column: pa.ChunkedArray) -> bool:
    """Whether a column holds lists."""
    return bool(pa.types.is_list(column.type) or pa.types.is_large_list(column.type))


def _has_values(column: pa.ChunkedArray) -> bool:
    if column.null_count == len(column):
        return False
    if is_list(column):
        return bool((np.asarray(pc.fill_null(pc.list_value_length(column), 0)) > 0).any())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return bool(pc.any(pc.not_equal(column, "")).as_py())
    return not pa.types.is_nested(column.type)
