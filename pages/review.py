"""Review: tags, notes and corrected labels of images and of queries beside their hits; and reader studies."""

from __future__ import annotations

import streamlit as st

from pages.parts.frame import shell, state
from pages.parts.review import case_list, studies


def page() -> None:
    """Draw the page; it needs no encoder, but for why a pair is alike and for the hits of a study."""
    chosen = shell.choose("Review")
    if chosen.collection is None:
        st.stop()
    part = state.choice(
        st.segmented_control,
        "Part of the page",
        ["said", "studies"],
        name="part",
        format_func={"said": "What was said", "studies": "Reader studies"}.get,
        label_visibility="collapsed",
        clears=["kind", "tag", "by", "standing", "where", "page", "image", "beside", "why"],
    )
    if part == "said":
        case_list.show(chosen.collection, chosen.encoder_id)
    else:
        studies.show(chosen.collection, chosen.encoder_id)


page()
