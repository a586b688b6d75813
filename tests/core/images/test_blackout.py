"""Boxes are black and cover what they touch; everything else stays."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from radcbir_core.images.blackout import blacked_out, blacked_out_thumbnail, no_boxes
from radcbir_core.images.thumbnailing import gray_of, thumbnail_of

SIDES = st.integers(0, 1000)


@given(st.integers(1, 40), st.integers(1, 40), st.tuples(SIDES, SIDES, SIDES, SIDES), st.booleans())
def test_every_pixel_that_a_box_touches_is_black_and_those_far_from_it_stay(height, width, sides, color) -> None:
    left, right = sorted(sides[:2])
    top, bottom = sorted(sides[2:])
    pixels = np.full((height, width, 3) if color else (height, width), 200, np.uint8)
    painted = blacked_out(pixels, np.array([[left, top, right, bottom]], np.int16))
    assert (pixels == 200).all()
    for y in range(height):
        for x in range(width):
            touched = (
                x * 1000 < right * width
                and (x + 1) * 1000 > left * width
                and y * 1000 < bottom * height
                and (y + 1) * 1000 > top * height
            )
            far = (
                (x - 2) * 1000 > right * width
                or (x + 3) * 1000 < left * width
                or (y - 2) * 1000 > bottom * height
                or (y + 3) * 1000 < top * height
            )
            if touched:
                assert (painted[y, x] == 0).all()
            if far:
                assert (painted[y, x] == 200).all()


def test_without_boxes_nothing_is_copied_or_compressed_again() -> None:
    pixels = np.full((20, 30), 90, np.uint8)
    assert blacked_out(pixels, no_boxes()) is pixels
    thumbnail = thumbnail_of(pixels)
    assert blacked_out_thumbnail(thumbnail, no_boxes()) is thumbnail


def test_a_thumbnail_is_painted_in_any_format_that_one_was_ever_in() -> None:
    pixels = np.full((100, 200, 3), 180, np.uint8)
    box = np.array([[0, 500, 500, 1000]], np.int16)
    webp = io.BytesIO()
    Image.fromarray(pixels).save(webp, "WEBP")
    for thumbnail in (thumbnail_of(pixels), webp.getvalue(), thumbnail_of(pixels[..., 0])):
        gray = np.asarray(gray_of(blacked_out_thumbnail(thumbnail, box)))
        height, width = gray.shape
        assert gray[height * 6 // 10 :, : width * 4 // 10].max() < 20
        assert abs(int(gray[: height * 4 // 10].mean()) - 180) < 5
        assert abs(int(gray[:, width * 6 // 10 :].mean()) - 180) < 5
