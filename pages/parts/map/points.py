"""The points of the map: which images have a place on it, and pass the filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.manifests.manifest import Manifest


@dataclass(frozen=True, eq=False)
class Points:
    """The points of a map under a filter; all of them are drawn.

    Attributes:
        rows: ``(P,)`` int64, ascending: the images that have a place and pass the filter.
        preservation: Mean neighborhood preservation of all images with a place, filtered or not; NaN without any.
    """

    rows: npt.NDArray[np.int64]
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
    x, y, preservation = (projection[name].to_numpy(dtype=np.float32) for name in ("x", "y", "preservation"))
    placed = np.isnan(x)
    placed |= np.isnan(y)
    np.logical_not(placed, out=placed)
    known = ~np.isnan(preservation)
    known &= placed
    number = int(np.count_nonzero(known))
    mean = float(preservation.sum(where=known, dtype=np.float64)) / number if number else float("nan")
    if where:
        placed &= manifest.mask(where)
    return Points(rows=np.flatnonzero(placed), preservation=mean)
