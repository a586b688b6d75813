"""TIFF with each kind of sample in a plane of its own: strips and tiles, plain and deflated, both byte orders."""

from __future__ import annotations

import struct
import zlib
from itertools import product

import numpy as np
import pytest

from radcbir_core.errors import ImageError
from radcbir_core.images import decode_image, read_stored
from radcbir_core.images.raster.tiff_planes import planes_of

RNG = np.random.default_rng(3)
SAMPLES = RNG.integers(0, 65536, (21, 34, 4)).astype(np.uint16)
RGB, CMYK = 2, 5


def planar(
    samples: np.ndarray,
    *,
    order: str = "<",
    deflated: bool = False,
    predicted: bool = False,
    tile: int = 0,
    rows: int = 8,
    **tags: int,
) -> bytes:
    """A TIFF of 16 bits a sample by plane; further tags named as ``t262``."""
    height, width, count = samples.shape
    pieces = []
    for plane in range(count):
        if tile:
            down, across = -(-height // tile) * tile, -(-width // tile) * tile
            padded = np.zeros((down, across), np.uint16)
            padded[:height, :width] = samples[..., plane]
            places = product(range(0, down, tile), range(0, across, tile))
            parts = [padded[y : y + tile, x : x + tile] for y, x in places]
        else:
            parts = [samples[y : y + rows, :, plane] for y in range(0, height, rows)]
        for part in parts:
            values = np.diff(part, axis=1, prepend=np.uint16(0)) if predicted else part
            raw = values.astype(f"{order}u2").tobytes()
            pieces.append(zlib.compress(raw) if deflated else raw)
    body, starts = b"", []
    for piece in pieces:
        starts.append(8 + len(body))
        body += piece + b"\0" * (len(piece) % 2)
    entries: dict[int, list[int]] = {256: [width], 257: [height], 258: [16] * count, 259: [8 if deflated else 1]}
    entries |= {262: [RGB], 277: [count], 284: [2], 317: [2 if predicted else 1]}
    names = (324, 325) if tile else (273, 279)
    entries |= {322: [tile], 323: [tile]} if tile else {278: [rows]}
    entries |= {names[0]: starts, names[1]: [len(piece) for piece in pieces]}
    entries |= {int(name[1:]): [value] for name, value in tags.items()}
    start = 8 + len(body)
    directory, further = struct.pack(f"{order}H", len(entries)), b""
    after = start + 2 + 12 * len(entries) + 4
    for tag in sorted(entries):
        kind, letter = (3, "H") if tag == 258 else (4, "L")
        values = struct.pack(f"{order}{len(entries[tag])}{letter}", *entries[tag])
        field = values.ljust(4, b"\0") if len(values) <= 4 else struct.pack(f"{order}L", after + len(further))
        further += values if len(values) > 4 else b""
        directory += struct.pack(f"{order}HHL", tag, kind, len(entries[tag])) + field
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}L", start) + body + directory + bytes(4) + further


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "options",
    [{}, {"rows": 21}, {"deflated": True}, {"deflated": True, "predicted": True}, {"deflated": True, "tile": 16}],
    ids=str,
)
def test_every_sample_is_read(order: str, options: dict) -> None:
    stored = read_stored(planar(SAMPLES[..., :3], order=order, **options)).stored
    assert stored.dtype == np.uint16
    assert np.array_equal(stored, SAMPLES[..., :3])


def test_it_is_the_picture_that_interleaved_samples_are() -> None:
    color = np.ascontiguousarray(SAMPLES[..., :3])
    one = read_stored(planar(color)).stored
    assert np.array_equal(decode_image(planar(color)).pixels, decode_image(planar(one, deflated=True)).pixels)
    assert np.array_equal(read_stored(planar(color, t274=3)).stored, color[::-1, ::-1]), "upright"


def test_what_is_transparent_lies_on_black() -> None:
    laid = np.rint(SAMPLES[..., :3] * (SAMPLES[..., 3:] / 65535)).astype(np.uint16)
    assert np.array_equal(read_stored(planar(SAMPLES, t338=2)).stored, laid)
    assert np.array_equal(read_stored(planar(SAMPLES, t338=1)).stored, SAMPLES[..., :3]), "multiplied already"
    assert np.array_equal(read_stored(planar(SAMPLES, t338=0)).stored, SAMPLES[..., :3]), "no alpha"
    ink = np.rint((65535.0 - SAMPLES[..., :3]) * ((65535.0 - SAMPLES[..., 3:]) / 65535)).astype(np.uint16)
    assert np.array_equal(read_stored(planar(SAMPLES, t262=CMYK)).stored, ink)


def test_a_file_cut_off_or_odd_is_an_error() -> None:
    whole = planar(SAMPLES[..., :3], deflated=True)
    for length in range(40, len(whole) - 60, 211):
        with pytest.raises(ImageError):
            decode_image(whole[:length])
    tags = {256: 2, 257: 2, 277: 3, 273: (8, 16), 279: (8, 8)}
    with pytest.raises(ValueError, match="strips that are no planes"):
        planes_of(bytes(100), tags, big_endian=False)
    with pytest.raises(ValueError, match="a strip outside the file"):
        planes_of(bytes(10), tags | {277: 2}, big_endian=False)
