"""Nearest neighbors of vectors: exact by a full scan, or approximate by a USearch graph.

Owns vector search and nothing about images: it is given embeddings, which rows are allowed, and for each query which
rows it may not return. Similarities are cosines; USearch's distances never leave this module.

Exact search reads all allowed vectors. A single query over half-precision vectors is scanned as it lies on disk by
NumKong; since that rounds the query to half precision too, every vector that the rounding could have kept from the
first k is looked at again in full precision, so that the answer is that of single precision. Many queries go through
a blocked matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from radcbir_core.errors import CollectionError, QueryError
from radcbir_core.storage import atomic_path

Method = Literal["exact", "approximate"]
Floats = npt.NDArray[np.floating[Any]]

EXACT_ELEMENTS = 64_000_000
"""Vector elements that an exact scan may read for one query: about 10 ms in half precision on one core."""

_CONNECTIVITY = 16
_EXPANSION_ADD = 128
_EXPANSION_SEARCH = 128
_LARGEST_FETCH = 20_000
_BUFFER_ELEMENTS = 32_000_000
_BLOCK_ROWS = 16_384
_SCAN_QUERIES = 4


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search found, one line a query, best first.

    Attributes:
        rows: ``(Q, k)`` int32 row numbers, padded with -1 where there are fewer than k.
        similarities: ``(Q, k)`` float32 cosines in [-1, 1], padded with NaN.
        counts: ``(Q,)`` int32; how many hits each query has.
        method: Whether all allowed rows were looked at, or the approximate index was used.
    """

    rows: npt.NDArray[np.int32]
    similarities: npt.NDArray[np.float32]
    counts: npt.NDArray[np.int32]
    method: Method

    @classmethod
    def empty(cls, queries: int, k: int, *, method: Method = "exact") -> Hits:
        """Hits with nothing in them yet."""
        return cls(
            rows=np.full((queries, k), -1, dtype=np.int32),
            similarities=np.full((queries, k), np.nan, dtype=np.float32),
            counts=np.zeros(queries, dtype=np.int32),
            method=method,
        )


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Rows that a query may not return: those whose group is the query's.

    Attributes:
        groups: ``(N,)`` int; the group of each row, -1 for none.
        query_groups: ``(Q,)`` int; the group of each query, -1 for none. -1 excludes nothing.
    """

    groups: npt.NDArray[np.integer[Any]]
    query_groups: npt.NDArray[np.integer[Any]]

    def of(self, queries: slice | npt.NDArray[np.intp]) -> Exclusion:
        """The same for some of the queries."""
        return Exclusion(self.groups, self.query_groups[queries])

    def rows_of(self, query: int) -> npt.NDArray[np.intp]:
        """The rows that one query may not return."""
        group = self.query_groups[query]
        return np.flatnonzero(self.groups == group) if group >= 0 else np.empty(0, dtype=np.intp)


def unit(vectors: npt.ArrayLike, *, dimension: int) -> npt.NDArray[np.float32]:
    """Query vectors as ``(Q, D)`` float32 of unit norm.

    Raises:
        QueryError: Another dimension, NaN, infinity, or a vector of zeros.
    """
    queries = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    if queries.ndim != 2 or queries.shape[1] != dimension:
        raise QueryError(
            f"Expected query vectors of dimension {dimension}, but their shape is {queries.shape}. "
            "Use the encoder that the collection was built with."
        )
    norms = np.linalg.norm(queries, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or (norms == 0).any():
        raise QueryError(
            "Expected query vectors of finite, non-zero length, but one is not. "
            "The image may be one flat colour: choose another."
        )
    scaled: npt.NDArray[np.float32] = queries / norms
    return scaled


def search_exact(
    embeddings: Floats,
    queries: npt.NDArray[np.float32],
    *,
    k: int,
    allowed: npt.NDArray[np.bool_] | None = None,
    exclusions: Sequence[Exclusion] = (),
) -> Hits:
    """The k most similar allowed rows of each query, by looking at all of them.

    Equal similarities are put in the order of the rows.

    Args:
        embeddings: ``(N, D)``, unit norm; float16 or float32, may be memory-mapped.
        queries: ``(Q, D)`` float32, unit norm.
        k: How many hits.
        allowed: ``(N,)``; which rows may be returned, all by default.
        exclusions: What each query may not return.

    Returns:
        Exactly k hits a query, or all there are.
    """
    hits = Hits.empty(len(queries), k)
    rows = np.arange(len(embeddings)) if allowed is None else np.flatnonzero(allowed)
    if not len(rows) or not k:
        return hits
    if len(queries) <= _SCAN_QUERIES and embeddings.dtype == np.float16:
        _scan_each(hits, embeddings, queries, rows, exclusions)
    else:
        _multiply_blocks(hits, embeddings, queries, rows, exclusions)
    return hits


def _scan_each(
    hits: Hits,
    embeddings: Floats,
    queries: npt.NDArray[np.float32],
    rows: npt.NDArray[np.intp],
    exclusions: Sequence[Exclusion],
) -> None:
    """Exact search of a few queries over half-precision vectors, read as they lie on disk."""
    import numkong

    # A scattered selection is worth copying out only when it is a small part.
    whole = len(rows) * 5 > len(embeddings)
    vectors = embeddings if whole else np.ascontiguousarray(embeddings[rows])
    places = rows if whole else np.arange(len(rows))
    for q, query in enumerate(queries):
        rounded = query.astype(np.float16)
        # In double precision, its native result: asking for another type makes it 30 times slower.
        scanned = np.asarray(numkong.cdist(rounded[None], vectors, metric="dot"))[0][places]
        for exclusion in exclusions:
            if exclusion.query_groups[q] >= 0:
                scanned[exclusion.groups[rows] == exclusion.query_groups[q]] = -np.inf
        # Cauchy-Schwarz: rounding the query moves no similarity by more than this (half-precision norms are < 1.002).
        doubt = 1.002 * float(np.linalg.norm(query - rounded.astype(np.float32))) + 1e-6
        k = min(hits.rows.shape[1], len(scanned))
        threshold = np.partition(scanned, len(scanned) - k)[len(scanned) - k] - 2 * doubt
        candidates = np.flatnonzero((scanned >= threshold) & np.isfinite(scanned))
        similarities = vectors[places[candidates]].astype(np.float32) @ query
        best = _largest(similarities, k)
        _fill(hits, q, rows[candidates[best]], similarities[best])


def _multiply_blocks(
    hits: Hits,
    embeddings: Floats,
    queries: npt.NDArray[np.float32],
    rows: npt.NDArray[np.intp],
    exclusions: Sequence[Exclusion],
) -> None:
    """Exact search of many queries: blocks of a matrix product in single precision."""
    step = max(1, min(1024, _BUFFER_ELEMENTS // len(rows)))
    buffer = np.empty((min(step, len(queries)), len(rows)), dtype=np.float32)
    groups = [exclusion.groups[rows] for exclusion in exclusions]
    for start in range(0, len(queries), step):
        part = slice(start, min(start + step, len(queries)))
        similarities = buffer[: part.stop - part.start]
        for first in range(0, len(rows), _BLOCK_ROWS):
            block = slice(first, first + _BLOCK_ROWS)
            vectors = embeddings[rows[block]].astype(np.float32)
            np.matmul(queries[part], vectors.T, out=similarities[:, block])
        for group, exclusion in zip(groups, exclusions, strict=True):
            mine = exclusion.query_groups[part, None]
            similarities[(group[None, :] == mine) & (mine >= 0)] = -np.inf
        for q, line in enumerate(similarities, start):
            best = _largest(line, hits.rows.shape[1])
            _fill(hits, q, rows[best], line[best])


def _largest(values: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.intp]:
    """Positions of the k largest values, largest first, equal ones in order; -inf is left out."""
    if k < len(values):
        threshold = np.partition(values, len(values) - k)[len(values) - k]
        above = np.flatnonzero(values > threshold)
        chosen = np.concatenate([above, np.flatnonzero(values == threshold)[: k - len(above)]])
    else:
        chosen = np.arange(len(values))
    chosen = chosen[np.isfinite(values[chosen])]
    ordered: npt.NDArray[np.intp] = chosen[np.lexsort((chosen, -values[chosen]))]
    return ordered


def _fill(hits: Hits, query: int, rows: npt.NDArray[np.intp], similarities: npt.NDArray[np.float32]) -> None:
    hits.rows[query, : len(rows)] = rows
    hits.similarities[query, : len(rows)] = np.clip(similarities, -1.0, 1.0)
    hits.counts[query] = len(rows)


class ApproximateIndex:
    """A USearch index over the valid rows of some embeddings, opened by memory map.

    Args:
        path: The file that :func:`build_index` wrote.
        dimension: Of the vectors.
        size_bytes: What the file's size must be: a shorter one would crash the process when read.

    Raises:
        CollectionError: The file is missing, damaged, or of another size.
    """

    def __init__(self, path: Path, *, dimension: int, size_bytes: int) -> None:
        from usearch.index import Index

        found = path.stat().st_size if path.is_file() else None
        if found != size_bytes:
            raise CollectionError(
                f"Expected an index of {size_bytes} bytes, but {path} "
                f"{'is missing' if found is None else f'has {found}'}. Build again."
            )
        self._index = Index(
            ndim=dimension, metric="cos", dtype="f16", connectivity=_CONNECTIVITY, expansion_search=_EXPANSION_SEARCH
        )
        try:
            self._index.view(str(path))
        except RuntimeError as error:
            raise CollectionError(f"Expected a USearch index, but {path} cannot be read. Build again.") from error

    def __len__(self) -> int:
        return len(self._index)

    def search(self, queries: npt.NDArray[np.float32], *, fetch: int) -> list[npt.NDArray[np.intp]]:
        """The rows that the graph finds for each query, best first: up to ``fetch`` of them."""
        found = self._index.search(queries.astype(np.float16), min(fetch, len(self)))
        keys, counts = np.atleast_2d(found.keys), np.atleast_1d(getattr(found, "counts", len(found.keys)))
        return [line[:count].astype(np.intp) for line, count in zip(keys, counts, strict=True)]


def build_index(
    embeddings: Floats,
    path: Path,
    *,
    valid: npt.NDArray[np.bool_],
    told: Callable[[int, int], None],
    chunk: int = 8192,
) -> None:
    """Build the approximate index and write it in one step.

    Args:
        embeddings: ``(N, D)``, unit norm.
        path: Where to.
        valid: ``(N,)``; which rows have an embedding. The keys in the index are row numbers.
        told: Called with (rows added, rows in all).
        chunk: Rows added at once.

    Raises:
        StorageError: No space left, or no permission.
    """
    from usearch.index import Index

    index = Index(
        ndim=embeddings.shape[1],
        metric="cos",
        dtype="f16",
        connectivity=_CONNECTIVITY,
        expansion_add=_EXPANSION_ADD,
        expansion_search=_EXPANSION_SEARCH,
    )
    rows = np.flatnonzero(valid)
    told(0, len(rows))
    for start in range(0, len(rows), chunk):
        part = rows[start : start + chunk]
        index.add(part.astype(np.uint64), np.ascontiguousarray(embeddings[part], dtype=np.float16))
        told(start + len(part), len(rows))
    with atomic_path(path) as partial:
        try:
            index.save(str(partial))
        except RuntimeError as error:
            # USearch reports a failed write as a RuntimeError; atomic_path turns the OSError into a StorageError.
            raise OSError(28, f"USearch could not write the index: {error}") from error


class Searcher:
    """Answers queries over one set of embeddings, exactly where that is cheap and approximately where it is not.

    Args:
        embeddings: ``(N, D)``, unit norm, may be memory-mapped.
        valid: ``(N,)``; rows that may be returned at all.
        index: Opens the approximate index; called once, when it is first needed.
        exact_elements: Vector elements that an exact scan may read for one query.
    """

    def __init__(
        self,
        embeddings: Floats,
        *,
        valid: npt.NDArray[np.bool_],
        index: Callable[[], ApproximateIndex] | None = None,
        exact_elements: int = EXACT_ELEMENTS,
    ) -> None:
        self.embeddings = embeddings
        self.valid = valid
        self._open_index = index
        self._index: ApproximateIndex | None = None
        self._exact_elements = exact_elements

    @property
    def dimension(self) -> int:
        """Of the vectors."""
        return int(self.embeddings.shape[1])

    def search(
        self,
        queries: npt.NDArray[np.float32],
        *,
        k: int,
        allowed: npt.NDArray[np.bool_] | None = None,
        exclusions: Sequence[Exclusion] = (),
        method: Method | None = None,
    ) -> Hits:
        """Exactly k valid hits a query, or all there are.

        Args:
            queries: ``(Q, D)`` float32, unit norm.
            k: How many hits.
            allowed: ``(N,)``; which rows may be returned, all valid ones by default.
            exclusions: What each query may not return.
            method: Forces one; by default exact where at most ``exact_elements`` are to be read.

        Returns:
            The hits; ``method`` says which search was used. When the approximate search leaves any query with fewer
            than k hits although more may exist, that query is searched exactly.

        Raises:
            QueryError: k is below 1.
        """
        if k < 1:
            raise QueryError(f"Expected at least one hit, but k = {k}. Ask for 1 or more.")
        mask = self.valid if allowed is None else self.valid & allowed
        number = int(mask.sum())
        if method is None:
            cheap = number * self.dimension <= self._exact_elements or self._open_index is None
            method = "exact" if cheap else "approximate"
        fetch = self._fetch(k, number, exclusions) if method == "approximate" else 0
        if method == "exact" or fetch > _LARGEST_FETCH:
            chosen = None if number == len(self.embeddings) else mask
            return search_exact(self.embeddings, queries, k=k, allowed=chosen, exclusions=exclusions)
        return self._search_approximately(queries, k=k, fetch=fetch, mask=mask, exclusions=exclusions)

    def _fetch(self, k: int, allowed: int, exclusions: Sequence[Exclusion]) -> int:
        """How many rows of the graph to look at, so that k allowed ones are likely among them."""
        share = max(allowed, 1) / len(self.embeddings)
        return math.ceil((k + 16 * len(exclusions)) * 1.5 / share) + 16

    def _search_approximately(
        self,
        queries: npt.NDArray[np.float32],
        *,
        k: int,
        fetch: int,
        mask: npt.NDArray[np.bool_],
        exclusions: Sequence[Exclusion],
    ) -> Hits:
        index = self._opened()
        hits = Hits.empty(len(queries), k, method="approximate")
        waiting = np.arange(len(queries))
        while len(waiting):
            unfinished = []
            for q, found in zip(waiting, index.search(queries[waiting], fetch=fetch), strict=True):
                rows = found[mask[found]]
                for exclusion in exclusions:
                    if exclusion.query_groups[q] >= 0:
                        rows = rows[exclusion.groups[rows] != exclusion.query_groups[q]]
                if len(rows) < k and len(found) < len(index):
                    unfinished.append(q)
                    continue
                similarities = self.embeddings[rows].astype(np.float32) @ queries[q]
                best = np.lexsort((rows, -similarities))[:k]
                _fill(hits, int(q), rows[best], similarities[best])
            waiting = np.asarray(unfinished, dtype=np.intp)
            fetch *= 4
            if len(waiting) and fetch > _LARGEST_FETCH:
                part = [exclusion.of(waiting) for exclusion in exclusions]
                rest = search_exact(self.embeddings, queries[waiting], k=k, allowed=mask, exclusions=part)
                for place, q in enumerate(waiting):
                    count = rest.counts[place]
                    _fill(hits, int(q), rest.rows[place, :count].astype(np.intp), rest.similarities[place, :count])
                break
        return hits

    def _opened(self) -> ApproximateIndex:
        if self._index is None:
            if self._open_index is None:
                raise QueryError("Expected an index for approximate search, but there is none. Search exactly.")
            self._index = self._open_index()
        return self._index


def recall_at(searcher: Searcher, *, k: int = 10, sample: int = 200, seed: int = 0) -> float:
    """Mean share of the exact first k hits that the approximate index finds, over a seeded sample of rows.

    Both leave out the row itself. NaN when there are fewer than two valid rows.
    """
    rows = np.flatnonzero(searcher.valid)
    if len(rows) < 2:
        return math.nan
    chosen = np.sort(np.random.default_rng(seed).choice(rows, size=min(sample, len(rows)), replace=False))
    queries = unit(searcher.embeddings[chosen], dimension=searcher.dimension)
    itself = [Exclusion(np.arange(len(searcher.embeddings)), chosen)]
    exact = searcher.search(queries, k=k, exclusions=itself, method="exact")
    approximate = searcher.search(queries, k=k, exclusions=itself, method="approximate")
    shares = [
        len(set(a[:n]) & set(b[:n])) / n
        for a, b, n in zip(exact.rows, approximate.rows, exact.counts, strict=True)
        if n
    ]
    return float(np.mean(shares))
