"""Which pairs of pictures are worth a look: neighbors for the encoder, and pictures of like signature.

Owns the choice. An encoder puts a picture beside its scaled and compressed copies, but mostly not beside flipped or
inverted ones; signatures do not know the difference. Whether a pair is one picture is agreement.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

LEAST_SIMILAR: Final = 0.78
"""Of two signatures, to be looked at for their sake."""
LEAST_OF_NEIGHBORS: Final = 0.65
"""Of the signatures of two neighbors, to be looked at."""
NEIGHBORS: Final = 32
"""So many of an image's neighbors are looked at."""
LIKE_SIGNATURES: Final = 8
"""And so many of those whose signatures are most like its own."""

_ALL_PAIRS: Final = 10_000  # up to so many images the signatures of all pairs are compared
_A_CELL: Final = 1_000  # images a cell, in the mean, beyond
_CELLS_OF_ONE: Final = 3
_ROWS: Final = 1024

Pairs = npt.NDArray[np.int64]


def pair_keys(first: npt.NDArray[Any], second: npt.NDArray[Any], *, images: int) -> Pairs:
    """Pairs as numbers, ascending, each once: ``lower * images + higher``; those of one image with itself are left out.

    Example:
        >>> pair_keys(np.array([3, 1, 2]), np.array([1, 3, 2]), images=10).tolist()
        [13]
    """
    apart = first != second
    low, high = np.minimum(first[apart], second[apart]), np.maximum(first[apart], second[apart])
    return np.unique(low.astype(np.int64) * images + high)


def neighbor_pairs(neighbor_ids: npt.NDArray[Any], place_of: npt.NDArray[np.int64], *, images: int) -> Pairs:
    """Pairs of neighbors, as :func:`pair_keys` gives them.

    Args:
        neighbor_ids: ``(N, W)`` row numbers, best first, -1 as padding.
        place_of: ``(N,)``; the picture of each row, -1 where there is none to be compared.
        images: How many pictures there are.
    """
    keys = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(neighbor_ids), 64 * _ROWS):
        ids = np.asarray(neighbor_ids[start : start + 64 * _ROWS, :NEIGHBORS])
        mine = np.broadcast_to(place_of[start : start + len(ids), None], ids.shape)
        others = np.where(ids >= 0, place_of[ids], -1)
        known = (mine >= 0) & (others >= 0)
        keys.append(pair_keys(mine[known], others[known], images=images))
    return np.unique(np.concatenate(keys))


def signature_pairs(signatures: npt.NDArray[np.float16], *, progress: Callable[[int], None]) -> Pairs:
    """Pairs of pictures with like signatures, as :func:`pair_keys` gives them.

    Up to ten thousand pictures all are compared with all. More are put into cells around pictures drawn among them,
    each into the three that are nearest, and compared with those of their cells.

    Args:
        signatures: ``(P, D)``, of norm 1, or 0 where there is nothing in the picture.
        progress: Told how many comparisons of pictures with a cell are made.
    """
    number = len(signatures)
    keys, done = [np.empty(0, dtype=np.int64)], 0
    for members in _cells(signatures):
        vectors = signatures[members].astype(np.float32)
        for start in range(0, len(members), _ROWS):
            part = slice(start, start + _ROWS)
            near = vectors[part] @ vectors.T
            near[np.arange(len(near)), np.arange(start, start + len(near))] = -1
            most = min(LIKE_SIGNATURES, near.shape[1])
            best = np.argpartition(near, -most, axis=1)[:, -most:]
            line, place = np.nonzero(np.take_along_axis(near, best, axis=1) >= LEAST_SIMILAR)
            keys.append(pair_keys(members[part][line], members[best[line, place]], images=number))
            done += len(near)
            progress(done)
    return np.unique(np.concatenate(keys))


def _cells(signatures: npt.NDArray[np.float16]) -> Iterator[npt.NDArray[np.int64]]:
    """Row numbers of pictures that are compared with each other, ascending."""
    rows = np.flatnonzero(np.abs(signatures).max(axis=1, initial=0) > 0)
    if len(rows) <= _ALL_PAIRS:
        if len(rows) > 1:
            yield rows
        return
    centers = np.sort(np.random.default_rng(0).choice(rows, len(rows) // _A_CELL, replace=False))
    around = signatures[centers].astype(np.float32).T
    nearest = np.empty((len(rows), _CELLS_OF_ONE), dtype=np.int32)
    for start in range(0, len(rows), 8 * _ROWS):
        part = rows[start : start + 8 * _ROWS]
        near = signatures[part].astype(np.float32) @ around
        nearest[start : start + len(part)] = np.argpartition(near, -_CELLS_OF_ONE, axis=1)[:, -_CELLS_OF_ONE:]
    cell = nearest.ravel()
    order = np.argsort(cell, kind="stable")
    bounds = np.cumsum(np.bincount(cell, minlength=len(centers)))[:-1]
    yield from (rows[members // _CELLS_OF_ONE] for members in np.split(order, bounds) if len(members) > 1)
