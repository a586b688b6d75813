"""A neighbor graph → a map.

Owns the order of the steps: which images the layout is computed of, where they start, how UMAP (McInnes, Healy and
Melville, arXiv 1802.03426) moves them, and how the others join in. The embeddings are not read: the graph
already says who is close to whom. It is read in chunks, since it may be memory-mapped and large.

Near each other on the map means alike for the encoder, mostly; `Projection.preservation` says for which images not. The
distance between far groups, their size and their density mean little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from radcbir_core.collections.artifacts import PROJECTION
from radcbir_core.progress import Progress, silent
from radcbir_core.projection.drawn_rows import drawn_by_label, rounds_of
from radcbir_core.projection.first_places import EDGES, FEWEST, Start, evenly, first_places
from radcbir_core.projection.map_options import MapOptions
from radcbir_core.projection.memberships import first_among, memberships
from radcbir_core.projection.placing import middles
from radcbir_core.projection.preservation import preservation_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXTENT: Final = 10.0  # of the start, along each axis, as umap-learn's
_FEW: Final = 10_000  # umap-learn's: so many images get more epochs
_APART: Final = 1e-3
_EPOCHS: Final = (500, 200)
_JOINED_EPOCHS: Final = 60
_JOINED_STEP: Final = 0.25  # as umap-learn moves new images: what is laid out shall give way, and not start anew
_CHUNK: Final = 100_000


@dataclass(frozen=True, slots=True)
class Projection:
    """A map of a collection.

    Attributes:
        coordinates: (N, 2) or (N, 3) float32, NaN for an image that is not on the map because it has no neighbors. The
            unit means nothing.
        preservation: (N,) float32 in [0, 1]: the share of the image's ``n_neighbors`` nearest images in the graph that
            are among its ``n_neighbors`` nearest on the map. NaN where there is no place. Always 1 in a collection of
            at most ``n_neighbors`` + 1 images, where every image is near every other.
        start: What the layout started from: ``"spectral"`` (eigenvectors of the graph), ``"landmarks"`` (where those
            were not found within the limit of work for some part of the graph), or ``"none"`` (too few images for
            UMAP).
        drawn: (N,) whether the layout was computed of the image from the start; the others on the map joined in.
    """

    coordinates: NDArray[np.float32]
    preservation: NDArray[np.float32]
    start: Start
    drawn: NDArray[np.bool_]


def project(
    neighbor_ids: NDArray[Any],
    neighbor_similarities: NDArray[Any],
    *,
    options: MapOptions | None = None,
    labels: NDArray[Any] | None = None,
    progress: Progress = silent,
) -> Projection:
    """Lay out the images of a neighbor graph in the plane, or in space.

    The same graph, options and labels give the same bytes on the same machine, unless the options say that all cores
    are used.

    Args:
        neighbor_ids: (N, W) integer rows, most similar first, the image itself left out, -1 as padding at the end.
        neighbor_similarities: (N, W) cosine similarities; ignored where padded.
        options: How; by default as :class:`~radcbir_core.projection.map_options.MapOptions` says.
        labels: (N,) codes by which the images are drawn of which the layout is computed, where these are not all; by
            default all are alike.
        progress: Told the epochs, as step "projection"; it may stop the work by raising.

    Returns:
        The map. Fewer than four images are put at equal distances from each other without UMAP.

    Raises:
        ValueError: The arrays are no such graph.

    Example:
        >>> ids, similarities = np.array([[1], [0], [-1]]), np.array([[0.9], [0.9], [np.nan]])
        >>> project(ids, similarities).coordinates.tolist()
        [[1.0, 0.0], [-1.0, 0.0], [nan, nan]]
    """
    options = options or MapOptions()
    ids, similarities = _checked(neighbor_ids, neighbor_similarities)
    number = len(ids)
    rows = np.flatnonzero(ids[:, 0] >= 0) if ids.shape[1] else np.empty(0, dtype=np.intp)
    places = np.full((number, options.dimensions), np.nan, dtype=np.float32)
    drawn = np.zeros(number, dtype=np.bool_)
    start: Start = "none"
    if 0 < len(rows) < FEWEST:
        places[rows] = np.pad(evenly(len(rows)), ((0, 0), (0, options.dimensions - 2)))
        drawn[rows] = True
    elif len(rows):
        codes = np.zeros(number, dtype=np.int64) if labels is None else np.asarray(labels)
        drawn[rows[drawn_by_label(codes[rows], options.most_drawn, seed=options.seed)]] = True
        rounds, unreached = rounds_of(ids, drawn, rows[~drawn[rows]])
        drawn[unreached] = True
        work = _Work(ids, similarities, options, progress)
        first = np.flatnonzero(drawn)
        number_of_epochs = _EPOCHS[0] if len(first) <= _FEW else _EPOCHS[1]
        work.expect(number_of_epochs + (_JOINED_EPOCHS if rounds else 0))
        start = work.begin(first, places)
        work.move(first, places, number_of_epochs, first_step=1.0)
        for others in rounds:
            work.join(others, places)
        if rounds:
            work.move(rows, places, _JOINED_EPOCHS, first_step=_JOINED_STEP)
    return Projection(
        coordinates=places,
        preservation=preservation_of(places, ids, n_neighbors=options.n_neighbors),
        start=start,
        drawn=drawn,
    )


class _Work:
    """The steps, and how far they are."""

    def __init__(
        self,
        ids: NDArray[Any],
        similarities: NDArray[Any],
        options: MapOptions,
        progress: Progress,
    ) -> None:
        self._ids = ids
        self._similarities = similarities
        self._options = options
        self._progress = progress
        self._random = np.random.default_rng(options.seed)
        self._done, self._total = -1, 0

    def expect(self, epochs: int) -> None:
        """Say how many epochs there will be."""
        self._total = epochs
        self.tell(0)

    def tell(self, epochs: int) -> None:
        """Say how many epochs are finished, once."""
        if epochs > self._done:
            self._done = epochs
            self._progress(PROJECTION.name, epochs, self._total)

    def begin(self, rows: NDArray[np.intp], places: NDArray[np.float32]) -> Start:
        """Write where these images start, and say from what."""
        dimensions = self._options.dimensions
        neighbors, _ = self._neighbors(rows, rows, width=max(self._options.n_neighbors, EDGES // len(rows)))
        initial, start = first_places(neighbors, dimensions=dimensions, random=self._random)
        low, extent = initial.min(axis=0), np.ptp(initial, axis=0)
        places[rows] = _EXTENT * (initial - low) / np.where(extent > 0, extent, 1)
        return start

    def move(self, rows: NDArray[np.intp], places: NDArray[np.float32], epochs: int, *, first_step: float) -> None:
        """Move these images in so many epochs, by their neighbors among them."""
        from radcbir_core.projection.umap_layout import links_of, move

        links = links_of(*self._neighbors(rows, rows, width=min(self._options.n_neighbors, len(rows)) - 1))
        before = self._done
        places[rows] = move(
            places[rows],
            links,
            epochs=epochs,
            first_step=first_step,
            min_dist=self._options.min_dist,
            seed=self._options.seed,
            parallel=self._options.parallel,
            told=lambda done: self.tell(before + done),
        )

    def join(self, rows: NDArray[np.intp], places: NDArray[np.float32]) -> None:
        """Write where these images come to lie among those that are on the map."""
        known = np.flatnonzero(~np.isnan(places[:, 0]))
        neighbors, distances = self._neighbors(rows, known, width=self._options.n_neighbors - 1)
        middle = middles(neighbors, memberships(distances), places[known])
        # Images with the same neighbors would start, and stay, on one spot.
        places[rows] = middle + self._random.normal(scale=_APART, size=middle.shape)

    def _neighbors(
        self, rows: NDArray[np.intp], among: NDArray[np.intp], *, width: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The first neighbors of some images among others: (n, w) positions and distances."""
        position = np.full(len(self._ids) + 1, -1, dtype=np.int32)  # the last element answers for padding
        position[among] = np.arange(len(among), dtype=np.int32)
        width = min(width, self._ids.shape[1])
        neighbors = np.empty((len(rows), width), dtype=np.int32)
        distances = np.empty((len(rows), width), dtype=np.float32)
        for part, found, away in first_among(self._ids, self._similarities, rows=rows, position=position, width=width):
            neighbors[part], distances[part] = found, away
        return neighbors, distances


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
