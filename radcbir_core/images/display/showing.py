"""From what a file holds to what is shown of it.

Owns the second step of decoding: which window counts, inversion, color of more than eight bits, and color that is
gray. The arithmetic on gray values is ``grayscale``'s, that of square pixels ``square_pixels``'. It reads no file.
"""

from __future__ import annotations

import math

import numpy as np

from radcbir_core.images.decoded_image import DecodedImage, Window
from radcbir_core.images.decoding.decoding_request import image_error, only_image_errors
from radcbir_core.images.display.grayscale import Rescale, to_display
from radcbir_core.images.display.square_pixels import resampled
from radcbir_core.images.stored_image import StoredImage


def display_image(image: StoredImage, *, window: tuple[float, float] | None = None) -> DecodedImage:
    """Show what a file holds: modality, VOI and inversion for gray values (DICOM PS3.4 N.2), eight bits of color.

    The VOI is the window asked for; else the file's own; else the darkest to the brightest value, of all channels where
    there are three. Padding is black; color of eight bits is shown as it is. Pixels that are not square are resampled.

    Args:
        image: as :func:`~radcbir_core.images.decode.read_stored` gives it.
        window: (center, width) of a linear window over :meth:`StoredImage.values`, instead of the file's own.

    Raises:
        ImageError: the window means nothing, or the image is in color.

    Example:
        >>> scan = StoredImage(name="a.dcm", stored=np.array([[-200, 40, 400]]), format="DICOM", unit="HU")
        >>> display_image(scan, window=(40, 400)).pixels.tolist(), display_image(scan).window.source
        ([[0, 128, 255]], 'full range')
    """
    with only_image_errors(image.name, image.format):
        pixels, applied = (_color if image.is_color else _gray)(image, window)
        pixels = np.ascontiguousarray(pixels if image.square is None else resampled(pixels, image.square))
    pixels.flags.writeable = False
    return DecodedImage(pixels, applied, image.frame, image.frames, image.format, image.remarks)


def gray_if_equal(pixels: np.ndarray) -> np.ndarray:
    """(H, W) if the three channels of (H, W, 3) are equal everywhere, else `pixels` itself.

    Many radiographs are saved as RGB. Equal channels are what Pillow's ``convert("L")`` gives for them, exactly.

    Example:
        >>> gray_if_equal(np.full((2, 2, 3), 7, np.uint8)).shape, gray_if_equal(np.eye(3, dtype=np.uint8)[None]).shape
        ((2, 2), (1, 3, 3))
    """
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    # A few rows tell a color image from a gray one nearly always, and cost nothing beside all of them.
    for rows in (slice(None, None, 16), slice(None)):
        if not (np.array_equal(red[rows], green[rows]) and np.array_equal(green[rows], blue[rows])):
            return pixels
    return red


def _gray(image: StoredImage, window: tuple[float, float] | None) -> tuple[np.ndarray, Window | None]:
    if window is None and image.as_is:
        return image.stored, None
    return to_display(
        image.stored,
        modality=image.modality,
        voi=image.voi if window is None else _given(window, image.name),
        padding=image.padding,
        inverted=image.inverted,
    )


def _color(image: StoredImage, window: tuple[float, float] | None) -> tuple[np.ndarray, Window | None]:
    values = gray_if_equal(image.stored)
    if window is not None and values.ndim == 3:
        raise image_error(image.name, "a gray image to apply a window to", "in color", remedy="Leave the window out.")
    if window is None and values.dtype == np.uint8:
        return values, None
    # One window for the three channels keeps the hue.
    shades, applied = to_display(
        values, modality=Rescale(), voi=image.voi if window is None else _given(window, image.name)
    )
    return (gray_if_equal(shades) if shades.ndim == 3 else shades), applied


def _given(window: tuple[float, float], name: str) -> Window:
    """The window asked for (DICOM PS3.3 C.11.2.1.2.1: a width of at least 1)."""
    center, width = window
    if not (math.isfinite(center) and math.isfinite(width) and width >= 1):
        raise image_error(
            name,
            "a window with a finite center and a width of at least 1",
            f"asked for center {center}, width {width}",
            remedy="Give another window.",
        )
    return Window(float(center), float(width), "given")
