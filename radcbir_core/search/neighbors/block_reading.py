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
        reach: Up to how many deviations below a row's floor the middle of a block may lie.
        most: How many are given for each row.

    Returns:
        ``(r, most)`` places, nearest first, -1 as padding.
    """
    own = vectors[rows]
    apart = np.float32(reach) * spread.deviations(own)
    found_rows, found_places, found_products = [], [], []
    for first in range(0, len(middles), _MIDDLES_AT_ONCE):
        part = slice(first, first + _MIDDLES_AT_ONCE)
        within = own @ middles[part].T
        within += apart[:, None] * spread.blocks[part]
        by_block = np.ascontiguousarray((within >= floors[:, None]).T)
        block, asking = np.divmod(np.flatnonzero(by_block), len(own))
        cuts = np.flatnonzero(np.diff(block)) + 1
        starts = np.concatenate([np.zeros(min(len(block), 1), dtype=np.intp), cuts])
        for start, end in zip(starts.tolist(), [*cuts.tolist(), len(block)], strict=False):
            number = first + int(block[start])
            these = asking[start:end]
            place = int(edges[number])
            others = vectors[place : int(edges[number + 1])]
            products = own[these] @ others.T
            near = np.flatnonzero(products >= lasts[these][:, None])
            line, column = np.divmod(near, len(others))
            found_rows.append(these[line])
            found_places.append((place + column).astype(np.int32))
            found_products.append(products.reshape(-1)[near])
    nothing = np.full((len(own), most), -1, dtype=np.int32)
    if not found_rows:
        return nothing
    row, there = np.concatenate(found_rows), np.concatenate(found_places)
    products = np.concatenate(found_products)
    new = ~_among(row, there, known=known, number=len(vectors))
    row, there, products = row[new], there[new], products[new]
    order = np.lexsort((there, -products, row))
    row, there = row[order], there[order]
    counts = np.bincount(row, minlength=len(own))
    rank = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = rank < most
    nothing[row[kept], rank[kept]] = there[kept]
    return nothing


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
