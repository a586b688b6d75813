"""The grid of tiles: within the image, all of it covered, and read from a record only where it is one."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.errors import CollectionError
from radcbir_core.search.queries.region import STEPS, Box
from radcbir_core.search.queries.tile_grid import TILES, WHOLE, boxes_in, found_said, grid, place_said


@given(st.integers(100, STEPS), st.integers(1, 6), st.integers(0, STEPS - 1), st.integers(0, STEPS - 1))
def test_parts_lie_evenly_from_edge_to_edge(side, number, x, y) -> None:
    boxes = grid(side, number)
    assert len(boxes) == number**2
    assert all(box.right - box.left == box.bottom - box.top == side for box in boxes)
    lefts = [box.left for box in boxes[:number]]
    assert lefts[0] == 0
    if number > 1:
        assert boxes[-1].right == boxes[-1].bottom == STEPS
        gaps = [second - first for first, second in itertools.pairwise(lefts)]
        assert max(gaps) - min(gaps) <= 1
        # Where parts touch or overlap, every place of the image is in one.
        if max(gaps) <= side:
            assert any(box.left <= x < box.right and box.top <= y < box.bottom for box in boxes)


def test_the_whole_is_the_first_tile_and_every_place_is_in_a_part() -> None:
    assert TILES[0] == WHOLE
    assert len(set(TILES)) == len(TILES)
    for x in range(0, STEPS, 50):
        for y in range(0, STEPS, 50):
            assert any(box.left <= x < box.right and box.top <= y < box.bottom for box in TILES[1:])


def test_what_was_recorded_is_read() -> None:
    words = [box.word for box in TILES]
    assert boxes_in({"boxes": words, "failed": 0}, tiles=len(words)) == TILES


@pytest.mark.parametrize(
    ("facts", "tiles"),
    [
        ({}, 1),
        ({"boxes": "0,0,500,500"}, 1),
        ({"boxes": ["0,0,1000,1000"]}, 2),
        ({"boxes": ["0,0,500,2000"]}, 1),
        ({"boxes": [None]}, 1),
        ({"boxes": []}, 0),
        ({"boxes": ["0,0,500,500", "0,0,1000,1000"]}, 2),
        ({"boxes": ["0,0,500,500"] * 300}, 300),
    ],
)
def test_a_record_that_says_no_boxes_is_refused(facts, tiles) -> None:
    with pytest.raises(CollectionError, match=f"Expected the boxes of {tiles} regions in the encoder's record"):
        boxes_in(facts, tiles=tiles)


def test_places_are_said_in_words() -> None:
    said = [place_said(box) for box in grid(400, 3)]
    assert said == [
        *("upper left", "upper", "upper right"),
        *("left", "middle", "right"),
        *("lower left", "lower", "lower right"),
    ]
    assert found_said(Box(0, 0, 400, 400)) == "found here: upper left of the picture"
