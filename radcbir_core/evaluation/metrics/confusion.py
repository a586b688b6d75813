"""What the queries of a label are taken for: the labels of their hits.

Owns the table of labels by labels with the shares of hits, and the list of the largest confusions drawn from it. Keeps
only the pairs that occur, so that hundreds of labels cost what their hits cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from radcbir_core.arrays import check_codes, row_chunks
from radcbir_core.evaluation.metrics.precision_at_k import check_ks
from radcbir_core.evaluation.relevance import check_hits

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Confusion:
    """The shares of the first k hits by label, as the pairs that occur.

    Attributes:
        labels: The name of each code.
        k: How many hits of each query were looked at.
        n_queries: (L,) int64, the queries of each label.
        query_codes: (P,) int64, the label of the queries; pairs are sorted by it, then by the other.
        hit_codes: (P,) int64, the label of the hits.
        counts: (P,) int64, hits with that label.
        shares: (P,) float64 in (0, 1]: the weights of the hits with that label ÷ those of k hits of each query of the
            label. With equal weights, hits with that label ÷ (k times the queries of the label).
    """

    labels: tuple[str, ...]
    k: int
    n_queries: NDArray[np.int64]
    query_codes: NDArray[np.int64]
    hit_codes: NDArray[np.int64]
    counts: NDArray[np.int64]
    shares: NDArray[np.float64]

    def matrix(self) -> NDArray[np.float64]:
        """The shares as one table, query labels down and hit labels across.

        Returns:
            (L, L) float64. A row adds up to at most 1: unlabeled and missing hits take the rest. The diagonal is the
            label's P@k with divisor ``"k"``. A label without a query has a row of NaN.

        Example:
            >>> hits, labels = np.array([[1, 2], [0, 2]]), np.array([0, 0, 1])
            >>> confusion(hits, labels[:2], gallery_labels=labels, labels=("chest", "hand"), k=2).matrix()
            array([[0.5, 0.5],
                   [nan, nan]])
        """
        table = np.zeros((len(self.labels), len(self.labels)))
        table[self.query_codes, self.hit_codes] = self.shares
        table[self.n_queries == 0] = np.nan
        return table

    def top(self, *, limit: int = 5) -> pd.DataFrame:
        """The labels that each label is most often taken for.

        Args:
            limit: At most so many a label.

        Returns:
            Columns ``label``, ``taken_for`` (str), ``share`` (float, of the label's first k hits) and ``n_queries``
            (int, queries of the label), labels in the order of their codes, largest share first, ties by the order of
            codes. Never a label for itself.

        Raises:
            ValueError: ``limit`` is below 1.

        Example:
            >>> hits, labels = np.array([[1, 2], [0, 2]]), np.array([0, 0, 1])
            >>> table = confusion(hits, labels[:2], gallery_labels=labels, labels=("chest", "hand"), k=2)
            >>> print(table.top().to_string())
               label taken_for  share  n_queries
            0  chest      hand    0.5          2
        """
        if limit < 1:
            raise ValueError(f"Expected at least 1, but limit = {limit}. Ask for one confusion a label or more.")
        others = np.flatnonzero(self.query_codes != self.hit_codes)
        # lexsort's last key leads, and it is stable: pairs are in the order of hit codes already.
        others = others[np.lexsort((-self.shares[others], self.query_codes[others]))]
        query = self.query_codes[others]
        rank = np.arange(len(others)) - np.searchsorted(query, query)
        others = others[rank < limit]
        names = np.array(self.labels, dtype=object)
        return pd.DataFrame(
            {
                "label": pd.Series(names[self.query_codes[others]], dtype="str"),
                "taken_for": pd.Series(names[self.hit_codes[others]], dtype="str"),
                "share": self.shares[others],
                "n_queries": self.n_queries[self.query_codes[others]],
            }
        )


def confusion(
    hit_rows: NDArray[Any],
    query_labels: NDArray[Any],
    *,
    gallery_labels: NDArray[Any],
    labels: Sequence[str],
    k: int,
    weights: NDArray[np.float64] | None = None,
) -> Confusion:
    """Count the labels among the first k hits of the queries of each label.

    Args:
        hit_rows: (Q, K) integer rows of the collection, best first, -1 as padding.
        query_labels: (Q,) label codes; -1 is left out.
        gallery_labels: (N,) label codes of all rows of the collection, -1 = unlabeled.
        labels: The name of each code.
        k: From 1 to K.
        weights: (k,) what a hit of each rank counts, above 0; all alike by default. See :func:`rank_weights`.

    Returns:
        The shares. Missing and unlabeled hits count towards k and towards no label.

    Raises:
        EvaluationError: k is out of range.
        ValueError: The arrays do not fit together.

    Example:
        >>> table = confusion(np.array([[1, 2]]), np.array([0]), gallery_labels=np.array([0, 0, 1]), labels="ab", k=1)
        >>> table.shares
        array([1.])
    """
    queries = check_codes(query_labels, name="query_labels")
    gallery = check_codes(gallery_labels, name="gallery_labels")
    hits = check_hits(hit_rows, n_queries=len(queries), n_rows=len(gallery))
    (k,) = check_ks((k,), n_hits=hits.shape[1])
    size = len(labels)
    highest = max(int(queries.max(initial=-1)), int(gallery.max(initial=-1)))
    if highest >= size:
        raise ValueError(
            f"Expected label codes below {size}, but a label code = {highest}. Pass the names of all labels."
        )
    padded = np.append(gallery, -1)
    weight: NDArray[np.float64] = np.ones(k) if weights is None else np.asarray(weights, dtype=np.float64)
    weight = weight / weight.sum()
    if weight.shape != (k,):
        raise ValueError(f"Expected one weight a rank ({k}), but weights has shape {weight.shape}. Pass k of them.")
    pairs: NDArray[np.int64] = np.empty(0, dtype=np.int64)
    counts: NDArray[np.int64] = np.empty(0, dtype=np.int64)
    number: NDArray[np.int64]
    sums: NDArray[np.float64] = np.empty(0, dtype=np.float64)
    for rows in row_chunks(len(hits), k):
        own = queries[rows].astype(np.int64)[:, None]
        theirs = padded[hits[rows, :k]]
        known = (own >= 0) & (theirs >= 0)
        of_rank = np.broadcast_to(weight, known.shape)[known]
        distinct, which = np.unique((own * size + theirs)[known], return_inverse=True)
        number = np.bincount(which).astype(np.int64)
        sum_of = np.bincount(which, weights=of_rank).astype(np.float64)
        pairs, place = np.unique(np.concatenate([pairs, distinct]), return_inverse=True)
        counts = np.bincount(
            place, weights=np.concatenate([counts, number]).astype(np.float64), minlength=len(pairs)
        ).astype(np.int64)
        sums = np.bincount(place, weights=np.concatenate([sums, sum_of]), minlength=len(pairs)).astype(np.float64)
    n_queries = np.bincount(queries[queries >= 0], minlength=size).astype(np.int64)
    query_codes, hit_codes = np.divmod(pairs, max(size, 1))
    of_label = n_queries[query_codes]
    return Confusion(
        labels=tuple(labels),
        k=k,
        n_queries=n_queries,
        query_codes=query_codes,
        hit_codes=hit_codes,
        counts=counts,
        # Equal weights are counted, so that the shares of whole numbers are exact.
        shares=counts / (k * of_label) if weights is None else sums / of_label,
    )


def rank_weights(k: int) -> NDArray[np.float64]:
    """What a hit counts by its rank r: 1 / log2(r + 1), the discount of nDCG, divided by their sum over k ranks.

    Source: Järvelin and Kekäläinen, *Cumulated gain-based evaluation of IR techniques* (ACM TOIS 20(4), 2002); the form
    with r + 1 is Burges et al. (ICML 2005).

    Args:
        k: How many hits count.

    Returns:
        (k,) float64 that add up to 1.

    Example:
        >>> rank_weights(3).round(3).tolist()
        [0.469, 0.296, 0.235]
    """
    discounts: NDArray[np.float64] = 1 / np.log2(np.arange(1, k + 1) + 1.0)
    weights: NDArray[np.float64] = discounts / discounts.sum()
    return weights
