"""Failures: what is taken for what, and the images behind it."""

from __future__ import annotations

from typing import Final

from pages.parts.failures import (
    confusion_view,
    hubness_view,
    mined_view,
    near_duplicates_view,
    robustness_view,
    slices_view,
)
from pages.parts.frame import shell, views

VIEWS: Final[views.Views] = {
    "confusion": ("Retrieval confusion", confusion_view.show),
    "mined": ("Mined failures", mined_view.show),
    "slices": ("Slices", slices_view.show),
    "hubness": ("Hubness", hubness_view.show),
    "robustness": ("Robustness", robustness_view.show),
    "near-duplicates": ("Near-duplicates", near_duplicates_view.show),
}


def page() -> None:
    """Draw the page."""
    opened = shell.begin("Failures", "embeddings", "neighbors")
    left = [
        "label",
        "hit",
        "page",
        "image",
        "beside",
        "why",
        "find",
        "pairs",
        "kind",
        "sort",
        "labels",
        "conflict",
        "slice",
        "among",
        "sample",
        "perturbation",
    ]
    views.draw(opened, VIEWS, clears=left)


page()
