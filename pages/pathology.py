"""Pathology: how well each label is retrieved, what it is taken for, and what else can be measured of that."""

from __future__ import annotations

from typing import Final

from pages.parts.frame import shell, state, views
from pages.parts.pathology import (
    approximation_view,
    calibration_view,
    factors_view,
    index_size_view,
    leakage_view,
    precision_view,
    probes_view,
    ranking_view,
    space_view,
    subgroups_view,
)
from radcbir_core.evaluation import FIXED

VIEWS: Final[views.Views] = {
    "precision": ("Precision", precision_view.show),
    "factors": ("Anatomy & pathology", factors_view.show),
    "leakage": ("Leakage", leakage_view.show),
    "subgroups": ("Subgroups", subgroups_view.show),
    "ranking": ("Ranking metrics", ranking_view.show),
    "calibration": ("Chances", calibration_view.show),
    "probes": ("kNN & linear probe", probes_view.show),
    "index-size": ("Index size", index_size_view.show),
    "approximation": ("Approximate search", approximation_view.show),
    "space": ("Embedding space", space_view.show),
}


def page() -> None:
    """Draw the page."""
    opened = shell.begin("Pathology", "embeddings", "neighbors")
    # A fixed protocol, and k's that it alone has, mean nothing in the other views.
    gone = ["protocol", "k"] if state.get("protocol") in FIXED else []
    views.draw(opened, VIEWS, clears=["label", "page", "step", "column", "cuts", "value", "sample", "place", *gone])


page()
