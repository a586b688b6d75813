"""Images, limits and errors as plain values, for the messages between the process that asks and the one that decodes.

Owns the form of an answer: what JSON holds, and what lies behind it as bytes. Nothing is pickled.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from radcbir_core import errors
from radcbir_core.errors import ImageError
from radcbir_core.images.decoded_image import DecodedImage, Limits, Window
from radcbir_core.images.display.grayscale import LookupTable, Rescale
from radcbir_core.images.nifti.facts import VolumeFacts
from radcbir_core.images.stored_image import StoredImage

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of an image that was decoded and let go.

    Attributes:
        sha256: of the file's bytes.
        width: in pixels, as it is shown.
        height: likewise.
        remarks: as in :class:`~radcbir_core.images.decoded_image.DecodedImage`.
    """

    sha256: str
    width: int
    height: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What an encoder needs of a picture, and what is shown of it in galleries.

    Attributes:
        pixels: uint8, of the size that was asked for; of another, as it is shown, where it is not fitted.
        thumbnail: as ``thumbnailing`` makes it; empty where none was asked for.
        is_fitted: whether it was brought to size. A large picture is not, where memory is limited.
    """

    pixels: np.ndarray
    thumbnail: bytes = b""
    is_fitted: bool = True


def prepared_to_message(prepared: Prepared) -> tuple[Message, bytes]:
    """For :func:`prepared_from`."""
    message = {
        **_array_to_message(prepared.pixels),
        "is_fitted": prepared.is_fitted,
        "bytes": prepared.pixels.nbytes + len(prepared.thumbnail),
    }
    return message, b"".join((_bytes_of(prepared.pixels), prepared.thumbnail))


def prepared_from(message: Message, data: bytes) -> Prepared:
    """What :func:`prepared_to_message` was given."""
    ends = math.prod(message["shape"]) * np.dtype(message["dtype"]).itemsize
    pixels = np.frombuffer(data[:ends], np.dtype(message["dtype"])).reshape(message["shape"])
    return Prepared(pixels, data[ends:], message["is_fitted"])


def measured_to_message(measured: Measured) -> Message:
    """For :func:`measured_from`."""
    return {
        "sha256": measured.sha256,
        "width": measured.width,
        "height": measured.height,
        "remarks": measured.remarks,
    }


def measured_from(message: Message) -> Measured:
    """What :func:`measured_to_message` was given."""
    return Measured(message["sha256"], message["width"], message["height"], tuple(message["remarks"]))


def volume_to_message(facts: VolumeFacts) -> Message:
    """For :func:`volume_from`."""
    return asdict(facts)


def volume_from(message: Message) -> VolumeFacts:
    """What :func:`volume_to_message` was given."""
    between, down, across = message["spacing"]
    known = {name: message[name] for name in VolumeFacts.__dataclass_fields__}
    return VolumeFacts(**{**known, "spacing": (between, down, across)})


def limits_to_message(limits: Limits) -> Message:
    """For :func:`limits_from`."""
    return asdict(limits)


def limits_from(message: Message) -> Limits:
    """What :func:`limits_to_message` was given."""
    return Limits(**message)


def error_to_message(error: ImageError) -> Message:
    """For :func:`error_from`."""
    return {"error": str(error), "kind": type(error).__name__}


def error_from(message: Message) -> ImageError:
    """What :func:`error_to_message` was given; what had caused it stays in the process where it happened.

    Example:
        >>> error_from(error_to_message(errors.ImageTooLargeError("Expected less.")))
        ImageTooLargeError('Expected less.')
    """
    kind: type[ImageError] = getattr(errors, message["kind"])
    return kind(message["error"])


def decoded_to_message(image: DecodedImage) -> tuple[Message, memoryview]:
    """For :func:`decoded_from`: an image in plain values, and its pixels."""
    message = {
        **_array_to_message(image.pixels),
        "window": _voi_to_message(image.window),
        "frame": image.frame,
        "frames": image.frames,
        "format": image.format,
        "remarks": image.remarks,
    }
    return message, _bytes_of(image.pixels)


def decoded_from(message: Message, data: bytes) -> DecodedImage:
    """What :func:`decoded_to_message` was given; its pixels are `data` itself, not a copy."""
    window = _voi_from(message["window"])
    assert not isinstance(window, LookupTable)  # noqa: S101 - for the type checker: an image was shown through a window
    return DecodedImage(
        _array_from(message, data),
        window,
        message["frame"],
        message["frames"],
        message["format"],
        tuple(message["remarks"]),
    )


def stored_to_message(image: StoredImage) -> tuple[Message, memoryview]:
    """For :func:`stored_from`: an image in plain values, and its stored values."""
    message = {
        **_array_to_message(image.stored),
        "name": image.name,
        "format": image.format,
        "frame": image.frame,
        "frames": image.frames,
        "modality": _table_to_message(image.modality)
        if isinstance(image.modality, LookupTable)
        else asdict(image.modality),
        "unit": image.unit,
        "voi": _voi_to_message(image.voi),
        "as_is": image.as_is,
        "padding": image.padding,
        "inverted": image.inverted,
        "square": image.square,
        "remarks": image.remarks,
    }
    return message, _bytes_of(image.stored)


def stored_from(message: Message, data: bytes) -> StoredImage:
    """What :func:`stored_to_message` was given; its values are `data` itself, not a copy."""
    modality = message["modality"]
    padding, square = message["padding"], message["square"]
    return StoredImage(
        name=message["name"],
        stored=_array_from(message, data),
        format=message["format"],
        frame=message["frame"],
        frames=message["frames"],
        modality=_table_from(modality) if "entries" in modality else Rescale(**modality),
        unit=message["unit"],
        voi=_voi_from(message["voi"]),
        as_is=message["as_is"],
        padding=None if padding is None else (padding[0], padding[1]),
        inverted=message["inverted"],
        square=None if square is None else (square[0], square[1]),
        remarks=tuple(message["remarks"]),
    )


def _array_to_message(array: np.ndarray) -> Message:
    return {"dtype": array.dtype.str, "shape": array.shape}


def _bytes_of(array: np.ndarray) -> memoryview:
    """The bytes of an array, which is not copied where it lies in one piece."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _array_from(message: Message, data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.dtype(message["dtype"])).reshape(message["shape"])


def _voi_to_message(voi: Window | LookupTable | None) -> Message | None:
    if voi is None:
        return None
    return _table_to_message(voi) if isinstance(voi, LookupTable) else asdict(voi)


def _voi_from(message: Message | None) -> Window | LookupTable | None:
    if message is None:
        return None
    return _table_from(message) if "entries" in message else Window(**message)


def _table_to_message(table: LookupTable) -> Message:
    return {
        "first": table.first,
        "bits": table.bits,
        "dtype": table.entries.dtype.str,
        "entries": table.entries.tolist(),
    }


def _table_from(message: Message) -> LookupTable:
    return LookupTable(message["first"], message["bits"], np.array(message["entries"], np.dtype(message["dtype"])))
