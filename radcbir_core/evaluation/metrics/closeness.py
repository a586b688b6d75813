"""Whether anything in a collection is close to a query: two similarities, and how low both are for its own images.

Owns the two measures and their thresholds. A query that is none of the collection's kind has a nearest image, too, and
where vectors crowd it may be a similar one. But what is around that image is then closer to it than the query is. So
two things are looked at:

- ``nearest``: the similarity of the first hit;
- ``company``: the mean similarity of the first three hits, less how similar each of these is to its own tenth, on
  average: below 0 where hits keep closer company with others than with the query.

A query is far from everything when either is as low as it is for a few of the collection's own images, each asked
without its patient. The threshold is put so that of these images a given share, 5 in 100, would be called far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIRST: Final = 3
"""Hits whose company is looked at."""
OWN: Final = 10
"""Which of their own hits theirs is measured by."""
FALSE_ALARMS: Final = 0.05


def nearest(similarities: NDArray[Any]) -> NDArray[np.float64]:
    """``(Q,)`` the similarity of the first hit.

    Args:
        similarities: ``(Q, K)`` of the hits of each query, best first; NaN where there is none.
    """
    return np.asarray(similarities, dtype=np.float64)[:, 0]


def company(similarities: NDArray[Any], own: NDArray[Any]) -> NDArray[np.float64]:
    """``(Q,)`` how much closer the first hits are to the query than to what is around them.

    Args:
        similarities: ``(Q, K)`` of the hits of each query, best first, K at least :data:`FIRST`.
        own: ``(Q, FIRST)`` the similarity of each of the first hits to its own hit of rank :data:`OWN`.

    Example:
        >>> similarities = np.array([[0.9, 0.8, 0.7, 0.7]])
        >>> company(similarities, np.full((1, 3), 0.9)).round(3).tolist()
        [-0.1]
    """
    first = np.asarray(similarities, dtype=np.float64)[:, :FIRST]
    closer: NDArray[np.float64] = first.mean(axis=1) - np.asarray(own, dtype=np.float64).mean(axis=1)
    return closer


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Below which a query is far from everything.

    Attributes:
        nearest: Of the similarity of the first hit.
        company: Of how much closer hits are to it than to what is around them.
    """

    nearest: float
    company: float

    def far(self, nearest: NDArray[Any], company: NDArray[Any]) -> NDArray[np.bool_]:
        """``(Q,)`` which queries are far from everything."""
        either: NDArray[np.bool_] = (np.asarray(nearest) < self.nearest) | (np.asarray(company) < self.company)
        return either


def thresholds_of(nearest: NDArray[Any], company: NDArray[Any], *, share: float = FALSE_ALARMS) -> Thresholds:
    """The thresholds below which at most a share of these queries lies, by either measure together.

    Both are at the same rank from below, so that neither measure counts for more.

    Args:
        nearest: ``(Q,)``, at least one, without NaN.
        company: ``(Q,)``.
        share: Of the queries, 0 to 1.

    Example:
        Twenty queries; one of them lies lowest by the first measure, another by the second.

        >>> first, second = np.arange(20.0), np.roll(np.arange(20.0), 7)
        >>> found = thresholds_of(first, second, share=0.1)
        >>> found, int(found.far(first, second).sum())
        (Thresholds(nearest=1.0, company=1.0), 2)
    """
    number = len(nearest)
    ascending = [np.sort(np.asarray(values, dtype=np.float64)) for values in (nearest, company)]
    # A query is far by the threshold of a rank if at most so many are no higher than it is, by one of the measures.
    ranks = np.minimum(
        *(
            np.searchsorted(order, values, side="right")
            for order, values in zip(ascending, (nearest, company), strict=True)
        )
    )
    allowed = int(share * number)
    place = int(np.sort(ranks)[allowed]) - 1 if allowed < number else number - 1
    return Thresholds(*(float(order[place]) for order in ascending))
