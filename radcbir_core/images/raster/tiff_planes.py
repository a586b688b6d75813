"""The samples of a TIFF that keeps each kind of them in a plane of its own (PlanarConfiguration 2).

Owns the way around Pillow, which misreads such planes where samples have 16 bits: each plane becomes a gray TIFF of its
own in memory, of the same strips or tiles and the same compression (TIFF 6.0, section 8, PlanarConfiguration; section
15 for tiles). It knows nothing of what the samples mean.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL.TiffImagePlugin import TiffImageFile

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES, _FORMAT = 256, 257, 258, 262, 277, 339
_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES = 273, 279, 324, 325
# What a plane keeps of the image: compression, order of bits, orientation, rows of a strip, predictor, sizes of tiles.
_KEPT = (259, 266, 274, 278, 317, 322, 323)
_BLACK_IS_ZERO = 1
_LONG = 4


def planes_of(data: bytes, tags: Mapping[int, Any], *, big_endian: bool) -> npt.NDArray[np.uint16]:
    """The samples of a TIFF's page, in planes, as samples of pixels.

    Args:
        data: the whole file.
        tags: of the page, by number.
        big_endian: the byte order of the file.

    Returns:
        (H, W, C) uint16.

    Raises:
        ValueError: strips or tiles that do not add up to planes, or lie outside the file.
    """
    offsets, sizes = (_STRIPS, _STRIP_BYTES) if _STRIPS in tags else (_TILES, _TILE_BYTES)
    samples = int(tags[_SAMPLES])
    starts, lengths = (_numbers(tags.get(tag)) for tag in (offsets, sizes))
    if samples < 1 or not starts or len(starts) != len(lengths) or len(starts) % samples:
        raise ValueError("strips that are no planes")
    if any(start + length > len(data) for start, length in zip(starts, lengths, strict=True)):
        raise ValueError("a strip outside the file")
    each = len(starts) // samples
    planes = []
    for plane in range(samples):
        part = slice(plane * each, (plane + 1) * each)
        pieces = [data[a : a + n] for a, n in zip(starts[part], lengths[part], strict=True)]
        kept = {tag: _numbers(tags[tag]) for tag in (_WIDTH, _HEIGHT, *_KEPT) if tag in tags}
        kept |= {_BITS: [16], _PHOTOMETRIC: [_BLACK_IS_ZERO], _SAMPLES: [1], _FORMAT: [1]}
        with TiffImageFile(
            BytesIO(_gray_tiff(kept, pieces, (offsets, sizes), order=">" if big_endian else "<"))
        ) as one:
            planes.append(np.asarray(one).astype(np.uint16))
    return np.stack(planes, axis=-1)


def _numbers(value: Any) -> list[int]:
    return [int(number) for number in (value if isinstance(value, tuple) else () if value is None else (value,))]


def _gray_tiff(tags: dict[int, list[int]], pieces: list[bytes], names: tuple[int, int], *, order: str) -> bytes:
    """A TIFF of one page with these tags, whose strips or tiles are these pieces."""
    place = 8
    starts = []
    for piece in pieces:
        starts.append(place)
        place += len(piece) + len(piece) % 2
    body = b"".join(piece + b"\0" * (len(piece) % 2) for piece in pieces)
    entries = tags | {names[0]: starts, names[1]: [len(piece) for piece in pieces]}
    after = place + 2 + 12 * len(entries) + 4
    directory, further = struct.pack(f"{order}H", len(entries)), b""
    for tag in sorted(entries):
        values = struct.pack(f"{order}{len(entries[tag])}L", *entries[tag])
        if len(values) > 4:
            field = struct.pack(f"{order}L", after + len(further))
            further += values
        else:
            field = values
        directory += struct.pack(f"{order}HHL", tag, _LONG, len(entries[tag])) + field
    header = (b"MM" if order == ">" else b"II") + struct.pack(f"{order}HL", 42, place)
    return header + body + directory + struct.pack(f"{order}L", 0) + further
