"""The bytes that color the map: every image has one, and they mean what the legend or the scale says."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pages.parts.map import point_colors
from pages.parts.map.point_colors import NO_NUMBER, CategoryColors, Entry, ValueColors


def test_the_examples_in_the_docstrings_run():
    result = doctest.testmod(point_colors)
    assert result.attempted > 0
    assert result.failed == 0


def test_a_legend_counts_all_images():
    codes = np.array([0, 1, 1], dtype=np.uint8)
    assert len(CategoryColors("x", codes, (Entry("a", "#111111", 1), Entry("b", "#222222", 2))).codes) == 3
    for legend in [(Entry("a", "#111111", 1), Entry("b", "#222222", 1)), (Entry("a", "#111111", 3),)]:
        with pytest.raises(ValueError, match="Expected as many images with each code"):
            CategoryColors("x", codes, legend)


@pytest.mark.parametrize(("codes", "entries"), [(np.zeros(2, np.int64), 1), (np.zeros(2, np.uint8), 257)])
def test_a_code_is_one_byte(codes, entries):
    with pytest.raises(ValueError, match="Expected uint8 codes and at most 256 entries"):
        CategoryColors("x", codes, (Entry("a", "#111111", 2), *[Entry("b", "#111111", 0)] * (entries - 1)))


@given(arrays(np.float32, st.integers(1, 30), elements=st.floats(-2, 2, width=32) | st.just(np.float32("nan"))))
def test_a_number_comes_back_to_half_a_step(values):
    codes = ValueColors.of("x", values, low=-1, high=1).codes
    known = ~np.isnan(values)
    assert ((codes == NO_NUMBER) == ~known).all()
    back = -1 + codes[known].astype(float) / 254 * 2
    np.testing.assert_allclose(back, np.clip(values[known], -1, 1), atol=1 / 254 + 1e-6)


def test_a_scale_has_two_ends():
    with pytest.raises(ValueError, match="Expected a scale from low to high"):
        ValueColors.of("x", np.zeros(1), low=1, high=1)
