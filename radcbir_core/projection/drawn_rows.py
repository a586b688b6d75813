"""Of which images of a large collection the layout is computed at first.

Owns the drawing: by label, so that rare ones survive; and the order in which the other images join in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radcbir_core.arrays import check_codes, row_chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EVENLY = (
    4  # one in so many of those drawn is for the labels alike, however rare; the others as the collection has them
)


def drawn_by_label(labels: NDArray[Any], most: int, *, seed: int = 0) -> NDArray[np.intp]:
    """Draw images so that each label keeps some.

    A quarter is shared out alike among labels, of which a rare one is taken whole; the rest by their frequency.

    Args:
        labels: (n,) integer label codes; -1, for none, counts as a label.
        most: How many to draw.
        seed: Another one, other images.

    Returns:
        ``min(most, n)`` positions, ascending.

    Example:
        >>> labels = np.array([0] * 96 + [1] * 4)
        >>> np.bincount(labels[drawn_by_label(labels, 32)]).tolist()
        [28, 4]
    """
    codes = check_codes(labels, name="labels") + 1
    if len(codes) <= most:
        return np.arange(len(codes))
    sizes = np.bincount(codes)
    present = int((sizes > 0).sum())
    least = max(most // (_EVENLY * present), 1 if present <= most else 0)
    quota = np.minimum(sizes, least)
    rest = sizes - quota
    exact = rest * ((most - quota.sum()) / rest.sum())
    quota += np.floor(exact).astype(quota.dtype)
    missing = most - int(quota.sum())
    quota[np.argsort(-(exact - np.floor(exact)), kind="stable")[:missing]] += 1
    # In a random order, the first ones of each label.
    shuffled = np.random.default_rng(seed).permutation(len(codes))
    grouped = shuffled[np.argsort(codes[shuffled], kind="stable")]
    rank = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(grouped[rank < np.repeat(quota, sizes)])


def rounds_of(
    ids: NDArray[Any], drawn: NDArray[np.bool_], rows: NDArray[np.intp]
) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """In which order the other images can be placed: first those with drawn neighbors, then those with placed ones.

    Args:
        ids: (N, W) rows of the neighbor graph, -1 as padding; may be memory-mapped.
        drawn: (N,) whose places are known.
        rows: (n,) ascending, those to be placed.

    Returns:
        The rows of each round, and those that no round reaches: among their neighbors, and the neighbors of these,
        nobody is drawn.

    Example:
        >>> ids = np.array([[1], [0], [0], [2], [5], [4]])
        >>> rounds, left = rounds_of(ids, np.array([True, True] + [False] * 4), np.arange(2, 6))
        >>> [part.tolist() for part in rounds], left.tolist()
        ([[2], [3]], [4, 5])
    """
    reached = np.append(drawn, False)  # the last element answers for padding
    rounds: list[NDArray[np.intp]] = []
    left = rows
    while len(left):
        near = np.zeros(len(left), dtype=np.bool_)
        for part in row_chunks(len(left), ids.shape[1]):
            near[part] = reached[np.asarray(ids[left[part]])].any(axis=1)
        if not near.any():
            break
        rounds.append(left[near])
        reached[left[near]] = True
        left = left[~near]
    return rounds, left
