"""What a browser gets of an image to show it through any window: its stored values, and what they mean.

Owns the form in which they travel, and a store of those that were made last. A message is four bytes that say how long
its head is, the head (JSON, padded with spaces so that what follows begins at a multiple of eight), and the values, row
by row, little-endian, in the type that they are stored in. The browser's side is canvas/picture.js; what a window makes
of a value is the arithmetic of ``radcbir_core.images.display.grayscale``, done again in canvas/shades.js, and a test
holds that both agree on every shade.
"""

from __future__ import annotations

import gzip
import json
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import asdict
from threading import Lock
from typing import Any, Final

import numpy as np

from radcbir_core.images import StoredImage, Window, display_image
from radcbir_core.images.display.grayscale import LookupTable, full_range
from radcbir_core.images.display.showing import gray_if_equal

MOST_PIXELS: Final = 25_000_000
"""Of larger pictures every second, third … row and column is sent: a browser needs four bytes a pixel beside them."""
MOST_BYTES: Final = 128 * 2**20

_SHARES: Final = (0.5, 99.5)
"""Percent of the values that the automatic window leaves below and above."""
_LOOKED_AT: Final = 200_000
_SENT_AS: Final = {"b": "i1", "i8": "f8", "u8": "f8", "f2": "f4", "f16": "f8"}
"""What browsers have no type for, and the type that it is sent in; whole numbers beyond 2⁵³ are rounded."""

_KEPT: Final[OrderedDict[Hashable, bytes]] = OrderedDict()
_LOCK: Final = Lock()


def message(image: StoredImage) -> bytes:
    """An image as it travels.

    Args:
        image: As ``read_stored`` gives it.

    Example:
        >>> scan = StoredImage(name="a.dcm", stored=np.array([[0, 1064]], np.uint16), format="DICOM", unit="HU")
        >>> head, values = read_message(message(scan))
        >>> values.tolist(), head["unit"], head["own"]["source"]
        ([[0, 1064]], 'HU', 'full range')
    """
    stored = gray_if_equal(image.stored) if image.is_color else image.stored
    as_is = image.as_is or (image.is_color and stored.dtype == np.uint8)
    shown = display_image(image)
    step = 1
    while stored.shape[0] * stored.shape[1] > MOST_PIXELS * step**2:
        step += 1
    height, width = stored.shape[:2]
    values = np.ascontiguousarray(_sendable(stored[::step, ::step]))
    own = shown.window or full_range(0.0, 255.0)
    head = {
        "dtype": values.dtype.name,
        "shape": values.shape,
        "step": step,
        # The size at which its pixels are square: what is drawn has these proportions.
        "size": image.square or (height, width),
        "low": _plain(values, "min"),
        "high": _plain(values, "max"),
        "frame": image.frame or 0,
        "frames": image.frames,
        "unit": image.unit,
        "modality": _table(image.modality) if isinstance(image.modality, LookupTable) else asdict(image.modality),
        "own": {**asdict(own), "source": "as stored"} if as_is else _own(image, own),
        "automatic": _automatic(image, values) if not as_is else None,
        "padding": image.padding,
        "inverted": image.inverted,
        "remarks": [*image.remarks, *([_thinned(step)] if step > 1 else [])],
    }
    if image.is_color or as_is:
        head |= {"modality": {"slope": 1.0, "intercept": 0.0}, "padding": None, "inverted": False}
    text = json.dumps(head, allow_nan=False).encode()
    text += b" " * (-(4 + len(text)) % 8)
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return len(text).to_bytes(4, "little") + text + little.tobytes()


def read_message(content: bytes) -> tuple[dict[str, Any], np.ndarray]:
    """What :func:`message` has written: the head and the values."""
    length = int.from_bytes(content[:4], "little")
    head: dict[str, Any] = json.loads(content[4 : 4 + length])
    kind = np.dtype(head["dtype"]).newbyteorder("<")
    return head, np.frombuffer(content[4 + length :], kind).reshape(head["shape"])


def gzipped(image: StoredImage) -> bytes:
    """A message, gzipped."""
    return gzip.compress(message(image), compresslevel=1, mtime=0)


def packed(key: Hashable, read: Callable[[], StoredImage], *, most: int = MOST_BYTES) -> bytes:
    """A gzipped message; from the store where it was made a short while ago.

    Args:
        key: Names the image.
        read: Reads it.
        most: How many bytes are kept at most.

    Raises:
        ImageError: What ``read`` raises. Nothing is kept of that.
    """
    with _LOCK:
        if key in _KEPT:
            _KEPT.move_to_end(key)
            return _KEPT[key]
    content = gzipped(read())
    with _LOCK:
        _KEPT[key] = content
        while len(_KEPT) > 1 and sum(map(len, _KEPT.values())) > most:
            _KEPT.popitem(last=False)
    return content


def _sendable(values: np.ndarray) -> np.ndarray:
    """The same values in a type that browsers have."""
    kind = _SENT_AS.get(values.dtype.kind if values.dtype.kind == "b" else values.dtype.str[1:])
    return values if kind is None else values.astype(kind)


def _plain(values: np.ndarray, which: str) -> float:
    """The lowest or highest finite value; 0 where there is none."""
    if values.dtype.kind != "f":
        return float(getattr(values, which)())
    finite = values[np.isfinite(values)]
    return float(getattr(finite, which)()) if finite.size else 0.0


def _own(image: StoredImage, window: Window) -> dict[str, Any]:
    """How the image is shown where nobody has chosen a window, as ``display_image`` shows it."""
    if isinstance(image.voi, LookupTable):
        return {**asdict(window), "table": _table(image.voi)}
    return asdict(window)


def _table(table: LookupTable) -> dict[str, Any]:
    return {"first": table.first, "bits": table.bits, "entries": table.entries.tolist()}


def _automatic(image: StoredImage, values: np.ndarray) -> dict[str, Any]:
    """A window over nearly all values, so that a few bright pixels do not darken the others."""
    some = values.reshape(-1)[:: max(1, values.size // _LOOKED_AT)]
    if image.padding is not None and not image.is_color:
        kept = some[(some < image.padding[0]) | (some > image.padding[1])]
        some = kept if kept.size else some
    meant = some.astype(np.float64) if image.is_color else image.modality(some)
    meant = meant[np.isfinite(meant)]
    low, high = (float(value) for value in np.percentile(meant, _SHARES)) if meant.size else (0.0, 0.0)
    return {**asdict(full_range(low, high)), "source": "automatic"}


def _thinned(step: int) -> str:
    return f"It is so large that one of {step} rows and columns is shown."
