"""What is text, what is a mark, and how boxes are rounded."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.burned_text.text_rule import (
    LARGEST_HEIGHT,
    LEAST_SURE,
    LEAST_SURE_OF_A_MARK,
    LEAST_SURE_OF_TWO,
    LEAST_SYMBOLS,
    Place,
    judged,
)
from radcbir_core.collections.text_boxes import MARK, NOTHING, TEXT

LINE = Place((0.1, 0.9, 0.4, 0.95), height=0.05, long=6, symbols=8, sure=0.95)


def one(**changes):
    fields = {
        "box": LINE.box,
        "height": LINE.height,
        "long": LINE.long,
        "symbols": LINE.symbols,
        "sure": LINE.sure,
    } | changes
    return Place(**fields)


def test_a_line_is_text_a_letter_a_mark_and_a_streak_nothing() -> None:
    assert judged([])[0] == NOTHING
    assert judged([one()])[0] == TEXT
    assert judged([one(symbols=LEAST_SYMBOLS - 1)])[0] == MARK
    assert judged([one(symbols=0, sure=0.0)])[0] == NOTHING
    assert judged([one(sure=LEAST_SURE - 0.01)])[0] == MARK
    assert judged([one(sure=LEAST_SURE_OF_A_MARK - 0.01)])[0] == NOTHING
    assert judged([one(height=LARGEST_HEIGHT + 0.01)])[0] == NOTHING
    assert judged([one(symbols=2, sure=LEAST_SURE_OF_TWO)])[0] == TEXT
    assert judged([one(symbols=2, sure=LEAST_SURE_OF_TWO - 0.01)])[0] == MARK
    assert judged([one(symbols=8, long=1.0)])[0] == MARK


def test_of_an_image_with_text_all_that_may_be_a_line_is_hidden() -> None:
    letter, unread = one(box=(0.5, 0.5, 0.6, 0.6), symbols=1), one(box=(0, 0, 1, 0.1), symbols=3, sure=0.2)
    structure = one(box=(0, 0, 1, 1), height=LARGEST_HEIGHT + 0.1)
    state, boxes = judged([letter, unread, structure, LINE])
    assert state == TEXT
    assert boxes.tolist() == [[100, 900, 400, 950], [500, 500, 600, 600], [0, 0, 1000, 100]]
    state, boxes = judged([letter, unread, structure])
    assert state == MARK
    assert boxes.tolist() == [[500, 500, 600, 600]]


@given(
    st.tuples(*[st.floats(-0.1, 1.1)] * 4).map(
        lambda four: (*map(min, four[:2], four[2:]), *map(max, four[:2], four[2:]))
    )
)
def test_a_box_is_rounded_outwards_and_stays_in_the_picture(box) -> None:
    _, boxes = judged([one(box=box)])
    assert boxes.dtype == np.int16
    left, top, right, bottom = boxes[0].tolist()
    assert all(0 <= side <= 1000 for side in boxes[0])
    inside = [min(max(side, 0), 1) * 1000 for side in box]
    assert left <= inside[0] + 0.01
    assert top <= inside[1] + 0.01
    assert right >= inside[2] - 0.01
    assert bottom >= inside[3] - 0.01
    assert max(inside[0] - left, inside[1] - top, right - inside[2], bottom - inside[3]) <= 1.01
