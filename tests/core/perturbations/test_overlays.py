"""Noise and burned-in text: strong as said, the same in every run, and nowhere else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.perturbations.overlays import noisy, with_text
from tests.core.perturbations.pictures import pictures


@given(pixels=pictures, percent=st.floats(0, 50))
def test_noise_is_that_of_the_picture_and_keeps_its_size(pixels, percent) -> None:
    made = noisy(pixels, percent)
    np.testing.assert_array_equal(made, noisy(pixels.copy(), percent))
    assert (made.shape, made.dtype) == (pixels.shape, np.uint8)


def test_noise_is_as_strong_as_said_and_another_for_another_picture() -> None:
    gray = np.full((100, 100), 128, dtype=np.uint8)
    change = noisy(gray, 10).astype(int) - gray
    assert abs(change.mean()) < 1
    assert abs(change.std() - 25.5) < 1
    other = gray.copy()
    other[0, 0] = 129
    assert (noisy(other, 10) != noisy(gray, 10)).mean() > 0.9
    # Of a gray picture in three colors all three stay alike.
    three = noisy(np.dstack([gray] * 3), 10)
    assert (three == three[:, :, :1]).all()


@given(pixels=pictures, percent=st.floats(0, 20))
def test_text_fits_any_picture(pixels, percent) -> None:
    before = pixels.copy()
    made = with_text(pixels, percent)
    np.testing.assert_array_equal(pixels, before)
    assert (made.shape, made.dtype) == (pixels.shape, np.uint8)


def test_text_is_in_the_upper_corners_and_larger_where_it_is_to_be() -> None:
    gray = np.full((300, 400), 128, dtype=np.uint8)
    small, large = with_text(gray, 5), with_text(gray, 10)
    changed = [(made != gray) for made in (small, large)]
    assert 0 < changed[0].sum() < changed[1].sum()
    assert not changed[0][30:].any()
    assert changed[0][:, :200].any()
    assert changed[0][:, 380:].any()
    assert {0, 255} <= set(np.unique(small).tolist())  # to be read on black and on white
    # Of a small image, letters of a few pixels are as small as they are to be.
    tiny = np.full((64, 64), 128, dtype=np.uint8)
    assert not (with_text(tiny, 6) != tiny)[9:].any()
    assert (with_text(tiny, 6) != tiny)[:9].any()
