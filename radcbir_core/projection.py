"""The map: one place in the plane for every image, from the neighbor graph alone.

Owns the layout by UMAP (McInnes, Healy and Melville, *UMAP: Uniform Manifold Approximation and Projection for Dimension
Reduction*, arXiv 1802.03426) and the measure of how far each place can be trusted. The embeddings are not read: the
graph already says who is close to whom. What UMAP would want them for is to arrange parts of the graph that nothing
connects; here the start of the layout comes from the graph too.

Near each other on the map means alike for the encoder, mostly; `Projection.preservation` says for which images not. The
distance between far groups, their size and their density mean little.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from radcbir_core.progress import Progress, silent
from radcbir_core.storage import atomic_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radcbir_core.collections.store import EncoderStore

Start = Literal["spectral", "random", "none"]

N_NEIGHBORS = 15
MIN_DIST = 0.1

_FEWEST_FOR_UMAP = 4
_START_EDGES = 10_000_000  # edges of the graph behind the start: 1 GB while its eigenvectors are computed
_DENSE = 200  # up to this size, all eigenvectors at once are quicker than an iterative solver, and never fail
_CHUNK = 100_000


@dataclass(frozen=True, slots=True)
class Projection:
    """A map of a collection.

    Attributes:
        coordinates: (N, 2) float32, NaN for an image that is not on the map because it has no neighbors. The unit
            means nothing.
        preservation: (N,) float32 in [0, 1]: the share of the image's ``n_neighbors`` nearest images in the graph that
            are among its ``n_neighbors`` nearest on the map. NaN where there is no place. Always 1 in a collection of
            at most ``n_neighbors`` + 1 images, where every image is near every other.
        start: What the layout started from: ``"spectral"`` (eigenvectors of the graph), ``"random"`` (where those could
            not be found for some part of the graph), or ``"none"`` (too few images for UMAP).
    """

    coordinates: NDArray[np.float32]
    preservation: NDArray[np.float32]
    start: Start


def project_store(
    store: EncoderStore,
    *,
    seed: int = 0,
    n_neighbors: int = N_NEIGHBORS,
    min_dist: float = MIN_DIST,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Make the map of an encoder's neighbor graph and write it: ``projection.parquet``, columns x, y, preservation.

    Args:
        store: With its neighbor graph.
        seed: As in `project`.
        n_neighbors: As in `project`.
        min_dist: As in `project`.
        progress: Told 0 and then all images, as step "projection"; UMAP says nothing in between.

    Returns:
        What made the map, to be recorded: seed, n_neighbors, min_dist, umap (version), start, and preservation, the
        mean over the images on the map (None without any).

    Raises:
        StorageError: No space left, or no permission.
        CollectionError: The neighbor graph is missing or damaged.
    """
    number = len(store.neighbor_ids)
    progress("projection", 0, number)
    made = project(
        store.neighbor_ids, store.neighbor_similarities, seed=seed, n_neighbors=n_neighbors, min_dist=min_dist
    )
    frame = pd.DataFrame({"x": made.coordinates[:, 0], "y": made.coordinates[:, 1], "preservation": made.preservation})
    with atomic_path(store.projection_path) as partial:
        frame.to_parquet(partial, index=False)
    progress("projection", number, number)
    placed = made.preservation[~np.isnan(made.preservation)]
    return {
        "seed": seed,
        "n_neighbors": n_neighbors,
        "min_dist": min_dist,
        "umap": version("umap-learn"),
        "start": made.start,
        "preservation": round(float(placed.mean()), 4) if placed.size else None,
    }


def project(
    neighbor_ids: NDArray[Any],
    neighbor_similarities: NDArray[Any],
    *,
    seed: int = 0,
    n_neighbors: int = N_NEIGHBORS,
    min_dist: float = MIN_DIST,
) -> Projection:
    """Lay out the images of a neighbor graph in the plane.

    The same graph and seed give the same bytes on the same machine; for that, UMAP works on one CPU core. It takes
    about 3 s for 3,000 images, half a minute for 50,000, and in a new process 8 s more to import and compile UMAP.

    Args:
        neighbor_ids: (N, W) integer rows, most similar first, the image itself left out, -1 as padding at the end.
        neighbor_similarities: (N, W) cosine similarities; ignored where padded.
        seed: Of UMAP's random numbers, from 0 to 2**32 - 1.
        n_neighbors: How many images make a neighborhood, at least 2: UMAP's parameter of that name, which counts the
            image itself, and the one of the preservation, which does not.
        min_dist: How close UMAP puts images that are alike, from 0 to 1.

    Returns:
        The map. Fewer than four images are put at equal distances from each other without UMAP.

    Raises:
        ValueError: The arrays are no such graph, or a number is out of range.

    Example:
        >>> ids, similarities = np.array([[1], [0], [-1]]), np.array([[0.9], [0.9], [np.nan]])
        >>> project(ids, similarities).coordinates.tolist()
        [[1.0, 0.0], [-1.0, 0.0], [nan, nan]]
    """
    ids, similarities = _checked(neighbor_ids, neighbor_similarities)
    if n_neighbors < 2:
        raise ValueError(f"Expected at least 2, but n_neighbors = {n_neighbors}. Use 15.")
    if not 0 <= min_dist <= 1:
        raise ValueError(f"Expected a distance from 0 to 1, but min_dist = {min_dist}. Use 0.1.")
    if not 0 <= seed < 2**32:
        raise ValueError(f"Expected a seed from 0 to 2**32 - 1, but seed = {seed}. Use 0.")
    number = len(ids)
    coordinates = np.full((number, 2), np.nan, dtype=np.float32)
    rows = np.flatnonzero(ids[:, 0] >= 0) if ids.shape[1] else np.empty(0, dtype=np.intp)
    start: Start = "none"
    if 0 < len(rows) < _FEWEST_FOR_UMAP:
        angle = 2 * np.pi * np.arange(len(rows)) / len(rows)
        coordinates[rows] = np.column_stack([np.cos(angle), np.sin(angle)]).round(6)
    elif len(rows):
        position = np.full(number + 1, -1, dtype=np.int32)  # the last element answers for padding
        position[rows] = np.arange(len(rows), dtype=np.int32)
        random = np.random.default_rng(seed)
        initial, start = _start(ids, rows, position, random=random, n_neighbors=n_neighbors)
        coordinates[rows] = _umap(
            *_lists(ids, similarities, rows, position, width=min(n_neighbors, len(rows) - 1)),
            initial=initial,
            seed=seed,
            min_dist=min_dist,
        )
    return Projection(
        coordinates=coordinates,
        preservation=_preservation(coordinates, ids, n_neighbors=n_neighbors),
        start=start,
    )


def _checked(neighbor_ids: NDArray[Any], neighbor_similarities: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both arrays, if together they are a neighbor graph; read in chunks, since they may be memory-mapped."""
    ids, similarities = np.asanyarray(neighbor_ids), np.asanyarray(neighbor_similarities)
    if ids.ndim != 2 or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(
            f"Expected an integer table with one row an image, but neighbor_ids = {ids.dtype} of shape {ids.shape}. "
            "Pass the neighbor graph."
        )
    if similarities.shape != ids.shape:
        raise ValueError(
            f"Expected one similarity a neighbor {ids.shape}, but neighbor_similarities has shape "
            f"{similarities.shape}. Pass both arrays of the same graph."
        )
    number = len(ids)
    # Images without neighbors have no place, and so cannot be neighbors; the last element answers for padding.
    lonely = np.append(np.asarray(ids[:, 0]) < 0 if ids.shape[1] else np.ones(number, dtype=np.bool_), False)
    for at in range(0, number, _CHUNK):
        rows = slice(at, at + _CHUNK)
        part = np.asarray(ids[rows])
        used = part >= 0
        problem = ""
        if part.size and (part.min() < -1 or part.max() >= number):
            problem = f"rows from 0 to {number - 1}, or -1 as padding, but neighbor_ids = "
            problem += str(int(part.min() if part.min() < -1 else part.max()))
        elif (used[:, 1:] & ~used[:, :-1]).any():
            problem = "padding at the end of a row only, but neighbor_ids has some before a neighbor"
        elif (part == np.arange(at, at + len(part))[:, None]).any():
            problem = "a graph that leaves out the image itself, but neighbor_ids has it among its neighbors"
        elif lonely[part].any():
            problem = "a graph in which every neighbor has neighbors, but neighbor_ids names an image without any"
        elif not np.isfinite(np.asarray(similarities[rows])[used]).all():
            problem = "a similarity for every neighbor, but neighbor_similarities has one that is not finite"
        if problem:
            raise ValueError(f"Expected {problem}. Build the neighbor graph again.")
    return ids, similarities


def _lists(
    ids: NDArray[Any],
    similarities: NDArray[Any],
    rows: NDArray[np.intp],
    position: NDArray[np.int32],
    *,
    width: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The neighborhoods as UMAP wants them: the image itself first, then by distance = 1 - similarity, ascending.

    An image with fewer neighbors has -1 at the end, which UMAP passes over, with the largest distance it has: infinity
    would make its mean distance, and with it all its links, meaningless.
    """
    neighbors = position[np.asarray(ids[rows, : width - 1])]
    distances = 1 - np.asarray(similarities[rows, : width - 1], dtype=np.float32)
    # Rounded similarities may exceed 1.
    distances = np.where(neighbors >= 0, np.maximum(distances, 0), -1)
    distances = np.where(neighbors >= 0, distances, distances.max(axis=1, keepdims=True))
    # Padding is last already and stays so: the sort is stable, and nothing is further away.
    order = np.argsort(distances, axis=1, kind="stable")
    lists = np.column_stack([np.arange(len(rows), dtype=np.int32), np.take_along_axis(neighbors, order, axis=1)])
    sorted_distances = np.take_along_axis(distances, order, axis=1)
    away = np.column_stack([np.zeros(len(rows), dtype=np.float32), sorted_distances])
    return np.ascontiguousarray(lists, dtype=np.int32), np.ascontiguousarray(away, dtype=np.float32)


def _umap(
    lists: NDArray[np.int32],
    distances: NDArray[np.float32],
    *,
    initial: NDArray[np.float32],
    seed: int,
    min_dist: float,
) -> NDArray[np.float32]:
    """(n, 2) float32: UMAP's layout of these neighborhoods."""
    import umap

    reducer = umap.UMAP(
        n_neighbors=lists.shape[1],
        min_dist=min_dist,
        init=initial,
        random_state=seed,
        n_jobs=1,  # a seed needs it, and without it UMAP warns that it sets it
        precomputed_knn=(lists, distances),
    )
    # With neighborhoods and a start given, UMAP takes nothing from the vectors but their number.
    placeholder = np.zeros((len(lists), 1), dtype=np.float32)
    with warnings.catch_warnings():
        # It misses an index for placing new images later, which is not done here.
        warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\] \(knn_search_index\)", category=UserWarning)
        reducer.fit(placeholder)
    embedding: NDArray[np.float32] = np.asarray(reducer.embedding_, dtype=np.float32)
    return embedding


def _start(
    ids: NDArray[Any],
    rows: NDArray[np.intp],
    position: NDArray[np.int32],
    *,
    random: np.random.Generator,
    n_neighbors: int,
) -> tuple[NDArray[np.float32], Start]:
    """Where each image starts: (n, 2) float32.

    Takes as many neighbors of each image as memory allows, not only the few of UMAP's neighborhoods: what is connected
    in the wide graph, and so has a place relative to the rest, often is not in the narrow one. Each connected part is
    laid out by the two slowest diffusion coordinates of its graph (Belkin and Niyogi, *Laplacian Eigenmaps for
    Dimensionality Reduction and Data Representation*, Neural Computation 15, 2003, section 2); the parts are set beside
    each other as disks, largest in the middle, their area by their number of images.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    number = len(rows)
    width = min(ids.shape[1], max(n_neighbors, _START_EDGES // number))
    neighbors = position[np.asarray(ids[rows, :width])]
    used = neighbors >= 0
    links = sparse.csr_array(
        (np.ones(int(used.sum())), (np.repeat(np.arange(number), used.sum(axis=1)), neighbors[used])),
        shape=(number, number),
    )
    graph = links.maximum(links.T).tocsr()
    parts, part = connected_components(graph, directed=False)
    sizes = np.bincount(part, minlength=parts)
    centers = _centers(sizes)
    members = np.split(np.argsort(part, kind="stable"), np.cumsum(sizes)[:-1])
    initial = np.empty((number, 2))
    start: Start = "spectral"
    for label, own in enumerate(members):
        inside = graph if parts == 1 else graph[own][:, own]
        places = _spectral(inside, random=random)
        if places is None:
            start = "random"
            places = random.uniform(-1, 1, size=(len(own), 2))
        initial[own] = centers[label] + places * math.sqrt(sizes[label]) / 2
    # Images with the same neighbors would start, and stay, on one spot.
    initial += random.normal(scale=1e-3 * math.sqrt(number), size=initial.shape)
    return initial.astype(np.float32), start


def _centers(sizes: NDArray[Any]) -> NDArray[np.float64]:
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


def _spectral(graph: Any, *, random: np.random.Generator) -> NDArray[np.float64] | None:
    """(n, 2) in [-1, 1]: the slowest diffusion coordinates of a connected graph; None where they cannot be found."""
    from scipy import sparse
    from scipy.sparse.linalg import ArpackError, eigsh

    number = graph.shape[0]
    if number < _FEWEST_FOR_UMAP:
        angle = 2 * np.pi * np.arange(number) / number
        return np.column_stack([np.cos(angle), np.sin(angle)])
    scale = 1 / np.sqrt(graph.sum(axis=0))
    diagonal = sparse.dia_array((scale[None], [0]), shape=graph.shape)
    # Its largest eigenvalue is 1 and belongs to the trivial coordinate; the next two are the ones.
    normal = (diagonal @ graph @ diagonal).tocsr()
    if number <= _DENSE:
        vectors = np.linalg.eigh(normal.toarray())[1][:, -3:-1]
    else:
        eigenpairs = None
        # At a loose tolerance the solver may pass over a coordinate and return the next one. That is good enough to
        # start from where a strict one is out of reach, as in long chains.
        for tolerance in (1e-6, 1e-3):
            try:
                eigenpairs = eigsh(
                    normal, k=3, which="LA", v0=random.normal(size=number), tol=tolerance, ncv=40, maxiter=100
                )
            except ArpackError:
                continue
            break
        if eigenpairs is None:
            return None
        values, vectors = eigenpairs
        vectors = vectors[:, np.argsort(values)[:2]]
    places: NDArray[np.float64] = vectors * scale[:, None]
    extent = np.abs(places).max(axis=0)
    return places / np.where(extent > 0, extent, 1)


def _preservation(coordinates: NDArray[np.float32], ids: NDArray[Any], *, n_neighbors: int) -> NDArray[np.float32]:
    """(N,) float32: the share of each image's nearest in the graph that are among as many nearest on the map."""
    from scipy.spatial import cKDTree

    preservation = np.full(len(coordinates), np.nan, dtype=np.float32)
    rows = np.flatnonzero(~np.isnan(coordinates[:, 0]))
    width = min(n_neighbors, len(rows) - 1, ids.shape[1])
    if width < 1:
        return preservation
    tree = cKDTree(coordinates[rows])
    for at in range(0, len(rows), _CHUNK):
        own = rows[at : at + _CHUNK]
        near = rows[tree.query(coordinates[own], k=width + 1)[1]]
        # Among images on one spot, the image itself may come anywhere, or not at all: then the last one goes.
        itself = near == own[:, None]
        itself[~itself.any(axis=1), -1] = True
        near = near[~itself].reshape(len(own), width)
        wanted = np.asarray(ids[own, :width])
        count = (wanted >= 0).sum(axis=1)
        # An image with fewer neighbors than that is asked for as many on the map.
        near = np.where(np.arange(width) < count[:, None], near, -2)
        kept = np.zeros(len(own), dtype=np.int64)
        for column in range(width):
            kept += (near == wanted[:, column, None]).any(axis=1)
        preservation[own] = kept / count
    return preservation
