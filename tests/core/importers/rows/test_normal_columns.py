"""Whole columns say what their rows say one by one: the same cells, changes in the same order, and spellings."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.importers.rows.identifiers import IDENTIFIERS
from radcbir_core.importers.rows.normal_columns import normal_columns
from radcbir_core.importers.rows.normalizing import Changes, normalize_row

WORDS = [
    *("", " ", "X-ray", "xr ", "MRI", "unknown", "Unknown", "-", "n/a", "Training", "val", "Chest", "chest", "a\x1fb"),
    *(
        "No Finding|mass",
        "['a', 'b']",
        "[a]",
        "multiple",
        "Multiple",
        "mass|mass",
        "(a)",
        "unknown|mass",
        "ÉDEMA\u3000",
    ),
    *("12", "12.0", "1.2E+01", "1.23457E+11", "007", "p7", '="12"', "'12", "١٢", "P-7 ", "None", "none", "é"),
]
COLUMNS = [
    *("path", "image_id", "dataset", "split", "split_hint", "modality", "anatomy", "pathology", "pathologies"),
    *("labels_all", *IDENTIFIERS, "caption", "view", "width", "height", "x", "y", "age", "sha256", "duplicate_group"),
]


@st.composite
def tables(draw) -> tuple[list[str], list[dict[str, str]]]:
    columns = draw(st.lists(st.sampled_from(COLUMNS[1:]), unique=True, max_size=8))
    columns.insert(draw(st.integers(0, len(columns))), "path")
    cell = st.sampled_from(WORDS)
    rows = draw(st.lists(st.tuples(*(cell for _ in columns)), min_size=1, max_size=8))
    return columns, [dict(zip(columns, row, strict=True)) for row in rows]


def told(changes: Changes) -> tuple[list, list[list[str]]]:
    images = {"12": "a", "007": "b", "7": "c"}
    return changes.rows(), [changes.spellings.notes(column, images) for column in IDENTIFIERS]


@settings(max_examples=120, deadline=None)
@given(tables(), st.integers(0, 8))
def test_columns_say_what_rows_say(table, cut) -> None:
    columns, rows = table
    by_row, by_column = Changes(), Changes()
    expected = [normalize_row(row, dataset="site", changes=by_row) for row in rows]
    parts = []
    for part in (rows[:cut], rows[cut:]):
        arrays = {name: pa.array([row[name] for row in part], pa.string()) for name in columns}
        normal = normal_columns(arrays, dataset="site", changes=by_column)
        parts.append(pa.table(normal))
    result = pa.concat_tables(parts)
    assert result.column_names == list(expected[0])
    assert result.to_pylist() == expected
    assert told(by_column) == told(by_row)


def test_a_slice_of_columns() -> None:
    """Arrow may hand on a part of an array, whose bytes begin somewhere in it."""
    whole = {"path": pa.array(["x", " a ", "b"]), "caption": pa.array(["x", "", " c"])}
    normal = normal_columns({name: column[1:] for name, column in whole.items()}, dataset="s", changes=Changes())
    assert (normal["path"].to_pylist(), normal["caption"].to_pylist()) == (["a", "b"], ["", "c"])
    assert normal["image_id"].to_pylist() == ["s/a", "s/b"]


def test_without_paths_there_are_no_rows() -> None:
    with pytest.raises(KeyError):
        normal_columns({}, dataset="s", changes=Changes())
