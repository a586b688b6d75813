"""Placing images on a map that is there: by their neighbors on it, without computing the layout again.

Owns where a new image comes to lie, and how far that place can be trusted. It lies in the middle of its neighbors, each
as heavy as it belongs to the neighborhood; the middle is the point with the least sum of distances, which is among the
most of them, and not between two groups, where nobody is. Moving it on from there as UMAP moves new images, by pulls
and pushes, made places worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from radcbir_core.projection.memberships import memberships

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEPS: Final = 20
_CHUNK: Final = 100_000
_FEW: Final = 64  # images for which a look at all places is quicker than a tree of them


@dataclass(frozen=True, slots=True)
class Placed:
    """Where new images lie on a map.

    Attributes:
        coordinates: (Q, D) float32, NaN for one without a hit on the map.
        trust: (Q,) float32 in [0, 1]: the share of its nearest images that are among as many nearest on the map, as the
            preservation of the images of the map. NaN where there is no place.
    """

    coordinates: NDArray[np.float32]
    trust: NDArray[np.float32]


def place(
    rows: NDArray[Any], similarities: NDArray[Any], *, coordinates: NDArray[np.float32], n_neighbors: int = 15
) -> Placed:
    """Place new images, an upload or a sentence among them, by their hits.

    Args:
        rows: (Q, K) rows of the map's images, most similar first, -1 as padding. With more than ``n_neighbors``, those
            without a place can be passed over.
        similarities: (Q, K) cosine similarities; ignored where padded.
        coordinates: (N, D) of the map, NaN for an image without a place.
        n_neighbors: How many hits make a neighborhood, at least 1.

    Example:
        >>> places = np.array([[0, 0], [1, 0], [0, 1], [9, 9]], dtype=np.float32)
        >>> placed = place(np.array([[0, 1, 2]]), np.array([[0.9, 0.8, 0.8]]), coordinates=places)
        >>> placed.trust.tolist()
        [1.0]
    """
    hits, scores = np.asarray(rows), np.asarray(similarities, dtype=np.float32)
    if hits.shape != scores.shape or hits.ndim != 2:
        raise ValueError(
            f"Expected one similarity a hit {hits.shape}, but similarities has shape {scores.shape}. Pass the hits of "
            "a search."
        )
    known = np.append(~np.isnan(coordinates[:, 0]), False)[hits]
    order = np.argsort(~known, axis=1, kind="stable")[:, :n_neighbors]
    hits, scores, known = (np.take_along_axis(values, order, axis=1) for values in (hits, scores, known))
    weights = memberships(np.where(known, np.maximum(1 - scores, 0), np.nan).astype(np.float32))
    places = middles(np.where(known, hits, 0), weights, coordinates)
    return Placed(places, _trust(places, np.where(known, hits, -1), coordinates))


def middles(neighbors: NDArray[Any], weights: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """The point with the least weighted sum of distances to each image's neighbors (Weiszfeld's steps).

    Args:
        neighbors: (n, k) positions; ignored where the weight is 0.
        weights: (n, k) at least 0.
        places: (m, D) of the neighbors.

    Returns:
        (n, D) float32, NaN where all weights are 0.

    Example:
        >>> line = np.array([[0, 0], [1, 0], [9, 0]], dtype=np.float32)
        >>> middles(np.array([[0, 1, 2]]), np.ones((1, 3), dtype=np.float32), line).round(1).tolist()
        [[1.0, 0.0]]
    """
    middle = np.full((len(neighbors), places.shape[1]), np.nan, dtype=np.float32)
    for start in range(0, len(neighbors), _CHUNK):
        part = slice(start, start + _CHUNK)
        heavy = weights[part]
        some = np.asarray((heavy > 0).any(axis=1))
        heavy, around = heavy[some], places[np.where(heavy > 0, neighbors[part], neighbors[part][:, :1])[some]]
        at = np.einsum("nk,nkd->nd", heavy, around) / heavy.sum(axis=1, keepdims=True)
        # What lies on a neighbor is that neighbor's: the least distance keeps the step finite.
        least = 1e-3 * np.sqrt(((around - at[:, None]) ** 2).sum(axis=2)).mean(axis=1, keepdims=True) + 1e-12
        for _ in range(_STEPS):
            away = np.sqrt(((around - at[:, None]) ** 2).sum(axis=2))
            pull = heavy / np.maximum(away, least)
            at = np.einsum("nk,nkd->nd", pull, around) / pull.sum(axis=1, keepdims=True)
        own = np.arange(start, start + len(some))[some]
        middle[own] = at
    return middle


def _trust(places: NDArray[np.float32], hits: NDArray[Any], coordinates: NDArray[np.float32]) -> NDArray[np.float32]:
    """(Q,) the share of the hits that are among as many nearest on the map."""
    trust = np.full(len(places), np.nan, dtype=np.float32)
    count: NDArray[np.int64] = (hits >= 0).sum(axis=1)
    placed = np.flatnonzero(count)
    if not len(placed):
        return trust
    on_map = np.flatnonzero(~np.isnan(coordinates[:, 0]))
    width = min(int(count.max()), len(on_map))
    if len(placed) <= _FEW:
        near = np.empty((len(placed), width), dtype=np.int64)
        for line, row in enumerate(placed):
            away = ((coordinates[on_map] - places[row]) ** 2).sum(axis=1)
            first = np.argpartition(away, width - 1)[:width]
            near[line] = on_map[first[np.argsort(away[first], kind="stable")]]
    else:
        from scipy.spatial import cKDTree

        found = cKDTree(coordinates[on_map]).query(places[placed], k=width, workers=-1)[1]
        near = on_map[found.reshape(len(placed), width)]
    for line, row in enumerate(placed):
        trust[row] = np.isin(near[line, : count[row]], hits[row]).sum() / count[row]
    return trust
