"""How many scans a JPEG has: each is a pass over the whole picture, and nothing but the file's length bounds them.

Owns the walk over the markers of a stream (ITU-T T.81, B.1 and B.2). It decodes nothing.
"""

from __future__ import annotations

import re
from mmap import mmap

_START_OF_SCAN = 0xDA
_END = 0xD9
# A marker in coded data: neither a stuffed zero, nor a restart, nor a fill byte before another marker.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def count_scans(data: bytes | mmap) -> int:
    r"""How many scans there are up to the end of the first image, or to where the stream breaks off.

    Example:
        >>> scan = b"\xff\xda\x00\x02coded\xff\x00data\xff\xd1"
        >>> count_scans(b"\xff\xd8" + 3 * scan + b"\xff\xd9" + scan)
        3
    """
    scans, place = 0, 2
    while (marker := _MARKER.search(data, place)) is not None:
        kind, place = data[marker.start() + 1], marker.end()
        if kind == _END:
            break
        scans += kind == _START_OF_SCAN
        if kind not in _ALONE:
            place += int.from_bytes(data[place : place + 2], "big")
    return scans
