"""Pixels that follow each other without a gap, at widths that are no whole bytes.

Owns the unpacking of what files from before 2004 may hold: a Bits Allocated of 12, mostly. Later editions of the
standard allow 1 and multiples of 8 alone (PS3.5, 8.1.1), and pydicom reads no other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def is_packed(bits: int) -> bool:
    """Whether pixels of this width straddle bytes.

    Example:
        >>> [bits for bits in (1, 8, 10, 12, 16, 32) if is_packed(bits)]
        [10, 12]
    """
    return 1 < bits < 16 and bits != 8


def span_of(frame: int, *, pixels: int, bits: int) -> tuple[int, int]:
    """The bytes that hold a frame: the first, and the one behind the last; both even, as 16-bit words are.

    Args:
        frame: which, counted from 0.
        pixels: how many a frame has.
        bits: Bits Allocated.

    Example:
        >>> span_of(0, pixels=3, bits=12), span_of(1, pixels=3, bits=12)
        ((0, 6), (4, 10))
    """
    first, last = frame * pixels * bits, (frame + 1) * pixels * bits
    return first // 16 * 2, -(-last // 16) * 2


def unpacked(
    packed: bytes, frame: int, *, pixels: int, bits: int, signed: bool, big_endian: bool
) -> npt.NDArray[np.uint16] | npt.NDArray[np.int16]:
    """The pixels of a frame, each in a word of its own, its lowest bit the word's.

    The first pixel begins at the lowest bit of the first 16-bit word, and the next where it ends (PS3.5 of 2003, 8.1.1
    and annex D). In big endian the bytes of each word are exchanged.

    Args:
        packed: the bytes that :func:`span_of` names; at the end of the pixel data a byte may be missing.
        frame: which, counted from 0.
        pixels: how many a frame has.
        bits: Bits Allocated.
        signed: whether values are in two's complement; their sign is not extended here.
        big_endian: the byte order of words.

    Example:
        >>> unpacked(bytes([0x23, 0x61, 0x45]), 0, pixels=2, bits=12, signed=False, big_endian=False).tolist() == [
        ...     0x123,
        ...     0x456,
        ... ]
        True
    """
    words = np.frombuffer(packed + b"\0" * (len(packed) % 2), ">u2" if big_endian else "<u2").astype("<u2")
    start = frame * pixels * bits - span_of(frame, pixels=pixels, bits=bits)[0] * 8
    stream = np.unpackbits(words.view(np.uint8), bitorder="little")[start : start + pixels * bits]
    spread = np.zeros((pixels, 16), dtype=np.uint8)
    spread[:, :bits] = stream.reshape(pixels, bits)
    values: npt.NDArray[np.uint16] = np.packbits(spread, axis=1, bitorder="little").view("<u2").reshape(pixels)
    return values.view(np.int16) if signed else values
