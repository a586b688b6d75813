"""A page of several views, of which one is shown: the others compute nothing.

Owns the URL parameter ``view``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from pages.parts.frame import shell, state
from pages.parts.frame.shell import Opened

Views = Mapping[str, tuple[str, Callable[[Opened], None]]]
"""The name in the URL → what people call it, and what draws it."""


def draw(opened: Opened, views: Views, *, clears: Sequence[str]) -> None:
    """Draw the choice of a view, and the one that is chosen.

    Args:
        opened: The open collection.
        views: In the order to show.
        clears: URL parameters that mean nothing in another view.
    """
    view = state.choice(
        st.segmented_control,
        "View",
        list(views),
        name="view",
        clears=clears,
        format_func=lambda name: views[name][0],
        label_visibility="collapsed",
        width="stretch",
    )
    with shell.errors_shown():
        views[view][1](opened)
