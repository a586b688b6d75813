"""What may lie near a row in blocks that were never compared with it.

Owns the choice of these blocks, row by row, and their reading. Descent follows what many rows of a block have in
common; where rows that lie together have few neighbors in common, as in large collections of many faint groups, it
settles with a tenth of the neighbors unseen. How near the missing ones can be is a matter of chance that can be
reckoned with: the products of a block's rows with another row lie around that of their middle, as far apart as the
direction of that row and the spread of the block say. A block is read for a row if the neighbors that it has so far
are not too many of these deviations above the middle; how many are too many is found from a sample of rows whose
neighbors are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radcbir_core.search.backend import Float32

_MIDDLES_AT_ONCE = 1024
_READ = 65_536
_KEPT_AT_ONCE = 2_000_000
"""Pairs of a row and a place that wait until the nearest are chosen from them: about a hundred megabytes."""
_SPREAD_OF = 10
"""A block's own spread counts as much as the mean of all where it has so many rows."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How the rows of blocks lie around their middles.

    Attributes:
        blocks: ``(B,)`` of each block, beside the mean.
        covariance: ``(d, d)`` of all rows without their middles.
    """

    blocks: Float32
    covariance: Float32

    @classmethod
    def of(cls, vectors: Float32, *, edges: npt.NDArray[np.int64], middles: Float32) -> Spread:
        """Measure it.

        Args:
            vectors: ``(n, d)``, block by block.
            edges: ``(B + 1,)`` where each block begins.
            middles: ``(B, d)``.
        """
        sizes = np.diff(edges)
        block_of = np.repeat(np.arange(len(sizes)), sizes)
        sums = np.zeros(len(sizes))
        covariance = np.zeros((vectors.shape[1],) * 2)
        for start in range(0, len(vectors), _READ):
            own = block_of[start : start + _READ]
            left = vectors[start : start + _READ] - middles[own]
            sums += np.bincount(own, np.einsum("nd,nd->n", left, left), minlength=len(sizes))
            covariance += left.T @ left
        mean = float(sums.sum()) / max(len(vectors), 1)
        shares = (sums + _SPREAD_OF * mean) / (sizes + _SPREAD_OF) / mean if mean > 0 else np.zeros(len(sizes))
        return cls(np.sqrt(shares).astype(np.float32), (covariance / max(len(vectors), 1)).astype(np.float32))

    def deviations(self, vectors: Float32) -> Float32:
        """``(q,)`` how far the products of each of some rows with those of a block of mean spread lie apart."""
        squares = np.einsum("qd,qd->q", vectors @ self.covariance, vectors)
        apart: Float32 = np.sqrt(np.maximum(squares, 0, out=squares))
        return apart


def deviations_below(
    floors: Float32, vectors: Float32, *, middles: Float32, spread: Spread, blocks: npt.NDArray[np.integer]
) -> npt.NDArray[np.float64]:
    """By how many deviations the middles of some blocks lie below what some rows have already.

    Args:
        floors: ``(q,)`` the product of each row with the last of its neighbors so far.
        vectors: ``(q, d)`` the rows.
        middles: ``(B, d)`` of all blocks.
        spread: Of all blocks.
        blocks: ``(q, m)``; which blocks are asked about for each row.

    Returns:
        ``(q, m)``; infinite where neither has a spread and the middle is below.
    """
    products = np.einsum("qmd,qd->qm", middles[blocks], vectors, dtype=np.float64)
    apart = spread.blocks[blocks] * spread.deviations(vectors)[:, None].astype(np.float64)
    below = floors[:, None] - products
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(apart > 0, below / apart, np.where(below <= 0, -np.inf, np.inf))


def read_for(
    rows: slice,
    vectors: Float32,
    *,
    edges: npt.NDArray[np.int64],
    middles: Float32,
    spread: Spread,
    known: npt.NDArray[np.int32],
    floors: Float32,
    lasts: Float32,
    reach: float,
    most: int,
) -> npt.NDArray[np.int32]:
    """For some rows, what is near in the blocks within reach and not known yet.

    Args:
        rows: Which, of all.
        vectors: ``(n, d)`` of all, block by block.
        edges: ``(B + 1,)`` where each block begins.
        middles: ``(B, d)``.
        spread: Of the blocks.
        known: ``(r, k)`` what these rows have already, themselves too, -1 as padding.
        floors: ``(r,)`` of each, the product with the last that counts.
        lasts: ``(r,)`` of each, the product from which on anything is of interest.
        reach: Up to how many deviations below a row's floor the middle of a block may lie; infinite for all blocks,
            minus infinity for none.
        most: How many are given for each row.

    Returns:
        ``(r, most)`` places, nearest first, -1 as padding.
    """
    own = vectors[rows]
    near = _Nearest(known, lasts, most=most, number=len(vectors))
    if reach == -np.inf:
        return near.first()
    # Of what has no spread, infinitely many deviations are none: then everything is within reach.
    apart = np.float32(0 if reach == np.inf else reach) * spread.deviations(own)
    least = np.full_like(floors, -np.inf) if reach == np.inf else floors
    for first in range(0, len(middles), _MIDDLES_AT_ONCE):
        part = slice(first, first + _MIDDLES_AT_ONCE)
        within = own @ middles[part].T
        within += apart[:, None] * spread.blocks[part]
        by_block = np.ascontiguousarray((within >= least[:, None]).T)
        block, asking = np.divmod(np.flatnonzero(by_block), len(own))
        cuts = np.flatnonzero(np.diff(block)) + 1
        starts = np.concatenate([np.zeros(min(len(block), 1), dtype=np.intp), cuts])
        for start, end in zip(starts.tolist(), [*cuts.tolist(), len(block)], strict=False):
            number = first + int(block[start])
            place = int(edges[number])
            near.look_at(asking[start:end], place, own[asking[start:end]] @ vectors[place : int(edges[number + 1])].T)
    return near.first()


class _Nearest:
    """The nearest new places of some rows, of products that come block by block, in the order of their places.

    Args:
        known: ``(r, k)`` what the rows have already.
        lasts: ``(r,)`` the product from which on anything is of interest.
        most: How many are kept for each row.
        number: How many places there are.
    """

    def __init__(self, known: npt.NDArray[np.int32], lasts: Float32, *, most: int, number: int) -> None:
        self._known, self._most, self._number = known, most, number
        self._least = np.array(lasts)
        self._found: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.int32], Float32]] = []
        self._waiting = 0

    def look_at(self, rows: npt.NDArray[np.intp], place: int, products: Float32) -> None:
        """Take what is of interest of the products of some rows with the places from one on."""
        line, column = np.divmod(np.flatnonzero(products >= self._least[rows][:, None]), products.shape[1])
        self._found.append((rows[line], (place + column).astype(np.int32), products[line, column]))
        self._waiting += len(line)
        if self._waiting > _KEPT_AT_ONCE:
            self._settle()

    def first(self) -> npt.NDArray[np.int32]:
        """``(r, most)`` places, nearest first, of equals the first place; -1 as padding."""
        row, place, rank = self._settle()
        first = np.full((len(self._known), self._most), -1, dtype=np.int32)
        first[row, rank] = place
        return first

    def _settle(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int32], npt.NDArray[np.intp]]:
        """Keep the nearest of each row alone: of many copies of one vector each has all others, and there is no end."""
        nothing = (np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32))
        row, place, product = (np.concatenate(parts) for parts in zip(nothing, *self._found, strict=True))
        new = ~_among(row, place, known=self._known, number=self._number)
        row, place, product = row[new], place[new], product[new]
        order = np.lexsort((place, -product, row))
        row, place, product = row[order], place[order], product[order]
        counts = np.bincount(row, minlength=len(self._known))
        rank = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        full = np.flatnonzero(rank == self._most - 1)
        # What comes later and is as near as the last of a row comes after it, too.
        self._least[row[full]] = np.nextafter(product[full], np.float32(np.inf))
        kept = rank < self._most
        row, place, product, rank = row[kept], place[kept], product[kept], rank[kept]
        self._found, self._waiting = [(row, place, product)], 0
        return row, place, rank


def _among(
    row: npt.NDArray[np.intp], place: npt.NDArray[np.int32], *, known: npt.NDArray[np.int32], number: int
) -> npt.NDArray[np.bool_]:
    """Which pairs of a row and a place are known."""
    lines = np.sort(known, axis=1).astype(np.int64)
    lines += np.arange(len(known), dtype=np.int64)[:, None] * (number + 1)
    keys = np.ascontiguousarray(lines).reshape(-1)  # ascending: places are below the number, and padding is first
    asked = row.astype(np.int64) * (number + 1) + place
    at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    found: npt.NDArray[np.bool_] = keys[at] == asked
    return found


def reach_for(below: npt.NDArray[np.float64], found: npt.NDArray[np.bool_], *, share: float) -> float:
    """The least reach with which a share of the neighbors of a sample is found or read.

    Args:
        below: ``(s, k)``; by how many deviations the middle of each neighbor's block lies below.
        found: ``(s, k)``; which neighbors are found already.
        share: From 0 to 1.

    Returns:
        Minus infinity where enough is found already.

    Example:
        >>> below = np.array([[0.5, 1.0, 2.0, 9.0]])
        >>> reach_for(below, np.array([[True, False, False, False]]), share=0.75)
        2.0
    """
    needed = np.sort(np.where(found, -np.inf, below), axis=None)
    place = int(np.ceil(share * len(needed))) - 1
    return float(needed[max(place, 0)])
