"""Sizes in words and as a table.

Owns how bytes are said, in decimal units as disks are sold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from pages.parts.frame.text import markup

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")


def said(length: float) -> str:
    """A number of bytes, with a unit that keeps it short.

    >>> said(0), said(999), said(24_921_009), said(389_023_420), said(1.6e12)
    ('0 bytes', '999 bytes', '24.9 MB', '389 MB', '1.6 TB')
    """
    unit = 0
    while length >= 999.5 and unit + 1 < len(_UNITS):
        length /= 1000
        unit += 1
    return f"{length:,.0f} {_UNITS[unit]}" if unit == 0 or length >= 99.95 else f"{length:,.1f} {_UNITS[unit]}"


def table(parts: Mapping[str, int], *, title: str) -> None:
    """Parts and how much room they take, each with a bar; those that take none are left out."""
    most = max(parts.values(), default=0) or 1
    lines = "".join(
        f'<tr><td>{markup(name)}</td><td class="number">{markup(said(length))}</td><td class="bar">'
        f'<div style="width:{max(100 * length / most, 0.8):.1f}%"></div></td></tr>'
        for name, length in parts.items()
        if length
    )
    total = said(sum(parts.values()))
    st.html(
        f'<section class="radcbir-sizes"><h4>{markup(title)} <small>{markup(total)} in all</small></h4>'
        f"<table><tbody>{lines}</tbody></table></section>"
    )
