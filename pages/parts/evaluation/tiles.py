"""What all evaluations say in figures, as HTML: tiles with a number each, notes beside them, and how to read a view.

Owns these pieces. Every text of a collection is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import streamlit as st

from pages.parts.frame.text import markup
from radcbir_core.evaluation import Result

_MINUS: Final = re.compile(r"(?<![\w.])-(?=\d\.\d{3}\b)")


@dataclass(frozen=True)
class Tile:
    """A number that a view begins with.

    Attributes:
        title: What it is: the metric, and whether it is micro or macro.
        value: The number, as it is shown.
        lines: What it is of: interval or deviation, and how many queries or labels.
    """

    title: str
    value: str
    lines: tuple[str, ...]


def headline(tiles: Sequence[Tile], result: Result, *, first: Sequence[str]) -> None:
    """Tiles, and beside them what one has to know to read the numbers.

    Args:
        tiles: The numbers that a view begins with.
        result: Whose they are, with its notes.
        first: Sentences that come before its notes: by which rules it was made, and what a page knows of them.
    """
    shown = "".join(
        f"<div><span>{markup(tile.title)}</span><b>{markup(tile.value)}</b>"
        f"<small>{'<br>'.join(markup(line) for line in tile.lines)}</small></div>"
        for tile in tiles
    )
    said = "".join(f"<li>{markup(note)}</li>" for note in (*first, *result.notes))
    st.html(f'<div class="radcbir-headline">{shown}<ul>{said}</ul></div>')


def explain(text: str) -> None:
    """A sentence or two, above a view: what it shows and how to read it."""
    st.html(f'<p class="radcbir-explained">{markup(text)}</p>')


def interval(low: float, high: float, *, missing: str = "no interval: fewer than two patients") -> str:
    """An interval in words.

    >>> interval(0.25, 0.5), interval(np.nan, np.nan)
    ('95 % interval 0.250 to 0.500', 'no interval: fewer than two patients')
    """
    return missing if np.isnan(low) or np.isnan(high) else f"95 % interval {low:.3f} to {high:.3f}"


def bounds(low: float, high: float) -> str:
    """An interval in a table, or a dash where there is none.

    >>> bounds(0.25, 0.5), bounds(np.nan, np.nan)
    ('.25 – .50', '–')
    """
    if np.isnan(low) or np.isnan(high):
        return "–"
    return f"{low:.2f} – {high:.2f}".replace("0.", ".")


def signed(value: float) -> str:
    """A difference with three digits and its sign, or a dash where there is none.

    >>> signed(0.5), signed(-0.25), signed(float("nan"))
    ('+0.500', '−0.250', '–')
    """
    return "–" if np.isnan(value) else f"{value:+.3f}".replace("-", "−")


def minus(said: str) -> str:
    """A sentence of the core with the minus sign in its figures of three digits, and hyphens of names as they are.

    >>> minus("age 40-50, non-small: -0.250 [-0.500, +0.125]")
    'age 40-50, non-small: −0.250 [−0.500, +0.125]'
    """
    return _MINUS.sub("−", said)


def number(value: float) -> str:
    """A figure with three digits, or a dash where there is none.

    >>> number(0.5), number(float("nan"))
    ('0.500', '–')
    """
    return "–" if np.isnan(value) else f"{value:.3f}".replace("-", "−")
