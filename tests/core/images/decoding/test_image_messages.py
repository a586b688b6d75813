"""Images as messages: what comes out is what went in."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

from radcbir_core.errors import ImageError, ImageTooLargeError, NoPixelDataError
from radcbir_core.images import DecodedImage, Limits, Measured, Prepared, StoredImage, Window
from radcbir_core.images.decoding.image_messages import (
    decoded_from,
    decoded_to_message,
    error_from,
    error_to_message,
    limits_from,
    limits_to_message,
    measured_from,
    measured_to_message,
    prepared_from,
    prepared_to_message,
    stored_from,
    stored_to_message,
)
from radcbir_core.images.display.grayscale import LookupTable, Rescale

TABLE = LookupTable(-5, 12, np.array([1, 4000, 7], np.uint16))
NAN_WINDOW = Window(float("inf"), 1.5, "header", "sigmoid")


def as_json(message: dict) -> dict:
    return json.loads(json.dumps(message))


def same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, LookupTable):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize(
    "options",
    [
        {"stored": np.arange(6, dtype=np.uint8).reshape(2, 3), "as_is": True},
        {"stored": np.arange(6, dtype=np.int16).reshape(2, 3), "modality": Rescale(0.5, -1024), "unit": "HU"},
        {"stored": np.arange(6, dtype=np.float32).reshape(1, 6), "voi": NAN_WINDOW, "padding": (-2000.0, -1999.0)},
        {"stored": np.arange(12, dtype=np.uint16).reshape(2, 2, 3), "modality": TABLE, "voi": TABLE, "inverted": True},
        {"stored": np.ones((2, 3)), "square": (4, 3), "remarks": ("One.", "Two."), "frame": 3, "frames": 9},
    ],
)
def test_stored_images(options: dict) -> None:
    image = StoredImage(name="röntgen 胸.dcm", format="DICOM", **options)
    message, data = stored_to_message(image)
    back = stored_from(as_json(message), bytes(data))
    assert all(same(getattr(image, field.name), getattr(back, field.name)) for field in fields(image))
    assert not back.stored.flags.writeable
    assert back.stored.flags.c_contiguous


@pytest.mark.parametrize("window", [None, Window(40, 400, "given")])
def test_decoded_images(window: Window | None) -> None:
    image = DecodedImage(np.arange(24, dtype=np.uint8).reshape(2, 4, 3), window, 1, 2, "TIFF", ("One.",))
    message, data = decoded_to_message(image)
    back = decoded_from(as_json(message), bytes(data))
    assert all(same(getattr(image, field.name), getattr(back, field.name)) for field in fields(image))
    assert not back.pixels.flags.writeable


def test_limits_and_measures() -> None:
    limits = Limits(max_pixels=5, max_seconds=0.5)
    assert limits_from(as_json(limits_to_message(limits))) == limits
    measured = Measured("ab", 3, 4, ("One.",))
    assert measured_from(as_json(measured_to_message(measured))) == measured


@pytest.mark.parametrize("shape", [(2, 3), (4, 4, 3)])
@pytest.mark.parametrize("thumbnail", [b"", b"jpeg"])
def test_prepared_images(shape: tuple[int, ...], thumbnail: bytes) -> None:
    prepared = Prepared(np.arange(np.prod(shape), dtype=np.uint8).reshape(shape), thumbnail, is_fitted=bool(thumbnail))
    message, data = prepared_to_message(prepared)
    assert message["bytes"] == len(data)
    back = prepared_from(as_json(message), data)
    assert all(same(getattr(prepared, field.name), getattr(back, field.name)) for field in fields(prepared))


@pytest.mark.parametrize("kind", [ImageError, ImageTooLargeError, NoPixelDataError])
def test_errors(kind: type[ImageError]) -> None:
    error = error_from(as_json(error_to_message(kind("Expected this, but that."))))
    assert (type(error), str(error)) == (kind, "Expected this, but that.")
