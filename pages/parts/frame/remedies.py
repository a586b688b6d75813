"""How a page says what mends an error: as a link to the place where it is done."""

from __future__ import annotations

from typing import Final

import streamlit as st

from radcbir_core.errors import Action, Remedy

_PARTS: Final[dict[Action, tuple[str, str | None]]] = {
    "build": ("Build it on the Collections page", "encoders"),
    "import": ("Import on the Collections page", None),
    "remove": ("Remove it on the Collections page", "change"),
    "relocate": ("Say where its images are on the Collections page", "change"),
    "export": ("Export on the Collections page", "export"),
}
"""Of each action that the Collections page has: what its link says, and the part of the page that does it."""


def link(remedy: Remedy | None) -> None:
    """Draw the way to what mends an error; nothing where no page does it."""
    if remedy is None or remedy.action not in _PARTS:
        return
    label, part = _PARTS[remedy.action]
    st.page_link(
        "pages/collections.py",
        label=label,
        icon=":material/database:",
        query_params={"show": remedy.subject, "part": part} if part and remedy.subject else None,
    )
