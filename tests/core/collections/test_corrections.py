"""The history of corrections, and writing them in one step; see also importers/test_relabeling.py."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.corrections import (
    COLUMNS,
    corrected_cells,
    history_of,
    read_corrections,
    replaced,
    write_correction,
)
from radcbir_core.errors import CollectionError

CELL = {"image_id": ["a"], "column": ["view"], "from": ["P\rA\r\n"], "to": ["AP, \n|"]}


def write(name: str, cells=CELL, **columns) -> None:
    """Write a correction; ``columns`` are whole columns of the manifest."""
    collection = open_collection(name)
    table = collection.manifest.table
    for column, values in columns.items():
        table = table.set_column(table.column_names.index(column), column, pa.array(values, pa.string()))
    write_correction(collection, table, history_of(cells, source="t.csv", when=datetime(2026, 1, 2, tzinfo=UTC)))


def test_nothing_was_corrected_yet(copied) -> None:
    assert corrected_cells(copied) == 0
    assert list(read_corrections(copied).columns) == list(COLUMNS)


def test_cells_are_kept_word_for_word(copied) -> None:
    write("small", view=["AP"] * 61)
    write("small", view=["PA"] * 61)
    collection = open_collection("small")
    assert corrected_cells(collection) == 2
    row = ["2026-01-02T00:00:00+00:00", "", "t.csv", "a", "view", "P\rA\r\n", "AP, \n|"]
    assert read_corrections(collection).values.tolist() == [row, row]


def test_what_a_killed_correction_left_goes_with_the_next(copied) -> None:
    left = [copied.folder / ".partial-1-manifest-0.parquet", copied.folder / ".partial-1-corrections.csv"]
    of_others = copied.folder / "encoders" / ".partial-1-table.parquet"
    for path in (*left, of_others):
        path.touch()
    write("small", view=["AP"] * 61)
    assert not any(path.exists() for path in left)
    assert of_others.exists()


def test_other_images_are_no_correction(copied) -> None:
    with pytest.raises(CollectionError, match="Expected the same images in the same order"):
        write("small", sha256=["0"] * 61)
    assert open_collection("small").digest == copied.digest


@pytest.mark.parametrize("damage", [b"", b"when,by\n1,2\n", b"\xff\xfe"])
def test_a_damaged_history_is_said_and_not_overwritten(copied, damage) -> None:
    write("small", view=["AP"] * 61)
    path = copied.layout.corrections
    path.write_bytes(damage)
    collection = open_collection("small")
    with pytest.raises(CollectionError, match="Expected the history of 1 corrections"):
        read_corrections(collection)
    with pytest.raises(CollectionError, match="Expected the history of 1 corrections"):
        write("small", view=["PA"] * 61)
    assert path.read_bytes() == damage
    assert len(open_collection("small").manifest) == 61


@given(
    st.lists(st.lists(st.text("ab", max_size=2), max_size=4), max_size=3),
    st.dictionaries(st.integers(0, 11), st.text("yz", max_size=2), max_size=4),
)
def test_replacing_cells_is_replacing_them_in_a_list(chunks, changes) -> None:
    column = pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks], pa.string())
    expected = [word for chunk in chunks for word in chunk]
    changes = {row: word for row, word in changes.items() if row < len(expected)}
    for row, word in changes.items():
        expected[row] = word
    rows = np.array(list(changes), dtype=np.int64)
    assert replaced(column, rows, pa.array(changes.values(), pa.string())).to_pylist() == expected
