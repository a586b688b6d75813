"""What a compressed frame says of itself: the few numbers at its start.

Owns the reading of JPEG, JPEG-LS and JPEG 2000 headers, so that a frame which does not match its DICOM header is
refused before a decoder allocates memory for it or runs past its end. It decodes no pixels.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_SOI = b"\xff\xd8"
_END = b"\xff\xd9"
_J2K_START = b"\xff\x4f\xff\x51"
_J2K_CODING = b"\xff\x52"
_J2K_DATA = b"\xff\x90"
_JPEG_LS = 0xF7
_LOSSLESS = 0xC3
# Start-of-frame markers (ITU-T T.81, table B.1; ISO 14495-1 for 0xF7). 0xC4, 0xC8 and 0xCC are other segments.
_STARTS_OF_FRAME = frozenset({*range(0xC0, 0xD0), _JPEG_LS} - {0xC4, 0xC8, 0xCC})
# Markers without a segment after them: TEM and RST0 to RST7.
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})


@dataclass(frozen=True, slots=True)
class CodestreamHeader:
    """The size and type of one compressed frame.

    Attributes:
        width: columns.
        height: rows.
        components: samples per pixel.
        precision: bits of a sample.
        lossless: whether it is lossless JPEG (process 14).
        marked_color: whether the stream itself says how its color is coded: JPEG by a JFIF or Adobe segment, or by
            components called R, G and B; JPEG 2000 by a transform of its components, which a decoder undoes.
    """

    width: int
    height: int
    components: int
    precision: int
    lossless: bool = False
    marked_color: bool = False


def read_jpeg_header(frame: bytes) -> CodestreamHeader:
    """The header of a JPEG or JPEG-LS frame.

    Raises:
        ValueError: it has none, or breaks off before it.

    Example:
        >>> sof = bytes.fromhex("ffd8 ffc3 000b 0c 0040 0020 01 011100")
        >>> read_jpeg_header(sof).height, read_jpeg_header(sof).precision, read_jpeg_header(sof).lossless
        (64, 12, True)
    """
    if frame[:2] != _SOI:
        raise ValueError("no start of image")
    marked_color = False
    place = 2
    while place + 4 <= len(frame):
        if frame[place] != 0xFF:
            raise ValueError("no marker where one has to be")
        marker = frame[place + 1]
        if marker == 0xFF or marker in _ALONE:  # a fill byte, or a marker without a segment
            place += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", frame, place + 2)
        segment = frame[place + 4 : place + 2 + length]
        if marker in _STARTS_OF_FRAME:
            precision, height, width, components = struct.unpack_from(">BHHB", segment)
            names = segment[6 : 6 + 3 * components : 3]
            return CodestreamHeader(
                width, height, components, precision, marker == _LOSSLESS, marked_color or names in {b"RGB", b"rgb"}
            )
        # As libjpeg counts them: a shorter segment of that name is none.
        if marker == 0xE0 and segment.startswith(b"JFIF\x00") and len(segment) >= 14:
            marked_color = True
        if marker == 0xEE and segment.startswith(b"Adobe") and len(segment) >= 12:
            marked_color = True
        place += 2 + length
    raise ValueError("no start of frame")


def read_jpeg2000_header(frame: bytes) -> CodestreamHeader:
    """The header of a JPEG 2000 or HTJ2K frame (ITU-T T.800, A.5.1), also inside a JP2 file.

    Raises:
        ValueError: it has none, or its components differ in size.
    """
    start = frame.find(_J2K_START)
    if start < 0:
        raise ValueError("no start of codestream")
    x1, y1, x0, y0 = struct.unpack_from(">IIII", frame, start + 8)
    (components,) = struct.unpack_from(">H", frame, start + 40)
    details = frame[start + 42 : start + 42 + 3 * components]
    if len(details) < 3 or {*details[1::3], *details[2::3]} != {1}:
        raise ValueError("no components, or subsampled ones")
    transformed = _transforms_components(frame, start + 2)
    return CodestreamHeader(x1 - x0, y1 - y0, components, (details[0] & 0x7F) + 1, marked_color=transformed)


def _transforms_components(frame: bytes, place: int) -> bool:
    """Whether a codestream's coding style names a transform of its components (ITU-T T.800, A.6.1 and table A.14).

    Args:
        frame: the frame.
        place: that of the first segment of the main header, which ends at the first tile.
    """
    while place + 9 <= len(frame) and frame[place : place + 2] != _J2K_DATA:
        if frame[place : place + 2] == _J2K_CODING:
            return frame[place + 8] == 1
        (length,) = struct.unpack_from(">H", frame, place + 2)
        place += 2 + length
    return False


def ends_with_marker(frame: bytes) -> bool:
    """Whether a JPEG, JPEG-LS or JPEG 2000 frame has its end marker, but for padding after it.

    A frame without one was cut off. The JPEG-LS decoder would read on past its end.

    Example:
        >>> [ends_with_marker(bytes.fromhex(tail)) for tail in ("00ffd9", "ffd900", "ffd9ff", "ffd90102")]
        [True, True, True, False]
    """
    return frame.rstrip(b"\x00\xff").endswith(_END)
