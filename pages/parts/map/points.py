"""The points of the map: which images have a place on it, and pass the filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.manifest import Manifest


@dataclass(frozen=True)
class Points:
    """The points of a map under a filter; all of them are drawn.

    Attributes:
        rows: ``(P,)`` int64, ascending: the images that have a place and pass the filter.
        x: ``(P,)`` float32.
        y: ``(P,)`` float32.
        preservation: Mean neighborhood preservation of all images with a place, filtered or not; NaN without any.
    """

    rows: npt.NDArray[np.int64]
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    preservation: float

    @cached_property
    def digest(self) -> str:
        """Of the rows, for what is made of them and kept."""
        return blake2b(self.rows.tobytes(), digest_size=16).hexdigest()


def points_of(manifest: Manifest, projection: pd.DataFrame, where: Mapping[str, Sequence[str]]) -> Points:
    """The points of a map under a filter.

    Args:
        manifest: What the images are.
        projection: Row-aligned with it: x, y, preservation; NaN for an image without a place.
        where: Column → accepted values.

    Raises:
        QueryError: A column or value that the collection does not have.
    """
    x, y = (projection[name].to_numpy(dtype=np.float32) for name in ("x", "y"))
    placed = ~(np.isnan(x) | np.isnan(y))
    rows = np.flatnonzero(placed & manifest.mask(where) if where else placed)
    preservation = projection["preservation"].to_numpy(dtype=np.float64)[placed]
    return Points(
        rows=rows,
        x=x[rows],
        y=y[rows],
        preservation=float(np.nanmean(preservation)) if (~np.isnan(preservation)).any() else float("nan"),
    )
