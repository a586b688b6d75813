"""Pathology: how well each label is retrieved, what it is taken for, and what else can be measured of that."""

from __future__ import annotations

from typing import Final

import streamlit as st

from pages.parts import (
    evaluation_precision,
    evaluation_probes,
    evaluation_ranking,
    evaluation_sizes,
    evaluation_space,
    shell,
    state,
)
from radcbir_core.evaluation import PAPER

VIEWS: Final = {
    "precision": ("Precision", evaluation_precision.show),
    "ranking": ("Ranking metrics", evaluation_ranking.show),
    "probes": ("kNN & linear probe", evaluation_probes.show),
    "index-size": ("Index size", evaluation_sizes.show),
    "space": ("Embedding space", evaluation_space.show),
}


def page() -> None:
    """Draw the page: the views, and the one that is chosen. The others compute nothing."""
    opened = shell.begin("Pathology", "embed", "neighbors")
    # The paper's protocol, and k's that it alone has, mean nothing in the other views.
    gone = ["protocol", "k"] if state.get("protocol") == PAPER else []
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
