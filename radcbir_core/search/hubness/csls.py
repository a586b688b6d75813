"""CSLS: similarities less what is usual around both images, so that hubs are not everybody's neighbors.

Owns the arithmetic, and the order of hits by it. Source: Lample, Conneau, Ranzato, Denoyer and Jégou, *Word Translation
Without Parallel Data* (ICLR 2018), section 2.3: CSLS(x, y) = 2 cos(x, y) - r(x) - r(y), where r is the mean similarity
of an image to its K nearest ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radcbir_core.search.backend import Hits

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEAREST = 10
"""K of the source: how many nearest images tell what is usual around one."""


def usual_similarity(similarities: NDArray[Any]) -> NDArray[np.float64]:
    """r: the mean similarity of each image to its nearest ones.

    Args:
        similarities: (N, K) of the nearest images, padded with NaN where there are fewer.

    Returns:
        (N,) float64; 0 for an image without a neighbor.

    Example:
        >>> usual_similarity(np.array([[0.9, 0.7], [0.5, np.nan], [np.nan, np.nan]])).round(3).tolist()
        [0.8, 0.5, 0.0]
    """
    there = ~np.isnan(similarities)
    number = there.sum(axis=1)
    sums = np.where(there, similarities, 0).sum(axis=1, dtype=np.float64)
    usual: NDArray[np.float64] = np.divide(sums, number, out=np.zeros(len(sums)), where=number > 0)
    return usual


def by_csls(hits: Hits, usual: NDArray[np.float64]) -> NDArray[np.intp]:
    """The order of hits by CSLS, the query's own r left out, since it is the same for all of its hits.

    Args:
        hits: By cosine; only these are put in another order.
        usual: (N,) r of every image of the collection.

    Returns:
        (Q, K) positions in each line of hits, the largest 2 cos - r first; of equal ones, that first which was before.

    Example:
        >>> hits = Hits(np.array([[0, 1, -1]]), np.array([[0.9, 0.8, np.nan]]), np.array([2]))
        >>> hits.in_order(by_csls(hits, np.array([0.9, 0.5]))).rows.tolist()
        [[1, 0, -1]]
    """
    scores = 2 * hits.similarities.astype(np.float64) - np.append(usual, 0.0)[hits.rows]
    scores[hits.rows < 0] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")
