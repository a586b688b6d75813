"""Columns of a file are those of the table that was written, whichever are asked for first."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.collections.manifests.manifest_columns import ColumnsInFile, ColumnsInMemory
from radcbir_core.errors import CollectionError
from radcbir_core.storage import digest_file

TABLE = pa.table(
    {
        "name": pa.array(["b", None, "a", "b", "", "é"]),
        "large": pa.array(["x", "y", None, "x", "x", "z"], pa.large_string()),
        "size": pa.array([3, 1, None, 2, 2, 9], pa.int32()),
        "findings": pa.array([["m"], [], None, ["m", "n"], [""], []], pa.list_(pa.string())),
        "with.dot": [*"uvwxyz"],
    }
)


def written(folder: Path, table: pa.Table = TABLE, **how: object) -> Path:
    path = folder / "manifest.parquet"
    pq.write_table(table, path, **how)
    return path


def decoded(encoded: pa.DictionaryArray) -> list[str | None]:
    return encoded.cast(pa.string()).to_pylist()


@pytest.mark.parametrize("rows_in_a_group", [1, 4, 100])
@pytest.mark.parametrize("before", [[], ["name"], ["name", "large", "size"], None])
def test_they_are_those_of_the_table_whatever_was_asked_before(tmp_path, rows_in_a_group, before) -> None:
    columns, memory = ColumnsInFile(written(tmp_path, row_group_size=rows_in_a_group)), ColumnsInMemory(TABLE)
    if before is None or before:
        columns.table(before)
    assert (columns.number, columns.schema.names) == (memory.number, TABLE.column_names)
    for name in TABLE.column_names:
        assert columns.first(name, 2).to_pylist() == TABLE.column(name).to_pylist()[:2]
    for row in range(6):
        expected = TABLE.select(["findings", "name", "size"]).slice(row, 1).to_pylist()[0]
        assert columns.row(row, ["findings", "name", "size"]) == expected == memory.row(row, list(expected))
        assert list(columns.row(row, ["size", "name"])) == ["size", "name"]
    for name in ("name", "large", "size"):
        for one in (columns.encoded(name), memory.encoded(name)):
            assert decoded(one) == TABLE.column(name).cast(pa.string()).to_pylist()
            assert len(set(one.dictionary.to_pylist())) == len(one.dictionary)
    for name in TABLE.column_names:
        assert columns.column(name).equals(TABLE.column(name))
        assert columns.column(name).num_chunks == 1
    assert columns.table(["size", "name"]).equals(TABLE.select(["size", "name"]))
    assert columns.table().equals(TABLE)
    assert columns.first("name", 3).to_pylist() == ["b", None, "a"]


@settings(deadline=None, max_examples=40)
@given(words=st.lists(st.one_of(st.none(), st.text(max_size=2)), max_size=30), group=st.integers(1, 9))
def test_values_are_numbered_as_they_are(tmp_path_factory, words, group) -> None:
    table = pa.table({"word": pa.array(words, pa.string())})
    encoded = ColumnsInFile(written(tmp_path_factory.mktemp("t"), table, row_group_size=group)).encoded("word")
    assert decoded(encoded) == words
    assert sorted(encoded.dictionary.to_pylist()) == sorted({word for word in words if word is not None})


def test_only_what_is_asked_for_is_read(tmp_path, monkeypatch) -> None:
    columns, asked = ColumnsInFile(written(tmp_path)), []
    read = pq.ParquetFile.read
    monkeypatch.setattr(
        pq.ParquetFile, "read", lambda file, columns=None: asked.append(columns) or read(file, columns=columns)
    )
    for _ in range(3):
        columns.column("size")
        columns.table(["size", "name"])
        columns.encoded("name")
    assert asked == [["size"], ["name"]]


def test_for_one_row_one_part_of_the_file_is_read(tmp_path, monkeypatch) -> None:
    columns, asked = ColumnsInFile(written(tmp_path, row_group_size=2)), []
    read = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda file, group, columns: asked.append((group, columns)) or read(file, group, columns=columns),
    )
    columns.column("name")
    assert columns.row(3, ["name", "size"]) == {"name": "b", "size": 2}
    assert columns.row(0, ["name"]) == {"name": "b"}
    for _ in range(3):
        columns.row(3, ["name", "size"])["name"] = "changed"
    assert columns.row(3, ["name", "size"]) == {"name": "b", "size": 2}
    assert asked == [(1, ["size"])]
    with pytest.raises(CollectionError, match="damaged"):
        columns.row(6, ["size"])


def test_who_asks_for_many_rows_of_a_file_in_large_parts_has_it_read_whole(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("radcbir_core.collections.manifests.manifest_columns._LARGE_PART", 2)
    read, asked = pq.ParquetFile.read_row_group, []
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda file, group, columns: asked.append(group) or read(file, group, columns=columns),
    )
    for rows_in_a_group, parts in ((3, 5), (2, 6)):
        columns = ColumnsInFile(written(tmp_path, row_group_size=rows_in_a_group))
        asked.clear()
        for _ in range(2):
            for row in range(6):
                assert columns.row(row, ["size"]) == {"size": TABLE.column("size")[row].as_py()}
        assert len(asked) == parts


def test_an_empty_table_has_its_columns(tmp_path) -> None:
    columns = ColumnsInFile(written(tmp_path, TABLE.slice(0, 0)))
    assert (columns.number, len(columns.encoded("name")), len(columns.first("size", 5))) == (0, 0, 0)
    assert columns.table().equals(TABLE.slice(0, 0))


def test_columns_are_of_the_file_that_was_opened_whatever_takes_its_name(tmp_path) -> None:
    path = written(tmp_path)
    columns = ColumnsInFile(path)
    assert columns.digest == digest_file(path)
    (tmp_path / "other").mkdir()
    written(tmp_path / "other", TABLE.slice(2)).replace(path)
    assert columns.column("name").equals(TABLE.column("name"))
    shutil.rmtree(tmp_path)
    assert columns.encoded("large").cast(pa.large_string()).to_pylist() == TABLE.column("large").to_pylist()


def test_a_value_that_another_writer_has_named_twice_or_never_used_is_numbered_once(tmp_path, monkeypatch) -> None:
    """Who writes dictionaries of their own may do so; codes are of the values that are there."""
    columns = ColumnsInFile(written(tmp_path))
    odd = pa.DictionaryArray.from_arrays(pa.array([0, None, 1, 2, 3, 4]), pa.array(["b", "a", "b", "", "é", "never"]))
    read = pq.ParquetFile.read

    def of_another_writer(file: pq.ParquetFile, columns: list[str]) -> pa.Table:
        return pa.table({"name": odd}) if columns == ["name"] else read(file, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read", of_another_writer)
    encoded = columns.encoded("name")
    assert decoded(encoded) == TABLE.column("name").to_pylist()
    assert sorted(encoded.dictionary.to_pylist()) == ["", "a", "b", "é"]


def test_a_file_that_cannot_be_read_is_named(tmp_path) -> None:
    with pytest.raises(CollectionError, match=r"manifest\.parquet is missing or damaged"):
        ColumnsInFile(tmp_path / "manifest.parquet")
    path = written(tmp_path, pa.table({"id": np.arange(20_000), "word": ["w"] * 20_000}), compression="none")
    whole = path.read_bytes()
    path.write_bytes(whole[:40] + bytes(len(whole) - 40 - 2000) + whole[-2000:])
    columns = ColumnsInFile(path)
    for ask in (lambda: columns.column("id"), columns.table, lambda: columns.first("id", 9)):
        with pytest.raises(CollectionError, match=r"manifest\.parquet is missing or damaged\. Import"):
            ask()
    path.write_bytes(whole)
    columns = ColumnsInFile(path)
    with path.open("r+b") as file:
        file.truncate(100)
    with pytest.raises(CollectionError, match="damaged"):
        columns.column("id")
