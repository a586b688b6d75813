"""How much of what an exact search finds another search finds as well.

Owns the counting, for indexes as they are built and for evaluations. A hit counts as found if it is as similar as the
last that the exact search gives: of two images with the same similarity a search may give either, and copies have the
same. Knows nothing of labels.

Source: Aumüller, Bernhardsson and Faithfull, *ANN-Benchmarks*, Information Systems 87 (2020), section 2.1, with a
tolerance of single precision in the place of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from radcbir_core.search.backend import Exclusion, Recall, Rows, Vectors, unit_vectors
from radcbir_core.search.engines.searcher import Searcher

TOLERANCE: Final = 1e-6
"""By how much two sums of the same cosine differ at most, in single precision: a search may exchange such hits."""

_PAIRS_AT_ONCE = 64_000


def neighbor_recall(
    found: npt.NDArray[np.floating[Any]], exact: npt.NDArray[np.floating[Any]], ks: Sequence[int]
) -> npt.NDArray[np.float64]:
    """Of the k most similar images there are, the share that is among the first k that were found.

    Args:
        found: ``(Q, K)`` the true similarities of what was found, NaN as padding at the end.
        exact: ``(Q, K)`` those of the exact search of the same queries, best first, NaN as padding.
        ks: The k's, each from 1 to K.

    Returns:
        ``(Q, len(ks))`` from 0 to 1; of fewer where there are fewer than k, NaN where there is nothing to find.

    Raises:
        ValueError: The tables are not of one shape, or a k is out of range.

    Example:
        >>> neighbor_recall(np.array([[0.9, 0.7]]), np.array([[0.9, 0.8]]), (1, 2)).tolist()
        [[1.0, 0.5]]
    """
    if found.ndim != 2 or found.shape != exact.shape or not all(1 <= k <= found.shape[1] for k in ks):
        raise ValueError(
            f"Expected two tables of one shape and k's of up to as many hits, but found.shape = {found.shape}, "
            f"exact.shape = {exact.shape}, ks = {tuple(ks)}. Pass as many hits of the same queries."
        )
    there = (~np.isnan(exact)).sum(axis=1)
    recall = np.full((len(found), len(ks)), np.nan)
    some = np.flatnonzero(there)
    for column, k in enumerate(ks):
        number = np.minimum(k, there[some])
        last = exact[some, number - 1]
        reached = (found[some, :k] >= last[:, None] - TOLERANCE).sum(axis=1)
        recall[some, column] = np.minimum(reached, number) / number
    return recall


def true_similarities(source: Vectors, rows: Rows, hits: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """The cosines of queries and what was found for them, whatever found it.

    Args:
        source: The vectors as they are stored.
        rows: ``(Q,)`` the queries.
        hits: ``(Q, k)`` rows, -1 as padding.

    Returns:
        ``(Q, k)``, summed in double precision; NaN where there is no hit.

    Example:
        >>> from radcbir_core.search.backend import ArrayVectors
        >>> source = ArrayVectors(np.array([[1, 0], [0.6, 0.8]], dtype=np.float32))
        >>> true_similarities(source, np.array([0]), np.array([[1, -1]], dtype=np.int32)).round(3).tolist()
        [[0.6, nan]]
    """
    similarities = np.full(hits.shape, np.nan)
    step = max(1, _PAIRS_AT_ONCE // max(hits.shape[1], 1))
    for start in range(0, len(rows), step):
        part = hits[start : start + step]
        query, rank = np.nonzero(part >= 0)
        asked = unit_vectors(source, rows[start : start + step])
        found = unit_vectors(source, part[query, rank].astype(np.intp))
        similarities[start : start + step][query, rank] = np.einsum("pd,pd->p", asked[query], found, dtype=np.float64)
    return similarities


def recall_of(searcher: Searcher, *, depths: Sequence[int] = (1, 10, 100), sample: int = 500, seed: int = 0) -> Recall:
    """Mean share of the exact first hits that the engine finds, over a seeded sample of rows.

    Both leave out the row itself. Not measured when there are fewer than two valid rows.

    Args:
        searcher: Over the engine.
        depths: How many first hits; of 1, 10 and 100.
        sample: How many rows are asked for at most.
        seed: Which.
    """
    rows = np.flatnonzero(searcher.valid)
    if len(rows) < 2:
        return Recall()
    chosen = np.sort(np.random.default_rng(seed).choice(rows, size=min(sample, len(rows)), replace=False))
    queries = searcher.queries_of(chosen)
    itself = [Exclusion.of_itself(chosen, among=len(searcher.valid))]
    exact = searcher.search(queries, k=max(depths), exclusions=itself, method="exact")
    exact_at = true_similarities(searcher.engine, chosen, exact.rows)
    shares = {}
    for depth in depths:  # asked for each, since an engine may look less far for fewer
        found = searcher.search(queries, k=depth, exclusions=itself, method="approximate")
        found_at = true_similarities(searcher.engine, chosen, found.rows)
        shares[f"at_{depth}"] = float(np.mean(neighbor_recall(found_at, exact_at[:, :depth], (depth,))))
    return Recall(**shares)
