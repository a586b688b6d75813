"""Hubness: how often each image is among the first k hits of others, and how lopsided that is.

Owns the counts N_k, their skewness, and from where on an image is a hub.

Source: Radovanović, Nanopoulos and Ivanović, *Hubs in Space: Popular Nearest Neighbors in High-Dimensional Data* (JMLR
11, 2010, pp. 2487-2531), sections 2 and 3; hubs from two standard deviations above the mean on, as there in section 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def k_occurrences(
    hit_rows: NDArray[Any], *, n_rows: int, k: int, chosen: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Count in how many lists of the first k hits each image is.

    Args:
        hit_rows: (Q, K) rows of the collection, best first, -1 as padding.
        n_rows: N, images of the collection.
        k: From 1 to K.
        chosen: (Q, K) bool, the hits that count; all by default. With those that are not relevant the counts are "bad
            k-occurrences".

    Returns:
        (N,) int64.

    Example:
        >>> k_occurrences(np.array([[1, 2], [2, 0], [1, -1]]), n_rows=4, k=2).tolist()
        [1, 2, 2, 0]
    """
    hits = np.asarray(hit_rows)[:, :k]
    counted = hits >= 0 if chosen is None else (hits >= 0) & chosen[:, :k]
    return np.bincount(hits[counted], minlength=n_rows).astype(np.int64)


def skewness(counts: NDArray[Any]) -> float:
    """The third standardized moment of k-occurrences: 0 where they are symmetric, above 1 where there are strong hubs.

    Args:
        counts: (N,) of the images that may be returned.

    Returns:
        NaN where all are equal.

    Example:
        >>> round(skewness(np.array([0, 0, 0, 4])), 3)
        1.155
    """
    values = np.asarray(counts, dtype=np.float64)
    deviation = values.std() if len(values) else 0.0
    if deviation == 0:
        return float("nan")
    return float(np.mean((values - values.mean()) ** 3) / deviation**3)


def hub_threshold(counts: NDArray[Any]) -> int:
    """From how many lists on an image is a hub: the least whole number above mean + 2 standard deviations.

    Example:
        >>> hub_threshold(np.array([0, 0, 0, 4]))
        5
    """
    values = np.asarray(counts, dtype=np.float64)
    return int(np.floor(values.mean() + 2 * values.std())) + 1 if len(values) else 1
