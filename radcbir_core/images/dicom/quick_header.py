"""A few elements of a DICOM header, read in a tenth of the time that a whole data set takes.

Owns a walk over the elements of an ordinary file: preamble, little endian, explicit or implicit value representation,
elements in ascending order, ASCII text. For anything else there is no answer, and the caller asks pydicom, which knows
all that DICOM allows. It never guesses: the tests compare each answer with pydicom's, on whole and on damaged files.

Encoding of elements and sequences: DICOM PS3.5, 7.1 and 7.5; of values: PS3.5, 6.2; of the file: PS3.10, 7.1.
"""

from __future__ import annotations

import os
import re
import struct
from functools import lru_cache
from typing import NamedTuple

Value = str | int | float | list[float]

_HEAD = 16 * 1024
_MOST = 1024 * 1024
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_DEEPEST = 8
_META_START = 132
_SYNTAX_TAG = 0x00020010

_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_TEXTS = frozenset(b"CS LO SH UI".split())

_IMPLICIT = "1.2.840.10008.1.2"
# Explicit little endian and what is compressed inside of it; the two at the end are deflated as a whole.
_EXPLICIT = re.compile(r"1\.2\.840\.10008\.1\.2\.(1|5|4\.(?!95$|205$)\d+)")
_WHOLE = re.compile(r"[+-]?\d{1,9}")
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")

_explicit = struct.Struct("<HH2sH").unpack_from
_implicit = struct.Struct("<HHL").unpack_from
_length = struct.Struct("<L").unpack_from
_short = struct.Struct("<H").unpack_from


class _Unusual(Exception):  # noqa: N818 - says what the file is, and never leaves this module
    """Nothing for this module."""


class _Plan(NamedTuple):
    """Tag → keyword and value representation; the last tag; what a header without is left to pydicom."""

    wanted: dict[int, tuple[str, bytes]]
    last: int
    required: frozenset[str]


@lru_cache(maxsize=8)
def _plan(keywords: tuple[str, ...], required: frozenset[str]) -> _Plan:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    tags = {keyword: int(tag_for_keyword(keyword) or 0) for keyword in keywords}
    wanted = {tag: (keyword, str(dictionary_VR(tag)).encode()) for keyword, tag in tags.items()}
    return _Plan(wanted, max(wanted), required)


def quick_elements(
    path: str, keywords: tuple[str, ...], *, required: frozenset[str] = frozenset()
) -> dict[str, Value] | None:
    """The named elements of an ordinary DICOM file.

    Nothing after the last of them is looked at: neither is known whether the file is whole, nor found what a damaged
    file has out of order.

    Args:
        path: The file; one that is a link is not opened.
        keywords: Of elements with code strings, short and long texts, UIDs, numbers (US, IS, DS).
        required: Keywords without which there is no answer.

    Returns:
        Keyword → value, for those that have one: text without padding, ``int``, ``float``, or several of these.
        ``None`` where the file is not ordinary, not there, or no DICOM: then pydicom has to be asked.
    """
    plan = _plan(keywords, required)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        head, room = os.read(handle, _HEAD), _HEAD
        while True:
            try:
                return _elements(head, plan)
            except (IndexError, struct.error):
                # More is needed than there is; a header of this kind is a few thousand bytes long.
                if len(head) < room or room >= _MOST:
                    return None
                room *= 8
                head += os.read(handle, room - len(head))
    except (OSError, _Unusual, ValueError):
        return None
    finally:
        os.close(handle)


def _elements(head: bytes, plan: _Plan) -> dict[str, Value]:
    if head[128:144][:12] != b"DICM\x02\x00\x00\x00UL\x04\x00":
        raise _Unusual
    start = _META_START + 12 + _length(head, _META_START + 8)[0]
    meta: dict[int, bytes] = {}
    _walk(head, _META_START, {_SYNTAX_TAG: b"UI"}, meta, last=0x0002FFFF, end=start)
    if _short(head, start)[0] <= 2:
        raise _Unusual  # the group's length does not lead to where it ends
    syntax = _text(meta.get(_SYNTAX_TAG, b"")) or ""
    explicit = syntax != _IMPLICIT
    if explicit and not _EXPLICIT.fullmatch(syntax):
        raise _Unusual
    if not explicit and head[start + 4 : start + 6].isalpha():
        raise _Unusual  # it says implicit and looks explicit
    raw: dict[int, bytes] = {}
    wanted = {tag: representation for tag, (_, representation) in plan.wanted.items()}
    _walk(head, start, wanted, raw, last=plan.last, explicit=explicit)
    values: dict[str, Value] = {}
    for tag, content in raw.items():
        keyword, representation = plan.wanted[tag]
        value = _value(content, representation)
        if value is not None:
            values[keyword] = value
    if not plan.required <= values.keys():
        raise _Unusual
    return values


def _walk(
    head: bytes,
    start: int,
    wanted: dict[int, bytes],
    raw_values: dict[int, bytes],
    *,
    last: int,
    end: int = -1,
    explicit: bool = True,
) -> None:
    """Collect the wanted elements up to the tag ``last``, or of a group up to where it ends.

    Raises:
        IndexError: ``head`` ends before.
        struct.error: Likewise.
    """
    position, before = start, -1
    while position != end:
        tag, representation, length, content = _element(head, position, explicit=explicit)
        if tag <= before:
            raise _Unusual
        if tag > last:
            if end >= 0:
                raise _Unusual
            return
        before = tag
        if length == _UNDEFINED:
            if tag in wanted:
                raise _Unusual
            position = _after_sequence(head, content, representation, explicit=explicit, depth=0)
            continue
        position = content + length
        if tag in wanted:
            if position > len(head):
                raise IndexError
            if explicit and representation != wanted[tag]:
                raise _Unusual
            raw_values[tag] = head[content:position]


def _element(head: bytes, position: int, *, explicit: bool) -> tuple[int, bytes, int, int]:
    """Tag, value representation, length, and where the value begins."""
    if not explicit:
        group, element, length = _implicit(head, position)
        return group << 16 | element, b"", length, position + 8
    group, element, representation, length = _explicit(head, position)
    if representation in _SHORT:
        return group << 16 | element, representation, length, position + 8
    if representation in _LONG:
        return group << 16 | element, representation, _length(head, position + 8)[0], position + 12
    raise _Unusual


def _after_sequence(head: bytes, position: int, representation: bytes, *, explicit: bool, depth: int) -> int:
    """Where a sequence of undefined length ends."""
    if (explicit and representation != b"SQ") or depth > _DEEPEST:
        raise _Unusual
    while True:
        group, element, length = _implicit(head, position)  # items have no value representation
        tag, position = group << 16 | element, position + 8
        if tag == _SEQUENCE_END and length == 0:
            return position
        if tag != _ITEM:
            raise _Unusual
        position = position + length if length != _UNDEFINED else _after_item(head, position, explicit, depth)


def _after_item(head: bytes, position: int, explicit: bool, depth: int) -> int:  # noqa: FBT001 - private, hot
    """Where an item of undefined length ends."""
    while True:
        if _implicit(head, position) == (_ITEM_END >> 16, _ITEM_END & 0xFFFF, 0):
            return position + 8
        _, representation, length, content = _element(head, position, explicit=explicit)
        if length == _UNDEFINED:
            position = _after_sequence(head, content, representation, explicit=explicit, depth=depth + 1)
        else:
            position = content + length


def _value(content: bytes, representation: bytes) -> Value | None:
    """A value as Python has it, ``None`` for an empty one."""
    if representation == b"US":
        if len(content) != 2:
            raise _Unusual
        return int(_short(content)[0])
    text = _text(content)
    if text is None or representation in _TEXTS:
        if text is not None and "\\" in text:
            raise _Unusual  # several values
        return text
    pattern = {b"IS": _WHOLE, b"DS": _DECIMAL}.get(representation)
    parts = [part.strip(" ") for part in text.split("\\")]
    if pattern is None or not all(pattern.fullmatch(part) for part in parts):
        raise _Unusual
    if representation == b"IS":
        if len(parts) > 1:
            raise _Unusual
        return int(parts[0])
    numbers = [float(part) for part in parts]
    return numbers if len(numbers) > 1 else numbers[0]


def _text(content: bytes) -> str | None:
    """Text of plain characters, which every character set has at the same place; without padding."""
    text = content.rstrip(b"\0 ").decode("ascii")
    if not text:
        return None
    # In ISO IR 13 a tilde is another character; an escape to another set is not printable.
    if not text.isprintable() or "~" in text or text[0] == " ":
        raise _Unusual
    return text
