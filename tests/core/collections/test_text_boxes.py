"""The table of where text was found: what is written is read, and what is no such table is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.collections import text_boxes
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.text_boxes import (
    MARK,
    NOTHING,
    TEXT,
    UNSEEN,
    BurnedText,
    TextBoxes,
    burned_text_of,
    detector_problems,
    keys_of,
    read_text_boxes,
    write_text_boxes,
)
from radcbir_core.errors import CollectionError
from radcbir_core.images.blackout import no_boxes

SIDE = st.integers(0, 1000)
BOX = st.tuples(SIDE, SIDE, SIDE, SIDE).map(
    lambda sides: [min(sides[0], sides[2]), min(sides[1], sides[3]), max(sides[0], sides[2]), max(sides[1], sides[3])]
)


@pytest.fixture
def manifest(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small").manifest


def boxes_of(rows) -> list[np.ndarray]:
    return [np.array(row, np.int16).reshape(-1, 4) if row else no_boxes() for row in rows]


@given(st.lists(st.tuples(st.sampled_from([UNSEEN, NOTHING, MARK, TEXT]), st.lists(BOX, max_size=3)), max_size=8))
def test_what_is_written_is_read(tmp_path_factory, rows) -> None:
    path = tmp_path_factory.mktemp("table") / "t.parquet"
    found = TextBoxes.of([state for state, _ in rows], boxes_of([boxes for _, boxes in rows]), detector="d 1")
    keys = np.arange(len(rows), dtype=np.uint64) * np.uint64(2**60 + 3)
    write_text_boxes(path, keys, found, images="abc")
    read, again, told = read_text_boxes(path)
    assert (read == keys).all()
    assert told == {"images": "abc", "detector": "d 1"}
    assert again.detector == "d 1"
    assert again.states.tolist() == [state for state, _ in rows]
    assert [again.boxes(row).tolist() for row in range(len(rows))] == [boxes for _, boxes in rows]


def test_rows_are_known_by_their_key_in_whatever_order(manifest, tmp_path) -> None:
    number = len(manifest)
    keys = keys_of(manifest)
    assert len(set(keys.tolist())) == number
    order = np.random.default_rng(0).permutation(number)[: number // 2]
    states = np.where(order % 3 == 0, TEXT, NOTHING)
    boxes = boxes_of([[[row, row, row + 1, row + 1]] if row % 3 == 0 else [] for row in order.tolist()])
    write_text_boxes(tmp_path / "t.parquet", keys[order], TextBoxes.of(states, boxes, detector="d"))
    found = burned_text_of(manifest, tmp_path / "t.parquet", images="other").found
    for row in range(number):
        known = row in order
        assert found.states[row] == ((TEXT if row % 3 == 0 else NOTHING) if known else UNSEEN)
        assert found.boxes(row).tolist() == ([[row, row, row + 1, row + 1]] if known and row % 3 == 0 else [])
    nothing = TextBoxes.none(0)
    write_text_boxes(tmp_path / "none.parquet", np.empty(0, np.uint64), nothing)
    assert burned_text_of(manifest, tmp_path / "none.parquet", images="other").unseen == number


def test_a_letter_alone_is_no_text_and_stays() -> None:
    boxes = boxes_of([[[0, 0, 9, 9]], [[0, 0, 9, 9], [20, 20, 30, 30]], [], []])
    found = TextBoxes.of([MARK, TEXT, NOTHING, UNSEEN], boxes, detector="d")
    burned = BurnedText(found, np.array([False, False, False, True]))
    assert burned.flagged.tolist() == [False, True, False, True]
    assert [len(burned.hidden(row)) for row in range(4)] == [0, 2, 0, 0]
    assert burned.said_of(1) == "found at 2 places"
    assert burned.said_of(3) == "its header says so, nobody has looked where"
    assert burned.codes().text(np.arange(4)) == ["a letter or mark", "seems burned in", "none found", "seems burned in"]


def test_of_very_many_the_first_are_listed_and_the_number_is_said(manifest, monkeypatch) -> None:
    monkeypatch.setattr(text_boxes, "MOST_LISTED", 10)
    number = len(manifest)
    found = TextBoxes.of([TEXT] * number, boxes_of([[[0, 0, 1, 1]]] * number), detector="d")
    problems = detector_problems(manifest, found)
    assert len(problems) == 11
    assert problems["image_id"][:10].tolist() == manifest.column("image_id")[:10].tolist()
    assert (
        problems["reason"][10]
        == f"Of {number} such images the first 10 are listed: filter by text_in_pixels to see all."
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"boxes": [[1, 2, 3]]}, "other numbers of sides than four"),
        ({"boxes": [[5, 5, 4, 9]]}, "boxes outside of their images"),
        ({"boxes": [[0, 0, 4, 1001]]}, "boxes outside of their images"),
        ({"boxes": [[-1, 0, 4, 9]]}, "boxes outside of their images"),
        ({"state": [9]}, "states that there are not"),
        ({"state": [None]}, "gaps"),
        ({"more": ["DOE"]}, "other columns"),
        ({"told": None}, "other columns"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path, change, why) -> None:
    told = change.pop("told", {"images": "", "detector": "d"})
    cells = {"key": [1], "state": [TEXT], "boxes": [[0, 0, 9, 9]]} | change
    types = {"key": pa.uint64(), "state": pa.int8(), "boxes": pa.list_(pa.int16())}
    table = pa.table({name: pa.array(values, types.get(name)) for name, values in cells.items()})
    path = tmp_path / "t.parquet"
    pq.write_table(table.replace_schema_metadata({"radcbir_text_boxes": json.dumps(told)}), path)
    with pytest.raises(
        CollectionError, match=f"Expected the table of where text was found, but .* is damaged: .*{why}"
    ):
        read_text_boxes(path)


def test_a_damaged_file_is_said_and_the_collection_opens(small_data, tmp_path, monkeypatch) -> None:

    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    open_collection("small").layout.text_boxes.write_bytes(b"PAR1 nothing")
    collection = open_collection("small")
    assert len(collection.manifest) == 61
    with pytest.raises(CollectionError, match="Look for text again, or remove it"):
        collection.burned_text()
