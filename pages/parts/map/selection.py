"""What is selected on the map: the rows that the outlines of the URL hold, and that pass the filter.

What the URL says is read by map_selection.py, for all pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np

from pages.parts.frame.shell import Opened
from pages.parts.images import map_selection
from pages.parts.map.points import Points


@dataclass(frozen=True)
class Picked:
    """What the URL selects.

    Attributes:
        texts: As in the URL; outlines in their one spelling.
        rows: (S,) int64, the rows selected; those nearest to the middle of the selection first.
    """

    texts: tuple[str, ...]
    rows: np.ndarray

    @cached_property
    def digest(self) -> str:
        """Of the rows, for what is made of them and kept."""
        return blake2b(self.rows.tobytes(), digest_size=16).hexdigest()


def selected(opened: Opened, points: Points, *, among: np.ndarray | None = None) -> Picked:
    """What the URL selects of the points.

    Args:
        opened: The open collection and encoder.
        points: The points under the filter.
        among: (N,) bool, the images that can be selected; all by default.
    """
    texts = map_selection.asked(opened.collection.manifest)
    chosen = map_selection.rows_in(opened.collection, opened.encoder_id, texts)[points.rows]
    if among is not None:
        chosen &= among[points.rows]
    x, y = points.x[chosen], points.y[chosen]
    order = np.argsort(np.hypot(x - x.mean(), y - y.mean()), kind="stable") if len(x) else np.arange(0)
    return Picked(texts, points.rows[chosen][order])
