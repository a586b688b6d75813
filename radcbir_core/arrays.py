"""Plain arrays: what is asked of them everywhere, and going through large ones piece by piece.

Knows nothing of images, collections or encoders.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK_ELEMENTS = 4_000_000  # 32 MB of int64: large enough that the loop over chunks costs nothing


def of_norm_one(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Vectors, (N, D), as float32 of norm 1; rows of zeros stay zeros.

    Example:
        >>> of_norm_one(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    vectors = np.asarray(rows, dtype=np.float32)
    scaled: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-9))
    return scaled


def row_chunks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Cut the rows of a table into slices of about four million elements each.

    Args:
        n_rows: Rows of the table.
        n_columns: Columns of the table.

    Yields:
        Slices that follow each other and cover ``range(n_rows)``.

    Example:
        >>> list(row_chunks(5, 2_000_000))
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, _CHUNK_ELEMENTS // max(1, n_columns))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def dense_codes(codes: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct codes, ascending, and of each code its place among them: as ``np.unique``, mostly without sorting.

    Args:
        codes: Integers of at least 0; quick where they are not much larger than they are many.

    Example:
        >>> [part.tolist() for part in dense_codes(np.array([7, 2, 7]))]
        [[2, 7], [1, 0, 1]]
    """
    largest = int(codes.max(initial=-1))
    if largest > 4 * len(codes) + 1024:
        distinct, places = np.unique(codes, return_inverse=True)
        return distinct.astype(np.int64), places.reshape(-1).astype(np.int64)
    there = np.zeros(largest + 1, dtype=np.bool_)
    there[codes] = True
    distinct = np.flatnonzero(there)
    if len(distinct) == len(there):
        return distinct, np.asarray(codes, dtype=np.int64)
    places = np.empty(len(there), dtype=np.int64)
    places[distinct] = np.arange(len(distinct))
    return distinct, places[codes]


def runs_of(codes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The distinct codes of ascending ones, and of each code its place among them: as ``np.unique``, without sorting.

    Args:
        codes: Ascending.

    Example:
        >>> [part.tolist() for part in runs_of(np.array([2, 2, 7]))]
        [[2, 7], [0, 0, 1]]
    """
    first = np.ones(len(codes), dtype=np.bool_)
    np.not_equal(codes[1:], codes[:-1], out=first[1:])
    return codes[first], np.cumsum(first) - 1


def check_codes(values: NDArray[Any], *, name: str) -> NDArray[Any]:
    """Return ``values`` if it is a one-dimensional integer array with nothing below -1.

    Args:
        values: Label or group codes.
        name: What the array is called in the error.

    Raises:
        ValueError: The array is no such thing.

    Example:
        >>> check_codes(np.array([0, 1, -1]), name="query_labels")
        array([ 0,  1, -1])
    """
    array = np.asarray(values)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"Expected a one-dimensional integer array, but {name} = {array.dtype} of shape {array.shape}. "
            "Pass one code an image."
        )
    if array.size and int(array.min()) < -1:
        raise ValueError(
            f"Expected codes of at least 0, or -1 for none, but {name} = {int(array.min())} at the lowest. "
            "Mark what is not known with -1."
        )
    return array
