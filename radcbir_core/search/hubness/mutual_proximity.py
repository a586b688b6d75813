"""Mutual proximity: how near two images are as both of them see it, so that hubs are not everybody's neighbors.

Owns the order of hits by it. Source: Schnitzer, Flexer, Schedl and Widmer, *Local and Global Scaling Reduce Hubs in
Space* (JMLR 13, 2012, pp. 2871-2902), section 3.2.

The variant is the empirical one of independent images: MP(x, y) = F_x(s) F_y(s), F_x(s) the share of all images that
are not more similar to x than y is. How many are more similar is read from x's list in the neighbor graph; where y is
not as near as the last of the list, as many as the list is long stand for it, the least that there can be. The normal
distribution with the mean and the variance of all similarities, which the source offers as well, gives quite another
order: the embeddings of images lie in clusters, and their similarities are not normally distributed
(benchmarks/mutual_proximity.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radcbir_core.search.backend import Hits

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Nearest:
    """How similar the nearest images of some images are: what their neighborhoods look like to them.

    Args:
        similarities: ``(N, K)``, descending, padded with NaN.
        among: How many images each was compared with.
    """

    def __init__(self, similarities: NDArray[Any], *, among: int) -> None:
        self._keys = keys_of(similarities)
        self.among = among

    def __len__(self) -> int:
        return len(self._keys)

    def is_of(self, keys: NDArray[np.int16]) -> bool:
        """Whether the lists are those of similarities with these keys, of :func:`keys_of`."""
        return self._keys.shape == keys.shape and np.array_equal(self._keys, keys)

    def nearer_than_each(self) -> NDArray[np.int32]:
        """``(N, K)``: of each of a list, how many of the same list are more similar, to the digits of half precision.

        Example:
            >>> Nearest(np.array([[0.9, 0.5, 0.5, np.nan]]), among=10).nearer_than_each().tolist()
            [[0, 1, 1, 3]]
        """
        places = np.zeros_like(self._keys, dtype=np.int32)
        if self._keys.size:
            fewer = self._keys[:, 1:] < self._keys[:, :-1]
            places[:, 1:] = np.where(fewer, np.arange(1, self._keys.shape[1], dtype=np.int32), 0)
            np.maximum.accumulate(places, axis=1, out=places)
        return places

    def nearer(self, lines: NDArray[Any], similarities: NDArray[Any]) -> NDArray[np.int32]:
        """How many of a list are more similar, to the digits of half precision, which the graph has.

        Args:
            lines: Which of the lists, of any shape.
            similarities: As many.

        Example:
            >>> nearest = Nearest(np.array([[0.9, 0.5, np.nan]]), among=10)
            >>> nearest.nearer(np.array([0, 0, 0]), np.array([0.95, 0.5, 0.1])).tolist()
            [0, 1, 2]
        """
        return self.nearer_than(lines, keys_of(similarities))

    def nearer_than(self, lines: NDArray[Any], wanted: NDArray[np.int16]) -> NDArray[np.int32]:
        """As :meth:`nearer`, of similarities whose keys are known.

        Args:
            lines: Which of the lists, of any shape.
            wanted: As many, of :func:`keys_of`.
        """
        width = self._keys.shape[1]
        flat = self._keys.reshape(-1)
        starts = lines.astype(np.int64) * width - 1
        counts = np.zeros(lines.shape, dtype=np.int32)
        step = 1 << max(width.bit_length() - 1, 0)
        while step and width:  # by halves
            place = counts + np.int32(step)
            more = place <= width
            more &= flat.take(starts + place, mode="clip") > wanted
            counts += more * np.int32(step)
            step //= 2
        return counts


def by_mutual_proximity(hits: Hits, of_queries: Nearest, of_images: Nearest) -> NDArray[np.intp]:
    """The order of hits by mutual proximity.

    Args:
        hits: By cosine; only these are put in another order.
        of_queries: What is nearest to each of the ``(Q,)`` queries.
        of_images: The same of every image of the collection.

    Returns:
        ``(Q, K)`` positions in each line of hits, the largest F_q(s) F_x(s) first; of equal ones, that first which was
        before.

    Example:
        Two others are nearer to image 0 than the query is, and nobody to image 1.

        >>> hits = Hits(np.array([[0, 1, -1]]), np.array([[0.5, 0.4, np.nan]]), np.array([2]))
        >>> of_images = Nearest(np.array([[0.9, 0.8], [0.4, 0.3]]), among=10)
        >>> hits.in_order(by_mutual_proximity(hits, Nearest(hits.similarities, among=10), of_images)).rows.tolist()
        [[1, 0, -1]]
    """
    there = hits.rows >= 0
    wanted = keys_of(hits.similarities)
    if of_queries.is_of(wanted):
        before = of_queries.nearer_than_each()
    else:
        queries = np.broadcast_to(np.arange(len(hits.rows))[:, None], hits.rows.shape)
        before = of_queries.nearer_than(queries, wanted)
    # In whole numbers, so that equal products are equal; what both are divided by is the same for all.
    proximity = (of_queries.among - before).astype(np.int64)
    if len(of_images):
        images = np.where(there, hits.rows, 0)
        proximity *= of_images.among - of_images.nearer_than(images, wanted)
    return np.argsort(np.where(there, -proximity, 1), axis=1, kind="stable")


def keys_of(similarities: NDArray[Any]) -> NDArray[np.int16]:
    """Whole numbers in the order of half precision, in which numbers that are read at random are compared quickly.

    Example:
        >>> keys_of(np.array([np.nan, -0.5, 0.0, 0.5])).argsort().tolist()
        [0, 1, 2, 3]
    """
    half = np.asarray(similarities).astype(np.float16) + np.float16(0)  # which makes -0.0 what it equals
    bits = half.view(np.int16)
    keys: NDArray[np.int16] = np.where(np.isnan(half), np.iinfo(np.int16).min, bits ^ ((bits >> 15) & 0x7FFF))
    return keys
