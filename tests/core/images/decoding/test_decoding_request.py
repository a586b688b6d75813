"""What one decoding was asked for: the choice of frame, the limits, and the wording of errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.errors import ImageError, ImageTooLargeError
from radcbir_core.images import Limits
from radcbir_core.images.decoding.decoding_request import LONGEST_NAME, Request, only_image_errors, shown


def request(*, frame=None, **limits) -> Request:
    return Request("a.dcm", frame, Limits(**limits))


@given(st.integers(1, 10_000))
def test_the_middle_frame_unless_told(frames) -> None:
    assert request().choose_frame(frames) == frames // 2
    assert request(frame=frames - 1).choose_frame(frames) == frames - 1
    for frame in (-1, frames):
        with pytest.raises(ImageError, match=f"asked for frame {frame}"):
            request(frame=frame).choose_frame(frames)


def test_limits_are_the_last_that_is_allowed() -> None:
    asked = request(max_bytes=10, max_pixels=12)
    asked.check_bytes(10)
    asked.check_pixels(3, 4)
    with pytest.raises(ImageTooLargeError) as caught:
        asked.check_bytes(1_011)
    assert str(caught.value) == "Expected at most 10 bytes, but a.dcm = 1,011 bytes. Make the image smaller."
    with pytest.raises(ImageTooLargeError) as caught:
        asked.check_pixels(13, 1)
    assert str(caught.value) == "Expected at most 12 pixels, but a.dcm = 13 x 1 = 13 pixels. Make the image smaller."


def test_the_border_lets_nothing_but_image_errors_out() -> None:
    with pytest.raises(ImageError) as caught, only_image_errors("x", "TIFF"):
        raise ValueError("the name of a patient")
    assert str(caught.value).startswith("Expected a whole, readable TIFF file, but x = damaged")
    assert "patient" not in str(caught.value)
    with pytest.raises(ImageTooLargeError, match="too large for this machine"), only_image_errors("x", "TIFF"):
        raise MemoryError
    with pytest.raises(ImageError, match=r"^as it was$"), only_image_errors("x", "TIFF"):
        raise ImageError("as it was")


@given(st.text())
def test_a_name_is_one_short_printable_line(name) -> None:
    line = shown(name)
    assert len(line) <= LONGEST_NAME
    assert all(character.isprintable() for character in line)
    assert shown(line) == line
    assert str(Request(name, None, Limits()).damaged("PNG")).count("\n") == 0


def test_names_are_cut_with_a_sign() -> None:
    assert shown("x" * 120) == "x" * 120
    assert shown("x" * 121) == "x" * 119 + "…"
