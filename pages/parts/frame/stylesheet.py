"""The one stylesheet of all pages, with the colors of the palette.

Owns how style.css reaches a page: once, with the frame. Components that draw in a frame of their own (gallery,
rankings) have theirs beside them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st

from pages.parts.frame.palette import STYLESHEET


def draw() -> None:
    """Give this page the stylesheet."""
    st.html(f"<style>{_sheet()}</style>")


def outline(selector: str) -> None:
    """Draw a line around a part of this page, to say "here".

    Args:
        selector: Of CSS; from the code, never from outside.
    """
    st.html(
        f"<style>{selector} {{ outline: 2px solid var(--radcbir-accent); outline-offset: 5px; border-radius: 6px; }}"
        "</style>"
    )


@cache
def _sheet() -> str:
    colors = "".join(f"--radcbir-{name}: {color}; " for name, color in STYLESHEET.items())
    return f":root {{ {colors}}}\n{Path(__file__).with_name('style.css').read_text(encoding='utf-8')}"
