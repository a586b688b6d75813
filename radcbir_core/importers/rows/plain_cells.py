r"""Lines of a CSV table that can be read at once, because there is nothing in them that can be read in two ways.

Owns telling such lines from others, and making Arrow columns of them. What is not plain is read line by line by
sources.py, with the same result: this is only quicker.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv as arrow_csv

_NEWLINE, _RETURN, _QUOTE = b"\n"[0], b"\r"[0], b'"'[0]
_ODD: Final = bytes(code for code in range(32) if code not in b"\n\r\t")
_LONGEST: Final = 131_072
"""Python's csv module refuses longer cells, and says where."""

Bytes = npt.NDArray[np.uint8]


def plain_cells(lines: bytes, *, columns: int, delimiter: str) -> list[pa.Array] | None:
    r"""Whole lines of a table as text columns; ``None`` where they are not plain.

    They are where each line has the same number of cells, there are no control characters and no very long lines, and
    quotation marks stand only around a cell, or doubled in one that has them around it and no line break.

    Args:
        lines: UTF-8, at least one.
        columns: How many cells each line must have.
        delimiter: What stands between them, one character.

    Raises:
        pyarrow.ArrowInvalid: It is not UTF-8.

    Example:
        >>> [column.to_pylist() for column in plain_cells(b'a,"b, c"\nd,\n', columns=2, delimiter=",")]
        [['a', 'd'], ['b, c', '']]
        >>> plain_cells(b'a,b\nd\n', columns=2, delimiter=",") is plain_cells(b'a,"b"c\n', columns=2, delimiter=",")
        True
    """
    if not lines.endswith(b"\n"):
        lines += b"\n"
    if len(lines.translate(None, _ODD)) != len(lines) or lines.count(b"\r") != lines.count(b"\r\n"):
        return None
    data = np.frombuffer(lines, dtype=np.uint8)
    ends = np.flatnonzero(data == _NEWLINE)
    starts = np.concatenate([[0], ends[:-1] + 1])
    longest = int((ends - starts).max())
    if longest >= _LONGEST:
        return None
    between = data == ord(delimiter)
    quoted = b'"' in lines
    if quoted:
        inside = _inside_quotes(data, ends, delimiter=ord(delimiter))
        if inside is None:
            return None
        between &= ~inside
    if not _are_as_many(np.flatnonzero(between), starts, ends, columns=columns, data=data):
        return None
    table = arrow_csv.read_csv(
        pa.BufferReader(lines),
        read_options=arrow_csv.ReadOptions(
            column_names=[str(number) for number in range(columns)], block_size=len(lines) + 1, use_threads=False
        ),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, quote_char='"' if quoted else False),
        convert_options=arrow_csv.ConvertOptions(
            column_types={str(number): pa.string() for number in range(columns)},
            null_values=[],
            strings_can_be_null=False,
        ),
    )
    return [column.combine_chunks() for column in table.columns] if table.num_rows == len(ends) else None


def _inside_quotes(data: Bytes, ends: npt.NDArray[np.int64], *, delimiter: int) -> npt.NDArray[np.bool_] | None:
    """Which bytes are between quotation marks; ``None`` where these stand anywhere else than around cells."""
    marks = data == _QUOTE
    # Whether the number of marks so far is odd; it may run over, which keeps that.
    inside = (np.cumsum(marks, dtype=np.uint8) & 1).astype(bool)
    if inside[ends].any():
        return None
    places = np.flatnonzero(marks)
    opening, closing = places[::2], places[1::2]
    before = data[np.maximum(opening - 1, 0)]
    begins = (before == delimiter) | (before == _NEWLINE) | (before == _QUOTE) | (opening == 0)
    after = data[closing + 1]  # the last byte is the end of a line
    finishes = (after == delimiter) | (after == _NEWLINE) | (after == _RETURN) | (after == _QUOTE)
    return inside if begins.all() and finishes.all() else None


def _are_as_many(
    between: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    *,
    columns: int,
    data: Bytes,
) -> bool:
    """Whether every line has as many cells as there are columns; a line with nothing in it has none."""
    if len(between) != len(ends) * (columns - 1):
        return False
    if columns == 1:
        return bool(((ends > starts) & (data[starts] != _RETURN)).all())
    each = between.reshape(len(ends), columns - 1)
    return bool((each[:, 0] >= starts).all() and (each[:, -1] < ends).all())
