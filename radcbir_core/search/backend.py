"""What a search engine is: vectors by row number, and the nearest of them to some queries.

Owns the words that everything around search shares: hits, exclusions, and the small protocol behind which engines
differ. Knows nothing of images, collections or files. Similarities are cosines; an engine's distances never leave its
module. Another engine is one more module that offers :class:`Backend`; what it cannot filter by itself is done around
it, once, in searcher.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from radcbir_core.errors import QueryError

Method = Literal["exact", "approximate"]
Filter = Literal["allowed", "exclusions"]
Floats = npt.NDArray[np.floating[Any]]
Float32 = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Recall:
    """How much of what an exact search finds an engine finds, as measured when its index was built.

    Attributes:
        at_1: How often the exact first hit is among the first; NaN where it was not measured, as the others.
        at_10: Share of the exact first 10 hits that is among the first 10.
        at_100: The same of 100.
    """

    at_1: float = math.nan
    at_10: float = math.nan
    at_100: float = math.nan

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Recall:
        """What was recorded of an index or of a neighbor graph: ``recall_at_1``, ``recall_at_10``, ``recall_at_100``.

        Example:
            >>> Recall.of_facts({"recall_at_10": 0.99, "recall_at_100": None})
            Recall(at_1=nan, at_10=0.99, at_100=nan)
        """
        shares = (facts.get(f"recall_at_{depth}") for depth in (1, 10, 100))
        return cls(*(math.nan if share is None else float(share) for share in shares))

    def facts(self) -> dict[str, float | None]:
        """What is to be recorded, as :meth:`of_facts` reads it.

        Example:
            >>> Recall(at_10=0.99).facts()
            {'recall_at_1': None, 'recall_at_10': 0.99, 'recall_at_100': None}
        """
        shares = ((1, self.at_1), (10, self.at_10), (100, self.at_100))
        return {f"recall_at_{depth}": None if math.isnan(share) else share for depth, share in shares}

    def said(self) -> str:
        """It as the end of a sentence; rounded down, so that only what finds all says 100 %.

        Example:
            >>> Recall(at_10=0.99996).said(), Recall(at_10=1.0).said()
            ('which finds 99.9 % of the exact first 10', 'which finds 100 % of the exact first 10')
            >>> Recall(1.0, 0.998, 0.9951).said()
            'which finds 100 % of the exact first hits, 99.8 % of the first 10 and 99.5 % of the first 100'
            >>> Recall().said()
            'whose recall was not measured'
        """
        of = ((self.at_1, "first hits"), (self.at_10, "first 10"), (self.at_100, "first 100"))
        shares = [f"{_rounded_down(share)} % of the {what}" for share, what in of if not math.isnan(share)]
        if not shares:
            return "whose recall was not measured"
        shares[0] = shares[0].replace("the first", "the exact first")
        *others, last = shares
        return f"which finds {', '.join(others)} and {last}" if others else f"which finds {last}"


def _rounded_down(share: float) -> str:
    return "100" if share >= 1 else f"{math.floor(1000 * share + 1e-9) / 10:.1f}"


EXACT_RECALL: Final = Recall(1.0, 1.0, 1.0)
"""That of comparing all rows."""


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search found, one line a query, best first, and what found it.

    Attributes:
        rows: ``(Q, k)`` int32 row numbers, padded with -1 where there are fewer than k.
        similarities: ``(Q, k)`` float32 cosines in [-1, 1], padded with NaN.
        counts: ``(Q,)`` int32; how many hits each query has.
        method: Whether all allowed rows were compared.
        engine: Which engine gave them.
        recall: How much of what there is the engine finds.
    """

    rows: npt.NDArray[np.int32]
    similarities: Float32
    counts: npt.NDArray[np.int32]
    method: Method = "exact"
    engine: str = "exact"
    recall: Recall = EXACT_RECALL

    @classmethod
    def empty(
        cls, queries: int, k: int, *, method: Method = "exact", engine: str = "exact", recall: Recall = EXACT_RECALL
    ) -> Hits:
        """Hits with nothing in them yet."""
        return cls(
            rows=np.full((queries, k), -1, dtype=np.int32),
            similarities=np.full((queries, k), np.nan, dtype=np.float32),
            counts=np.zeros(queries, dtype=np.int32),
            method=method,
            engine=engine,
            recall=recall,
        )

    def fill(self, query: int, rows: npt.NDArray[np.integer[Any]], similarities: Floats) -> None:
        """Write the hits of one query, best first."""
        self.rows[query, : len(rows)] = rows
        self.similarities[query, : len(rows)] = np.clip(similarities, -1.0, 1.0)
        self.counts[query] = len(rows)

    def of_queries(self, chosen: npt.NDArray[Any]) -> Hits:
        """The hits of some of the queries.

        Args:
            chosen: ``(Q,)`` bool, or positions.

        Example:
            >>> Hits.empty(3, 2).of_queries(np.array([True, False, True])).rows.shape
            (2, 2)
        """
        return replace(self, rows=self.rows[chosen], similarities=self.similarities[chosen], counts=self.counts[chosen])

    def in_order(self, order: npt.NDArray[np.intp]) -> Hits:
        """The same hits of each query in another order.

        Args:
            order: ``(Q, k)`` positions in each line; padding stays last.

        Example:
            >>> hits = Hits(np.array([[4, 7]]), np.array([[0.5, 0.25]]), np.array([2]))
            >>> hits.in_order(np.array([[1, 0]])).rows.tolist()
            [[7, 4]]
        """
        rows = np.take_along_axis(self.rows, order, axis=1)
        return replace(self, rows=rows, similarities=np.take_along_axis(self.similarities, order, axis=1))

    def found_by(self) -> str:
        """How they were found, in words.

        Example:
            >>> Hits.empty(1, 1).found_by()
            'exact search'
            >>> Hits.empty(1, 1, method="approximate", engine="cells", recall=Recall(at_10=0.9895)).found_by()
            'approximate search (cells, which finds 98.9 % of the exact first 10)'
        """
        if self.method == "approximate":
            return f"approximate search ({self.engine}, {self.recall.said()})"
        return "exact search" if self.engine == "exact" else f"exact search ({self.engine})"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Rows that a query may not return: those whose group is the query's.

    Attributes:
        groups: ``(N,)`` int; the group of each row, -1 for none.
        query_groups: ``(Q,)`` int; the group of each query, -1 for none. -1 excludes nothing.
    """

    groups: npt.NDArray[np.integer[Any]]
    query_groups: npt.NDArray[np.integer[Any]]

    @classmethod
    def of_itself(cls, rows: npt.NDArray[np.integer[Any]], *, among: int) -> Exclusion:
        """That no row of so many returns itself; the groups are every row's own, made once.

        Example:
            >>> Exclusion.of_itself(np.array([2]), among=4).excluded(0, np.arange(4)).tolist()
            [False, False, True, False]
        """
        return cls(_own_groups(among), rows)

    def of(self, queries: slice | npt.NDArray[np.intp]) -> Exclusion:
        """The same for some of the queries."""
        return Exclusion(self.groups, self.query_groups[queries])

    def rows(self, query: int) -> Rows:
        """All rows that one query may not return, ascending.

        Example:
            >>> Exclusion(np.array([3, 5, 3, -1]), np.array([3, -1])).rows(0).tolist()
            [0, 2]
        """
        mine = int(self.query_groups[query])
        if mine < 0:
            return np.empty(0, dtype=np.intp)
        if self.groups is _own_groups(len(self.groups)):
            return np.array([mine], dtype=np.intp)
        return np.flatnonzero(self.groups == mine)

    def excluded(self, query: int, rows: npt.NDArray[np.integer[Any]]) -> Mask:
        """Which of some rows one query may not return."""
        mine = self.query_groups[query]
        excluded: Mask = (self.groups[rows] == mine) & (mine >= 0)
        return excluded


@lru_cache(maxsize=4)
def _own_groups(number: int) -> npt.NDArray[np.int32]:
    groups = np.arange(number, dtype=np.int32)
    groups.flags.writeable = False
    return groups


class Vectors(Protocol):
    """Vectors that are asked for by row number, wherever they are."""

    @property
    def shape(self) -> tuple[int, int]:
        """How many there are, and their dimension."""

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """The type they are kept in."""

    def vectors(self, rows: Rows) -> Floats:
        """``(R, D)`` of unit norm, or of zeros where a row has no vector; in their own type; not to be written to.

        Half precision rounds the norm too: what is compared are :func:`unit_vectors`.
        """


class Backend(Vectors, Protocol):
    """An engine that holds the vectors of one collection and encoder and finds the nearest of them."""

    @property
    def name(self) -> str:
        """What people call the engine."""

    @property
    def method(self) -> Method:
        """Whether it compares all rows."""

    @property
    def recall(self) -> Recall:
        """As in :class:`Hits`."""

    @property
    def filters(self) -> frozenset[Filter]:
        """What it can leave out by itself; the rest is left out of what it returns."""

    @property
    def exact_elements(self) -> int:
        """Vector elements that are compared one by one as quickly as it answers: for fewer, it is not asked.

        0 where the vectors are far away.
        """

    def search(
        self, queries: Float32, *, k: int, allowed: Mask | None = None, exclusions: Sequence[Exclusion] = ()
    ) -> Hits:
        """The k nearest rows of each query, or all there are.

        Args:
            queries: ``(Q, D)`` float32, unit norm.
            k: How many hits.
            allowed: ``(N,)``; which rows may be returned. Given only to an engine that can filter so.
            exclusions: What each query may not return. Given only to an engine that can filter so.
        """


class OverVectors:
    """What an engine says of vectors that are kept elsewhere: theirs are its own.

    Args:
        source: Where the vectors are.
    """

    def __init__(self, source: Vectors) -> None:
        self.source = source

    @property
    def shape(self) -> tuple[int, int]:
        """How many vectors there are, and their dimension."""
        return self.source.shape

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """The type they are kept in."""
        return self.source.dtype

    def vectors(self, rows: Rows) -> Floats:
        """``(R, D)`` in their own type."""
        return self.source.vectors(rows)


class ArrayVectors:
    """Vectors in an array of this process, in memory or mapped from a file.

    Args:
        array: ``(N, D)``.
    """

    def __init__(self, array: Floats) -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, int]:
        """How many there are, and their dimension."""
        return self.array.shape[0], self.array.shape[1]

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """The type they are kept in."""
        return self.array.dtype

    def vectors(self, rows: Rows) -> Floats:
        """``(R, D)``; rows that follow each other are not copied."""
        if len(rows) and int(rows[-1]) - int(rows[0]) + 1 == len(rows) and (np.diff(rows) == 1).all():
            return self.array[int(rows[0]) : int(rows[-1]) + 1]
        chosen: Floats = self.array[rows]
        return chosen


def in_blocks(source: Vectors, rows: Rows, *, size: int) -> Iterator[tuple[Rows, Floats]]:
    """Some rows and their vectors, at most ``size`` at a time."""
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        yield part, source.vectors(part)


def unit_vectors(source: Vectors, rows: Rows) -> Float32:
    """The vectors of some rows for comparing: ``(R, D)`` float32, whose products are cosines.

    Vectors of half precision are scaled to length 1: rounding moves their lengths by up to 2⁻¹¹ (some 10⁻⁴ at usual
    dimensions), which is enough to exchange hits. Longer numbers are taken as they are, so that those of a published
    evaluation stay the very same; a row of zeros stays so.

    Example:
        >>> source = ArrayVectors(np.array([[0.6, 0.8], [0, 0]], dtype=np.float16))
        >>> np.linalg.norm(source.array.astype(float), axis=1).round(5).tolist()
        [0.9999, 0.0]
        >>> np.linalg.norm(unit_vectors(source, np.arange(2)), axis=1).tolist()
        [1.0, 0.0]
    """
    vectors = source.vectors(rows)
    if vectors.dtype != np.float16:
        return np.asarray(vectors, dtype=np.float32)
    single = vectors.astype(np.float32)
    squares = np.einsum("ij,ij->i", single, single)
    single *= np.divide(1, np.sqrt(squares), out=np.zeros_like(squares), where=squares > 0)[:, None]
    return single


def products_with(query: Float32, vectors: Float32) -> Float32:
    """``(V,)`` float32; the products of one query and some vectors, made on this core alone.

    A matrix product is shared out to all cores even where it takes less than a millisecond, and is as late as the
    latest of them: on a machine that does other things too, that is tens of milliseconds. Equal vectors have equal
    products here, wherever they stand.

    Example:
        >>> products_with(np.float32([0.6, 0.8]), np.float32([[1, 0], [0, 1]])).round(2).tolist()
        [0.6000000238418579, 0.800000011920929]
    """
    products: Float32 = np.einsum("vd,d->v", vectors, query)
    return products


def unit(vectors: npt.ArrayLike, *, dimension: int) -> Float32:
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
            "The image may be one flat color: choose another."
        )
    scaled: Float32 = queries / norms
    return scaled
