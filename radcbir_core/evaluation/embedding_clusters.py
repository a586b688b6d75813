"""Images that an encoder puts together, as groups.

Owns spherical k-means over embeddings: always the same for the same embeddings. What a group is of is said by whoever
shows it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from radcbir_core.arrays import row_chunks
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import unit_vectors
from radcbir_core.search.opening import vectors_of

_LEARNED_FROM: Final = 20_000
_ROUNDS: Final = 30

Float32 = npt.NDArray[np.float32]


def embedding_clusters(
    store: EncoderStore, *, number: int, seed: int = 0, progress: Progress = silent
) -> npt.NDArray[np.int64]:
    """The group of each image.

    Args:
        store: What an encoder made of a collection.
        number: Of groups; fewer where there are fewer images. The means are learned from at most 20,000 images.
        seed: Same seed, same groups.
        progress: Told the images, as step "clusters".

    Returns:
        ``(N,)``; from 0, the largest group first; -1 for an image without an embedding.
    """
    source, rows = vectors_of(store), np.flatnonzero(store.valid)
    random = np.random.default_rng(seed)
    learned = rows
    if len(rows) > _LEARNED_FROM:
        learned = np.sort(random.choice(rows, _LEARNED_FROM, replace=False))
    progress("clusters", 0, len(rows))
    means = spherical_means(unit_vectors(source, learned), number=number, random=random)
    codes = np.full(len(store.collection), -1, dtype=np.int64)
    for part in row_chunks(len(rows), source.shape[1]):
        codes[rows[part]] = (unit_vectors(source, rows[part]) @ means.T).argmax(axis=1)
        progress("clusters", part.stop, len(rows))
    sizes = np.bincount(codes[rows], minlength=len(means))
    rank = np.empty(len(means), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(means))
    codes[rows] = rank[codes[rows]]
    return codes


def spherical_means(vectors: Float32, *, number: int, random: np.random.Generator) -> Float32:
    """The unit means of groups of unit vectors (Dhillon and Modha, *Machine Learning* 42, 2001).

    Args:
        vectors: ``(M, D)`` of unit norm.
        number: Of groups, at most M.
        random: Draws the first means, by k-means++ (Arthur and Vassilvitskii 2007).

    Example:
        >>> corners = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 2]]
        >>> means = spherical_means(corners, number=3, random=np.random.default_rng(0))
        >>> (corners @ means.T).argmax(axis=1)[[0, 2]].tolist() == (corners @ means.T).argmax(axis=1)[[1, 3]].tolist()
        True
    """
    means = vectors[[int(random.integers(len(vectors)))]] if len(vectors) else vectors
    farthest = 1 - vectors @ means[0] if len(vectors) else np.zeros(0)
    while len(means) < min(number, len(vectors)):
        weights = np.maximum(np.asarray(farthest, dtype=np.float64), 0) + 1e-12
        chosen = int(random.choice(len(vectors), p=weights / weights.sum()))
        means = np.vstack([means, vectors[[chosen]]])
        farthest = np.minimum(farthest, 1 - vectors @ means[-1])
    before = None
    for _ in range(_ROUNDS):
        codes = (vectors @ means.T).argmax(axis=1) if len(means) else np.zeros(0, dtype=np.intp)
        if before is not None and (codes == before).all():
            break
        before = codes
        for code in range(len(means)):
            total = vectors[codes == code].sum(axis=0)
            norm = float(np.linalg.norm(total))
            if norm > 1e-6:  # one that lost its images stays where it is
                means[code] = total / norm
    return np.asarray(means, dtype=np.float32)
