"""The making of an index of cells: centers, the cell of each vector, codes, and how widely a query has to look.

Owns the steps and their order, what of them is kept so that a killed build goes on, and the one number that decides
recall: it is chosen by measuring on four kinds of queries, so that it holds for others than those that lie among the
vectors. The same vectors give the same bytes, on machines whose products are the same.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from radcbir_core.search.backend import Exclusion, Float32, Mask, Rows, Vectors, unit_vectors
from radcbir_core.search.engines.cells import PARTS, Cells, Content, code_of, read_content, write_part
from radcbir_core.search.engines.exact import first_hits
from radcbir_core.search.engines.kmeans import centers_of, nearest_centers
from radcbir_core.search.engines.recall import neighbor_recall
from radcbir_core.search.engines.scanning import side_by_side
from radcbir_core.search.engines.shards import Shards
from radcbir_core.storage import atomic_path

TARGET: Final = 0.997
"""Of the exact first 10 hits the share that is to be found by each kind of queries; what is promised is .995."""
_CELLS: Final = 1.6
"""Times the root of the number of vectors."""
_SAMPLE: Final = 40
"""Vectors for each center that the centers are found with."""
_SPREAD_SAMPLE: Final = 60_000
_PART: Final = 131_072
"""Vectors whose cells are written to a file of their own as soon as they are known."""
_BLOCK: Final = 8192
_QUERIES: Final = 200
_DEPTH: Final = 10
_CAUTIONS: Final = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.7, 2.0, 3.0, 5.0, 1000.0)
_FILTERED: Final = 0.5
"""Of the vectors the share that a filter lets through, in one of the kinds of queries."""
_AWAY: Final = 0.4
"""How much of a vector is in what lies away from all, beside a direction of length 1."""
_NEAR: Final = 0.02
"""The share of the vectors whose last hit is less similar than what counts as near."""
_WINDOW: Final = 8
"""Standard deviations by which two similarities by codes may be in the wrong order, before their difference is real."""
_SHARES: Final = {"centers": 0.2, "cells": 0.6, "codes": 0.9}
"""Of all the work, how much is done after each step."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which vector lies where.

    Attributes:
        centers: ``(C, D)``, those alike beside each other.
        cell_of: ``(V,)`` int32; of each valid row.
        order: ``(V,)``; places among the valid rows, cell by cell.
        starts: ``(C + 1,)``.
    """

    centers: Float32
    cell_of: npt.NDArray[np.int32]
    order: Rows
    starts: npt.NDArray[np.int64]


def build_cells(
    source: Vectors, path: Path, *, valid: Mask, shards: Shards, told: Callable[[int, int], None]
) -> dict[str, Any]:
    """Build the index and write it in one step; what was finished before of the same vectors is not done again.

    Args:
        source: The vectors, unit norm.
        path: Where to.
        valid: ``(N,)``; which rows have a vector.
        shards: Where what is finished of it is kept, for these vectors alone.
        told: Called with (rows done, rows in all), all steps counted as if they were rows.

    Returns:
        What is to be recorded beside: nothing, the file says all of itself.

    Raises:
        StorageError: No space left, or no permission.
    """
    rows = np.flatnonzero(valid)

    def told_share(share: float) -> None:
        told(min(int(share * len(rows)), max(len(rows) - 1, 0)), len(rows))

    told_share(0)
    if len(rows):
        layout = _laid_out(source, rows, shards, told_share)
        spreads, covariance = _spreads(source, rows, layout)
    else:
        dimension = source.shape[1]
        layout = _Layout(np.empty((0, dimension), np.float32), np.empty(0, np.int32), rows, np.zeros(1, np.int64))
        spreads, covariance = np.empty(0, np.float32), np.zeros((dimension, dimension), np.float32)
    scales = np.empty(len(rows), dtype=np.float32)
    whole: dict[str, npt.NDArray[Any]] = {
        "centers": layout.centers,
        "starts": layout.starts,
        "rows": rows[layout.order].astype(np.int32),
        "spreads": spreads,
        "covariance": covariance,
        "tuning": np.array([1.0, 1.0, 0.0, 0.0]),
        "scales": scales,
    }
    with atomic_path(path) as written, written.open("wb") as handle:
        places = {}
        for name in PARTS[:-1]:
            write_part(handle, whole[name].shape, whole[name].dtype)
            places[name] = handle.tell()
            handle.write(whole[name].tobytes())
        write_part(handle, (len(rows), source.shape[1]), np.int8)
        done = 0
        for codes, of_part in _coded(source, rows, layout):
            handle.write(codes.tobytes())
            scales[done : done + len(codes)] = of_part
            done += len(codes)
            told_share(_SHARES["cells"] + (_SHARES["codes"] - _SHARES["cells"]) * done / len(rows))
        handle.seek(places["scales"])
        handle.write(scales.tobytes())
        handle.flush()
        if len(rows):
            handle.seek(places["tuning"])
            handle.write(_tuned(source, rows, layout, read_content(written)).tobytes())
    told(len(rows), len(rows))
    return {}


def _laid_out(source: Vectors, rows: Rows, shards: Shards, told: Callable[[float], None]) -> _Layout:
    """Find the centers, and the cell of each vector; both are kept as they are finished."""
    number = max(1, int(_CELLS * math.sqrt(len(rows))))

    def centers_found() -> Float32:
        size = min(len(rows), _SAMPLE * number)
        chosen = np.sort(np.random.default_rng(0).choice(rows, size=size, replace=False))
        sample = unit_vectors(source, chosen)
        found = centers_of(sample, number, seed=1, told=lambda share: told(share * _SHARES["centers"]))
        return found[_alike_beside_each_other(found)]

    centers = np.array(
        shards.kept("centers", centers_found, shape=(number, source.shape[1]), dtype=np.float32), dtype=np.float32
    )
    parts = []
    for first in range(0, len(rows), _PART):
        part = rows[first : first + _PART]
        cells = partial(_cells_of, source, part, centers)
        parts.append(shards.kept(f"cells-{first // _PART:05}", cells, shape=part.shape, dtype=np.int32))
        share = min(1.0, (first + _PART) / len(rows))
        told(_SHARES["centers"] + share * (_SHARES["cells"] - _SHARES["centers"]))
    cell_of = np.concatenate(parts)
    numbers = np.bincount(cell_of, minlength=len(centers))
    some = np.flatnonzero(numbers)  # a center without vectors is none
    cell_of = np.searchsorted(some, cell_of).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(numbers[some])]).astype(np.int64)
    return _Layout(np.ascontiguousarray(centers[some]), cell_of, np.argsort(cell_of, kind="stable"), starts)


def _cells_of(source: Vectors, rows: Rows, centers: Float32) -> npt.NDArray[np.int32]:
    found = [
        nearest_centers(unit_vectors(source, rows[first : first + 4 * _BLOCK]), centers)[0]
        for first in range(0, len(rows), 4 * _BLOCK)
    ]
    return np.concatenate(found)


def _alike_beside_each_other(centers: Float32) -> Rows:
    """An order of centers in which those near each other follow each other: what a query reads lies together then."""
    regions = centers_of(centers, max(1, math.isqrt(len(centers))), seed=2)
    nearest, _ = nearest_centers(centers, regions)
    towards = regions - regions.mean(axis=0)
    first = np.linalg.svd(towards, full_matrices=False)[2][0]
    place = np.argsort(np.argsort(towards @ first, kind="stable"), kind="stable")
    return np.lexsort((centers @ first, place[nearest]))


def _spreads(source: Vectors, rows: Rows, layout: _Layout) -> tuple[Float32, Float32]:
    """How far each cell spreads beside the average, and how what is left of vectors varies, from a seeded sample."""
    random = np.random.default_rng(3)
    chosen = np.sort(random.choice(len(rows), size=min(len(rows), _SPREAD_SAMPLE), replace=False))
    cells = layout.cell_of[chosen]
    left = unit_vectors(source, rows[chosen]) - layout.centers[cells]
    squares = np.einsum("sd,sd->s", left, left, dtype=np.float64)
    mean = float(squares.mean())
    # Of a cell with few in the sample its own number says little: the mean counts as ten more.
    numbers, sums = np.bincount(cells, minlength=len(layout.centers)), np.bincount(cells, squares, len(layout.centers))
    shares = (sums + 10 * mean) / (numbers + 10) / mean if mean else np.ones(len(layout.centers))
    return np.sqrt(shares).astype(np.float32), (left.T @ left / np.float32(len(left))).astype(np.float32)


def _tuned(source: Vectors, rows: Rows, layout: _Layout, content: Content) -> npt.NDArray[np.float64]:
    """The least caution with which queries near and far find enough, and how far codes may be from the truth."""
    random = np.random.default_rng(4)
    chosen = np.sort(random.choice(len(rows), size=min(len(rows), 4096), replace=False))
    left = unit_vectors(source, rows[chosen]) - layout.centers[layout.cell_of[chosen]]
    asked = unit_vectors(source, rows[random.permutation(chosen)[:64]])
    codes, scales = code_of(left)
    asked_codes, asked_scales = code_of(asked)
    by_codes = (asked_codes * asked_scales[:, None]) @ (codes * scales[:, None]).T
    window = _WINDOW * float(np.std(by_codes - asked @ left.T, dtype=np.float64))
    near, filtered, *far = _kinds_of_queries(source, rows, layout)
    last = near.similarities[:, -1]  # of all queries or, where there are too few rows, of none
    nearness = 1.0 if np.isnan(last).any() else float(np.quantile(last, _NEAR))

    def least(kinds: Iterable[_Queries]) -> float:
        """The least caution with which each of some kinds finds enough; with the last all is read."""

        def enough(caution: float) -> int:
            tuned = replace(content, tuning=np.array([caution, caution, nearness, window]))
            return int(all(_found(source, kind, content=tuned) >= TARGET for kind in kinds))

        return _CAUTIONS[bisect_left(_CAUTIONS[:-1], 1, key=enough)]

    return np.array([least([near, filtered]), least(far), nearness, window])


@dataclass(frozen=True, slots=True, eq=False)
class _Queries:
    """A kind of queries, whose hits are known.

    Attributes:
        vectors: ``(Q, D)``.
        itself: ``(Q,)``; the row of each, -1 where it is none of those that may be found.
        may: ``(N,)``; rows that may be found; None for all.
        similarities: ``(Q, k)`` those of the exact hits, NaN as padding.
    """

    vectors: Float32
    itself: Rows
    may: Mask | None
    similarities: Float32


def _kinds_of_queries(source: Vectors, rows: Rows, layout: _Layout) -> Iterable[_Queries]:
    """Vectors of the collection, which find others around them, also where a filter lets half of these through.

    And two kinds for which everything is far: directions between a vector and none at all, as another tower of an
    encoder may give them; and the vectors themselves, among the cells that are least like them.
    """
    random = np.random.default_rng(5)
    chosen = np.sort(random.choice(len(rows), size=min(len(rows), _QUERIES), replace=False))
    vectors = unit_vectors(source, rows[chosen])
    noise = random.normal(size=vectors.shape).astype(np.float32)
    away = _AWAY * vectors + noise / np.linalg.norm(noise, axis=1, keepdims=True)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    # Neighboring cells are alike: of the two halves of their order each is far from the other.
    here = layout.cell_of < len(layout.centers) // 2
    may = np.zeros(source.shape[0], dtype=np.bool_)
    may[rows[here]] = True
    nobody = np.full(len(chosen), -1)
    yield _answered(source, rows, vectors, itself=rows[chosen])
    half = random.random(len(rows)) < _FILTERED
    through = np.zeros(source.shape[0], dtype=np.bool_)
    through[rows[half]] = True
    yield _answered(source, rows[half], vectors, itself=rows[chosen], may=through)
    yield _answered(source, rows, away, itself=nobody)
    there = ~here[chosen]
    yield _answered(source, rows[here], vectors[there], itself=nobody[there], may=may)


def _answered(source: Vectors, rows: Rows, vectors: Float32, *, itself: Rows, may: Mask | None = None) -> _Queries:
    """Queries and their exact first hits."""
    hits = first_hits(
        source,
        lambda part: vectors[part],
        queries=len(vectors),
        k=_DEPTH,
        rows=rows,
        exclusions=[Exclusion.of_itself(itself, among=source.shape[0])],
    )
    return _Queries(vectors, itself, may, hits.similarities)


def _found(source: Vectors, queries: _Queries, *, content: Content) -> float:
    """The share of the exact hits that is found."""
    if not len(queries.vectors):
        return 1.0
    engine = Cells.over(source, content)
    exclusions = [Exclusion.of_itself(queries.itself, among=source.shape[0])]
    hits = engine.search(queries.vectors, k=_DEPTH, allowed=queries.may, exclusions=exclusions)
    shares = neighbor_recall(hits.similarities, queries.similarities, (_DEPTH,))
    return 1.0 if np.isnan(shares).all() else float(np.nanmean(shares))


def _coded(source: Vectors, rows: Rows, layout: _Layout) -> Iterable[tuple[npt.NDArray[np.int8], Float32]]:
    """The codes of the vectors and their scales, in the order of the file."""

    def coded(first: int) -> tuple[npt.NDArray[np.int8], Float32]:
        places = layout.order[first : first + _BLOCK]
        # Never in place: of single precision these may be the very vectors of the collection.
        return code_of(unit_vectors(source, rows[places]) - layout.centers[layout.cell_of[places]])

    starts = range(0, len(rows), _BLOCK)
    for number in range(0, len(starts), 4):
        yield from side_by_side(coded, starts[number : number + 4])
