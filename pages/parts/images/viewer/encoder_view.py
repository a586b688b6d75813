"""What an encoder saw of an image: which part, through which window, at which size, in words and as pixels.

Owns the answer, which the viewer lays over the picture. How an encoder prepares images stands in its record; the
geometry and the pixels are the core's, the very steps that were taken before the image was embedded.
"""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np

from pages.parts.images.gallery import window_text
from radcbir_core.collections.collection import Collection
from radcbir_core.encoders.base import Preprocessing
from radcbir_core.errors import EncoderError
from radcbir_core.images import DecodedImage

_FITS: Final = {
    "crop": "the shorter side made to fit, and what is left of the longer side cut off",
    "pad": "the longer side made to fit, and the rest filled",
    "squash": "both sides made to fit, which distorts",
}


def message(collection: Collection, encoder_id: str, row: int) -> bytes:
    """What an encoder saw of an image, in the form of sent_values.py: a head, and uint8 pixels of the input's size.

    The head has ``box`` (top, left, bottom and right of the input, in pixels of the image as it is shown), ``words``
    and ``shape``.

    Args:
        collection: Where the image is.
        encoder_id: One that it was built with.
        row: Of the image.

    Raises:
        ImageError: The file is gone or cannot be decoded.
        EncoderError: The record does not say how images were prepared.
        CollectionError: There is no such encoder.
    """
    recorded = collection.store(encoder_id).record.get("preprocessing")
    if not recorded:
        raise EncoderError(
            f"Expected the preprocessing in the record of {encoder_id}, but it says nothing of it, as where embeddings "
            "were imported. Build with the encoder to see what it sees."
        )
    preprocessing = Preprocessing.from_dict(recorded)
    image = collection.read_image(row)
    pixels = whole_input(preprocessing, image.pixels)
    head = {
        "box": preprocessing.fitting.seen_box(*image.pixels.shape[:2]),
        "words": said(preprocessing, image, encoder_id=encoder_id),
        "shape": pixels.shape,
    }
    text = json.dumps(head).encode()
    return len(text).to_bytes(4, "little") + text + pixels.tobytes()


def whole_input(preprocessing: Preprocessing, pixels: np.ndarray) -> np.ndarray:
    """The encoder's input before it is normalized, (h, w) or (h, w, 3) uint8 of its whole size.

    What is added as zeros of the normalized input is no shade; it is black here.
    """
    fitted = preprocessing.fitting(pixels)
    height, width = fitted.shape[:2]
    if (height, width) == tuple(preprocessing.size):
        return np.ascontiguousarray(fitted)
    whole = np.zeros((*preprocessing.size, *fitted.shape[2:]), dtype=np.uint8)
    top, left = preprocessing.fitting.place(height, width)
    whole[top : top + height, left : left + width] = fitted
    return whole


def said(preprocessing: Preprocessing, image: DecodedImage, *, encoder_id: str) -> str:
    """The same in words.

    Args:
        preprocessing: Of the encoder.
        image: As it is shown, from which the encoder's input was made.
        encoder_id: Of the encoder.
    """
    height, width = preprocessing.size
    parts: list[Any] = [f"{encoder_id} saw {width} × {height} pixels", _FITS[preprocessing.fit]]
    if preprocessing.resize is not None:
        parts.append(f"resized to {preprocessing.resize} before the middle was cut out")
    parts.append(f"{preprocessing.interpolation} filter")
    if preprocessing.color == "L" and image.pixels.ndim == 3:
        parts.append("in gray")
    window = window_text(image)
    parts.append(f"window {window}" if window else "shades as they are stored")
    return "; ".join(parts) + "."
