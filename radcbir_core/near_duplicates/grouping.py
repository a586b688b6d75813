"""Groups of pictures from pairs that agree, without chains.

Owns the grouping: each group has one picture in its middle, and every other one of the group agrees with that. Of a
video in which each frame agrees with the next, the first and the last frame are so never of one group.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

LARGEST: Final = 1000
"""Pictures of a group; what agrees with its middle beyond that begins another group."""


def middles(pairs: npt.NDArray[np.int64], *, images: int) -> npt.NDArray[np.int64]:
    """The middle of each picture's group: those that agree with most others come first, and take all that are left.

    Args:
        pairs: That agree: ``lower * images + higher``.
        images: How many pictures there are.

    Returns:
        ``(images,)`` the picture in the middle, -1 = alone.

    Example:
        A chain of five pictures, a pair, and one by itself:

        >>> middles(np.array([1, 10, 19, 28, 46]), images=8).tolist()
        [1, 1, 1, 3, 3, 5, 5, -1]
    """
    low, high = np.divmod(pairs, images)
    first, second = np.concatenate([low, high]), np.concatenate([high, low])
    order = np.lexsort((second, first))
    others, numbers = second[order], np.bincount(first, minlength=images)
    ends = np.cumsum(numbers)
    middle = np.full(images, -1, dtype=np.int64)
    with_some = np.flatnonzero(numbers)
    for row in with_some[np.argsort(-numbers[with_some], kind="stable")].tolist():
        if middle[row] < 0:
            mine = others[ends[row] - numbers[row] : ends[row]]
            mine = mine[middle[mine] < 0][: LARGEST - 1]
            if len(mine):
                middle[mine] = middle[row] = row
    return middle


def across(pairs: npt.NDArray[np.int64], middle: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Pairs of a picture and the middle of a group that it agrees with another picture of, ascending.

    Where these agree too, the picture belongs to that group.

    Example:
        >>> across(np.array([1, 10, 19, 28]), np.array([1, 1, 1, 3, 3, -1, -1, -1])).tolist()
        [11, 19]
    """
    images = len(middle)
    low, high = np.divmod(pairs, images)
    apart = middle[low] != middle[high]
    low, high = low[apart], high[apart]
    ends = [(low, middle[high]), (middle[low], high)]
    first, second = (np.concatenate(side) for side in zip(*ends, strict=True))
    known = (first >= 0) & (second >= 0) & (first != second)
    first, second = first[known], second[known]
    return np.unique(np.minimum(first, second) * images + np.maximum(first, second))


def numbered(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Codes from 0 without gaps, in the order of their first place; -1 where a code is below 0 or stands alone.

    Example:
        >>> numbered(np.array([7, 3, 7, -1, 3, 9])).tolist()
        [0, 1, 0, -1, 1, -1]
    """
    result = np.full(len(codes), -1, dtype=np.int32)
    rows = np.flatnonzero(codes >= 0)
    _, first, inverse, counts = np.unique(codes[rows], return_index=True, return_inverse=True, return_counts=True)
    kept = counts > 1
    order = np.argsort(np.where(kept, first, len(codes)), kind="stable")
    new = np.full(len(counts), -1, dtype=np.int32)
    new[order[: int(kept.sum())]] = np.arange(int(kept.sum()), dtype=np.int32)
    result[rows] = new[inverse]
    return result
