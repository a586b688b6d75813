"""Plain lines are read at once, with what Python's csv module makes of them; all others are told from them."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.importers.rows.plain_cells import plain_cells


def by_csv(text: str, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='ab",;\n\r\t é\x1c\x85', max_size=40), st.integers(1, 4), st.sampled_from(",;\t"))
def test_what_is_plain_is_what_csv_makes_of_it(text, columns, delimiter) -> None:
    if not text:
        return
    cells = plain_cells(text.encode(), columns=columns, delimiter=delimiter)
    if cells is not None:
        rows = by_csv(text, delimiter)
        assert [list(row) for row in zip(*(column.to_pylist() for column in cells), strict=True)] == rows
        assert {len(row) for row in rows} == {columns}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.text(alphabet='ab",; é', max_size=5), min_size=2, max_size=2), min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_programs_write_is_plain(rows, end) -> None:
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
        written = io.StringIO(newline="")
        csv.writer(written, lineterminator=end, quoting=quoting).writerows(rows)
        cells = plain_cells(written.getvalue().encode(), columns=2, delimiter=",")
        assert cells is not None
        assert [list(row) for row in zip(*(column.to_pylist() for column in cells), strict=True)] == rows


@pytest.mark.parametrize(
    "text",
    [
        "a,b\nc\n",
        "a\nb,c,d\n",
        "a,b\n\n",
        'a,"b\nc"\n',
        'a,b"c\n',
        'a,"b" \n',
        'a, "b"\n',
        'a,"b\n',
        "a,b\rc,d\n",
        "a,\x00\n",
        "a," + 140_000 * "b" + "\n",
    ],
)
def test_what_is_not_plain(text) -> None:
    assert plain_cells(text.encode(), columns=2, delimiter=",") is None


def test_one_column_and_no_end_of_the_last_line() -> None:
    assert plain_cells(b"a\nb", columns=1, delimiter=",")[0].to_pylist() == ["a", "b"]
    assert plain_cells(b"a\r\n\r\nb", columns=1, delimiter=",") is None
    assert plain_cells(b'""\n', columns=1, delimiter=",")[0].to_pylist() == [""]


def test_other_bytes_than_utf8() -> None:
    with pytest.raises(pa.ArrowInvalid):
        plain_cells(b"a,\xff\n", columns=2, delimiter=",")
