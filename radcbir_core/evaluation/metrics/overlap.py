"""How much two rankings have in common, whatever they are good for.

Owns the overlap of two lists at each depth, and rank-biased overlap made of it. Knows nothing of labels: two encoders
may be equally right with different hits, and this tells it.

Source: Webber, Moffat and Zobel, *A similarity measure for indefinite rankings*, ACM TOIS 28(4), 2010, article 20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERSISTENCE = 0.9
"""Of rank-biased overlap: the first ten ranks then carry 86 % of the weight (Webber et al. 2010, section 4.3)."""

_CHUNK_ELEMENTS = 4_000_000


def overlap_by_depth(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.int32]:
    """Count what the beginnings of two rankings share, at every depth.

    Args:
        first: (Q, K) integers, best first, -1 as padding at the end; no other value twice in a line.
        second: (Q, K) likewise.

    Returns:
        (Q, K) int32: column d - 1 holds how many are among the first d of both.

    Raises:
        ValueError: The two are not integer tables of one shape.

    Example:
        >>> overlap_by_depth(np.array([[4, 7, 9]]), np.array([[7, 4, 8]]))
        array([[0, 2, 2]], dtype=int32)
    """
    one, other = np.asarray(first), np.asarray(second)
    for name, table in (("first", one), ("second", other)):
        if table.ndim != 2 or not np.issubdtype(table.dtype, np.integer) or table.shape != one.shape:
            raise ValueError(
                f"Expected two integer tables of one shape, but {name} = {table.dtype} of shape {table.shape}. "
                "Pass as many hits of the same queries for both."
            )
    n_queries, depth = one.shape
    shared = np.zeros((n_queries, depth), dtype=np.int32)
    step = max(1, _CHUNK_ELEMENTS // max(1, depth * depth))
    for start in range(0, n_queries, step):
        part = slice(start, start + step)
        equal = one[part, :, None] == other[part, None, :]
        equal &= (one[part] >= 0)[:, :, None]
        query, here, there = np.nonzero(equal)
        # A shared hit counts from that depth on at which both rankings have reached it.
        place = query * depth + np.maximum(here, there)
        size = len(equal) * depth
        shared[part] = np.bincount(place, minlength=size).reshape(len(equal), depth).cumsum(axis=1)
    return shared


def rank_biased_overlap(
    first: NDArray[Any], second: NDArray[Any], *, persistence: float = PERSISTENCE
) -> NDArray[np.float64]:
    """Rank-biased overlap of two rankings, extrapolated: RBO_ext, equation 32 of Webber et al. 2010.

    The agreement at depth d, the share of the first d that both have, is averaged over all depths with weights that
    fall by ``persistence`` from one rank to the next; beyond the end of the lists the last agreement is taken to hold.

    Args:
        first: (Q, K) integers, best first, -1 as padding at the end; no other value twice in a line.
        second: (Q, K) likewise; a line may be longer or shorter than its counterpart.
        persistence: The p of the paper, above 0 and below 1. The higher, the more the later ranks count.

    Returns:
        (Q,) float64 from 0 (nothing shared) to 1 (identical); NaN where both lists are empty, and 0 where one is.

    Raises:
        ValueError: The tables do not fit together, or ``persistence`` is out of range.

    Example:
        >>> rank_biased_overlap(np.array([[1, 2, 3]]), np.array([[2, 1, 3]])).round(3)
        array([0.9])
    """
    if not 0 < persistence < 1:
        raise ValueError(f"Expected a number above 0 and below 1, but persistence = {persistence}. Use 0.9.")
    shared = overlap_by_depth(first, second).astype(np.float64)
    n_queries, depth = shared.shape
    if not depth:
        return np.full(n_queries, np.nan)
    lengths = np.stack([(np.asarray(table) >= 0).sum(axis=1) for table in (first, second)])
    short, long = lengths.min(axis=0), lengths.max(axis=0)
    usable = short > 0
    # X at the end of the shorter and of the longer list.
    lines = np.arange(n_queries)
    at_short = shared[lines, np.maximum(short, 1) - 1]
    at_long = shared[lines, np.maximum(long, 1) - 1]
    ranks = np.arange(1, depth + 1)
    weights = persistence**ranks
    within = ranks <= long[:, None]
    beyond = within & (ranks > short[:, None])
    # Where the shorter list has ended, it is taken to go on agreeing as it did at its end.
    agreed = shared + np.where(beyond, at_short[:, None] * (ranks - short[:, None]) / np.maximum(short, 1)[:, None], 0)
    total = (agreed / ranks * weights * within).sum(axis=1) * (1 - persistence) / persistence
    rest = (at_long - at_short) / np.maximum(long, 1) + at_short / np.maximum(short, 1)
    overlap = np.clip(total + rest * persistence**long, 0.0, 1.0)
    return np.where(usable, overlap, np.where(long > 0, 0.0, np.nan))
