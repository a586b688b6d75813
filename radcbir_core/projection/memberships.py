"""How much each neighbor belongs to an image's neighborhood: the weights by which an image is placed among others.

Owns algorithm 3 of McInnes, Healy and Melville, *UMAP: Uniform Manifold Approximation and Projection for
Dimension Reduction* (arXiv 1802.03426): the nearest other image belongs wholly to a neighborhood, the others the less
the further away they are, so that memberships add up to log2 of its size. The layout takes them from umap-learn.
Placing does not, because a page that places one image cannot wait until umap-learn is loaded and compiled. What
umap-learn does with copies and floors is done here too. An image with fewer neighbors than asked for is measured by
those it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOLERANCE = 1e-5  # of the sum of memberships, as umap-learn's
_STEPS = 64
_LEAST_SCALE = 1e-3  # of the mean distance: scales below are rounding
_CHUNK = 50_000


def memberships(distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far each neighbor of each image belongs to its neighborhood.

    Args:
        distances: (n, k) at least 0, in any order, the image itself left out; NaN where there is no neighbor.

    Returns:
        (n, k) float32 in [0, 1]; 0 where there is no neighbor, or one so far away that nothing is left.

    Example:
        >>> memberships(np.array([[0.1, 0.2, 0.3]], dtype=np.float32)).round(2)
        array([[1.  , 0.62, 0.38]], dtype=float32)
    """
    weights = np.zeros(distances.shape, dtype=np.float32)
    for start in range(0, len(distances), _CHUNK):
        part = slice(start, start + _CHUNK)
        weights[part] = _memberships(distances[part])
    return weights


def _memberships(distances: NDArray[np.float32]) -> NDArray[np.float32]:
    away = distances.astype(np.float64)
    used = ~np.isnan(away)
    count = used.sum(axis=1)
    # The image itself counts in a neighborhood's size, as in umap-learn's n_neighbors.
    wanted = np.log2(count + 1.0)
    nearest = np.where(used & (away > 0), away, np.inf).min(axis=1, initial=np.inf)
    nearest[np.isinf(nearest)] = 0
    beyond = np.where(used, np.maximum(away - nearest[:, None], 0), np.inf)
    low, high, scale = np.zeros(len(away)), np.full(len(away), np.inf), np.ones(len(away))
    open_rows = np.flatnonzero(count)
    for _ in range(_STEPS):
        total = np.exp(-beyond[open_rows] / scale[open_rows, None]).sum(axis=1) - wanted[open_rows]
        far = np.abs(total) >= _TOLERANCE
        open_rows, total = open_rows[far], total[far]
        if not len(open_rows):
            break
        above, below = open_rows[total > 0], open_rows[total < 0]
        high[above], low[below] = scale[above], scale[below]
        halved = (low[open_rows] + high[open_rows]) / 2
        scale[open_rows] = np.where(np.isinf(halved), scale[open_rows] * 2, halved)
    # The image itself, at no distance, counts in the mean, as in umap-learn.
    mean = np.where(used, away, 0).sum(axis=1) / (count + 1.0)
    scale = np.maximum(scale, _LEAST_SCALE * mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.where(beyond == 0, 1.0, np.exp(-beyond / scale[:, None]))
    return np.where(used, weights, 0).astype(np.float32)


def first_among(
    ids: NDArray[Any],
    similarities: NDArray[Any],
    *,
    rows: NDArray[np.intp],
    position: NDArray[np.int32],
    width: int,
) -> Iterator[tuple[slice, NDArray[np.int32], NDArray[np.float32]]]:
    """The first neighbors of each row among some of the images, read in chunks.

    Args:
        ids: (N, W) rows of the neighbor graph, -1 as padding; may be memory-mapped.
        similarities: (N, W) cosine similarities.
        rows: (n,) whose neighbors.
        position: (N + 1,) the position of each image among those asked for, -1 for another; the last answers for
            padding, with -1.
        width: How many at most.

    Yields:
        Slices that cover ``range(n)``, with (m, width) positions, -1 where there are fewer, and (m, width) distances =
        1 - similarity, NaN there.
    """
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, min(start + _CHUNK, len(rows)))
        found = position[np.asarray(ids[rows[part]])]
        away = np.asarray(similarities[rows[part]], dtype=np.float32)
        # As a rule the first ones are among those asked for, or all of the row have to be looked at.
        if found.shape[1] > width and (found[:, :width] < 0).any():
            order = np.argsort(found < 0, axis=1, kind="stable")[:, :width]
            found, away = np.take_along_axis(found, order, axis=1), np.take_along_axis(away, order, axis=1)
        found, away = found[:, :width], away[:, :width]
        # Rounded similarities may exceed 1.
        yield part, found, np.where(found >= 0, np.maximum(1 - away, 0), np.nan).astype(np.float32)
