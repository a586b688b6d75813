"""What the URL selects on the map: outlines and single images, and the rows in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import streamlit as st

from pages.parts.frame import state
from pages.parts.frame.shell import errors_shown
from pages.parts.frame.text import literal
from pages.parts.map import outlines
from pages.parts.map.points import Points
from radcbir_core.collections.manifest import Manifest

IMAGE: Final = "image:"
"""How the selection of a single image begins."""


@dataclass(frozen=True)
class Picked:
    """What the URL selects.

    Attributes:
        texts: As in the URL; outlines in their one spelling.
        rows: (S,) int64, the rows selected; those nearest to the middle of the selection first.
    """

    texts: tuple[str, ...]
    rows: np.ndarray


def selected(manifest: Manifest, points: Points, *, among: np.ndarray | None = None) -> Picked:
    """What the URL selects: ``select=box:…``, ``lasso:…`` or ``image:ID``, any number of them, in their order.

    One that begins with a minus takes away from what those before it have selected. A text that is none of these, or
    names an image that is not there, is reported and left out.

    Args:
        manifest: What the images are.
        points: The points under the filter.
        among: (N,) bool, the images that can be selected; all by default.
    """
    texts = []
    chosen = np.zeros(len(points.rows), dtype=bool)
    for text in state.get_all("select"):
        outline = outlines.from_text(text)
        if outline is not None:
            within = outlines.inside(outline, points.x, points.y)
            chosen = chosen & ~within if outline.takes_away else chosen | within
            texts.append(outlines.to_text(outline))
        elif text.removeprefix("-").startswith(IMAGE):
            with errors_shown():
                row = manifest.row_of(text.removeprefix("-").removeprefix(IMAGE))
                chosen[points.rows == row] = not text.startswith("-")
                texts.append(text)
        else:
            st.warning(
                "Expected select as box:x,y,x,y or lasso:x,y,… or image:image_id, "
                f"but select = {literal(text[:80])}. It is left out."
            )
    if among is not None:
        chosen &= among[points.rows]
    x, y = points.x[chosen], points.y[chosen]
    order = np.argsort(np.hypot(x - x.mean(), y - y.mean()), kind="stable") if len(x) else np.arange(0)
    return Picked(tuple(texts), points.rows[chosen][order])
