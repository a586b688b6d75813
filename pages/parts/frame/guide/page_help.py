"""What a page shows and how to read it, for somebody who is no computer scientist: a button beside each title.

Owns which page has which words; the words themselves are in ``words/``, HTML. What a figure is exactly is said where it
stands, and in the documents.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import streamlit as st

from pages.parts.frame import palette
from pages.parts.frame.guide import tour

PAGES: Final = ("Home", "Retrieval", "Pathology", "Failures", "Review", "Map", "Compare", "Collections")
_WORDS: Final = Path(__file__).with_name("words")
_TEN: Final = ["same", "same", "other", "same", "same", "other", "same", "other", "same", "other"]
"""The ten hits of the drawing that says what P@10 is."""


def draw(page: str) -> None:
    """Draw the button beside the title, where the page has help.

    Args:
        page: Its title, as in the sidebar.
    """
    if page not in PAGES:
        return
    key = f"radcbir-help-{page.lower()}"
    with st.popover("Help", icon=":material/help:", type="tertiary", width="content", key=key):
        st.html(f'<div class="radcbir-help">{words(page)}</div>')
        tour.offer("Take the tour of all pages")


@cache
def words(page: str) -> str:
    """The help of a page, as HTML.

    Args:
        page: One of :data:`PAGES`.
    """
    signs: dict[str, str] = {
        kind: f'<b style="color:{palette.AGREEMENT_COLORS[kind]}">{sign}</b>' for kind, sign in palette.SIGNS.items()
    }
    signs["ten"] = "".join(f"<span>{signs[kind]}</span>" for kind in _TEN)
    parts = {name: _read(name).format(**signs) for name in ("precision", "interval")}
    return _read(page.lower()).format(**signs, **parts)


def _read(name: str) -> str:
    return (_WORDS / f"{name}.html").read_text(encoding="utf-8")
