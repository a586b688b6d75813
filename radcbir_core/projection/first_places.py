"""Where the images of a map start, from the neighbor graph alone.

Owns the start by the graph's slowest diffusion coordinates, its limit, and the start by landmarks where that limit is
reached. The limit is one of work and not of time, so that the same graph starts the same way on any day. umap-learn
would arrange parts of the graph that nothing connects by the vectors; here they are set beside each other.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Start = Literal["spectral", "landmarks", "none"]

FEWEST = 4
"""Of fewer images there is nothing to lay out."""

EDGES = 10_000_000
"""Links of the graph behind the start: 1 GB while its eigenvectors are computed."""

_DENSE = 200  # up to this size, all eigenvectors at once are quicker than an iterative solver, and never fail
_WORK = 20_000_000_000  # products of links that the solver may make: some half a minute
_BASIS = 40
_LANDMARKS = 40


def evenly(number: int) -> NDArray[np.float64]:
    """(number, 2): places at equal distances from each other, or on a circle.

    Example:
        >>> evenly(2).tolist()
        [[1.0, 0.0], [-1.0, 0.0]]
    """
    angle = 2 * np.pi * np.arange(number) / max(number, 1)
    return np.column_stack([np.cos(angle), np.sin(angle)]).round(6)


def first_places(
    neighbors: NDArray[np.int32], *, dimensions: int, random: np.random.Generator
) -> tuple[NDArray[np.float32], Start]:
    """Where each image starts.

    Takes as many neighbors of each image as memory allows, not only the few of UMAP's neighborhoods: what is connected
    in the wide graph, and so has a place relative to the rest, often is not in the narrow one. Each connected part is
    laid out by the slowest diffusion coordinates of its graph (Belkin and Niyogi, *Laplacian Eigenmaps for
    Dimensionality Reduction and Data Representation*, Neural Computation 15, 2003, section 2), or by its distances to
    landmarks (de Silva and Tenenbaum, *Sparse multidimensional scaling using landmark points*, 2004). The parts are set
    beside each other as disks, largest in the middle, their area by their number of images.

    Args:
        neighbors: (n, k) positions from 0 to n - 1, -1 where there is none.
        dimensions: 2 or 3.
        random: For the solver, and to set apart images with the same neighbors.

    Returns:
        (n, dimensions) float32, and what some part of them started from: ``"landmarks"`` if one did.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    number = len(neighbors)
    used = neighbors >= 0
    begin = np.append(0, np.cumsum(used.sum(axis=1)))
    links = sparse.csr_array(
        (np.ones(int(begin[-1]), dtype=np.float32), neighbors[used], begin.astype(np.int32)), shape=(number, number)
    )
    graph = links.maximum(links.T).tocsr()
    del links, used
    parts, part = connected_components(graph, directed=False)
    sizes = np.bincount(part, minlength=parts)
    centers = centers_of(sizes)
    members = np.split(np.argsort(part, kind="stable"), np.cumsum(sizes)[:-1])
    initial = np.zeros((number, dimensions))
    start: Start = "spectral"
    for label, own in enumerate(members):
        inside = graph if parts == 1 else graph[own][:, own]
        places = spectral(inside, dimensions=dimensions, random=random)
        if places is None:
            start = "landmarks"
            places = by_landmarks(inside, dimensions=dimensions)
        initial[own] = places * math.sqrt(sizes[label]) / 2
        initial[own, :2] += centers[label]
    # Images with the same neighbors would start, and stay, on one spot.
    initial += random.normal(scale=1e-3 * math.sqrt(number), size=initial.shape)
    return initial.astype(np.float32), start


def centers_of(sizes: NDArray[Any]) -> NDArray[np.float64]:
    """(P, 2): the centers of disks of these areas, by a sunflower's spiral, largest in the middle."""
    order = np.argsort(-sizes, kind="stable")
    areas = sizes[order]
    # Each disk is as far out as the area before it asks for, and a golden angle further round than the last.
    radius = np.sqrt(np.cumsum(areas) - areas / 2)
    radius[0] = 0
    angle = np.arange(len(sizes)) * np.pi * (3 - math.sqrt(5))
    centers = np.empty((len(sizes), 2))
    centers[order] = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return centers


def spectral(graph: Any, *, dimensions: int = 2, random: np.random.Generator) -> NDArray[np.float64] | None:
    """The slowest diffusion coordinates of a connected graph.

    Args:
        graph: ``csr_array`` (n, n), symmetric.
        dimensions: 2 or 3.
        random: For the first vector of the solver.

    Returns:
        (n, dimensions) in [-1, 1]; ``None`` where they are not found within the limit of work.
    """
    from scipy import sparse
    from scipy.sparse.linalg import ArpackError, eigsh

    number = graph.shape[0]
    if number < max(FEWEST, dimensions + 2):
        return _in_space(evenly(number), dimensions)
    scale = 1 / np.sqrt(np.asarray(graph.sum(axis=0), dtype=np.float64))
    diagonal = sparse.dia_array((scale[None], [0]), shape=graph.shape)
    # Its largest eigenvalue is 1 and belongs to the trivial coordinate; the next ones are those.
    normal = (diagonal @ graph @ diagonal).tocsr()
    if number <= _DENSE:
        vectors = np.linalg.eigh(normal.toarray())[1][:, -dimensions - 1 : -1]
    else:
        eigenpairs = None
        restarts = min(100, _WORK // (2 * (_BASIS - dimensions - 1) * max(normal.nnz, 1)))
        # At a loose tolerance the solver may pass over a coordinate and return the next one. That is good enough to
        # start from where a strict one is out of reach, as in long chains.
        for tolerance in (1e-6, 1e-3) if restarts else ():
            first = random.normal(size=number)
            try:
                eigenpairs = eigsh(
                    normal, k=dimensions + 1, which="LA", v0=first, tol=tolerance, ncv=_BASIS, maxiter=restarts
                )
            except ArpackError:
                continue
            break
        if eigenpairs is None:
            return None
        values, vectors = eigenpairs
        vectors = vectors[:, np.argsort(values)[:dimensions]]
    return _within_one(vectors * scale[:, None])


def by_landmarks(graph: Any, *, dimensions: int = 2) -> NDArray[np.float64]:
    """Places by the number of steps to landmarks, each as far as can be from those before it.

    Args:
        graph: ``csr_array`` (n, n), symmetric and connected.
        dimensions: 2 or 3.

    Returns:
        (n, dimensions) in [-1, 1].
    """
    number = graph.shape[0]
    # An end of the graph is further from anywhere than the middle is.
    landmark = int(hops(graph, 0).argmax())
    landmarks, steps = [], np.empty((min(_LANDMARKS, number), number), dtype=np.float32)
    nearest = np.full(number, np.inf)
    for line in range(len(steps)):
        landmarks.append(landmark)
        steps[line] = hops(graph, landmark)
        nearest = np.minimum(nearest, steps[line])
        landmark = int(nearest.argmax())
    squares = steps**2
    among = squares[:, landmarks].astype(np.float64)
    mean = among.mean(axis=0)
    centered = -(among - mean - mean[:, None] + among.mean()) / 2
    values, vectors = np.linalg.eigh(centered)
    wide = values[-dimensions:] > 1e-9 * max(values[-1], 1)
    project = np.where(wide, vectors[:, -dimensions:] / np.sqrt(np.where(wide, values[-dimensions:], 1)), 0)
    places = -(squares.T - mean.astype(np.float32)) @ project / 2
    return _within_one(places)


def hops(graph: Any, source: int) -> NDArray[np.int32]:
    """(n,) the number of steps from one image to each; -1 where none lead.

    Example:
        >>> from scipy import sparse
        >>> hops(sparse.csr_array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]), 0).tolist()
        [0, 1, -1]
    """
    steps = np.full(graph.shape[0], -1, dtype=np.int32)
    steps[source] = 0
    front, step = np.array([source]), 0
    while len(front):
        step += 1
        begin = graph.indptr[front]
        length = graph.indptr[front + 1] - begin
        ends = np.cumsum(length)
        near = graph.indices[np.repeat(begin - ends + length, length) + np.arange(ends[-1])]
        near = near[steps[near] < 0]
        steps[near] = step
        front = np.unique(near)
    return steps


def _in_space(places: NDArray[np.float64], dimensions: int) -> NDArray[np.float64]:
    return np.pad(places, ((0, 0), (0, dimensions - places.shape[1])))


def _within_one(places: NDArray[Any]) -> NDArray[np.float64]:
    extent = np.abs(places).max(axis=0)
    scaled: NDArray[np.float64] = places / np.where(extent > 0, extent, 1)
    return scaled
