"""Collections: import one, and see, rename, export and remove those there are."""

from __future__ import annotations

import streamlit as st

from pages.parts import collection_list, shell, wizard


def page() -> None:
    """Draw the page."""
    shell.choose("Collections")
    with shell.errors_shown():
        wizard.draw()
    st.divider()
    with shell.errors_shown():
        collection_list.draw()


page()
