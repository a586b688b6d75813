"""Which pages of a TIFF are pictures of their own.

Owns the walk over the directories (IFDs) of a file, to tell full pages from what only accompanies them: reduced copies,
pyramids, transparency masks (TIFF 6.0, section 8, NewSubfileType and SubfileType; section 12 for masks; TIFF Technical
Note 1 for SubIFDs; the BigTIFF design for wide offsets). It decodes nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from mmap import mmap

_NEW_SUBFILE_TYPE = 254
_SUBFILE_TYPE = 255
_WIDTH = 256
_HEIGHT = 257
_PHOTOMETRIC = 262
_SUB_IFDS = 330
_WANTED = frozenset({_NEW_SUBFILE_TYPE, _SUBFILE_TYPE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _SUB_IFDS})

_REDUCED_OR_MASK = 0b101  # bits 0 and 2 of NewSubfileType; bit 1 is one page of several
_OLD_REDUCED = 2
_PHOTOMETRIC_MASK = 4
_FEWEST_LEVELS = 3
# Types whose values are whole numbers (SHORT, LONG, IFD, LONG8, IFD8) and how struct reads them.
_WHOLE_NUMBERS = {3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}
_MOST_SUB_IFDS = 1000


@dataclass(frozen=True, slots=True)
class TiffPage:
    """One directory of a TIFF.

    Attributes:
        offset: where it is in the file.
        number: its place among the pages that follow one another, counted from 0; None where another page names it.
    """

    offset: int
    number: int | None


def full_pages(data: bytes | mmap) -> list[TiffPage]:
    """The pages that are pictures, in their order.

    Of a file whose pages all say that they only accompany something, the full picture may be where their SubIFDs lead;
    if there is none either, they are what there is. Later pages that halve the one before, at least two of them, are a
    pyramid even where the file does not say so.

    Args:
        data: the whole file.

    Raises:
        struct.error: a directory breaks off.
        ValueError: there is no directory.
    """
    tiff = _Tiff(data)
    pages = [(TiffPage(offset, number), tags) for number, (offset, tags) in enumerate(tiff.chain())]
    if not pages:
        raise ValueError("a TIFF without a page")
    full = [(page, tags) for page, tags in pages if not _accompanies(tags)]
    if not full:
        offsets = [offset for _, tags in pages for offset in tags.get(_SUB_IFDS, ())]
        below = [(TiffPage(offset, None), tiff.directory(offset)[0]) for offset in offsets[:_MOST_SUB_IFDS] if offset]
        full = [(page, tags) for page, tags in below if not _accompanies(tags)] or pages
    elif len(full) >= _FEWEST_LEVELS and all(_halves(larger, smaller) for (_, larger), (_, smaller) in pairwise(full)):
        full = full[:1]
    return [page for page, _ in full]


def starting_with(data: bytes | mmap, page: TiffPage) -> bytes:
    """The file with this page as its first, for readers that follow the pages from the first on."""
    tiff = _Tiff(data)
    width = struct.calcsize(tiff.order + tiff.offset_format)
    start = struct.pack(tiff.order + tiff.offset_format, page.offset)
    return data[: tiff.first] + start + data[tiff.first + width :]


_Tags = dict[int, tuple[int, ...]]


def _accompanies(tags: _Tags) -> bool:
    """Whether a directory is a reduced copy or a mask of another."""
    if _NEW_SUBFILE_TYPE in tags:
        accompanies = bool(_value(tags, _NEW_SUBFILE_TYPE) & _REDUCED_OR_MASK)
    else:
        accompanies = _value(tags, _SUBFILE_TYPE) == _OLD_REDUCED
    return accompanies or _value(tags, _PHOTOMETRIC) == _PHOTOMETRIC_MASK


def _halves(larger: _Tags, smaller: _Tags) -> bool:
    """Whether both sides are half as long, rounded in either direction."""
    return all(
        _value(larger, side) > 1 and 0 <= _value(larger, side) - 2 * _value(smaller, side) + 1 <= 2
        for side in (_WIDTH, _HEIGHT)
    )


def _value(tags: _Tags, tag: int) -> int:
    return next(iter(tags.get(tag, ())), 0)


class _Tiff:
    """The directories of one file."""

    def __init__(self, data: bytes | mmap) -> None:
        self._data = data
        self.order = "<" if data[:2] == b"II" else ">"
        big = struct.unpack_from(f"{self.order}H", data, 2) == (43,)
        self.first, self.offset_format, self._count_format = (8, "Q", "Q") if big else (4, "L", "H")

    def chain(self) -> Iterator[tuple[int, _Tags]]:
        """Offset and tags of the pages that follow one another; a file whose pages go in a circle ends there."""
        (offset,) = self._read(self.offset_format, self.first)
        seen: set[int] = set()
        while offset and offset not in seen:
            seen.add(offset)
            tags, following = self.directory(offset)
            yield offset, tags
            offset = following

    def directory(self, offset: int) -> tuple[_Tags, int]:
        """The tags that are wanted of a directory, and where the next one is; 0 where there is none."""
        (count,) = self._read(self._count_format, offset)
        entry_size = 4 + 2 * struct.calcsize(self.order + self.offset_format)
        start = offset + struct.calcsize(self.order + self._count_format)
        end = start + count * entry_size
        (following,) = self._read(self.offset_format, end)  # a count past the end of the file is noticed here
        tags: _Tags = {}
        for place in range(start, end, entry_size):
            tag, kind = self._read("HH", place)
            if tag in _WANTED and kind in _WHOLE_NUMBERS:
                tags[tag] = self._values(_WHOLE_NUMBERS[kind], place + 4)
        return tags, following

    def _values(self, kind: str, place: int) -> tuple[int, ...]:
        """The values of an entry, of which `place` is where their number stands; they or their place follow it."""
        (count,) = self._read(self.offset_format, place)
        at = place + struct.calcsize(self.order + self.offset_format)
        count = min(count, _MOST_SUB_IFDS)
        if struct.calcsize(f"{self.order}{count}{kind}") > struct.calcsize(self.order + self.offset_format):
            (at,) = self._read(self.offset_format, at)
        return self._read(f"{count}{kind}", at)

    def _read(self, layout: str, place: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + layout, self._data, place)
