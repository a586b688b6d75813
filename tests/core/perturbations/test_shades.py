"""Gamma, window and negative: by hand, pixel by pixel, and what holds of every picture."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.perturbations.shades import inverted, windowed, with_gamma
from tests.core.perturbations.pictures import pictures


@given(pixels=pictures, exponent=st.floats(0.2, 5))
def test_gamma_is_a_power_of_each_shade(pixels, exponent) -> None:
    expected = [round((shade / 255) ** exponent * 255) for shade in pixels.ravel().tolist()]
    assert with_gamma(pixels, exponent).ravel().tolist() == expected
    assert with_gamma(pixels, exponent).shape == pixels.shape


@given(pixels=pictures, low=st.integers(0, 45), high=st.integers(55, 100))
def test_a_window_stretches_a_part_of_the_shades(pixels, low, high) -> None:
    shown = windowed(pixels, low, high)
    for shade, after in zip(pixels.ravel().tolist(), shown.ravel().tolist(), strict=True):
        exact = (shade / 255 - low / 100) / ((high - low) / 100) * 255
        assert abs(after - min(max(exact, 0), 255)) <= 0.5001
    assert (shown.shape, shown.dtype) == (pixels.shape, np.uint8)


@given(pixels=pictures)
def test_the_negative_of_the_negative_is_the_picture(pixels) -> None:
    np.testing.assert_array_equal(inverted(inverted(pixels)), pixels)
    assert (inverted(pixels).astype(int) + pixels == 255).all()
