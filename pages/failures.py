"""Failures: what is taken for what, and the images behind it."""

from __future__ import annotations

from typing import Final

import streamlit as st

from pages.parts.failures import confusion_view, hubness_view, mined_view, near_duplicates_view
from pages.parts.frame import shell, state

VIEWS: Final = {
    "confusion": ("Retrieval confusion", confusion_view.show),
    "mined": ("Mined failures", mined_view.show),
    "hubness": ("Hubness", hubness_view.show),
    "near-duplicates": ("Near-duplicates", near_duplicates_view.show),
}


def page() -> None:
    """Draw the page: the views, and the one that is chosen. The others compute nothing."""
    opened = shell.begin("Failures", "embeddings", "neighbors")
    view = state.choice(
        st.segmented_control,
        "View",
        list(VIEWS),
        name="view",
        clears=["label", "hit", "page", "image", "beside", "find", "pairs", "kind", "sort", "labels", "conflict"],
        format_func=lambda name: VIEWS[name][0],
        label_visibility="collapsed",
        width="stretch",
    )
    with shell.errors_shown():
        VIEWS[view][1](opened)


page()
