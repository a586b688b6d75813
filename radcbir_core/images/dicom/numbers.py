"""Numbers that DICOM writes as text: decimal strings (DS) and integer strings (IS).

Owns the one rule for them (PS3.5, 6.2): a text that is no number counts as none, and so does a number where the element
may have one value and has several. Neither pydicom nor Python agree with the standard on what a number is: "12,4" comes
back as text, "1_000" as a thousand, "NaN" as a float. It keeps no value that is none, because it may be anything.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any

_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
# Writers put whole numbers as decimals; the value is the same.
_WHOLE = re.compile(r"[+-]?[0-9]+(\.0*)?")
_LARGEST_WHOLE = 2**31
# Value representations whose values are numbers or words already, whatever the element should have had.
_BINARY = frozenset({"FL", "FD", "SL", "SS", "UL", "US", "SV", "UV"})


def numbers(header: Any, keyword: str) -> tuple[float | None, ...]:
    r"""The values of an element, each a finite number, or None where the text is none.

    Args:
        header: a pydicom data set, or a dictionary as ``quick_header`` gives it.
        keyword: of an element that has DS or IS as its value representation.

    Returns:
        As many as the element has; none where it is missing or empty.

    Example:
        >>> numbers({"WindowCenter": "12,4\\40"}, "WindowCenter"), numbers({}, "WindowCenter")
        ((None, 40.0), ())
    """
    parts = number_texts(header, keyword)
    if not any(parts):
        return ()
    pattern = _pattern(keyword)
    return tuple(_number(part, pattern) for part in parts)


def one_number(header: Any, keyword: str) -> float | None:
    r"""The value of an element that has one; None where it is missing, no number, or several.

    Example:
        >>> one_number({"RescaleSlope": "1.50 "}, "RescaleSlope"), one_number({"RescaleSlope": "1\\2"}, "RescaleSlope")
        (1.5, None)
    """
    values = numbers(header, keyword)
    return values[0] if len(values) == 1 else None


def is_no_number(header: Any, keyword: str, *, count: int | None = 1) -> bool:
    """Whether an element holds something that is not ``count`` numbers; any count where that is None.

    Example:
        >>> [is_no_number({"NumberOfFrames": text}, "NumberOfFrames") for text in ("3", "1e", "", "2.5")]
        [False, True, False, True]
    """
    values = numbers(header, keyword)
    return bool(values) and (None in values or (count is not None and len(values) != count))


@cache
def _pattern(keyword: str) -> re.Pattern[str]:
    from pydicom.datadict import dictionary_VR  # takes a third of a second, and headers may be read without it

    return _WHOLE if dictionary_VR(keyword) == "IS" else _DECIMAL


def number_texts(header: Any, keyword: str) -> list[str]:
    """The parts of an element's value as they are written, without padding."""
    value = _value(header, keyword)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if value is None:
        return []
    parts = value.split("\\") if isinstance(value, str) else value if hasattr(value, "__iter__") else [value]
    return ["" if part is None else str(part).strip(" \0\t\r\n") for part in parts]


def _value(header: Any, keyword: str) -> Any:
    """What a header holds; of one that was read from a file the very bytes, which pydicom may make anything of."""
    element = None if isinstance(header, dict) else header.get_item(keyword)
    if element is not None and element.is_raw and element.VR not in _BINARY:
        return element.value
    return header.get(keyword)


def _number(text: str, pattern: re.Pattern[str]) -> float | None:
    if not pattern.fullmatch(text):
        return None
    number = float(text)
    if pattern is _WHOLE and not -_LARGEST_WHOLE <= number < _LARGEST_WHOLE:
        return None
    return number if math.isfinite(number) else None
