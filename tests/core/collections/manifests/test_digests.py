"""Digests of images and labels: what counts, and what does not."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.collections.manifests.digests import IMAGE_COLUMNS, column_digest, digests_of
from radcbir_core.collections.manifests.manifest import FRAME_COLUMN
from radcbir_core.storage import digest_of

words = st.text(alphabet="aé|,\n", max_size=3)
lists = st.lists(st.lists(words, max_size=3), max_size=8)


def by_hand(cells: list[str]) -> str:
    """The digest of a column of text, as its docstring says it."""
    raw = [cell.encode() for cell in cells]
    lengths = b"".join(len(cell).to_bytes(8, "little") for cell in raw)
    parts = (hashlib.sha256(part).digest() for part in (b"", lengths, b"".join(raw)))
    return digest_of(*parts)


def column(cells: list, kind: pa.DataType, cut: int = 0) -> pa.ChunkedArray:
    """A column in two chunks, the second a slice of a longer array."""
    whole = pa.array([*cells[:cut], *cells], kind)
    return pa.chunked_array([whole.slice(0, cut), whole.slice(2 * cut)], kind)


@given(st.lists(words, max_size=8), st.integers(0, 8))
def test_text_is_counted_cell_by_cell_whatever_the_chunks(cells, cut) -> None:
    expected = by_hand(cells)
    assert column_digest(column(cells, pa.string(), min(cut, len(cells)))) == expected
    assert column_digest(pa.chunked_array([pa.array(cells, pa.large_string())])) == expected
    assert column_digest(pa.chunked_array([pa.array(cells, pa.string()).dictionary_encode()])) == expected


@given(lists, lists)
def test_lists_are_alike_only_if_they_are(one, other) -> None:
    kind = pa.list_(pa.string())
    digests = [column_digest(pa.chunked_array([pa.array(cells, kind)])) for cells in (one, other)]
    assert (digests[0] == digests[1]) == (one == other)


@given(lists, st.integers(0, 8))
def test_lists_in_chunks(cells, cut) -> None:
    kind = pa.list_(pa.string())
    assert column_digest(column(cells, kind, min(cut, len(cells)))) == column_digest(column(cells, kind))


@given(st.lists(words, min_size=1, max_size=8), st.lists(words, min_size=1, max_size=8))
def test_two_columns_are_alike_only_if_they_are(one, other) -> None:
    assert (column_digest(column(one, pa.string())) == column_digest(column(other, pa.string()))) == (one == other)


def test_nothing_and_the_empty_word_are_the_same() -> None:
    assert column_digest(column([None, "a"], pa.string())) == column_digest(column(["", "a"], pa.string()))
    assert column_digest(column([None, 12], pa.int32())) == column_digest(column(["", "12"], pa.string()))
    kind = pa.list_(pa.string())
    assert column_digest(column([None, ["a"]], kind)) == column_digest(column([[], ["a"]], kind))


def table(**changed: list) -> pa.Table:
    cells = {
        "image_id": ["a", "b", "c"],
        "path": ["1.png", "2.png", "3.png"],
        "sha256": ["x", "y", "z"],
        "view": ["PA", "", "AP"],
        "pathologies": [["nodule"], [], ["normal"]],
        "width": [1, 2, None],
    }
    return pa.table(cells | changed)


@pytest.mark.parametrize("name", ["image_id", "path", "sha256"])
def test_other_images_are_other_images_and_labels_stay(name) -> None:
    before, after = digests_of(table()), digests_of(table(**{name: ["1", "2", "other"]}))
    assert before.images != after.images
    assert before.labels == after.labels
    assert before.all_labels == after.all_labels


@pytest.mark.parametrize(
    ("name", "cells"),
    [("view", ["PA", "AP", "AP"]), ("pathologies", [["nodule"], ["normal"], []]), ("width", [1, 2, 3])],
)
def test_other_labels_are_told_by_their_column(name, cells) -> None:
    before, after = digests_of(table()), digests_of(table(**{name: cells}))
    assert before.images == after.images
    assert {column for column in before.labels if before.labels[column] != after.labels[column]} == {name}
    assert before.all_labels != after.all_labels


def test_rows_in_another_order_are_other_images() -> None:
    assert digests_of(table()).images != digests_of(table().take([1, 0, 2])).images


def test_frames_are_images_and_none_are_as_no_column() -> None:
    frames = table(**{FRAME_COLUMN: ["", "", ""]})
    assert digests_of(frames).images == digests_of(table()).images
    assert digests_of(table(**{FRAME_COLUMN: ["0", "1", ""]})).images != digests_of(table()).images
    assert FRAME_COLUMN not in digests_of(frames).labels
    assert not set(IMAGE_COLUMNS) & set(digests_of(table()).labels)


def test_the_order_of_columns_does_not_count() -> None:
    turned = table().select(table().column_names[::-1])
    assert digests_of(turned).images == digests_of(table()).images
    assert digests_of(turned).all_labels == digests_of(table()).all_labels


@settings(max_examples=10, deadline=None)
@given(rows=st.integers(0, 40), group=st.integers(1, 7))
def test_what_parquet_makes_of_it_does_not_count(rows, group, tmp_path_factory) -> None:
    cells = {"image_id": [f"id{i}" for i in range(rows)], "path": ["p"] * rows, "sha256": [""] * rows}
    made = pa.table({name: pa.array(column, pa.string()) for name, column in cells.items()})
    path = tmp_path_factory.mktemp("digests") / "m.parquet"
    pq.write_table(made, path, row_group_size=group)
    assert json.dumps(digests_of(pq.read_table(path))) == json.dumps(digests_of(made))
