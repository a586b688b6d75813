"""Flips, turns and crops: by hand, and what holds of every picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.perturbations.geometry import cropped, flipped_left_to_right, rotated, upside_down
from tests.core.perturbations.pictures import pictures


@pytest.mark.parametrize("flip", [flipped_left_to_right, upside_down])
@given(pixels=pictures)
def test_a_flip_twice_is_none(flip, pixels) -> None:
    np.testing.assert_array_equal(flip(flip(pixels)), pixels)


@given(pixels=pictures)
def test_half_a_turn_is_both_flips_and_a_whole_one_nothing(pixels) -> None:
    np.testing.assert_array_equal(rotated(pixels, 180), upside_down(flipped_left_to_right(pixels)))
    assert rotated(pixels, -360) is pixels


@given(pixels=pictures, degrees=st.floats(-180, 180))
def test_a_turn_keeps_size_and_type(pixels, degrees) -> None:
    turned = rotated(pixels, degrees)
    assert (turned.shape, turned.dtype) == (pixels.shape, np.uint8)


def test_a_turn_is_clockwise_and_fills_with_the_shade_of_the_border() -> None:
    pixels = np.full((41, 41), 200, dtype=np.uint8)
    pixels[1:6, 18:23] = 30  # at twelve o'clock
    turned = rotated(pixels, 45)
    y, x = (part.mean() for part in np.nonzero(turned < 100))
    assert x > 30
    assert y < 10  # at half past one
    assert turned[0, 0] == turned[-1, -1] == 200
    colored = np.dstack([pixels, pixels, 255 - pixels])
    assert rotated(colored, 45)[0, 0].tolist() == [200, 200, 55]


@given(pixels=pictures, percent=st.floats(0, 80))
def test_a_crop_is_the_middle(pixels, percent) -> None:
    part = cropped(pixels, percent)
    for axis in (0, 1):
        whole, left = pixels.shape[axis], part.shape[axis]
        assert left == max(1, round(whole * (1 - percent / 100)))
    top, start = ((pixels.shape[axis] - part.shape[axis]) // 2 for axis in (0, 1))
    for y in range(part.shape[0]):
        for x in range(part.shape[1]):
            assert part[y, x].tolist() == pixels[top + y, start + x].tolist()
