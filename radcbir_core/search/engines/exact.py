"""Exact search: every allowed row is compared with every query.

Owns the one loop over products of queries and vectors, block by block; what is wanted of them, the first k of each
query, how many relevant ones are among the first R, is a reduction that reads the blocks. Works over any
:class:`~radcbir_core.search.backend.Vectors`, so that it is also what an approximate engine is measured by and falls
back to.

Similarities are cosines, in single-precision sums. A single query over half-precision vectors is scanned as they lie on
disk by NumKong; since that rounds the query to half precision too, and leaves the vectors at the lengths that rounding
has given them, every vector that either could have kept from the first k is looked at again in full precision. Equal
similarities are put in the order of the rows. Those of copies with many queries need not be equal: on some processors
the last bit of a product depends on the place of the row in its block.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import (
    EXACT_RECALL,
    Exclusion,
    Filter,
    Float32,
    Hits,
    Mask,
    Method,
    OverVectors,
    Rows,
    Vectors,
    products_with,
    unit_vectors,
)
from radcbir_core.search.engines.scanning import side_by_side

Products = Iterator[tuple[range, Float32]]
"""Places among the rows that are compared, and ``(queries, places)`` similarities; valid until the next is taken."""

_SCANNED_QUERIES = 4
_SCANNED_ROWS = 16_384
# A product of this size comes close to what the processor can do. Of the rows no power of two: then all lines of a
# product would share a few places of the cache.
_QUERIES = 2048
_ROWS = 4000
_FEWEST_QUERIES = 256
_RISING = 3
_FIRST = 2048
_WIDTH = 512
_HELD_ELEMENTS = 256_000_000
_TELL_EVERY = 0.2
LENGTHS = 1e-3
"""How far from 1 the length of a half-precision vector may be: rounding moves it by 2⁻¹¹ at most, imports take 10⁻³."""
_EMPTY = np.iinfo(np.int64).min
_LOW = np.int64(0x7FFFFFFF)

Keys = npt.NDArray[np.int64]


class Exact(OverVectors):
    """The engine that compares all rows.

    Args:
        source: Where the vectors are.
    """

    name = "exact"
    method: Method = "exact"
    recall = EXACT_RECALL
    filters: frozenset[Filter] = frozenset({"allowed", "exclusions"})
    exact_elements = 0

    def search(
        self, queries: Float32, *, k: int, allowed: Mask | None = None, exclusions: Sequence[Exclusion] = ()
    ) -> Hits:
        """The k most similar allowed rows of each query, or all there are.

        Args:
            queries: ``(Q, D)`` float32, unit norm.
            k: How many hits.
            allowed: ``(N,)``; which rows may be returned, all by default.
            exclusions: What each query may not return.
        """
        rows = np.arange(self.shape[0]) if allowed is None else np.flatnonzero(allowed)
        if len(queries) <= _SCANNED_QUERIES and self.dtype == np.float16:
            return _scan(self.source, queries, k=k, rows=rows, exclusions=exclusions)
        return first_hits(
            self.source, lambda part: queries[part], queries=len(queries), k=k, rows=rows, exclusions=exclusions
        )


def first_hits(
    source: Vectors,
    asked: Callable[[slice], Float32],
    *,
    queries: int,
    k: int,
    rows: Rows,
    exclusions: Sequence[Exclusion] = (),
    later_first: bool = False,
    each: int | None = None,
    progress: Progress = silent,
) -> Hits:
    """The k most similar of some rows for each query, by products in single precision.

    Args:
        source: Where the vectors are.
        asked: Gives the vectors of some of the queries, ``(q, D)`` float32.
        queries: How many there are.
        k: How many hits.
        rows: ``(R,)`` ascending; what may be returned.
        exclusions: What each query may not return.
        later_first: Whether of equal similarities the later row comes first.
        each: As in :func:`over_products`.
        progress: Told the number of queries, as step "search".

    Returns:
        Exactly k hits a query, or all there are.

    Example:
        >>> from radcbir_core.search.backend import ArrayVectors
        >>> angles = np.radians([0, 10, 90, 12])
        >>> vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
        >>> first_hits(ArrayVectors(vectors), lambda part: vectors[[3]][part], queries=1, k=2, rows=np.arange(3)).rows
        array([[1, 0]], dtype=int32)
    """
    hits = Hits.empty(queries, k)
    groups = [np.asarray(exclusion.groups)[rows] for exclusion in exclusions]

    def reduce(part: slice, products: Products) -> None:
        barred = [(group, exclusion.query_groups[part]) for group, exclusion in zip(groups, exclusions, strict=True)]
        best = _Best(part.stop - part.start, k=k, barred=barred, later_first=later_first)
        for places, product in products:
            best.look_at(product, places)
        best_places, similarities, counts = best.first()
        known = np.arange(k) < counts[:, None]
        hits.rows[part] = np.where(known, rows[np.where(known, best_places, 0)], -1)
        hits.similarities[part] = np.where(known, np.clip(similarities, -1, 1), np.nan)
        hits.counts[part] = counts

    if k:
        most = max(1, _QUERIES * _WIDTH // _width(k))
        over_products(source, asked, queries=queries, rows=rows, reduce=reduce, most=most, each=each, progress=progress)
    return hits


def over_products(
    source: Vectors,
    asked: Callable[[slice], Float32],
    *,
    queries: int,
    rows: Rows,
    reduce: Callable[[slice, Products], None],
    most: int = _QUERIES,
    each: int | None = None,
    scattered: bool = True,
    progress: Progress = silent,
) -> None:
    """Multiply queries with vectors, block by block, and let a reduction read the products; several parts at a time.

    Args:
        source: Where the vectors are.
        asked: Gives the vectors of some of the queries, ``(q, D)`` float32.
        queries: How many there are.
        rows: ``(R,)``; what they are compared with.
        reduce: Reads the products of a part of the queries, all its blocks one after the other. Called from threads.
        most: Queries of one part at most.
        each: Queries of each part but the last, instead, whatever the number of cores: the last bits of a product may
            depend on its shape and on its threads, and with this they are the same on a machine with more of them.
        scattered: Whether each block may be taken from all over the rows: these are often sorted by label, and the
            first block then tells much of all others. Otherwise blocks follow each other.
        progress: Told the number of queries, as step "search"; what it raises ends the work.
    """
    progress("search", 0, queries)
    if not queries or not len(rows):
        return
    blocks = _blocks_of(source, rows, scattered=scattered)
    watch = _Watch(queries, len(rows), progress)

    def work(part: slice) -> None:
        vectors_asked = asked(part)
        buffer = np.empty(len(vectors_asked) * min(_ROWS, len(rows)), dtype=np.float32)

        def products() -> Products:
            for places, vectors in blocks():
                watch.go_on_after(len(vectors_asked) * len(vectors))
                product = buffer[: len(vectors_asked) * len(vectors)].reshape(len(vectors_asked), len(vectors))
                np.matmul(vectors_asked, vectors.T, out=product)
                yield places, product

        reduce(part, products())

    parts = list(_parts(queries, most)) if each is None else _parts_of(queries, each)
    alone = one_thread_each() if each is not None or len(parts) > 1 else nullcontext()
    with alone, ThreadPoolExecutor(min(len(parts), os.cpu_count() or 1)) as pool:
        watch.run(pool, work, parts)
    progress("search", queries, queries)


def one_thread_each() -> AbstractContextManager[object]:
    """Each thread makes its products by itself: it selects while others multiply."""
    from threadpoolctl import threadpool_limits  # comes with scikit-learn, which umap-learn needs

    limits: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limits


def _parts(queries: int, most: int) -> Iterator[slice]:
    """The queries cut up for the threads that there are."""
    pieces = max(-(-queries // most), min(os.cpu_count() or 1, queries // _FEWEST_QUERIES))
    cuts = [queries * piece // pieces for piece in range(pieces + 1)]
    return (slice(first, last) for first, last in pairwise(cuts))


def _parts_of(queries: int, each: int) -> list[slice]:
    """The queries cut up in the same way wherever that is."""
    return [slice(first, min(first + each, queries)) for first in range(0, queries, each)]


class _Watch:
    """Tells how far the threads are, and stops all of them when one fails or the one who is told raises."""

    def __init__(self, queries: int, rows: int, progress: Progress) -> None:
        self._queries = queries
        self._rows = rows
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
                self._progress("search", min(self._pairs // self._rows, self._queries - 1), self._queries)
        finally:
            self._stopped = True
            for future in waiting:
                future.cancel()


def _blocks_of(source: Vectors, rows: Rows, *, scattered: bool) -> Callable[[], Iterator[tuple[range, Float32]]]:
    """Gives the rows in blocks, each time it is called: the places of each block among the rows, and its vectors.

    Rows that fit into memory are gathered once.
    """
    size = len(rows)
    held = unit_vectors(source, rows) if size * source.shape[1] <= _HELD_ELEMENTS else None
    number = -(-size // _ROWS)

    def blocks() -> Iterator[tuple[range, Float32]]:
        for block in range(number):
            places = range(block * _ROWS, min((block + 1) * _ROWS, size))
            if held is None:
                yield places, unit_vectors(source, rows[places.start : places.stop])
            elif scattered:
                yield range(block, size, number), held[block::number]
            else:
                yield places, held[places.start : places.stop]

    return blocks


class _Best:
    """The best places for each of some queries, so far.

    A candidate is one integer: its similarity in the high half, its place in the low half, so that sorting integers
    puts the most similar last and, of equals, the one that is to come first. ``floor`` is what a newcomer must reach.
    """

    def __init__(
        self,
        queries: int,
        *,
        k: int,
        barred: Sequence[tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.integer[Any]]]],
        later_first: bool,
    ) -> None:
        self._k = k
        self._width = _width(k)
        self._barred = barred  # group of each place and group of each query
        self._flip = np.int64(0) if later_first else _LOW
        self._keys: Keys = np.full((queries, self._width), _EMPTY, dtype=np.int64)
        self._counts = np.zeros(queries, dtype=np.int64)
        self._floor = np.full(queries, -np.inf, dtype=np.float32)
        self._blocks = 0
        self._flags = np.empty(queries * _ROWS, dtype=np.bool_)

    def look_at(self, product: Float32, places: range) -> None:
        """Take in the similarities of all queries and a block of places."""
        width = product.shape[1]
        if self._blocks == 0:
            for group, mine in self._barred:
                of_block = group[places.start : places.stop : places.step]
                product[(of_block[None, :] == mine[:, None]) & (mine >= 0)[:, None]] = -np.inf
            if width > self._k:
                # The k-th of some places is a floor for all of them.
                self._floor = np.partition(product[:, : max(_FIRST, 2 * self._k)], -self._k, axis=1)[:, -self._k]
        reached = self._flags[: product.size].reshape(product.shape)
        np.greater_equal(product, self._floor[:, None], out=reached)
        flat = np.flatnonzero(reached)
        query, place = flat // width, flat % width * places.step + places.start
        values = product.reshape(-1)[flat]
        kept = self._may_be_given(query, place) & (values > -np.inf)
        if not kept.all():
            query, place, values = query[kept], place[kept], values[kept]
        numbers = np.bincount(query, minlength=len(product))
        keys = self._keys_of(values, place)
        full = np.flatnonzero(numbers > self._width - self._counts)
        if len(full):
            ends = np.cumsum(numbers)
            for number in full.tolist():
                self._add_line(number, keys[ends[number] - numbers[number] : ends[number]])
            others = ~np.isin(query, full)
            query, keys = query[others], keys[others]
            numbers[full] = 0
        starts = np.cumsum(numbers) - numbers
        rank = np.arange(len(query)) - np.repeat(starts, numbers)
        self._keys[query, self._width - 1 - self._counts[query] - rank] = keys
        self._counts += numbers
        self._blocks += 1
        # Sorting is worth it while floors still rise, and needed before there is no room.
        if self._blocks <= _RISING or int(self._counts.max()) > self._width * 3 // 4:
            self._sort()

    def _may_be_given(self, query: Rows, place: Rows) -> Mask:
        given = np.ones(len(query), dtype=np.bool_)
        if self._blocks:  # of the first block they have been taken out before
            for group, mine in self._barred:
                given &= (group[place] != mine[query]) | (mine[query] < 0)
        return given

    def _add_line(self, query: int, keys: Keys) -> None:
        """A block with more candidates than there is room for: only the best of it are taken."""
        both = np.concatenate([self._keys[query, self._width - self._counts[query] :], keys])
        best = np.partition(both, len(both) - self._k)[len(both) - self._k :] if len(both) > self._k else both
        self._keys[query] = _EMPTY
        self._keys[query, self._width - len(best) :] = best
        self._counts[query] = len(best)

    def _sort(self) -> None:
        """Sort, and drop what is not among the first k."""
        self._keys.sort(axis=1)
        enough = self._counts >= self._k
        kth = _similarities(self._keys[:, self._width - self._k])
        self._floor = np.where(enough, kth, self._floor)
        self._counts = np.minimum(self._counts, self._k)
        self._keys[:, : self._width - self._k] = _EMPTY

    def first(self) -> tuple[npt.NDArray[np.int64], Float32, npt.NDArray[np.int32]]:
        """Places and similarities of the first k of each query, best first, and how many there are."""
        self._sort()
        keys = self._keys[:, : -self._k - 1 : -1]
        return (keys & _LOW) ^ self._flip, _similarities(keys), self._counts.astype(np.int32)

    def _keys_of(self, similarities: Float32, places: npt.NDArray[np.int64]) -> Keys:
        """Integers in the order of similarity, then of place."""
        # Adding 0 makes -0.0 the same as 0.0, which it equals but does not look like.
        bits = (similarities + np.float32(0)).view(np.int32)
        ordered = bits ^ ((bits >> 31) & np.int32(_LOW))
        keys: Keys = (ordered.astype(np.int64) << 32) + (places ^ self._flip)
        return keys


def _similarities(keys: Keys) -> Float32:
    ordered = (keys >> 32).astype(np.int32)
    return (ordered ^ ((ordered >> 31) & np.int32(_LOW))).view(np.float32)


def _width(k: int) -> int:
    """How many candidates a query may have."""
    return max(_WIDTH, 2 * k)


def _scan(source: Vectors, queries: Float32, *, k: int, rows: Rows, exclusions: Sequence[Exclusion]) -> Hits:
    """Exact search of a few queries over half-precision vectors, read as they lie on disk."""
    hits = Hits.empty(len(queries), k)
    if not len(rows) or not k:
        return hits
    rounded = queries.astype(np.float16)
    for q, (query, scanned) in enumerate(zip(queries, half_precision_products(source, rounded, rows), strict=True)):
        for exclusion in exclusions:
            if exclusion.query_groups[q] >= 0:
                scanned[exclusion.excluded(q, rows)] = -np.inf
        doubt = doubt_of(query, rounded[q])
        last = len(scanned) - min(k, len(scanned))
        threshold = np.partition(scanned, last)[last] - 2 * doubt
        candidates = np.flatnonzero((scanned >= threshold) & np.isfinite(scanned))
        similarities = products_with(query, unit_vectors(source, rows[candidates]))
        best = np.lexsort((candidates, -similarities))[:k]
        hits.fill(q, rows[candidates[best]], similarities[best])
    return hits


def doubt_of(query: Float32, rounded: npt.NDArray[np.float16]) -> float:
    """How far a product of the rounded query and a rounded vector may be from their cosine.

    Cauchy-Schwarz: rounding the query moves none by more than the first, and lengths by no more than the rest.

    Args:
        query: ``(D,)``.
        rounded: ``(D,)`` the same in half precision.

    Example:
        >>> query = np.float32([0.6, 0.8])
        >>> doubt_of(query, query.astype(np.float16)) < 0.002
        True
    """
    moved = float(np.linalg.norm(query - rounded.astype(np.float32)))
    return (1 + LENGTHS) * moved + LENGTHS * float(np.linalg.norm(query)) + 1e-6


def half_precision_products(source: Vectors, queries: npt.NDArray[np.float16], rows: Rows) -> npt.NDArray[np.float64]:
    """``(Q, R)`` products of queries and vectors of half precision, the vectors read where they lie, on all cores."""
    import numkong

    products = np.empty((len(queries), len(rows)))

    def scan(start: int) -> None:
        part = rows[start : start + _SCANNED_ROWS]
        span = np.arange(part[0], part[-1] + 1)
        # A scattered selection is worth copying out only when it is a small part.
        whole = len(part) * 5 > len(span)
        vectors = np.ascontiguousarray(source.vectors(span if whole else part))
        for query, line in zip(queries, products, strict=True):
            # In double precision, its native result: asking for another type makes it 30 times slower.
            scanned = np.asarray(numkong.cdist(query[None], vectors, metric="dot"))[0]
            line[start : start + len(part)] = scanned[part - part[0]] if len(scanned) > len(part) else scanned

    for _ in side_by_side(scan, range(0, len(rows), _SCANNED_ROWS)):
        pass
    return products
