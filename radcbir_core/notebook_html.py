"""How results show themselves in a notebook: galleries and lists of facts, as HTML that needs nothing else.

Owns the markup. Everything that comes from a collection is text, never markup; pictures go along as data, because a
notebook is sent to others without the collection. Colors are the notebook's own, light or dark.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from radcbir_core.images.thumbnailing import media_type_of


@dataclass(frozen=True, slots=True)
class Card:
    """One picture of a gallery.

    Attributes:
        thumbnail: As a collection keeps it; None where there is none.
        lines: What is said below it, the first line strongest.
        about: What is said where the pointer rests on it.
    """

    thumbnail: bytes | None
    lines: Sequence[str]
    about: str = ""


def gallery(cards: Sequence[Card], *, title: str = "", notes: Sequence[str] = ()) -> str:
    """Pictures in a row that wraps, each with its lines.

    Example:
        >>> gallery([Card(None, ["1", "<b>"])])[-49:]
        '<b>1</b><br>&lt;b&gt;</figcaption></figure></div>'
    """
    figures = "".join(
        f'<figure style="margin:0;width:128px" title="{escape(card.about)}">{_picture(card.thumbnail)}'
        f'<figcaption style="font-size:.8em">{_lines(card.lines)}</figcaption></figure>'
        for card in cards
    )
    return f'{_heading(title, notes)}<div style="display:flex;flex-wrap:wrap;gap:8px">{figures}</div>'


def facts(rows: Mapping[str, object], *, title: str = "", notes: Sequence[str] = ()) -> str:
    """Names and values in two columns.

    Example:
        >>> facts({"images": 20})
        '<table><tr><th style="text-align:left">images</th><td style="text-align:left">20</td></tr></table>'
    """
    left = 'style="text-align:left"'
    lines = "".join(f"<tr><th {left}>{escape(n)}</th><td {left}>{escape(str(v))}</td></tr>" for n, v in rows.items())
    return f"{_heading(title, notes)}<table>{lines}</table>"


def _heading(title: str, notes: Sequence[str]) -> str:
    parts = [f"<p><b>{escape(title)}</b></p>"] if title else []
    return "".join([*parts, *(f"<p>{escape(note)}</p>" for note in notes)])


def _picture(thumbnail: bytes | None) -> str:
    size = "width:128px;height:128px"
    if thumbnail is None:
        return f'<div style="{size};border:1px dashed"></div>'
    data, kind = base64.b64encode(thumbnail).decode(), media_type_of(thumbnail)
    return f'<img alt="" style="{size};object-fit:contain;background:#000" src="data:{kind};base64,{data}">'


def _lines(lines: Sequence[str]) -> str:
    first, *others = lines
    return "<br>".join([f"<b>{escape(first)}</b>", *(escape(line) for line in others)])
