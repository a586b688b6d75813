"""Collections: import one, and see, rename, export and remove those there are."""

from __future__ import annotations

import streamlit as st

from pages.parts.collections import collection_list
from pages.parts.collections.wizard import steps
from pages.parts.frame import shell


def page() -> None:
    """Draw the page."""
    shell.choose("Collections")
    with shell.errors_shown():
        steps.draw()
    st.divider()
    with shell.errors_shown():
        collection_list.draw()


page()
