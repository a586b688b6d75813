"""JSON and arrays that anybody may have changed: one error with a reason, whatever it is."""

from __future__ import annotations

import json
import pickle
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from radcbir_core.checked_files import has_odd_numbers, lies_elsewhere, map_array, parse_json


def test_json_that_is_as_it_should_be() -> None:
    value = {"a": [1, 2.5, None, True, "text", {"b": {}}], "c": []}
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("\x00", "Expecting value"),
        ("[" * 100_000 + "]" * 100_000, "nested too deep"),
        ('{"a":' * 100 + "1" + "}" * 100, "nested too deep"),
        ("1" * (sys.get_int_max_str_digits() + 1), "integer string conversion"),
        ('{"a": {"b": 1, "c": 2, "b": 1}}', "the key 'b' stands there twice"),
        (b"\xff\xfe\xfd", "codec can't decode"),
    ],
    ids=range(8),
)
def test_json_that_is_not_is_one_kind_of_error(text, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_json(text)


def test_the_deepest_json() -> None:
    assert parse_json("[" * 64 + "]" * 64)
    with pytest.raises(ValueError, match="nested too deep"):
        parse_json("[" * 65 + "]" * 65)


def test_odd_numbers_are_seen_at_any_depth() -> None:
    assert not has_odd_numbers({"a": [0, -(2**62), 1e308, True, None, "NaN"]})
    for text in ("NaN", "-Infinity", "1e400", str(2**64), str(-(2**64))):
        assert has_odd_numbers(parse_json(f'{{"a": [{{"b": {text}}}]}}'))


def header(text: str) -> bytes:
    padded = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


ODD = {
    "nothing.npy": (b"", "missing or damaged"),
    "cut.npy": (header("{'descr': '<f2', 'fortran_order': False, 'shape': (9, 9), }"), "missing or damaged"),
    "longer.npy": (header("{'descr': '<f2', 'fortran_order': False, 'shape': (1, 1), }") + b"123", "bytes, and its"),
    "fortran.npy": (
        header("{'descr': '<f2', 'fortran_order': True, 'shape': (2, 2), }") + bytes(8),
        "Fortran's order",
    ),
    "swapped.npy": (header("{'descr': '>f2', 'fortran_order': False, 'shape': (2, 2), }") + bytes(8), "type is >f2"),
    "text.npy": (header("{'descr': '<U2', 'fortran_order': False, 'shape': (1, 1), }") + bytes(8), "type is <U2"),
    "objects.npy": (header("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }") + bytes(8), "damaged"),
    "record.npy": (
        header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 1), }") + bytes(4),
        "type is",
    ),
    "negative.npy": (header("{'descr': '<f2', 'fortran_order': False, 'shape': (-1, 2), }") + bytes(8), "damaged"),
    "huge.npy": (header(f"{{'descr': '<f2', 'fortran_order': False, 'shape': ({10**30},), }}"), "damaged"),
    "deep.npy": (header("-" * 117), "damaged"),
    "brackets.npy": (header("(" * 117), "damaged"),
    "no_keys.npy": (header("{'descr': '<f2'}"), "damaged"),
    "descr.npy": (header("{'descr': 7, 'fortran_order': False, 'shape': (1, 1), }"), "damaged"),
    "version.npy": (b"\x93NUMPY\x07\x00" + bytes(200), "damaged"),
    "pickle.npy": (pickle.dumps({"a": 1}), "damaged"),
    "archive.npy": (b"PK\x03\x04" + bytes(200), "damaged"),
}


@pytest.mark.parametrize("name", ODD)
def test_arrays_that_are_not_as_they_should_be(tmp_path, name) -> None:
    content, reason = ODD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        map_array(tmp_path / name)


def test_arrays_as_they_are_written(tmp_path) -> None:
    for array in (np.zeros((0, 3), np.float16), np.arange(6, dtype=np.int32).reshape(2, 3), np.arange(3)):
        np.save(tmp_path / "a.npy", array)
        mapped = map_array(tmp_path / "a.npy")
        np.testing.assert_array_equal(mapped, array)
        assert not mapped.flags.writeable
    with pytest.raises(ValueError, match="missing"):
        map_array(tmp_path / "none.npy")


def test_columns_of_parquet_that_lie_in_another_file_are_noticed(tmp_path) -> None:
    collected: list[pq.FileMetaData] = []
    table = pa.table({"path": ["a.png"] * 9, "label": ["x"] * 9})
    pq.write_table(table, tmp_path / "whole.parquet", metadata_collector=collected, row_group_size=4)
    assert not lies_elsewhere(pq.read_metadata(tmp_path / "whole.parquet"))
    collected[0].set_file_path("whole.parquet")
    pq.write_metadata(table.schema, tmp_path / "_metadata.parquet", metadata_collector=collected)
    assert lies_elsewhere(pq.read_metadata(tmp_path / "_metadata.parquet"))
