"""What all evaluations say in figures, as HTML: tiles with a number each, notes beside them, and how to read a view.

Owns these pieces and the style sheet of the Pathology page. Every text of a collection is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import streamlit as st

from pages.parts.frame.text import markup
from radcbir_core.evaluation import Result


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
    st.html(f'<div class="radcbir-headline">{shown}<ul tabindex="0">{said}</ul></div>{STYLE}')


def explain(text: str) -> None:
    """A sentence or two, above a view: what it shows and how to read it."""
    st.html(f'<p class="radcbir-explained">{markup(text)}</p>{STYLE}')


def interval(low: float, high: float, *, missing: str = "no interval: one patient only") -> str:
    """An interval in words.

    >>> interval(0.25, 0.5), interval(np.nan, np.nan)
    ('95 % interval 0.250 to 0.500', 'no interval: one patient only')
    """
    return missing if np.isnan(low) or np.isnan(high) else f"95 % interval {low:.3f} to {high:.3f}"


def number(value: float) -> str:
    """A figure with three digits, or a dash where there is none.

    >>> number(0.5), number(float("nan"))
    ('0.500', '–')
    """
    return "–" if np.isnan(value) else f"{value:.3f}".replace("-", "−")


STYLE: Final = """<style>
.radcbir-headline { display: flex; flex-wrap: wrap; gap: 10px; }
.radcbir-headline > div { flex: 0 1 13.5rem; min-width: 10rem; background: #171C24; border: 1px solid #2A313C;
  border-radius: 6px; padding: .45rem .75rem; }
.radcbir-headline span { color: #98A3B3; font-size: .82rem; display: block; }
.radcbir-headline b { font-size: 1.4rem; font-weight: 600; line-height: 1.25; display: block; }
.radcbir-headline small { color: #98A3B3; font-size: .78rem; line-height: 1.3; display: block; }
.radcbir-headline ul { color: #98A3B3; font-size: .78rem; line-height: 1.35; margin: 0; padding: 0 0 0 1.1rem;
  flex: 1 1 20rem; max-height: 6.1rem; overflow-y: auto; scrollbar-width: thin; }
.radcbir-headline li { margin: 0 0 .15rem; padding: 0; font-size: .78rem; }
[class*="st-key-radcbir-half"] [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
[class*="st-key-radcbir-half"] [data-testid="stColumn"] { min-width: 27rem; }
.radcbir-explained { font-size: .92rem; line-height: 1.45; margin: 0; color: #C6CDD8; max-width: 72rem; }
.radcbir-label { font-size: 1.05rem; margin: 0; padding: 0; font-weight: 600; overflow-wrap: anywhere; }
h4.radcbir-label, .radcbir-confusion h4 { font-size: .95rem; margin: 0; padding: 0; font-weight: 600; }
.radcbir-confusion table { width: 100%; border-collapse: collapse; font-size: .87rem; margin-top: .4rem; }
.radcbir-confusion td { border: 0; padding: 3px 0; vertical-align: top; overflow-wrap: anywhere; line-height: 1.3; }
.radcbir-confusion td div { height: .4em; border-radius: 2px; margin-top: 2px; }
.radcbir-confusion .sign { width: 1.4em; font-weight: 700; }
.radcbir-confusion .share { width: 4.3em; text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.radcbir-query { font-size: .87rem; margin: .3rem 0 0; color: #98A3B3; }
.radcbir-query b { color: #E4E8EE; font-weight: 600; }
.radcbir-query span { font-weight: 700; }
</style>"""
