"""Pages of many things: which of them are shown, and the line with the buttons that turn them.

Owns the URL parameter ``page``.
"""

from __future__ import annotations

import numpy as np
import streamlit as st

from pages.parts.frame import state
from pages.parts.frame.text import literal, markup


def shown(number: int, size: int, *, what: str, title: str = "") -> np.ndarray:
    """Draw the line above a page of something; the positions of what is on the page that the URL names.

    Args:
        number: Of all.
        size: Of a page.
        what: What they are, in the plural, for the buttons.
        title: What they are and in which order, where that is to be said.
    """
    last = max((number - 1) // size, 0)
    at = _asked(last)
    start = at * size
    positions = np.arange(start, min(start + size, number))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if title:
            st.html(f'<h4 class="radcbir-label">{markup(title)}</h4>', width="content")
        st.caption(f"{start + 1:,} to {start + len(positions):,} of {number:,}", width="stretch")
        for name, icon, to in (
            ("First", "first_page", 0),
            (f"Previous {what}", "chevron_left", at - 1),
            (f"Next {what}", "chevron_right", at + 1),
            ("Last", "last_page", last),
        ):
            st.button(
                name,
                icon=f":material/{icon}:",
                key=f"radcbir:{name.split()[0].lower()}-{what}",
                disabled=to == at or not 0 <= to <= last,
                on_click=state.update,
                kwargs={"page": to + 1 if to else None},
            )
    return positions


def _asked(last: int) -> int:
    """The page that the URL names, counted from 0; one that there is not is reported."""
    asked = state.get("page")
    if asked is None:
        return 0
    if asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= last + 1:
        return int(asked) - 1
    st.warning(f"Expected page from 1 to {last + 1}, but page = {literal(asked[:80])}. The first one is shown instead.")
    return 0
