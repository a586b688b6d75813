"""TIFFs of gray in every layout: both byte orders, plain and deflated, strips and tiles, classic and BigTIFF."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest

from radcbir_core.errors import ImageError
from radcbir_core.images import decode_image
from radcbir_core.images.decoding.file_reading import read_file

RNG = np.random.default_rng(5)
UNSIGNED, SIGNED, FLOAT, UNDEFINED = 1, 2, 3, 4
KINDS = {"u": UNSIGNED, "i": SIGNED, "f": FLOAT}
LAYOUTS = {
    "plain": {},
    "strips": {"rows": 5},
    "tiles": {"tile": 16},
    "deflated": {"deflated": True},
    "deflated strips, predicted": {"deflated": True, "predicted": True, "rows": 5},
    "deflated tiles, predicted": {"deflated": True, "predicted": True, "tile": 16},
    "big": {"big": True},
    "big, deflated": {"big": True, "deflated": True},
}


def tiff(
    samples: np.ndarray,
    *,
    order: str = "<",
    deflated: bool = False,
    predicted: bool = False,
    rows: int = 0,
    tile: int = 0,
    by_plane: bool = False,
    big: bool = False,
    packed_bits: int = 0,
    **tags: int | Sequence[int],
) -> bytes:
    """A TIFF of (H, W) or (H, W, C) samples of their own type; further tags named as ``t262``."""
    samples = samples[..., None] if samples.ndim == 2 else samples
    height, width, count = samples.shape
    bits = packed_bits or samples.dtype.itemsize * 8
    pieces = []
    for plane in np.split(samples, count, axis=2) if by_plane else [samples]:
        if tile:
            padded = np.zeros((-(-height // tile) * tile, -(-width // tile) * tile, plane.shape[2]), plane.dtype)
            padded[:height, :width] = plane
            places = product(range(0, padded.shape[0], tile), range(0, padded.shape[1], tile))
            parts = [padded[y : y + tile, x : x + tile] for y, x in places]
        else:
            parts = [plane[y : y + (rows or height)] for y in range(0, height, rows or height)]
        for part in parts:
            values = np.concatenate([part[:, :1], part[:, 1:] - part[:, :-1]], axis=1) if predicted else part
            if packed_bits:
                each = values.reshape(len(values), -1, 1) >> np.arange(packed_bits - 1, -1, -1) & 1
                raw = np.packbits(each.astype(np.uint8).reshape(len(values), -1), axis=1).tobytes()
            else:
                raw = values.astype(values.dtype.newbyteorder(order)).tobytes()
            pieces.append(zlib.compress(raw) if deflated else raw)
    body, starts, first = b"", [], 16 if big else 8
    for piece in pieces:
        starts.append(first + len(body))
        body += piece + b"\0" * (len(piece) % 2)
    entries: dict[int, Sequence[int]] = {256: [width], 257: [height], 258: [bits] * count, 259: [8 if deflated else 1]}
    entries |= {262: [1], 277: [count], 284: [2 if by_plane else 1], 317: [2 if predicted else 1]}
    entries |= {322: [tile], 323: [tile]} if tile else {278: [rows or height]}
    names = (324, 325) if tile else (273, 279)
    entries |= {339: [KINDS[samples.dtype.kind]] * count, names[0]: starts, names[1]: [len(piece) for piece in pieces]}
    entries |= {int(tag[1:]): [value] if isinstance(value, int) else value for tag, value in tags.items()}
    number, offset = ("Q", "Q") if big else ("H", "L")
    room, start = struct.calcsize(f"{order}{offset}"), first + len(body)
    after = start + struct.calcsize(f"{order}{number}") + (4 + 2 * room) * len(entries) + room
    directory, further = struct.pack(f"{order}{number}", len(entries)), b""
    for tag, values in sorted(entries.items()):
        kind, letter = (3, "H") if tag in {258, 262, 338, 339} else (4, "L")
        value = struct.pack(f"{order}{len(values)}{letter}", *values)
        field = (
            value.ljust(room, b"\0") if len(value) <= room else struct.pack(f"{order}{offset}", after + len(further))
        )
        further += value if len(value) > room else b""
        directory += struct.pack(f"{order}HH{offset}", tag, kind, len(values)) + field
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    head += struct.pack(f"{order}HHQ", 8, 0, start) if big else struct.pack(f"{order}L", start)
    return head + body + directory + bytes(room) + further


def gray(dtype: str) -> np.ndarray:
    """Values whose bytes differ from one another, so that no order of them is like another."""
    if dtype == "f4":
        return RNG.normal(0, 1000, (21, 34)).astype("f4")
    limits = np.iinfo(dtype)
    return RNG.integers(limits.min, limits.max, (21, 34), dtype=dtype, endpoint=True)


def stored(data: bytes) -> np.ndarray:
    return read_file(data).stored


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4"])
def test_every_value_is_read_in_every_layout(dtype: str) -> None:
    values = gray(dtype)
    for (name, layout), order in product(LAYOUTS.items(), "<>"):
        if (dtype == "f4" and "predicted" in layout) or ("big" in layout and order == ">"):
            continue  # floating point has a predictor of its own; of the other, see below
        read = stored(tiff(values, order=order, **layout))
        assert np.array_equal(read, values), (name, order)
        assert read.dtype.kind == values.dtype.kind


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["i1", "u2", "i2", "u4", "i4", "f4"])
def test_white_may_be_zero(dtype: str, order: str) -> None:
    values = gray(dtype)
    for deflated in (False, True):
        image = read_file(tiff(values, order=order, deflated=deflated, t262=0))
        assert np.array_equal(image.stored, values)
        assert image.inverted


def test_the_picture_is_the_same_in_both_byte_orders() -> None:
    scan = np.tile(np.linspace(-1000, 1000, 64).astype("i2"), (4, 1))
    pictures = [decode_image(tiff(scan, order=order, deflated=True)) for order in "<>"]
    for picture in pictures:
        assert picture.pixels[0, ::8].tolist() == [0, 32, 65, 97, 129, 162, 194, 227]
    signed = decode_image(tiff(np.array([[-128, 0, 127]], "i1")))
    assert signed.pixels.tolist() == [[0, 128, 255]]
    assert decode_image(tiff(np.array([[-128, 0, 127]], "i1"), t262=0)).pixels.tolist() == [[255, 127, 0]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_twelve_bits_and_undefined_ones_and_a_plane_of_its_own(order: str) -> None:
    values = RNG.integers(0, 4096, (21, 34)).astype("u2")
    for options in ({}, {"deflated": True}, {"t262": 0}):
        assert np.array_equal(stored(tiff(values, order=order, packed_bits=12, **options)), values)
        assert np.array_equal(stored(tiff(values, order=order, by_plane=True, **options)), values)
        assert np.array_equal(stored(tiff(values, order=order, t339=UNDEFINED, **options)), values)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("by_plane", [False, True])
def test_gray_of_16_bits_with_a_second_sample(order: str, by_plane: bool) -> None:
    both = RNG.integers(0, 65536, (21, 34, 2)).astype("u2")
    values, alpha = both[..., 0], both[..., 1] / 65535
    for layout in LAYOUTS.values():
        if "big" in layout and order == ">":
            continue
        options = {**layout, "order": order, "by_plane": by_plane}
        assert np.array_equal(stored(tiff(both, t338=2, **options)), np.rint(values * alpha))
        for kind in (0, 1):  # no alpha; multiplied already
            assert np.array_equal(stored(tiff(both, t338=kind, **options)), values)
        assert np.array_equal(stored(tiff(both, t338=2, t262=0, **options)), np.rint((65535 - values) * alpha))


def test_samples_that_are_not_read_are_named_and_not_called_damaged() -> None:
    for samples, said in (
        (np.zeros((4, 5)), "a TIFF of floating-point samples of 64 bits, photometric 1"),
        (np.zeros((4, 5, 3), "i2"), "a TIFF of 3 signed samples of 16 bits, photometric 1"),
    ):
        with pytest.raises(ImageError) as caught:
            stored(tiff(samples))
        assert f"but the upload = {said}. Save it as a PNG, or as a plain TIFF of these." in str(caught.value)
    with pytest.raises(ImageError, match="unsigned samples of 10 bits"):
        stored(tiff(np.zeros((4, 8), "u2"), packed_bits=10))
    with pytest.raises(ImageError, match="a BigTIFF in big endian"):
        stored(tiff(gray("u2"), order=">", big=True))
