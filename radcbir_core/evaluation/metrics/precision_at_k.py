"""P@k of each query: how many of the first k hits are relevant.

Owns the arithmetic on plain arrays, and the rule for queries that have nothing to find. What is relevant, and how much
there is, comes from relevance.py; means are averages.py's. Everything works on whole arrays in chunks of rows, so that
1.6 million queries with 100 hits each stay within a few hundred megabytes beyond the input.

NaN means one thing throughout: a query that is left out of every mean, because nothing relevant could have been found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from radcbir_core.arrays import check_codes, row_chunks
from radcbir_core.errors import EvaluationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Divisor = Literal["k", "available"]
Empty = Literal["skip", "zero"]

DIVISORS: tuple[Divisor, ...] = get_args(Divisor)
EMPTY_RULES: tuple[Empty, ...] = get_args(Empty)
"""What a query without any relevant image counts: nothing, so that it is left out of every mean, or 0."""


def precision_at_k(
    relevant: NDArray[np.bool_],
    ks: Sequence[int],
    *,
    available: NDArray[Any],
    divisor: Divisor = "k",
    empty: Empty = "skip",
) -> NDArray[np.float64]:
    """P@k of each query.

    With ``divisor="k"`` it is the relevant ones among the first k hits ÷ k; a query with fewer than k hits loses the
    missing ones. With ``divisor="available"`` both k's become min(k, a), where a is the number of relevant images the
    query may be given: the variant of Denner et al. 2025 (arXiv 2403.06567).

    A query with a = 0 cannot be answered, whatever the encoder. With ``empty="skip"`` it is NaN, to be left out of
    every mean: pandas, with which the published evaluator averages, skips its 0 ÷ 0 likewise, and trec_eval leaves out
    topics without a relevant document. With ``empty="zero"`` it counts 0, so that the mean says how often a person who
    asks is served.

    Args:
        relevant: (Q, K) bool, from :func:`~radcbir_core.evaluation.relevance.relevant_hits`.
        ks: The k's, each from 1 to K.
        available: (Q,) int, the relevant images that each query may be given.
        divisor: Of :data:`DIVISORS`.
        empty: Of :data:`EMPTY_RULES`.

    Returns:
        (Q, len(ks)) float64 in [0, 1], NaN only as said above.

    Raises:
        EvaluationError: A k is out of range.
        ValueError: The arrays do not fit together, or a query has more relevant hits than are available to it.

    Example:
        >>> relevant = np.array([[True, False, True], [True, False, False], [False, False, False]])
        >>> there = np.array([2, 1, 0])
        >>> precision_at_k(relevant, (1, 2), available=there).tolist()
        [[1.0, 0.5], [1.0, 0.5], [nan, nan]]
        >>> precision_at_k(relevant, (1, 2), available=there, divisor="available", empty="zero").tolist()
        [[1.0, 0.5], [1.0, 1.0], [0.0, 0.0]]
    """
    table = np.asarray(relevant)
    if table.ndim != 2 or table.dtype != np.bool_:
        raise ValueError(
            f"Expected a bool table of queries by hits, but relevant = {table.dtype} of shape {table.shape}. "
            "Pass the result of relevant_hits."
        )
    wanted = check_ks(ks, n_hits=table.shape[1])
    there = check_codes(available, name="available")
    if len(there) != len(table) or (there.size and int(there.min()) < 0):
        raise ValueError(
            f"Expected one count of at least 0 a query ({len(table)}), but available has {len(there)} values from "
            f"{int(there.min(initial=0))}. Pass what available_to counts for these queries."
        )
    precision = np.empty((len(table), len(wanted)))
    for rows in row_chunks(*table.shape):
        hits, count = np.cumsum(table[rows], axis=1, dtype=np.int32), there[rows]
        check_enough(hits[:, -1], count, first=rows.start)
        for column, k in enumerate(wanted):
            size = np.full(len(count), k) if divisor == "k" else np.minimum(k, count)
            at = np.take_along_axis(hits, np.maximum(size, 1)[:, None] - 1, axis=1)[:, 0]
            precision[rows, column] = np.divide(at, size, out=np.zeros(len(at)), where=size > 0)
    if empty == "skip":
        precision[there == 0] = np.nan
    return precision


def check_enough(hits: NDArray[Any], available: NDArray[Any], *, first: int = 0) -> None:
    """Do nothing if no query has more relevant hits than there are.

    Args:
        hits: (Q,) relevant hits.
        available: (Q,) relevant images that each query may be given.
        first: The number of the first of these queries, for the error.

    Raises:
        ValueError: A query has more.

    Example:
        >>> check_enough(np.array([1]), np.array([2]))
    """
    over = np.flatnonzero(hits > available)
    if over.size:
        query = int(over[0])
        raise ValueError(
            f"Expected no more relevant hits than are available, but query {first + query} has {int(hits[query])} of "
            f"{int(available[query])}. Use the same gallery and exclusions for both."
        )


def check_ks(ks: Sequence[int], *, n_hits: int) -> list[int]:
    """Return the k's as plain integers if each is from 1 to the number of hits a query has.

    Args:
        ks: The k's.
        n_hits: Hits a query, K.

    Raises:
        EvaluationError: There is none, or one is out of range.

    Example:
        >>> check_ks((1, 3), n_hits=10)
        [1, 3]
    """
    wanted = list(ks)
    if not wanted:
        raise EvaluationError("Expected at least one k, but ks is empty. Name one, such as 10.")
    for k in wanted:
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= n_hits:
            raise EvaluationError(
                f"Expected every k to be a whole number from 1 to {n_hits}, the hits a query has, but k = {k}. "
                "Choose a smaller k, or search for more hits."
            )
    return [int(k) for k in wanted]
