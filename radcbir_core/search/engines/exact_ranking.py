"""The first hits of many queries in the order of the published evaluation.

Owns the order of what is equal or nearly so. Similarities are single-precision sums, and the order of the additions
decides between images whose similarities differ in the last digits. The published evaluation adds as FAISS does: by a
matrix product for many queries, in a fixed order of its own for few, and of equal similarities the later row comes
first. The published figures depend on it. The search itself is exact.py's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Float32, Hits, Vectors, unit_vectors
from radcbir_core.search.engines.exact import first_hits

_BATCH = 4096
"""Queries asked at once: the batch of the published script, ``src/retrieval.py``."""
_PRODUCT_FROM = 128_000
"""FAISS makes a matrix product of queries with at least so many components together, and single sums of fewer: its
``distance_compute_blas_threshold`` (1.15)."""
_LANES = 16
_CANDIDATES = 256
"""Hits among which another order of additions may find another first k."""
_QUERIES_AT_ONCE = 64


def rank_exactly(
    source: Vectors,
    *,
    queries: npt.NDArray[np.intp],
    gallery: npt.NDArray[np.intp],
    k: int,
    followed_by: int = 0,
    progress: Progress = silent,
) -> Hits:
    """The k most similar rows of the gallery for each query, by cosine in single precision.

    Args:
        source: Where the vectors are.
        queries: ``(Q,)`` rows that ask. A row of both sides returns itself.
        gallery: ``(G,)`` rows that may be returned, ascending.
        k: How many hits.
        followed_by: How many further queries the published script asks after these; they fill up its last batch, and so
            decide how its similarities are summed.
        progress: Told the number of queries, as step "search".

    Returns:
        ``min(k, G)`` hits a query.

    Example:
        >>> from radcbir_core.search.backend import ArrayVectors
        >>> angles = np.radians([0, 10, 90, 12])
        >>> source = ArrayVectors(np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32))
        >>> rank_exactly(source, queries=np.array([3]), gallery=np.array([0, 1, 2]), k=2).rows
        array([[1, 0]], dtype=int32)
    """
    batch = np.minimum(len(queries) + followed_by - np.arange(len(queries)) // _BATCH * _BATCH, _BATCH)
    singly = np.flatnonzero(batch * source.shape[1] < _PRODUCT_FROM)
    hits = first_hits(
        source,
        lambda part: unit_vectors(source, queries[part]),
        queries=len(queries),
        k=max(2 * k, _CANDIDATES) if len(singly) else k,
        rows=gallery,
        later_first=True,
        progress=progress,
    )
    for start in range(0, len(singly), _QUERIES_AT_ONCE):
        part = singly[start : start + _QUERIES_AT_ONCE]
        query, rank = np.nonzero(hits.rows[part] >= 0)
        rows, similarities = hits.rows[part], np.full(hits.rows[part].shape, -np.inf, dtype=np.float32)
        asked = unit_vectors(source, queries[part][query])
        given = unit_vectors(source, rows[query, rank].astype(np.intp))
        similarities[query, rank] = similarity_in_fixed_order(asked, given)
        order = np.lexsort((-rows, -similarities))
        hits.rows[part] = np.take_along_axis(rows, order, axis=1)
        hits.similarities[part] = np.where(rows >= 0, np.take_along_axis(similarities, order, axis=1), np.nan)
        # Only now: a sum that rounding has brought above 1 is no tie with one at 1.
        np.clip(hits.similarities[part], -1, 1, out=hits.similarities[part])
    return Hits(hits.rows[:, :k], hits.similarities[:, :k], np.minimum(hits.counts, k).astype(np.int32))


def similarity_in_fixed_order(left: npt.NDArray[np.floating], right: npt.NDArray[np.floating]) -> Float32:
    """Dot products of pairs of vectors, in single precision and in one fixed order of additions.

    Sixteen partial sums by fused multiply-add (component i goes to sum i modulo 16, one rounding a step), then the sums
    by halves. It is what FAISS's ``IndexFlatIP`` computes on a processor with AVX2 or AVX-512 where it makes no matrix
    product, for a dimension that is a multiple of 16, as all encoders' are.

    Args:
        left: ``(P, D)``.
        right: ``(P, D)``.

    Returns:
        ``(P,)`` float32.

    Example:
        >>> ones = np.ones((1, 5), dtype=np.float32)
        >>> similarity_in_fixed_order(ones, 2 * ones).tolist()
        [10.0]
    """
    sums = np.zeros((len(left), _LANES), dtype=np.float32)
    for start in range(0, left.shape[1], _LANES):
        part = slice(start, start + _LANES)
        # The product of two singles is exact in double precision, so that each step rounds once to single.
        step = np.asarray(left[:, part], np.float32).astype(np.float64) * np.asarray(right[:, part], np.float32)
        sums[:, : step.shape[1]] += step
    while sums.shape[1] > 1:
        sums = sums[:, : sums.shape[1] // 2] + sums[:, sums.shape[1] // 2 :]
    return sums[:, 0]
