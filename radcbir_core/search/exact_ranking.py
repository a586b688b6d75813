"""The first hits of many queries, exactly: blocks of a matrix product, and of each block only what can matter.

Owns exact ranking for evaluation: given embeddings, the rows that ask and the rows that may be returned, it gives the
first k of each query. Knows nothing of labels. index.py answers single queries with filters and exclusions; here there
are many queries, one gallery for all of them, and no exclusions, which allows a threshold a query: most of a block is
never looked at twice.

Similarities are single-precision sums, and the order of the additions decides between images whose similarities differ
in the last digits. The published evaluation adds as FAISS does: in a fixed order of its own for few queries, by a
matrix product for many. So does this module, and of equal similarities the later row comes first, as there: the
published figures depend on it where images are copies of each other.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.progress import Progress, silent
from radcbir_core.search.index import Hits

Floats = npt.NDArray[np.floating[Any]]
Float32 = npt.NDArray[np.float32]
Keys = npt.NDArray[np.int64]

LANES = 16
"""Partial sums of a similarity in fixed order: what one AVX-512 register holds."""

_ROUND = 4096
"""Queries asked at once: the batch of the published script, ``src/retrieval.py``."""
_PRODUCT_FROM = 128_000
"""FAISS makes a matrix product of queries with at least so many components together, and single sums of fewer: its
``distance_compute_blas_threshold`` (1.15)."""
# A product of this size comes close to what the processor can do. Of the gallery no power of two: then all lines of a
# product would share a few places of the cache.
_QUERIES = 2048
_GALLERY = 4000
_RISING = 3
_FIRST = 2048
_WIDTH = 512
_HELD_ELEMENTS = 256_000_000
_PAIRS = 8192
_TELL_EVERY = 0.2
_EMPTY = np.iinfo(np.int64).min
_LOW = np.int64(0x7FFFFFFF)


def rank_exactly(
    embeddings: Floats,
    *,
    queries: npt.NDArray[np.intp],
    gallery: npt.NDArray[np.intp],
    k: int,
    followed_by: int = 0,
    progress: Progress = silent,
) -> Hits:
    """The k most similar rows of the gallery for each query, by cosine in single precision.

    Args:
        embeddings: ``(N, D)`` unit norm, any floating type, may be memory-mapped.
        queries: ``(Q,)`` rows that ask. A row of both sides returns itself.
        gallery: ``(G,)`` rows that may be returned, ascending.
        k: How many hits, from 1 to 256.
        followed_by: How many further queries the published script asks after these; they fill up its last batch, and so
            decide how its similarities are summed.
        progress: Told the number of queries, as step "search".

    Returns:
        ``min(k, G)`` hits a query.

    Raises:
        ValueError: k is out of range.

    Example:
        >>> angles = np.radians([0, 10, 90, 12])
        >>> vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
        >>> rank_exactly(vectors, queries=np.array([3]), gallery=np.array([0, 1, 2]), k=2).rows
        array([[1, 0]], dtype=int32)
    """
    if not 1 <= k <= _WIDTH // 2:
        raise ValueError(f"Expected 1 to {_WIDTH // 2} hits, but k = {k}. Ask for fewer.")
    hits = Hits.empty(len(queries), k)
    progress("search", 0, len(queries))
    if not len(gallery) or not len(queries):
        return hits
    blocks = _blocks_of(embeddings, gallery)
    doubt = 2 * math.sqrt(embeddings.shape[1]) * 2.0**-24
    watch = _Watch(len(queries), len(gallery), progress)

    def rank(part: slice) -> None:
        asked = _single(embeddings, queries[part])
        best = _Best(len(asked), k=k, doubt=doubt)
        for places, vectors in blocks():
            watch.go_on_after(len(asked) * len(vectors))
            best.look_at(asked, vectors, places)
        best.finish()
        start = part.start // _ROUND * _ROUND
        batch = min(_ROUND, len(queries) + followed_by - start)
        if batch * embeddings.shape[1] < _PRODUCT_FROM:
            best.settle(asked, lambda places: _single(embeddings, gallery[places]))
        found_places, similarities, counts = best.first()
        found = np.arange(k) < counts[:, None]
        hits.rows[part] = np.where(found, gallery[np.minimum(found_places, len(gallery) - 1)], -1)
        hits.similarities[part] = np.where(found, np.clip(similarities, -1, 1), np.nan)
        hits.counts[part] = counts

    with workers() as pool:
        watch.run(pool, rank, list(_parts(len(queries))))
    progress("search", len(queries), len(queries))
    return hits


def similarity_in_fixed_order(left: Float32, right: Float32) -> Float32:
    """Dot products of pairs of vectors, in single precision and in one fixed order of additions.

    :data:`LANES` partial sums by fused multiply-add (component i goes to sum i modulo 16, one rounding a step), then
    the sums by halves. It is what FAISS's ``IndexFlatIP`` computes on a processor with AVX2 or AVX-512 where it makes
    no matrix product, for a dimension that is a multiple of 16, as all encoders' are.

    Args:
        left: ``(P, D)`` float32.
        right: ``(P, D)`` float32.

    Returns:
        ``(P,)`` float32.

    Example:
        >>> ones = np.ones((1, 5), dtype=np.float32)
        >>> similarity_in_fixed_order(ones, 2 * ones).tolist()
        [10.0]
    """
    sums = np.zeros((len(left), LANES), dtype=np.float32)
    for start in range(0, left.shape[1], LANES):
        part = slice(start, start + LANES)
        # The product of two singles is exact in double precision, so that each step rounds once to single.
        step = left[:, part].astype(np.float64) * right[:, part]
        step += sums[:, : step.shape[1]]
        sums[:, : step.shape[1]] = step
    while sums.shape[1] > 1:
        half = sums.shape[1] // 2
        sums = sums[:, :half] + sums[:, half:]
    return sums[:, 0]


@contextmanager
def workers() -> Iterator[Executor]:
    """One thread a core; each makes products by itself, so that selecting from one goes on beside making another."""
    # Comes with scikit-learn, which umap-learn needs. BLAS splits no sum among threads: the numbers are the same.
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield pool


def _parts(queries: int) -> Iterator[slice]:
    """The queries cut up for the threads; no part has queries of two rounds."""
    for start in range(0, queries, _ROUND):
        size = min(_ROUND, queries - start)
        pieces = max(-(-size // _QUERIES), min(os.cpu_count() or 1, size))
        cuts = [start + size * piece // pieces for piece in range(pieces + 1)]
        yield from (slice(first, last) for first, last in pairwise(cuts))


class _Watch:
    """Tells how far the threads are, and stops all of them when one fails or the one who is told raises."""

    def __init__(self, queries: int, gallery: int, progress: Progress) -> None:
        self._queries = queries
        self._gallery = gallery
        self._progress = progress
        self._pairs = 0
        self._lock = threading.Lock()
        self._stopped = False

    def go_on_after(self, pairs: int) -> None:
        """Take note that a thread will have compared so many pairs.

        Raises:
            InterruptedError: It is not to go on.
        """
        if self._stopped:
            raise InterruptedError
        with self._lock:
            self._pairs += pairs

    def run(self, pool: Executor, work: Callable[[slice], None], parts: Sequence[slice]) -> None:
        """Do the work for all parts."""
        waiting = {pool.submit(work, part) for part in parts}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=_TELL_EVERY)
                for future in done:
                    future.result()
                self._progress("search", min(self._pairs // self._gallery, self._queries - 1), self._queries)
        finally:
            self._stopped = True
            for future in waiting:
                future.cancel()


def _single(embeddings: Floats, rows: npt.NDArray[np.intp]) -> Float32:
    """Rows in single precision; rows that follow each other are not copied where they have it already."""
    if len(rows) and int(rows[-1]) - int(rows[0]) + 1 == len(rows) and (np.diff(rows) == 1).all():
        return np.asarray(embeddings[int(rows[0]) : int(rows[-1]) + 1], dtype=np.float32)
    return np.asarray(embeddings[rows], dtype=np.float32)


def _blocks_of(embeddings: Floats, gallery: npt.NDArray[np.intp]) -> Callable[[], Iterator[tuple[range, Float32]]]:
    """Gives the gallery in blocks, each time it is called: the places of each block and its vectors.

    A gallery that fits into memory is gathered once, and each block is taken from all over it: galleries are often
    sorted by label, and the floors of all queries are then high from the first block on.
    """
    size = len(gallery)
    held = _single(embeddings, gallery) if size * embeddings.shape[1] <= _HELD_ELEMENTS else None
    number = -(-size // _GALLERY)

    def blocks() -> Iterator[tuple[range, Float32]]:
        for block in range(number):
            if held is not None:
                yield range(block, size, number), held[block::number]
            else:
                places = range(block * _GALLERY, min((block + 1) * _GALLERY, size))
                yield places, _single(embeddings, gallery[places.start : places.stop])

    return blocks


class _Best:
    """The best places of the gallery for each of some queries, so far.

    A candidate is one integer: its similarity in the high half, its place in the low half, so that sorting integers
    puts the most similar last and, of equals, the last place. Each query keeps its first k and all that are
    within ``doubt`` of the k-th, up to half of the width; ``floor`` is what a newcomer must reach.
    """

    def __init__(self, queries: int, *, k: int, doubt: float) -> None:
        self._k = k
        self._doubt = np.float32(doubt)
        self._keys: Keys = np.full((queries, _WIDTH), _EMPTY, dtype=np.int64)
        self._counts = np.zeros(queries, dtype=np.int64)
        self._floor = np.full(queries, -np.inf, dtype=np.float32)
        self._blocks = 0
        self._floats = np.empty(queries * _GALLERY, dtype=np.float32)
        self._flags = np.empty(queries * _GALLERY, dtype=np.bool_)

    def look_at(self, queries: Float32, vectors: Float32, places: range) -> None:
        """Compare all queries with a block of the gallery, whose vectors have these places."""
        shape = (len(queries), len(vectors))
        product = self._floats[: shape[0] * shape[1]].reshape(shape)
        reached = self._flags[: shape[0] * shape[1]].reshape(shape)
        np.matmul(queries, vectors.T, out=product)
        if self._blocks == 0 and len(vectors) > self._k:
            # The k-th of some places is a floor for all of them.
            self._floor = np.partition(product[:, :_FIRST], -self._k, axis=1)[:, -self._k] - self._doubt
        np.greater_equal(product, self._floor[:, None], out=reached)
        flat = np.flatnonzero(reached)
        query = flat // len(vectors)
        numbers = np.bincount(query, minlength=len(queries))
        full = np.flatnonzero(numbers > _WIDTH - self._counts)
        if len(full):
            crowded = np.isin(query, full)
            for number in full.tolist():
                self._add_line(number, product[number], places)
            flat, query = flat[~crowded], query[~crowded]
            numbers[full] = 0
        starts = np.cumsum(numbers) - numbers
        rank = np.arange(len(flat)) - np.repeat(starts, numbers)
        target = _WIDTH - 1 - self._counts[query] - rank
        place = flat % len(vectors) * places.step + places.start
        self._keys[query, target] = _keys(product.reshape(-1)[flat], place)
        self._counts += numbers
        self._blocks += 1
        # Sorting is worth it while floors still rise, and needed before there is no room.
        if self._blocks <= _RISING or int(self._counts.max()) > _WIDTH * 3 // 4:
            self.finish()

    def _add_line(self, query: int, line: Float32, places: range) -> None:
        """A block with more candidates than there is room for: only the best of it are taken."""
        keys = _keys(line, np.arange(places.start, places.stop, places.step))
        both = np.concatenate([self._keys[query, _WIDTH - self._counts[query] :], keys])
        best = np.partition(both, len(both) - _WIDTH)[len(both) - _WIDTH :] if len(both) > _WIDTH else both
        self._keys[query] = _EMPTY
        self._keys[query, _WIDTH - len(best) :] = best
        self._counts[query] = len(best)

    def finish(self) -> None:
        """Sort, and drop what is not among the first k nor within doubt of them; to be called after the last block."""
        keys = self._keys
        keys.sort(axis=1)
        enough = self._counts >= self._k
        kth = _similarities(keys[:, _WIDTH - self._k])
        self._floor = np.where(enough, kth - self._doubt, self._floor)
        kept = (_similarities(keys) >= self._floor[:, None]) & (keys != _EMPTY)
        self._counts = np.minimum(kept.sum(axis=1), _WIDTH // 2)
        keys[np.arange(_WIDTH) < _WIDTH - self._counts[:, None]] = _EMPTY

    def settle(self, queries: Float32, vectors_of: Callable[[npt.NDArray[np.int64]], Float32]) -> None:
        """Compute again, in fixed order, the similarities of candidates that are too close to call; sort anew."""
        similarities = _similarities(self._keys)
        close = np.zeros(self._keys.shape, dtype=np.bool_)
        # Empty keys stand for no number at all; they are never close to anything.
        both = (self._keys[:, :-1] != _EMPTY) & (np.diff(similarities, axis=1) < 2 * self._doubt)
        close[:, :-1] |= both
        close[:, 1:] |= both
        rows, columns = np.nonzero(close)
        for start in range(0, len(rows), _PAIRS):
            part = slice(start, start + _PAIRS)
            row, column = rows[part], columns[part]
            places = _places(self._keys[row, column])
            again = similarity_in_fixed_order(queries[row], vectors_of(places))
            self._keys[row, column] = _keys(again, places)
        self._keys.sort(axis=1)

    def first(self) -> tuple[npt.NDArray[np.int64], Float32, npt.NDArray[np.int32]]:
        """Places and similarities of the first k of each query, best first, and how many there are."""
        keys = self._keys[:, : -self._k - 1 : -1]
        return _places(keys), _similarities(keys), np.minimum(self._counts, self._k).astype(np.int32)


def _keys(similarities: Float32, places: npt.NDArray[Any]) -> Keys:
    """Integers in the order of similarity, then of place."""
    # Adding 0 makes -0.0 the same as 0.0, which it equals but does not look like.
    bits = (similarities + np.float32(0)).view(np.int32)
    ordered = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
    keys: Keys = (ordered.astype(np.int64) << 32) + places
    return keys


def _similarities(keys: Keys) -> Float32:
    ordered = (keys >> 32).astype(np.int32)
    return (ordered ^ ((ordered >> 31) & np.int32(0x7FFFFFFF))).view(np.float32)


def _places(keys: Keys) -> npt.NDArray[np.int64]:
    places: npt.NDArray[np.int64] = keys & _LOW
    return places
