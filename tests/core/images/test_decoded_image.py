"""The records that an image is known by."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from radcbir_core.images import DecodedImage, Limits, Window


def test_limits_hold_what_is_documented() -> None:
    assert (Limits().max_bytes, Limits().max_pixels) == (512 * 2**20, 100_000_000)


def test_windows_are_compared_by_value_and_images_by_identity() -> None:
    assert Window(40, 400, "header") == Window(40.0, 400.0, "header", "linear")
    assert Window(40, 400, "header") != Window(40, 400, "given")
    pixels = np.zeros((2, 2), np.uint8)
    one, other = (DecodedImage(pixels, None, None, 1, "PNG") for _ in range(2))
    assert one != other, "arrays cannot be compared in one truth value"
    assert one == one


def test_they_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Limits().max_bytes = 1  # type: ignore[misc]
