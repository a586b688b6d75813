"""Text in the cells of a CSV that a spreadsheet may open: no cell is run as a formula, and each can be read back.

Owns the apostrophe that is put before such a cell, as OWASP recommends against CSV injection, and its removal.
"""

from __future__ import annotations

import re
from typing import Final

FORMULA: Final = r"^'*[\t\r\n ]*[=+\-@]"
"""How such a cell begins."""
_FORMULA: Final = re.compile(FORMULA)


def tamed(text: str) -> str:
    """A text with an apostrophe in front where a spreadsheet would run it as a formula.

    It gets one more where it has some already, so that :func:`untamed` gives every text back.

    Example:
        >>> tamed("=1+1"), tamed("mass"), tamed("'=x")
        ("'=1+1", 'mass', "''=x")
    """
    return f"'{text}" if _FORMULA.match(text) else text


def untamed(text: str) -> str:
    """The text that :func:`tamed` was given.

    Example:
        >>> [untamed(tamed(text)) for text in ("=1+1", "mass", "'=x", "'quoted'")]
        ['=1+1', 'mass', "'=x", "'quoted'"]
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
