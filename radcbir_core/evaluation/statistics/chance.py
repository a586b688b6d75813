"""What an encoder would reach that knows nothing: images drawn at random from those a query may be given.

Owns the expectation, which is exact and needs no drawing, and one random ranking a query, which is always the same for
the same query, to look at beside a real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from radcbir_core.evaluation.metrics.precision_at_k import Divisor, Empty
from radcbir_core.search.backend import Exclusion, Hits

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANCE = "chance"
"""What stands for random images where an encoder_id is expected."""

_CHUNK = 8192
_FIRST_DRAWS = 32
_MOST_DRAWS = 256


def expected_precision(
    available: NDArray[Any], allowed: NDArray[Any], ks: Sequence[int], *, divisor: Divisor = "k", empty: Empty = "skip"
) -> NDArray[np.float64]:
    """P@k to be expected of images drawn at random, without repetition: the mean of the hypergeometric distribution.

    Of n images drawn from m, of which a are relevant, n·a/m are relevant on average. With ``divisor="k"`` n is
    min(k, m), and P@k is a/m where the gallery has k images; with ``"available"`` n is min(k, a), and P@k is a/m.

    Args:
        available: (Q,) relevant images that each query may be given.
        allowed: (Q,) images that it may be given, at least as many.
        ks: The k's.
        divisor: ``"k"`` or ``"available"``.
        empty: What a query counts for which nothing is relevant: ``"skip"`` leaves it out (NaN), ``"zero"`` counts 0.

    Returns:
        (Q, len(ks)) float64.

    Example:
        >>> expected_precision(np.array([3]), np.array([12]), (1, 10)).tolist()
        [[0.25, 0.25]]
        >>> expected_precision(np.array([1]), np.array([4]), (10,)).tolist()
        [[0.1]]
    """
    relevant, images = np.asarray(available, dtype=np.float64), np.asarray(allowed, dtype=np.float64)
    share = np.divide(relevant, images, out=np.zeros(len(relevant)), where=images > 0)
    if empty == "skip":
        share = np.where(relevant > 0, share, np.nan)
    if divisor == "available":
        return np.repeat(share[:, None], len(ks), axis=1)
    drawn = np.minimum(np.asarray(ks, dtype=np.float64), images[:, None])
    expected: NDArray[np.float64] = share[:, None] * drawn / np.asarray(ks, dtype=np.float64)
    return expected


def expected_success(available: NDArray[Any], allowed: NDArray[Any], k: int) -> NDArray[np.float64]:
    """How likely at least one of k images drawn at random is relevant.

    Args:
        available: (Q,) relevant images that each query may be given.
        allowed: (Q,) images that it may be given, at least as many.
        k: How many are drawn, at most all.

    Returns:
        (Q,) float64 from 0 to 1.

    Example:
        >>> expected_success(np.array([1, 0]), np.array([4, 4]), 2).tolist()
        [0.5, 0.0]
    """
    relevant, images = np.asarray(available, dtype=np.float64), np.asarray(allowed, dtype=np.float64)
    none = np.ones(len(relevant))
    for draw in range(k):
        left = images - draw
        none *= np.divide(np.maximum(left - relevant, 0), left, out=np.where(relevant > 0, 0.0, 1.0), where=left > 0)
    likely: NDArray[np.float64] = 1 - none
    return likely


def random_hits(
    query_rows: NDArray[Any], *, k: int, gallery: NDArray[np.bool_], exclusions: Sequence[Exclusion] = ()
) -> Hits:
    """Draw a random ranking for each query: always the same for the same row and gallery; a longer one begins alike.

    Args:
        query_rows: (Q,) rows of the queries.
        k: How many images.
        gallery: (N,) bool, which rows may be drawn.
        exclusions: What each query may not be given, itself included.

    Returns:
        k rows a query, or all there are, each equally likely at every rank; their similarities are NaN.

    Example:
        >>> rows = np.arange(3)
        >>> drawn = random_hits(rows, k=2, gallery=np.ones(3, dtype=bool), exclusions=[Exclusion(rows, rows)])
        >>> [sorted(line) for line in drawn.rows.tolist()]
        [[1, 2], [0, 2], [0, 1]]
    """
    queries = np.asarray(query_rows, dtype=np.intp)
    pool = np.flatnonzero(gallery)
    hits = Hits.empty(len(queries), k)
    if not len(pool):
        return hits
    for start in range(0, len(queries), _CHUNK):
        waiting = np.arange(start, min(start + _CHUNK, len(queries)))
        draws = _FIRST_DRAWS
        while len(waiting) and draws <= _MOST_DRAWS:
            drawn = pool[_hash(queries[waiting, None], np.arange(draws)) % np.uint64(len(pool))]
            usable = _first_of_its_kind(drawn) & ~_excluded(drawn, waiting, exclusions)
            order = np.argsort(~usable, axis=1, kind="stable")[:, :k]
            kept = np.take_along_axis(usable, order, axis=1)
            filled = np.where(kept, np.take_along_axis(drawn, order, axis=1), -1)
            hits.rows[waiting, : filled.shape[1]] = filled
            hits.counts[waiting] = kept.sum(axis=1)
            waiting = waiting[hits.counts[waiting] < k]
            draws *= 2
        for line in waiting:
            _complete(hits, int(line), int(queries[line]), pool, exclusions)
    return hits


def _complete(hits: Hits, line: int, row: int, pool: NDArray[np.intp], exclusions: Sequence[Exclusion]) -> None:
    """Add what chance has not come across yet, in random order: the gallery is small, or most of it excluded."""
    place = np.array([line])
    drawn = hits.rows[line, : hits.counts[line]]
    rest = pool[~_excluded(pool[None], place, exclusions)[0]]
    rest = rest[~np.isin(rest, drawn)]
    rest = rest[np.argsort(_hash(np.array(row), _MOST_DRAWS + rest), kind="stable")]
    both = np.concatenate([drawn, rest])[: hits.rows.shape[1]]
    hits.rows[line, : len(both)] = both
    hits.counts[line] = len(both)


def _excluded(rows: NDArray[np.intp], lines: NDArray[np.intp], exclusions: Sequence[Exclusion]) -> NDArray[np.bool_]:
    """(L, M) rows drawn for L queries → which of them the query may not be given."""
    barred = np.zeros(rows.shape, dtype=np.bool_)
    for exclusion in exclusions:
        mine = exclusion.query_groups[lines, None]
        barred |= (exclusion.groups[rows] == mine) & (mine >= 0)
    return barred


def _first_of_its_kind(rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(L, M) → where a value stands for the first time in its line."""
    order = np.argsort(rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    first = np.ones(rows.shape, dtype=np.bool_)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first_place = np.empty(rows.shape, dtype=np.bool_)
    np.put_along_axis(first_place, order, first, axis=1)
    return first_place


def _hash(row: NDArray[Any], draw: NDArray[Any]) -> NDArray[np.uint64]:
    """A random number for a query and a draw, the same each time (SplitMix64: Steele, Lea and Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        state = np.asarray(row, dtype=np.uint64) * np.uint64(0xD1342543DE82EF95) + np.asarray(draw, dtype=np.uint64)
        for _ in range(2):
            state = state + np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return state
