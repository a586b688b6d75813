"""Exact search among the tiles of images: an image is as similar to a query as its most similar tile.

Owns that search: every tile of every allowed image is compared, and of each image the best one stays. Tiles are vectors
that follow each other, as many for every image: tile *t* of image *i* is vector ``i * per + t``, so that an image's row
number is found by division. It compares in half precision first, as exact search of images does, and looks again in
full at each image that rounding could have kept from the first k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from radcbir_core.search.backend import Exclusion, Float32, Hits, Mask, Rows, Vectors, products_with, unit_vectors
from radcbir_core.search.engines.exact import doubt_of, half_precision_products

_QUERIES: Final = 4
"""Queries at a time, for which the products with all tiles are in memory."""
_VECTORS: Final = 16_384
"""Vectors at a time that are looked at in full."""


@dataclass(frozen=True, slots=True)
class TileHits:
    """What a search among tiles found.

    Attributes:
        hits: The images; their similarity is that of their best tile.
        tiles: ``(Q, k)`` int16; which tile of each it is, -1 where there is no hit.
    """

    hits: Hits
    tiles: npt.NDArray[np.int16]


def best_tiles(
    source: Vectors,
    queries: Float32,
    *,
    per: int,
    k: int,
    allowed: Mask | None = None,
    exclusions: Sequence[Exclusion] = (),
    wholes: Float32 | None = None,
) -> TileHits:
    """The k images whose best tile is most similar to each query, or all there are.

    What of a query is about the whole image is compared with the first tile, and is added to the best of all.

    Of images that are as similar, the one of the lower row comes first; of tiles, the lower number. A tile of zeros is
    none: an image without any other is no hit.

    Args:
        source: ``N * per`` vectors, float16.
        queries: ``(Q, D)`` float32.
        per: Tiles an image; the first is the whole image.
        k: How many hits.
        allowed: ``(N,)``; which images may be returned, all by default.
        exclusions: What each query may not return, by image.
        wholes: ``(Q, D)`` float32; what is compared with the first tile alone. Together with the query it has length 1,
            and so has the query without it.

    Example:
        >>> from radcbir_core.search.backend import ArrayVectors
        >>> tiles = np.float16([[1, 0], [0, 1], [0.6, 0.8], [0, 0]])
        >>> found = best_tiles(ArrayVectors(tiles), np.float32([[0, 1]]), per=2, k=2)
        >>> found.hits.rows.tolist(), found.tiles.tolist(), found.hits.similarities.round(2).tolist()
        ([[0, 1]], [[1, 0]], [[1.0, 0.800000011920929]])
    """
    number = source.shape[0] // per
    rows = np.arange(number) if allowed is None else np.flatnonzero(allowed)
    hits = Hits.empty(len(queries), k)
    found = TileHits(hits, np.full((len(queries), k), -1, dtype=np.int16))
    if not len(rows) or not k:
        return found
    vectors = (rows[:, None] * per + np.arange(per)).reshape(-1)
    for start in range(0, len(queries), _QUERIES):
        part = slice(start, start + _QUERIES)
        rounded = queries[part].astype(np.float16)
        products = half_precision_products(source, rounded, vectors)
        of_wholes = None if wholes is None else wholes[part].astype(np.float16)
        added = None if of_wholes is None else half_precision_products(source, of_wholes, vectors[::per])
        for at, line in enumerate(products):
            barred = np.zeros(len(rows), dtype=np.bool_)
            for exclusion in exclusions:
                barred |= exclusion.excluded(start + at, rows)
            query = queries[start + at]
            whole, of_whole, doubt = None, np.zeros(len(rows)), doubt_of(query, rounded[at])
            if wholes is not None and of_wholes is not None and added is not None:
                whole, of_whole = wholes[start + at], added[at]
                doubt += doubt_of(whole, of_wholes[at])
            near = _candidates(line.reshape(-1, per), of_whole, barred, k=k, doubt=doubt)
            _fill(found, start + at, source, rows[near], part=query, whole=whole, per=per, k=k)
    return found


def _candidates(
    products: npt.NDArray[np.float64], added: npt.NDArray[np.float64], barred: Mask, *, k: int, doubt: float
) -> Rows:
    """Which images may be among the first k, from the rounded products ``(images, per)`` and what is added to them."""
    # A tile of zeros has the product 0, and so may others: for the floor it is none, for the candidates it is one.
    surely = np.where(products == 0, -np.inf, products).max(axis=1) + added
    surely[barred] = -np.inf
    last = len(surely) - min(k, len(surely))
    floor = np.partition(surely, last)[last] - 2 * doubt
    return np.flatnonzero((products.max(axis=1) + added >= floor) & ~barred)


def _fill(
    found: TileHits, query: int, source: Vectors, rows: Rows, *, part: Float32, whole: Float32 | None, per: int, k: int
) -> None:
    """Look at all tiles of some images in full, and write the best of these images down."""
    similarities = np.full(len(rows), -np.inf, dtype=np.float32)
    tiles = np.zeros(len(rows), dtype=np.int16)
    size = max(1, _VECTORS // per)
    for start in range(0, len(rows), size):
        block = slice(start, min(start + size, len(rows)))
        unit = unit_vectors(source, (rows[block, None] * per + np.arange(per)).reshape(-1))
        products = products_with(part, unit)
        products[~unit.any(axis=1)] = -np.inf
        each = products.reshape(-1, per)
        tiles[block], similarities[block] = each.argmax(axis=1), each.max(axis=1)
        if whole is not None:
            similarities[block] += products_with(whole, unit[::per])
    order = np.lexsort((rows, -similarities))[:k]
    order = order[np.isfinite(similarities[order])]
    found.hits.fill(query, rows[order], similarities[order])
    found.tiles[query, : len(order)] = tiles[order]
