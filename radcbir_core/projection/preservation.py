"""How far each place on a map can be trusted: which of an image's nearest are its nearest there too.

Owns that measure and nothing else; it is computed for every image, whether the layout was computed of it or it was
placed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK = 100_000


def preservation_of(coordinates: NDArray[np.float32], ids: NDArray[Any], *, n_neighbors: int) -> NDArray[np.float32]:
    """The share of each image's nearest in the graph that are among as many nearest on the map.

    Args:
        coordinates: (N, D) of the map, NaN for an image without a place.
        ids: (N, W) rows of the neighbor graph, most similar first, -1 as padding; may be memory-mapped.
        n_neighbors: How many of them, at least 1.

    Returns:
        (N,) float32 in [0, 1]; NaN where there is no place.

    Example:
        >>> line = np.array([[0], [1], [3]], dtype=np.float32)
        >>> preservation_of(line, np.array([[1], [2], [1]]), n_neighbors=1).tolist()
        [1.0, 0.0, 1.0]
    """
    from scipy.spatial import cKDTree

    preservation = np.full(len(coordinates), np.nan, dtype=np.float32)
    rows = np.flatnonzero(~np.isnan(coordinates[:, 0]))
    width = min(n_neighbors, len(rows) - 1, ids.shape[1])
    if width < 1:
        return preservation
    tree = cKDTree(coordinates[rows])
    for at in range(0, len(rows), _CHUNK):
        own = rows[at : at + _CHUNK]
        near = rows[tree.query(coordinates[own], k=width + 1, workers=-1)[1]]
        # Among images on one spot, the image itself may come anywhere, or not at all: then the last one goes.
        itself = near == own[:, None]
        itself[~itself.any(axis=1), -1] = True
        near = near[~itself].reshape(len(own), width)
        wanted = np.asarray(ids[own, :width])
        count = (wanted >= 0).sum(axis=1)
        # An image with fewer neighbors than that is asked for as many on the map.
        near = np.where(np.arange(width) < count[:, None], near, -2)
        kept = np.zeros(len(own), dtype=np.int64)
        for column in range(width):
            kept += (near == wanted[:, column, None]).any(axis=1)
        preservation[own] = kept / count
    return preservation
