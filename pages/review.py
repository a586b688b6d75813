"""Review: tags, notes and corrected labels of images and of queries beside their hits."""

from __future__ import annotations

import streamlit as st

from pages.parts.frame import shell
from pages.parts.review import case_list


def page() -> None:
    """Draw the page; it needs no encoder, but for why a pair is alike."""
    chosen = shell.choose("Review")
    if chosen.collection is None:
        st.stop()
    case_list.show(chosen.collection, chosen.encoder_id)


page()
