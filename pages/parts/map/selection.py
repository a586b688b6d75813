"""What the URL selects on the map: outlines and single images, and the rows in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import streamlit as st

from pages.parts.frame import chart_selection, state
from pages.parts.frame.chart_selection import Region
from pages.parts.frame.shell import errors_shown
from pages.parts.frame.text import literal
from pages.parts.map.points import Points
from radcbir_core.collections.manifest import Manifest

IMAGE: Final = "image:"
"""How the selection of a single image begins."""


@dataclass(frozen=True)
class Picked:
    """What the URL selects.

    Attributes:
        texts: As in the URL.
        regions: The outlines among it.
        rows: (S,) int64, the rows selected; those nearest to the middle of the selection first.
    """

    texts: tuple[str, ...]
    regions: tuple[Region, ...]
    rows: np.ndarray


def selected(manifest: Manifest, points: Points) -> Picked:
    """What the URL selects: ``select=box:…``, ``select=lasso:…`` or ``select=image:ID``, any number of them.

    A text that is none of these, or names an image that is not there, is reported and left out.
    """
    texts, outlines = [], []
    chosen = np.zeros(len(points.rows), dtype=bool)
    for text in state.get_all("select"):
        region = chart_selection.from_text(text)
        if region is not None:
            outlines.append(region)
        elif text.startswith(IMAGE):
            with errors_shown():
                chosen |= points.rows == manifest.row_of(text.removeprefix(IMAGE))
                texts.append(text)
            continue
        else:
            st.warning(
                "Expected select as box:x,y,x,y or lasso:x,y,… or image:image_id, "
                f"but select = {literal(text[:80])}. It is left out."
            )
            continue
        texts.append(text)
    chosen |= chart_selection.inside(outlines, points.x, points.y)
    x, y = points.x[chosen], points.y[chosen]
    order = np.argsort(np.hypot(x - x.mean(), y - y.mean()), kind="stable") if len(x) else np.arange(0)
    return Picked(tuple(texts), tuple(outlines), points.rows[chosen][order])
