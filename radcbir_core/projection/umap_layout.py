"""UMAP, by umap-learn: how much images belong together, and the epochs that move them on the map.

Owns how umap-learn is called. Its functions are used and not its class, because here the neighbors are known, the start
comes from the graph, and a layout goes on from places that are there. It says how far it is through a progress bar;
what that bar writes is read here, so that each epoch is told and a job stops between two. What it compiles is kept on
disk, so that the next process need not compile it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PUSHES: Final = 5  # images drawn at random for each pull: umap-learn's default
_COUNT: Final = re.compile(r"<(\d+)>")


def links_of(neighbors: NDArray[np.int32], distances: NDArray[np.float32]) -> Any:
    """The symmetric graph of neighborhoods: how much images belong together.

    Args:
        neighbors: (n, k) positions from 0 to n - 1, the image itself left out, -1 at the end where there are fewer.
        distances: (n, k) at least 0; NaN where there is no neighbor.

    Returns:
        ``scipy.sparse.csr_matrix`` (n, n) float32, in (0, 1].

    Example:
        >>> links_of(np.array([[1], [0]], dtype=np.int32), np.full((2, 1), 0.5, dtype=np.float32)).toarray().tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    from umap.umap_ import fuzzy_simplicial_set

    _keep_what_is_compiled()
    number, size = len(neighbors), neighbors.shape[1] + 1
    # umap-learn passes over -1, if it comes last and has a distance: infinity would make its mean distance, and with
    # it all links of the image, meaningless.
    away = np.where(neighbors >= 0, distances, -1)
    away = np.where(neighbors >= 0, away, np.maximum(away.max(axis=1, keepdims=True, initial=0), 0))
    order = np.argsort(away, axis=1, kind="stable")
    lists, sorted_away = np.empty((number, size), dtype=np.int32), np.zeros((number, size), dtype=np.float32)
    lists[:, 0] = np.arange(number)  # it counts the image itself
    lists[:, 1:] = np.take_along_axis(neighbors, order, axis=1)
    sorted_away[:, 1:] = np.take_along_axis(away, order, axis=1)
    del away, order
    nothing = np.empty((number, 0), dtype=np.float32)  # of the vectors it takes their number alone
    graph, _, _ = fuzzy_simplicial_set(
        nothing,
        size,
        random_state=None,
        metric="cosine",
        knn_indices=lists,
        knn_dists=sorted_away,
        return_dists=None,
    )
    return graph.tocsr()


def move(
    places: NDArray[np.float32],
    links: Any,
    *,
    epochs: int,
    first_step: float,
    min_dist: float,
    seed: int,
    parallel: bool,
    told: Callable[[int], None],
) -> NDArray[np.float32]:
    """Move images on a map.

    Args:
        places: (n, D) where they are at first.
        links: ``csr_matrix`` (n, n) of :func:`links_of`.
        epochs: How many.
        first_step: How far they move in the first epoch, relative to the first epoch of a new layout; it falls to 0.
        min_dist: How close images that are alike may lie.
        seed: From 0 to 2**32 - 1. On one core the same one gives the same bytes.
        parallel: Whether on all cores, with other bytes each time.
        told: Told after each epoch how many are finished, and 0 before the first; it may stop the work by raising.

    Returns:
        (n, D) float32.
    """
    from umap import layouts
    from umap.umap_ import find_ab_params, make_epochs_per_sample

    _keep_what_is_compiled()
    pulls = links.tocoo()
    # What would pull in less than one epoch does not: as in umap-learn, whose loop takes all that is left.
    kept = pulls.data >= pulls.data.max(initial=0) / epochs
    head, tail = pulls.row[kept].astype(np.int32), pulls.col[kept].astype(np.int32)
    every = make_epochs_per_sample(pulls.data[kept], epochs) if len(head) else np.empty(0)
    del pulls, kept
    a, b = find_ab_params(1.0, min_dist)
    moved = np.array(places, dtype=np.float32, order="C")
    limits = np.iinfo(np.int32)
    state = np.random.default_rng(seed).integers(limits.min + 1, limits.max, 3, dtype=np.int64)
    bar = {
        "disable": False,
        "file": _Told(told),
        "bar_format": "<{n}>",
        "mininterval": 0,
        "miniters": 1,
        "leave": False,
    }
    try:
        moved = layouts.optimize_layout_euclidean(
            moved,
            moved,
            head,
            tail,
            epochs,
            len(moved),
            every,
            a,
            b,
            state,
            initial_alpha=first_step,
            negative_sample_rate=_PUSHES,
            parallel=parallel,
            tqdm_kwds=bar,
            move_other=True,
        )
    except BaseException:
        # A bar that is stopped while it writes keeps the lock of all bars of the process: the next one, in another
        # thread, would wait for ever. Where it has let go of it, there is nothing to release.
        with suppress(RuntimeError, AssertionError):
            layouts.tqdm.get_lock().release()
        raise
    told(epochs)  # in a notebook with widgets the bar is drawn, and not written
    return np.asarray(moved, dtype=np.float32)


@cache
def _keep_what_is_compiled() -> None:
    """Let numba keep what it compiles of umap-learn where it keeps pynndescent's, by version and kind of processor.

    Compiling takes several seconds of each process that lays out a map, and umap-learn does not ask for this itself.
    Where numba finds no folder to write to, it compiles anew each time.
    """
    from umap import layouts, umap_

    for module in (umap_, layouts):
        for compiled in vars(module).values():
            if getattr(compiled, "__module__", None) == module.__name__ and hasattr(compiled, "enable_caching"):
                with suppress(RuntimeError):
                    compiled.enable_caching()


class _Told:
    """Where umap-learn's progress bar writes to: as much of a file as the bar needs."""

    def __init__(self, told: Callable[[int], None]) -> None:
        self._told = told
        self._last = -1
        self._stopped = False

    def write(self, text: str) -> int:
        found = _COUNT.search(text)
        if found and not self._stopped and int(found.group(1)) > self._last:
            self._last = int(found.group(1))
            # The bar writes once more when it is closed, also when that is because whoever is told has raised.
            self._stopped = True
            self._told(self._last)
            self._stopped = False
        return len(text)

    def flush(self) -> None:
        """There is nothing to write later."""
