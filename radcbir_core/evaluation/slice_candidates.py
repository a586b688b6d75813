"""Slices: the queries that have a value of a column, or one of each of two columns.

Owns the list of those that are worth a look, which depends on how many queries and patients they have, and never on how
these fare: what is tested must not be chosen by what is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy import sparse

MOST: Final = 4000
"""So many slices are tried; of more, those with most queries."""

Conditions = tuple[tuple[int, int], ...]
"""A slice: which column has which value, by their positions; one or two."""


@dataclass(frozen=True)
class Candidates:
    """Slices that are worth a look.

    Attributes:
        conditions: Of each of M slices.
        membership: (Q, M), 1 where a query is in a slice.
        n_clusters: (M,) of each slice.
        n_all: How many slices there were to try.
        same: Of each slice, the slices of one condition that are the very same queries.
    """

    conditions: tuple[Conditions, ...]
    membership: sparse.csc_array
    n_clusters: npt.NDArray[np.int64]
    n_all: int
    same: tuple[tuple[Conditions, ...], ...]


def distinct_columns(columns: Sequence[npt.NDArray[Any]]) -> list[int]:
    """The positions of columns that part the queries, each in another way than those before it.

    Args:
        columns: (Q,) codes each, at least 0.

    Example:
        >>> distinct_columns([np.array([0, 0, 1]), np.array([1, 1, 0]), np.array([0, 1, 1]), np.zeros(3, int)])
        [0, 2]
    """
    kept: list[int] = []
    for position, codes in enumerate(columns):
        number = len(np.unique(codes))
        if number < 2:
            continue
        for other in kept:
            together = len(np.unique(_cells(columns[other], codes)))
            if together == number == len(np.unique(columns[other])):
                break
        else:
            kept.append(position)
    return kept


def candidates_of(
    columns: Sequence[npt.NDArray[Any]],
    clusters: npt.NDArray[Any],
    *,
    fewest_queries: int,
    fewest_clusters: int,
) -> Candidates:
    """All slices of one and of two columns that have enough queries and patients, each set of queries once.

    Of two that are the same queries, the one with fewer conditions stays, and of these that of earlier columns. Not
    among them is what all queries have.

    Args:
        columns: (Q,) codes each, at least 0.
        clusters: (Q,) cluster codes, at least 0.
        fewest_queries: In a slice.
        fewest_clusters: In a slice.

    Example:
        >>> view, sex = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
        >>> candidates_of([view, sex], np.arange(4), fewest_queries=1, fewest_clusters=1).conditions
        (((0, 0),), ((0, 1),), ((1, 0),), ((1, 1),), ((0, 0), (1, 0)), ((0, 0), (1, 1)), ((0, 1), (1, 0)), \
((0, 1), (1, 1)))
    """
    from scipy import sparse

    # In the order of clusters, so that within a cell the queries of a cluster lie side by side.
    by_cluster = np.argsort(clusters, kind="stable")
    cluster = np.asarray(clusters, dtype=np.int64)[by_cluster]
    wholes = [np.asarray(codes, dtype=np.int64)[by_cluster] for codes in columns]
    weights = np.random.default_rng(0).random(len(cluster))
    seen = {(len(cluster), round(float(weights.sum()), 6)): -1}
    conditions: list[Conditions] = []
    same: list[list[Conditions]] = []
    rows: list[npt.NDArray[np.int64]] = []
    patients: list[int] = []
    singles: list[tuple[int, ...]] = [(column,) for column in range(len(columns))]
    for chosen in [*singles, *combinations(range(len(columns)), 2)]:
        base = int(wholes[chosen[-1]].max(initial=0)) + 1
        keys = wholes[chosen[0]] if len(chosen) == 1 else wholes[chosen[0]] * base + wholes[chosen[1]]
        counts = np.bincount(keys)
        small = np.uint16 if len(counts) <= 1 << 16 else np.int64  # which is sorted many times as fast
        order = np.argsort(keys.astype(small), kind="stable")
        ordered, owner = keys[order], cluster[order]
        first = np.ones(len(order), dtype=np.bool_)
        first[1:] = (ordered[1:] != ordered[:-1]) | (owner[1:] != owner[:-1])
        n_clusters = np.bincount(ordered[first], minlength=len(counts))
        prints = np.bincount(keys, weights=weights, minlength=len(counts))
        edges = np.concatenate([[0], np.cumsum(counts)])
        enough = np.flatnonzero((counts >= fewest_queries) & (n_clusters >= fewest_clusters))
        for key in enough.tolist():
            mark = (int(counts[key]), round(float(prints[key]), 6))
            values = (key,) if len(chosen) == 1 else divmod(key, base)
            own: Conditions = tuple(zip(chosen, values, strict=True))
            if mark in seen:
                if len(chosen) == 1 and seen[mark] >= 0:
                    same[seen[mark]].append(own)
                continue
            seen[mark] = len(conditions)
            conditions.append(own)
            same.append([])
            rows.append(by_cluster[order[edges[key] : edges[key + 1]]])
            patients.append(int(n_clusters[key]))
    n_all = len(conditions)
    sizes = np.array([len(part) for part in rows], dtype=np.int64)
    if n_all > MOST:
        largest = np.sort(np.argsort(-sizes, kind="stable")[:MOST]).tolist()
        conditions, same = [conditions[place] for place in largest], [same[place] for place in largest]
        rows, patients = [rows[place] for place in largest], [patients[place] for place in largest]
        sizes = sizes[largest]
    indices = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    membership = sparse.csc_array(
        (np.ones(len(indices), dtype=np.int8), indices, np.concatenate([[0], np.cumsum(sizes)])),
        shape=(len(cluster), len(conditions)),
    )
    n_clusters = np.array(patients, dtype=np.int64)
    return Candidates(tuple(conditions), membership, n_clusters, n_all, tuple(map(tuple, same)))


def _cells(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    base = int(np.max(second, initial=0)) + 1
    cells: npt.NDArray[np.int64] = np.asarray(first, dtype=np.int64) * base + second
    return cells
