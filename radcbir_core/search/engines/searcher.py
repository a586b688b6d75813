"""Answers over one set of vectors: which engine is asked, and what the engine cannot do, done around it.

Owns the choice between an exact search and the engine, leaving out afterwards what an engine cannot filter, and the
exact search of those queries for which it then returned too little. Nothing of it depends on which engine it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from radcbir_core.errors import QueryError
from radcbir_core.search.backend import (
    Backend,
    Exclusion,
    Filter,
    Float32,
    Floats,
    Hits,
    Mask,
    Method,
    Rows,
    unit,
)
from radcbir_core.search.engines.exact import Exact

_LARGEST_FETCH = 20_000
_SCATTERED = 5
_ALL_FILTERS = frozenset(get_args(Filter))


class Searcher:
    """Answers queries with one engine, exactly where that is as quick.

    Args:
        engine: Which.
        valid: ``(N,)``; rows that may be returned at all.
    """

    def __init__(self, engine: Backend, *, valid: Mask) -> None:
        self.engine = engine
        self.valid = valid
        self._number = int(np.count_nonzero(valid))
        able = engine.method == "exact" and engine.filters == _ALL_FILTERS
        self._exact: Backend = engine if able else Exact(engine)

    @property
    def dimension(self) -> int:
        """Of the vectors."""
        return self.engine.shape[1]

    def vectors(self, rows: Rows) -> Floats:
        """``(R, D)`` in their own type."""
        return self.engine.vectors(rows)

    def queries_of(self, rows: Rows) -> Float32:
        """The vectors of some rows as queries."""
        return unit(self.engine.vectors(rows), dimension=self.dimension)

    def answers_exactly(self, number: int) -> bool:
        """Whether all of so many rows are compared, where nobody has chosen a method."""
        return self.engine.method == "exact" or self._is_cheap(number)

    def search(
        self,
        queries: Float32,
        *,
        k: int,
        allowed: Mask | None = None,
        exclusions: Sequence[Exclusion] = (),
        method: Method | None = None,
    ) -> Hits:
        """Exactly k valid hits a query, or all there are.

        Args:
            queries: ``(Q, D)`` float32, unit norm.
            k: How many hits.
            allowed: ``(N,)``; which rows may be returned, all valid ones by default.
            exclusions: What each query may not return.
            method: "exact" compares all rows in any case, "approximate" asks the engine in any case.

        Returns:
            The hits, and which engine gave them. When it leaves any query with fewer than k hits although more may
            exist, that query is searched exactly.

        Raises:
            QueryError: k is below 1.
        """
        if k < 1:
            raise QueryError(f"Expected at least one hit, but k = {k}. Ask for 1 or more.")
        mask = self.valid if allowed is None else self.valid & allowed
        number = self._number if allowed is None else int(np.count_nonzero(mask))
        engine = self._exact if method == "exact" or (method is None and self._is_cheap(number)) else self.engine
        around = _Around.of(engine, allowed=None if number == len(mask) else mask, exclusions=exclusions)
        if around.nothing:
            return engine.search(queries, k=k, allowed=around.given_allowed, exclusions=around.given_exclusions)
        fetch = around.fetch(k, share=max(number, 1) / max(len(mask), 1))
        if fetch > _LARGEST_FETCH:
            return self._exact.search(queries, k=k, allowed=mask, exclusions=exclusions)
        return self._left_out_after(engine, around, queries, k=k, fetch=fetch, mask=mask, exclusions=exclusions)

    def _is_cheap(self, number: int) -> bool:
        """Whether to compare so many rows is as quick as to ask the engine."""
        # Few among many are read from all over the place, which takes that much longer.
        longer = _SCATTERED if number * _SCATTERED < self._number else 1
        return longer * number * self.dimension <= self.engine.exact_elements

    def _left_out_after(
        self,
        engine: Backend,
        around: _Around,
        queries: Float32,
        *,
        k: int,
        fetch: int,
        mask: Mask,
        exclusions: Sequence[Exclusion],
    ) -> Hits:
        """Ask once for more hits than are wanted; whoever is left with too few of them is searched exactly."""
        hits = Hits.empty(len(queries), k, method=engine.method, engine=engine.name, recall=engine.recall)
        # Where the engine has returned as many rows as it has, there are no more.
        most = self._number if around.given_allowed is None else int(np.count_nonzero(mask))
        answer = engine.search(queries, k=fetch, allowed=around.given_allowed, exclusions=around.given_exclusions)
        unfinished = []
        for query, count in enumerate(answer.counts.tolist()):
            rows = answer.rows[query, :count].astype(np.intp)
            kept = mask[rows]
            for exclusion in around.exclusions:
                kept &= ~exclusion.excluded(query, rows)
            if np.count_nonzero(kept) < k and count < most:
                unfinished.append(query)
            else:
                hits.fill(query, rows[kept][:k], answer.similarities[query, :count][kept][:k])
        if unfinished:
            waiting = np.asarray(unfinished, dtype=np.intp)
            part = [exclusion.of(waiting) for exclusion in exclusions]
            rest = self._exact.search(queries[waiting], k=k, allowed=mask, exclusions=part)
            hits.rows[waiting], hits.similarities[waiting] = rest.rows, rest.similarities
            hits.counts[waiting] = rest.counts
        return hits


@dataclass(frozen=True, slots=True)
class _Around:
    """What an engine is given to filter, and what is done around it.

    Attributes:
        given_allowed: What it is given of the rows that may be returned.
        given_exclusions: What it is given of the exclusions.
        allowed: Whether the rows that may be returned are sorted out after it.
        exclusions: What is left out after it.
    """

    given_allowed: Mask | None
    given_exclusions: Sequence[Exclusion]
    allowed: bool
    exclusions: Sequence[Exclusion]

    @classmethod
    def of(cls, engine: Backend, *, allowed: Mask | None, exclusions: Sequence[Exclusion]) -> _Around:
        can = engine.filters
        return cls(
            given_allowed=allowed if "allowed" in can else None,
            given_exclusions=exclusions if "exclusions" in can else (),
            allowed=allowed is not None and "allowed" not in can,
            exclusions=() if "exclusions" in can else exclusions,
        )

    @property
    def nothing(self) -> bool:
        """Whether the engine does all of it."""
        return not (self.allowed or self.exclusions)

    def fetch(self, k: int, *, share: float) -> int:
        """How many hits to ask for, so that k are likely left."""
        return math.ceil((k + 16 * len(self.exclusions)) * 1.5 / (share if self.allowed else 1)) + 16
