"""Fewer hits than were found: those that are similar enough, and one of each patient.

Owns what is left of an answer, and how far is searched so that as many are left as were asked for. Knows an answer and
how it can be asked for more; what the groups are, its caller says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from radcbir_core.errors import QueryError
from radcbir_core.search.retriever import Answer

FARTHEST: Final = 5000
"""So many hits are looked through at most to find one of each group."""
_WIDER: Final = 4

Find = Callable[[int], Answer]
"""Gives the answer with so many hits."""


@dataclass(frozen=True)
class OneEach:
    """Of each group its first hit.

    Attributes:
        answer: The first hits.
        others: Of each of them the rows of the further hits of its group that were found, best first.
        depth: How many hits were looked through.
    """

    answer: Answer
    others: tuple[tuple[int, ...], ...]
    depth: int


def one_each(find: Find, groups: npt.NDArray[np.integer[Any]], *, k: int) -> OneEach:
    """The first hit of each group, for one query; images in no known group stand for themselves.

    Args:
        find: Gives the answer with so many hits.
        groups: ``(N,)`` codes, -1 where none is known, as of patients.
        k: How many groups; fewer where there are no more, or none within :data:`FARTHEST` hits.
    """
    number = max(2 * k, 1)
    while True:
        answer = find(number)
        rows = answer.rows()
        codes = groups[rows].astype(np.int64)
        # Who is in no group is one by itself, apart from all codes.
        codes = np.where(codes >= 0, codes, -1 - np.arange(len(rows)))
        _, first, member = np.unique(codes, return_index=True, return_inverse=True)
        if len(first) >= k or len(rows) < number or number >= FARTHEST:
            break
        number = min(_WIDER * number, FARTHEST)
    chosen = np.sort(first)[:k]
    others = tuple(
        tuple(rows[(member == member[place]) & (np.arange(len(rows)) != place)].tolist()) for place in chosen
    )
    return OneEach(only(answer, chosen), others, len(rows))


def at_least(answer: Answer, least: float) -> Answer:
    """The hits of the first query that are at least so similar.

    Args:
        answer: Of one query.
        least: From -1 to 1.

    Raises:
        QueryError: It is no similarity.
    """
    if not -1 <= least <= 1:
        raise QueryError(f"Expected a least similarity from -1 to 1, but least = {least:g}. Choose one between.")
    # Half a step of the three digits that are shown: what reads .950 is at least .95.
    return only(answer, np.flatnonzero(answer.similarities() >= least - 0.0005))


def only(answer: Answer, places: npt.NDArray[np.integer[Any]] | Sequence[int]) -> Answer:
    """The answer of the first query with some of its hits.

    Args:
        answer: Of one query.
        places: Which hits, from 0, ascending.
    """
    chosen = np.asarray(places, dtype=np.intp)
    hits = replace(
        answer.hits,
        rows=answer.hits.rows[:1, chosen],
        similarities=answer.hits.similarities[:1, chosen],
        counts=np.array([len(chosen)], dtype=np.int32),
    )
    ranks = None if answer.ranks is None else answer.ranks[:1, chosen]
    regions = None if answer.regions is None else answer.regions[:1, chosen]
    return replace(answer, hits=hits, ranks=ranks, regions=regions)
