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
from radcbir_core.collections.manifests.manifest import Manifest, list_codes

NAMES_OF_ONE: Final = frozenset({"image_id", "path", "sha256", "caption", "duplicate_group", "dicom_frame"})
"""Columns that name or describe a single image: as many values as images color nothing."""
_NEVER_NUMBERS: Final = frozenset({*COLUMNS, "patient_id", "study_id", "series_id", "view"})
_FEWEST_NUMBERS: Final = 3


def further_columns(manifest: Manifest) -> list[str]:
    """The columns besides those of every collection that say something of an image, in the order of the manifest."""
    return [
        name
        for name in manifest.column_names
        if name not in COLUMNS and name not in NAMES_OF_ONE and _has_values(manifest, name)
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
    return Members.of_lists(list_codes(column))


def is_list(kind: pa.DataType) -> bool:
    """Whether a column of this type holds lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _has_values(manifest: Manifest, name: str) -> bool:
    kind = manifest.schema.field(name).type
    if is_list(kind):
        return bool((np.asarray(pc.fill_null(pc.list_value_length(manifest.arrow(name)), 0)) > 0).any())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return manifest.says(name)
    return not pa.types.is_nested(kind) and manifest.arrow(name).null_count < len(manifest)
