"""Centers of vectors by k-means, and the nearest center of each vector.

Owns Lloyd's rounds over a sample and the blocks in which many vectors are compared with all centers. The same vectors
and seed give the same bytes, however many threads there are: each block is multiplied by one.

Source: Lloyd, *Least squares quantization in PCM*, IEEE Transactions on Information Theory 28 (1982).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from radcbir_core.search.backend import Float32
from radcbir_core.search.engines.exact import one_thread_each
from radcbir_core.search.engines.scanning import side_by_side

_BLOCK = 4000
_ROUNDS = 8


def centers_of(sample: Float32, number: int, *, seed: int, told: Callable[[float], None] = lambda _: None) -> Float32:
    """Centers that lie where vectors lie densely.

    Args:
        sample: ``(S, D)``.
        number: How many centers; at most S.
        seed: Which vectors of the sample the centers begin at.
        told: Called with the share that is done, from 0 to 1.

    Returns:
        ``(number, D)``, a vector of the sample where a center has lost all of its own.

    Example:
        >>> sample = np.array([[0, 0], [0, 1], [9, 9]], dtype=np.float32)
        >>> sorted(centers_of(sample, 2, seed=0).tolist())
        [[0.0, 0.5], [9.0, 9.0]]
    """
    random = np.random.default_rng(seed)
    centers = sample[np.sort(random.choice(len(sample), size=number, replace=False))].copy()
    for turn in range(_ROUNDS):
        told(turn / _ROUNDS)
        nearest, distances = nearest_centers(sample, centers)
        order = np.argsort(nearest, kind="stable")
        counts = np.bincount(nearest, minlength=number)
        some = np.flatnonzero(counts)
        starts = (np.cumsum(counts) - counts)[some]
        centers[some] = np.add.reduceat(sample[order], starts, axis=0) / counts[some, None].astype(np.float32)
        # Whoever has lost all of its vectors begins anew, at those that are farthest from theirs.
        lost = np.flatnonzero(counts == 0)
        centers[lost] = sample[np.argsort(-distances, kind="stable")[: len(lost)]]
    told(1.0)
    return centers


def nearest_centers(vectors: Float32, centers: Float32) -> tuple[npt.NDArray[np.int32], Float32]:
    """The nearest center of each vector, and half of their squared distance but for half of the vector's own length.

    Args:
        vectors: ``(R, D)``.
        centers: ``(C, D)``.

    Returns:
        ``(R,)`` positions of centers, and ``(R,)`` what orders vectors of one length by their distance.

    Example:
        >>> nearest_centers(np.array([[1, 0]], dtype=np.float32), np.array([[0, 1], [2, 0]], dtype=np.float32))
        (array([1], dtype=int32), array([0.], dtype=float32))
    """
    half = np.einsum("cd,cd->c", centers, centers) / 2

    def nearest(start: int) -> tuple[npt.NDArray[np.int32], Float32]:
        product = vectors[start : start + _BLOCK] @ centers.T
        np.subtract(half, product, out=product)
        best = product.argmin(axis=1)
        return best.astype(np.int32), product[np.arange(len(product)), best]

    with one_thread_each():
        parts = list(side_by_side(nearest, range(0, len(vectors), _BLOCK)))
    if not parts:
        return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
    return np.concatenate([part for part, _ in parts]), np.concatenate([distances for _, distances in parts])
