"""Which vector belongs to which row; and over what a collection has already."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.errors import ManifestError
from radcbir_core.importers.vectors.matching import complete, match
from radcbir_core.importers.vectors.table_rows import TableRows, problems_table


class Vectors:
    """A file of vectors of which only the names count here."""

    def __init__(self, name: str, keys: list[str] | None, count: int | None = None) -> None:
        self.path, self.keys = Path(name), keys
        self.count = len(keys or []) if count is None else count
        self.dimension, self.dtype = 2, np.dtype(np.float32)

    def __len__(self) -> int:
        return self.count

    def read(self, places):
        raise AssertionError("matching reads no vector")


def table(name: str, paths: list[str], *, ids: list[str] | None = None, positions=None, bad: tuple[str, ...] = ()):
    places = np.arange(len(paths)) if positions is None else np.array(positions)
    return TableRows(
        origin=Path(name),
        table=pa.table(
            {"image_id": ids or paths, "path": paths}, schema=pa.schema([("image_id", "string"), ("path", "string")])
        ),
        lines=places + 2,
        positions=places,
        total=len(paths) + len(bad),
        problems=problems_table(Path(name), lines=[9] * len(bad), paths=bad, reasons="Bad row."),
        changes=Counter(),
    )


def joined(matched) -> dict[str, tuple[int, int]]:
    paths = matched.table["path"].to_pylist()
    return dict(zip(paths, zip(matched.files.tolist(), matched.places.tolist(), strict=True), strict=True))


def problems(matched) -> list[tuple[str, str, str]]:
    return [tuple(row) for row in matched.problems[["source", "path", "reason"]].values.tolist()]


def test_by_name_over_several_files_and_tables() -> None:
    vectors = [Vectors("0.h5", ["b", "d"]), Vectors("1.h5", ["a", "e", "c"])]
    matched = match([table("0.csv", ["a", "b"]), table("1.csv", ["c", "d", "e"])], vectors)
    assert joined(matched) == {"a": (1, 0), "b": (0, 0), "c": (1, 2), "d": (0, 1), "e": (1, 1)}
    assert matched.table["path"].to_pylist() == list("abcde"), "the rows keep the tables' order"
    assert problems(matched) == []


def test_the_path_goes_before_the_image_id() -> None:
    matched = match([table("t", ["a", "b"], ids=["b", "x"])], [Vectors("v", ["b", "a", "x"])])
    assert joined(matched) == {"a": (0, 1), "b": (0, 0)}
    matched = match([table("t", ["images/1.png"], ids=["one"])], [Vectors("v", ["one"])])
    assert joined(matched) == {"images/1.png": (0, 0)}


def test_what_is_left_out_is_said_once() -> None:
    tables = [table("t", ["a", "a", "gone"], bad=("spoilt",)), table("u", ["lost"])]
    matched = match(tables, [Vectors("v", ["a", "spoilt", "alone"])])
    assert joined(matched) == {"a": (0, 0)}
    assert problems(matched) == [
        ("t", "spoilt", "Bad row."),
        ("v", "alone", "Expected a row for every vector, but no table has one of this name."),
        ("t", "a", "Expected one row an image, but this one stands on an earlier line too."),
        ("t", "gone", "Expected a vector for every row, but none of the files has one of this name."),
        ("u", "lost", "Expected a vector for every row, but none of the files has one of this name."),
    ]


def test_by_order_where_one_file_has_no_names() -> None:
    tables = [table("t", ["a", "c"], positions=[0, 2], bad=("b",)), table("u", ["d"])]
    matched = match(tables, [Vectors("0.npy", None, 3), Vectors("1.h5", ["another name"])])
    assert joined(matched) == {"a": (0, 0), "c": (0, 2), "d": (1, 0)}


@pytest.mark.parametrize(
    ("tables", "vectors", "message"),
    [
        ([table("t", ["a"])], [Vectors("v", ["a", "b"]), Vectors("w", ["c", "b"])], "but b is in v and again in w."),
        ([table("t", ["a"])], [Vectors("v", ["a", "a"])], "but a is in v and again in v. Give each vector once."),
        ([table("t", ["a"])], [Vectors("v", ["b"])], "none does: the first row is 'a', the first vector 'b'."),
        ([table("t", [])], [Vectors("v", ["b"])], "the first row is 'no usable row', the first vector 'b'."),
        ([table("t", ["a"])], [Vectors("v", None, 2)], "but t has 1 row and v 2 vectors without names."),
        ([table("t", ["a"])], [Vectors("v", None, 1), Vectors("w", None, 1)], "those given are 2 files and 1 table."),
    ],
)
def test_what_does_not_belong_together(tables, vectors, message) -> None:
    with pytest.raises(ManifestError) as caught:
        match(tables, vectors)
    assert message in str(caught.value)


@given(st.permutations(list("abcdefgh")), st.permutations(list("abcdefgh")), st.integers(0, 8))
def test_each_row_gets_the_vector_of_its_name(rows, names, cut) -> None:
    files = [Vectors("0", list(names[:cut])), Vectors("1", list(names[cut:]))]
    for path, (file, place) in joined(match([table("t", list(rows))], files)).items():
        assert files[file].keys[place] == path


def test_only_what_a_mask_keeps() -> None:
    matched = match([table("t", list("abc"))], [Vectors("v", list("cba"))])
    assert joined(matched.only(np.array([True, False, True]))) == {"a": (0, 2), "c": (0, 0)}


def test_a_manifest_of_what_tables_tell() -> None:
    from radcbir_core.collections.manifests.manifest import COLUMNS, TEXT_COLUMNS

    columns = {name: ["x", "y"] for name in TEXT_COLUMNS} | {"pathologies": [["a"], []], "age": [1, None]}
    whole = complete(pa.table(columns))
    assert whole.column_names == [*COLUMNS, "age"]
    assert whole["age"].to_pylist() == ["1", ""], "further columns are text, and never null"
    assert whole["width"].to_pylist() == [None, None]
    assert whole["duplicate_group"].to_pylist() == [-1, -1]
