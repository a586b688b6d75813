"""What is shown of what a file holds: the same as decoding it at once, with the window that counts."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.errors import ImageError, ImageTooLargeError
from radcbir_core.images import StoredImage, Window, decode_image, display_image, read_stored
from radcbir_core.images.display.grayscale import LookupTable, Rescale
from tests.core.images.dicom_files import dicom_bytes

GRAY = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
DEEP = np.array([[0, 1024, 1064], [1264, 2000, 4095]], np.uint16)


def stored(values: np.ndarray, **facts: object) -> StoredImage:
    return StoredImage(name="x", stored=values, format="PNG", **facts)


@pytest.mark.parametrize("window", [None, (40, 400)])
def test_two_steps_are_one(window: tuple[float, float] | None) -> None:
    data = dicom_bytes(DEEP, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=300, WindowWidth=1500)
    once, twice = decode_image(data, window=window), display_image(read_stored(data), window=window)
    assert np.array_equal(once.pixels, twice.pixels)
    assert (once.window, once.frame, once.frames, once.format) == (
        twice.window,
        twice.frame,
        twice.frames,
        twice.format,
    )


def test_one_reading_is_shown_through_several_windows() -> None:
    image = stored(DEEP, modality=Rescale(1, -1024), voi=Window(300, 1500, "header"))
    assert display_image(image).window == Window(300, 1500, "header")
    assert display_image(image, window=(40, 401)).pixels.tolist() == [[0, 102, 128], [255, 255, 255]]
    assert np.array_equal(image.stored, DEEP)


def test_eight_bits_of_a_raster_image_are_shades_unless_a_window_is_asked_for() -> None:
    image = stored(GRAY, as_is=True)
    assert np.array_equal(display_image(image).pixels, GRAY)
    assert display_image(image).window is None
    assert display_image(image, window=(100, 1)).pixels.tolist() == np.where(GRAY > 99, 255, 0).tolist()


def test_tables_padding_and_inversion() -> None:
    table = LookupTable(0, 8, np.array([0, 51, 102, 255], np.uint16))
    image = stored(np.array([[0, 1, 2, 3]], np.uint16), voi=table, padding=(3, 3), inverted=True)
    assert display_image(image).pixels.tolist() == [[255, 204, 153, 0]]
    assert display_image(image).window == Window(2, 4, "voi lut", "table")


def test_deep_color_is_spread_over_one_range_and_has_no_window() -> None:
    color = np.arange(24, dtype=np.uint16).reshape(2, 4, 3) * 255
    image = stored(color)
    assert np.array_equal(display_image(image).pixels, np.floor(color / 23 + 0.5))
    assert display_image(image).window == Window(23 * 255 / 2 + 0.5, 23 * 255 + 1, "full range")
    with pytest.raises(ImageError, match=r"^Expected a gray image to apply a window to, but x = in color\."):
        display_image(image, window=(40, 400))


def test_gray_that_is_saved_as_color_is_gray_and_has_a_window() -> None:
    image = stored(np.stack([GRAY] * 3, axis=2))
    assert np.array_equal(display_image(image).pixels, GRAY)
    assert np.array_equal(
        display_image(image, window=(100, 50)).pixels, display_image(stored(GRAY), window=(100, 50)).pixels
    )
    deep = stored(np.stack([DEEP] * 3, axis=2))
    for window in (None, (40, 400)):
        assert np.array_equal(
            display_image(deep, window=window).pixels, display_image(stored(DEEP), window=window).pixels
        )


@pytest.mark.parametrize("window", [(0, 0.999), (float("inf"), 9), (0, float("nan"))])
def test_windows_that_mean_nothing(window: tuple[float, float]) -> None:
    with pytest.raises(
        ImageError, match=r"^Expected a window with a finite center and a width of at least 1, but x = "
    ):
        display_image(stored(GRAY), window=window)


def test_what_is_shown_cannot_be_written_to() -> None:
    for image in (stored(GRAY.copy(), as_is=True), stored(DEEP.copy())):
        with pytest.raises(ValueError, match="read-only"):
            display_image(image).pixels[0, 0] = 1


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("radcbir_core.images.display.showing.to_display", exhausted)
    with pytest.raises(ImageTooLargeError, match="too large for this machine"):
        display_image(stored(DEEP))
