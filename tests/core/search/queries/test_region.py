"""Regions against slices written out pixel by pixel, and as queries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import QueryError
from radcbir_core.search.queries.composed import ComposedQuery, Part
from radcbir_core.search.queries.query import ChangedQuery, ImageQuery, RowQuery
from radcbir_core.search.queries.region import LEAST_STEPS, STEPS, Box, region_query
from radcbir_core.search.retriever import Retriever

sides = st.tuples(st.integers(0, STEPS), st.integers(0, STEPS)).filter(lambda pair: pair[1] - pair[0] >= LEAST_STEPS)


@given(sides, sides, st.integers(8, 70), st.integers(8, 70))
def test_it_is_the_pixels_that_the_box_touches(across, down, height, width) -> None:
    box = Box(across[0], down[0], across[1], down[1])
    pixels = np.arange(height * width, dtype=np.uint16).reshape(height, width)
    inside = [
        [
            (column + 1) * STEPS > across[0] * width
            and column * STEPS < across[1] * width
            and (row + 1) * STEPS > down[0] * height
            and row * STEPS < down[1] * height
            for column in range(width)
        ]
        for row in range(height)
    ]
    touched = np.array(inside)
    rows, columns = touched.any(axis=1), touched.any(axis=0)
    if min(rows.sum(), columns.sum()) < 8:
        with pytest.raises(QueryError, match="at least 8 × 8 pixels, but it has"):
            box.cut(pixels)
        return
    np.testing.assert_array_equal(box.cut(pixels), pixels[rows][:, columns])
    colored = np.repeat(pixels[..., None], 3, axis=2)
    np.testing.assert_array_equal(box.cut(colored)[..., 1], pixels[rows][:, columns])
    assert Box.of(box.word) == box


@pytest.mark.parametrize("word", ["", "1,2,3", "a,b,c,d", "0,0,1.5,2", "0,0,500,500,500"])
def test_what_is_no_region_is_said(word) -> None:
    with pytest.raises(QueryError, match="Expected a region as left,top,right,bottom"):
        Box.of(word)


@pytest.mark.parametrize("word", ["-1,0,500,500", "0,0,1001,500", "500,0,400,500", "0,10,500,25"])
def test_a_region_lies_within_and_is_large_enough(word) -> None:
    with pytest.raises(QueryError, match="Expected a region within 0 to 1000 of at least 20 from"):
        Box.of(word)


@pytest.fixture
def small(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small")


def test_alone_it_is_an_image_of_its_own_that_leaves_out_what_the_whole_does(small) -> None:
    retriever = Retriever(small, "pixels")
    pixels = small.read_image(0).pixels
    box = Box(250, 0, 1000, 500)
    height, width = pixels.shape[:2]
    query = region_query(box, pixels, RowQuery((0,)))
    assert isinstance(query, ChangedQuery)
    found = retriever.search(query, k=61, exclude=["patient"])
    part = pixels[: -(-height // 2), width // 4 :]
    expected = retriever.search(ImageQuery(part), k=61).rows().tolist()
    allowed = set(retriever.search(0, k=61, exclude=["patient"]).rows().tolist())
    assert found.rows().tolist() == [row for row in expected if row in allowed]
    assert found.measure == "similarity"


def test_with_the_whole_it_is_the_sum_of_both(small) -> None:
    retriever = Retriever(small, "pixels")
    pixels = small.read_image(0).pixels
    box = Box(250, 0, 1000, 500)
    both = region_query(box, pixels, RowQuery((0,)), whole=0.5)
    parts = (Part(ChangedQuery(box.cut(pixels), RowQuery((0,)))), Part(RowQuery((0,)), 0.5))
    np.testing.assert_array_equal(retriever.embed(both).vectors, retriever.embed(ComposedQuery(parts)).vectors)
    changed = ChangedQuery(255 - pixels, RowQuery((0,)))
    of_changed = region_query(box, changed.pixels, changed)
    assert isinstance(of_changed, ChangedQuery)
    assert of_changed.original == RowQuery((0,))
    np.testing.assert_array_equal(of_changed.pixels, 255 - box.cut(pixels))
