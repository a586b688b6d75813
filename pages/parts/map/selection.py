"""What the URL selects among the points of the map, or of the two that are shown.

What the URL says is read by map_selection.py, for all pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np

from pages.parts.images import map_selection
from pages.parts.map import map_data
from pages.parts.map.opened_map import OpenedMap
from pages.parts.map.points import Points


@dataclass(frozen=True)
class Picked:
    """What the URL selects.

    Attributes:
        texts: As in the URL; outlines in their one spelling.
        rows: (S,) int64, the rows selected; those nearest to the middle of the selection first, on the first map.
        mask: (N,) bool, the same.
    """

    texts: tuple[str, ...]
    rows: np.ndarray
    mask: np.ndarray

    @cached_property
    def digest(self) -> str:
        """Of the rows, for what is made of them and kept."""
        return blake2b(self.rows.tobytes(), digest_size=16).hexdigest()


def selected(
    opened: OpenedMap, points: Points, *, among: np.ndarray | None = None, second: Points | None = None
) -> Picked:
    """What the URL selects of the points.

    Args:
        opened: The first map.
        points: The points under the filter.
        among: (N,) bool, the images that can be selected; all by default.
        second: The points of the second map, where there is one; an image may have a place on one of the two only.
    """
    texts = map_selection.asked(opened.collection, opened.encoder_id)
    if not texts:
        return Picked((), np.empty(0, dtype=np.int64), np.zeros(len(opened.collection), dtype=bool))
    chosen = map_selection.rows_in(opened.collection, opened.encoder_id, texts)
    there = np.zeros(len(chosen), dtype=bool)
    for one in (points, second):
        if one is not None:
            there[one.rows] = True
    chosen = chosen & there if among is None else chosen & there & among
    rows = points.rows[chosen[points.rows]]
    if len(rows):
        places = map_data.coordinates(opened)[rows]
        rows = rows[np.argsort(np.linalg.norm(places - places.mean(axis=0), axis=1), kind="stable")]
    if len(rows) < np.count_nonzero(chosen):
        rows = np.append(rows, np.setdiff1d(np.flatnonzero(chosen), rows))
    return Picked(texts, rows, chosen)
