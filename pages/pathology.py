"""Pathology: how well each label is retrieved, what it is taken for, and what else can be measured of that."""

from __future__ import annotations

from typing import Final

import streamlit as st

from pages.parts.frame import shell, state
from pages.parts.pathology import (
    factors_view,
    index_size_view,
    leakage_view,
    precision_view,
    probes_view,
    ranking_view,
    space_view,
)
from radcbir_core.evaluation import FIXED

VIEWS: Final = {
    "precision": ("Precision", precision_view.show),
    "factors": ("Anatomy & pathology", factors_view.show),
    "leakage": ("Leakage", leakage_view.show),
    "ranking": ("Ranking metrics", ranking_view.show),
    "probes": ("kNN & linear probe", probes_view.show),
    "index-size": ("Index size", index_size_view.show),
    "space": ("Embedding space", space_view.show),
}


def page() -> None:
    """Draw the page: the views, and the one that is chosen. The others compute nothing."""
    opened = shell.begin("Pathology", "embeddings", "neighbors")
    # A fixed protocol, and k's that it alone has, mean nothing in the other views.
    gone = ["protocol", "k"] if state.get("protocol") in FIXED else []
    view = state.choice(
        st.segmented_control,
        "View",
        list(VIEWS),
        name="view",
        clears=["label", "page", *gone],
        format_func=lambda name: VIEWS[name][0],
        label_visibility="collapsed",
        width="stretch",
    )
    with shell.errors_shown():
        VIEWS[view][1](opened)


page()
