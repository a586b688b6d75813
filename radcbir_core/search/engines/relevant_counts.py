"""How many relevant images are among the first R of a ranking, exactly, without listing them.

Owns the counting for R-precision, where R differs from query to query and may be a large part of the collection. The
R-th largest similarity of a query is found by selection, not by sorting, and only the relevant images are looked at
again: no table of hits is made. Knows nothing of labels beyond which kind of image is relevant to which.

Similarities are single-precision matrix products of some queries with the whole gallery at a time; of equal
similarities, the earlier row comes first, as in exact.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.arrays import check_codes
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Float32, Vectors, unit
from radcbir_core.search.engines.exact import Products, over_products

_ELEMENTS = 16_000_000
"""Similarities that one thread holds at a time: 64 MB."""


def relevant_among_first(
    source: Vectors,
    *,
    queries: npt.NDArray[np.intp],
    gallery: npt.NDArray[np.bool_],
    depths: npt.NDArray[np.int64],
    kinds: npt.NDArray[Any],
    relevant_to: Callable[[int], npt.NDArray[np.bool_]],
    groups: Sequence[npt.NDArray[Any]] = (),
    progress: Progress = silent,
) -> npt.NDArray[np.int64]:
    """Count the relevant images among the first R of each query; a query is never given itself.

    Args:
        source: The ``(N, D)`` vectors, unit norm.
        queries: ``(Q,)`` rows that ask.
        gallery: ``(N,)``; which rows may be returned.
        depths: ``(Q,)``; R of each query, at least 0.
        kinds: ``(N,)`` int codes from 0 of what each row shows; -1 is relevant to nothing.
        relevant_to: From the kind of a query, ``(K,)`` bool: the kinds that are relevant to it.
        groups: Arrays ``(N,)`` of group codes, -1 = not known. A query is not given what shares one with it.
        progress: Told the number of queries, as step "search".

    Returns:
        ``(Q,)`` int64. Where fewer than R images may be returned, all of them are counted.

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        Of the first two hits of row 0, which are rows 1 and 2, row 1 shows the same.

        >>> from radcbir_core.search.backend import ArrayVectors
        >>> angles = np.radians([0, 10, 20, 90])
        >>> vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
        >>> same = lambda kind: np.arange(2) == kind
        >>> source = ArrayVectors(vectors)
        >>> relevant_among_first(source, queries=np.array([0]), gallery=np.ones(4, dtype=bool), depths=np.array([2]),
        ...                      kinds=np.array([0, 0, 1, 0]), relevant_to=same).tolist()
        [1]
    """
    shown = check_codes(kinds, name="kinds")
    if not len(shown) == len(gallery) == source.shape[0] or len(depths) != len(queries):
        raise ValueError(
            f"Expected one kind and one gallery flag an embedding ({source.shape[0]}) and one depth a query "
            f"({len(queries)}), but there are {len(shown)}, {len(gallery)} and {len(depths)}."
        )
    rows = np.flatnonzero(gallery)
    counts = np.zeros(len(queries), dtype=np.int64)
    barred = _Barred(rows, groups, total=len(shown))
    # Queries of one kind follow each other: what is relevant to them is looked up once.
    order = np.argsort(shown[queries], kind="stable")

    def count(part: slice, products: Products) -> None:
        chosen = order[part]
        similarities = np.empty((len(chosen), len(rows)), dtype=np.float32)
        for block, product in products:
            similarities[:, block.start : block.stop] = product
        last, places = -2, np.empty(0, dtype=np.intp)
        for line, number in zip(similarities, chosen.tolist(), strict=True):
            kind = int(shown[queries[number]])
            if kind != last:
                last, places = kind, _places(kind, shown[rows], relevant_to)
            line[barred.places_of(int(queries[number]))] = -np.inf
            counts[number] = _count(line, places, int(depths[number]))

    over_products(
        source,
        lambda part: unit(source.vectors(queries[order[part]]), dimension=source.shape[1]),
        queries=len(queries),
        rows=rows,
        reduce=count,
        most=max(1, _ELEMENTS // max(len(rows), 1)),
        scattered=False,
        progress=progress,
    )
    return counts


class _Barred:
    """The places in the gallery that a query may not be given: its own, and those of its groups."""

    def __init__(self, rows: npt.NDArray[np.intp], groups: Sequence[npt.NDArray[Any]], *, total: int) -> None:
        self._place = np.full(total, -1, dtype=np.int64)
        self._place[rows] = np.arange(len(rows))
        self._groups = []
        for number, values in enumerate(groups):
            group = check_codes(values, name=f"groups[{number}]")
            if len(group) != total:
                raise ValueError(
                    f"Expected one group an embedding ({total}), but len(groups[{number}]) = {len(group)}. "
                    "Pass groups of the whole collection."
                )
            order = np.argsort(group[rows], kind="stable")
            self._groups.append((group, order, group[rows][order]))

    def places_of(self, query: int) -> npt.NDArray[np.int64]:
        own = self._place[query : query + 1]
        parts = [own[own >= 0]]
        for group, order, keys in self._groups:
            mine = group[query]
            if mine >= 0:
                first, last = np.searchsorted(keys, mine, "left"), np.searchsorted(keys, mine, "right")
                parts.append(order[first:last])
        return np.concatenate(parts)


def _places(
    kind: int, shown: npt.NDArray[Any], relevant_to: Callable[[int], npt.NDArray[np.bool_]]
) -> npt.NDArray[np.intp]:
    """Of the relevant images in the gallery."""
    if kind < 0:
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(np.append(relevant_to(kind), False)[shown])  # -1 is the last: nothing


def _count(line: Float32, places: npt.NDArray[np.intp], depth: int) -> int:
    """The relevant ones among the first ``depth``; what may not be given is -inf."""
    if depth < 1 or not len(places):
        return 0
    values = line[places]
    if depth >= len(line):
        return int(np.count_nonzero(np.isfinite(values)))
    largest = np.partition(line, len(line) - depth)[len(line) - depth :]
    threshold = largest[0]
    if not np.isfinite(threshold):  # fewer than that may be given
        return int(np.count_nonzero(np.isfinite(values)))
    inside = int(np.count_nonzero(values > threshold))
    if not (values == threshold).any():
        return inside
    room = depth - int(np.count_nonzero(largest > threshold))
    level = np.flatnonzero(line == threshold)
    return inside + int(np.count_nonzero(np.isin(level[:room], places)))
