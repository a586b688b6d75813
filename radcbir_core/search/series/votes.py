"""The votes of a query's slices → one order of series.

Owns the rules by which similarities of slices become a score of a series. It knows numbers alone; which slices ask and
which series there are is series_search.py's.

With b(q, s) the similarity of slice q of the query to the slice of series s that is most like it:

- ``mean-best``: the mean of b(q, s) over the query's slices, the "late interaction" of ColBERT (Khattab and Zaharia,
  SIGIR 2020, section 3.3) divided by how many they are: every slice of the query wants a partner;
- ``best``: the largest b(q, s): one slice that fits is enough;
- ``combsum``: the sum of the similarities of all hits in s among the first :data:`DEPTH` hits of each slice (CombSUM,
  Fox and Shaw, TREC-2, 1994): series with many slices get many votes;
- ``rrf``: the sum of 1 / (60 + rank of s by b(q, ·)), Reciprocal Rank Fusion (Cormack, Clarke and Büttcher, SIGIR
  2009).
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from radcbir_core.errors import QueryError

Rule = Literal["mean-best", "best", "combsum", "rrf"]
RULES: Final[tuple[Rule, ...]] = get_args(Rule)

WORDS: Final[dict[Rule, str]] = {
    "mean-best": "mean of best matches",
    "best": "best match",
    "combsum": "CombSUM",
    "rrf": "reciprocal rank fusion",
}
"""The rules in words."""

DEPTH: Final = 100
"""Of so many hits of each slice the similarities are added by ``combsum``."""

RRF_CONSTANT: Final = 60
"""k of Reciprocal Rank Fusion, as its authors chose it."""

Floats = npt.NDArray[np.floating[Any]]


def check_rule(rule: str) -> Rule:
    """Return ``rule`` if it is one of :data:`RULES`.

    Raises:
        QueryError: It is something else.

    Example:
        >>> check_rule("rrf")
        'rrf'
    """
    for known in RULES:
        if rule == known:
            return known
    raise QueryError(f"Expected a rule of {', '.join(RULES)}, but rule = {rule!r}. Choose one of these.")


def best_of_series(similarities: Floats, starts: npt.NDArray[np.integer[Any]]) -> Floats:
    """The similarity of each of a query's slices to the most similar slice of each series.

    Args:
        similarities: ``(Q, R)``; the columns of a series follow one another.
        starts: ``(S,)`` where each series begins, ascending from 0; none is empty.

    Returns:
        ``(Q, S)`` of the same type.

    Example:
        >>> best_of_series(np.array([[0.1, 0.9, 0.3]]), np.array([0, 2])).tolist()
        [[0.9, 0.3]]
    """
    best: Floats = np.maximum.reduceat(similarities, starts, axis=1)
    return best


def combsum_of_series(
    rows: npt.NDArray[np.integer[Any]], similarities: Floats, codes: npt.NDArray[np.integer[Any]], *, number: int
) -> npt.NDArray[np.float64]:
    """The sum of the similarities of each series' hits.

    Args:
        rows: ``(Q, K)`` the hits of each slice, -1 where there are fewer.
        similarities: ``(Q, K)``; what stands beside -1 does not matter.
        codes: ``(N,)`` row → series from 0 to S - 1, or less than 0 for none of these.
        number: S.

    Returns:
        ``(S,)``.

    Example:
        >>> rows, similarities = np.array([[0, 2, -1]]), np.array([[0.9, 0.5, np.nan]])
        >>> combsum_of_series(rows, similarities, np.array([1, 0, 1]), number=2).tolist()
        [0.0, 1.4]
    """
    hit = rows.ravel() >= 0
    series = np.asarray(codes)[rows.ravel()[hit]]
    known = series >= 0
    weights = np.asarray(similarities, dtype=np.float64).ravel()[hit][known]
    return np.asarray(np.bincount(series[known], weights=weights, minlength=number), dtype=np.float64)


def scores(best: Floats, rule: Rule, *, combsum: npt.NDArray[np.float64] | None = None) -> npt.NDArray[np.float64]:
    """The score of each series by a rule; more is better.

    Args:
        best: ``(Q, S)`` as :func:`best_of_series` gives it.
        rule: Of :data:`RULES`.
        combsum: ``(S,)`` as :func:`combsum_of_series` gives it, for that rule.

    Example:
        >>> best = np.array([[0.9, 0.5, 0.4], [0.1, 0.5, 0.6]])
        >>> [scores(best, rule).round(4).tolist() for rule in ("mean-best", "best")]
        [[0.5, 0.5, 0.5], [0.9, 0.5, 0.6]]
        >>> (scores(best, "rrf") * 3843).round(2).tolist()
        [124.0, 123.97, 124.0]
    """
    if rule == "combsum":
        if combsum is None:
            raise ValueError("Expected the sums of combsum, but there are none. Give them.")
        return combsum
    exact = np.asarray(best, dtype=np.float64)
    if rule == "best":
        return np.asarray(exact.max(axis=0))
    if rule == "mean-best":
        return np.asarray(exact.mean(axis=0))
    order = np.argsort(-exact, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, exact.shape[1] + 1)[None, :], axis=1)
    return np.asarray((1.0 / (RRF_CONSTANT + ranks)).sum(axis=0))
