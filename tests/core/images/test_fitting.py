"""Bringing pictures to size: what is refused, and what a message says of it. The numbers are test_transform's."""

from __future__ import annotations

import json

import numpy as np
import pytest

from radcbir_core.encoders.base import Preprocessing
from radcbir_core.images.fitting import FITS, Fitting, checked_pixels


@pytest.mark.parametrize("pixels", [np.zeros((1, 1), np.uint8), np.zeros((2, 3, 3), np.uint8)])
def test_pixels_that_are_taken(pixels) -> None:
    assert checked_pixels(pixels) is pixels


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 2), np.float32),
        np.zeros((2, 2, 4), np.uint8),
        np.zeros((1, 2, 2, 3), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4), np.uint8),
    ],
)
def test_pixels_that_are_not(pixels) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared below
        checked_pixels(pixels)
    assert f"but pixels = {pixels.dtype} {pixels.shape}." in str(caught.value)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("fill", [7, None])
def test_a_message_says_all_of_it(fit, fill) -> None:
    published = Preprocessing(
        size=(20, 30), fit=fit, interpolation="bicubic", color="RGB", fill=fill, resize=40, anchor="corner",
        rounding="transformers",
    )  # fmt: skip
    received = Fitting.from_message(json.loads(json.dumps(published.fitting.to_message())))
    assert received == published.fitting
    pixels = np.random.default_rng(0).integers(0, 256, (51, 70, 3), dtype=np.uint8)
    np.testing.assert_array_equal(received(pixels), published.fitting(pixels))


def test_gray_is_of_color_where_it_is_to_be() -> None:
    color = np.zeros((8, 8, 3), np.uint8)
    color[..., 1] = 255
    gray = Fitting(size=(4, 4), fit="squash", interpolation="bilinear", color="L")(color)
    assert gray.tolist() == [[150] * 4] * 4  # .587 of 255
    assert Fitting(size=(4, 4), fit="squash", interpolation="bilinear")(color).shape == (4, 4, 3)


def test_what_is_padded_with_nothing_is_smaller_and_has_a_place() -> None:
    fitting = Fitting(size=(8, 8), fit="pad", interpolation="bilinear", fill=None)
    assert fitting(np.ones((4, 8), np.uint8)).shape == (4, 8)
    assert fitting.place(4, 8) == (2, 0)
    assert Fitting(size=(8, 8), fit="pad", interpolation="bilinear", anchor="corner").place(4, 8) == (0, 0)
