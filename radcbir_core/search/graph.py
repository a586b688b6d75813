"""The neighbor graph: the 100 most similar images of every image, computed once per encoder.

Owns the graph and the reading of ranked hits from it. The graph leaves out only the image itself; a reader names the
gallery and the exclusions, and images that are left with too few hits are searched again, so that the answer is that
of a search and not what happened to be in the graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.collections import artifacts
from radcbir_core.collections.store import EncoderStore
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Exclusion, Hits, Method
from radcbir_core.search.exclusions import exclusions_of
from radcbir_core.search.opening import searcher_of
from radcbir_core.storage import write_array

NEIGHBORS = 100
EXACT_ROWS = 50_000
"""Up to this many images the graph is exact: all pairs are compared. Beyond, the approximate index finds it."""

_CHUNK = 1024
_FIRST_WIDTH = 2


def build_neighbors(store: EncoderStore, *, progress: Progress = silent) -> dict[str, Any]:
    """Compute the graph and write it: ``neighbor_ids.npy`` and ``neighbor_similarities.npy``.

    Args:
        store: Whose embeddings.
        progress: Told the number of images, as step "neighbors".

    Returns:
        What is to be recorded of it: ``method``, whether all pairs were compared, and the ``engine`` that it came from,
        with that engine's ``recall_at_10`` where it is approximate.

    Raises:
        StorageError: No space left, or no permission.
    """
    searcher = searcher_of(store)
    number = len(store.valid)
    everyone = np.arange(number)
    width = min(NEIGHBORS, max(int(store.valid.sum()) - 1, 0))
    engine = searcher.engine
    approximate = number > EXACT_ROWS and engine.method == "approximate"
    method: Method = "approximate" if approximate else "exact"
    # One array is streamed to its file while it is computed; the other, half as large, is kept until that is written.
    similarities = np.full((number, width), np.nan, dtype=np.float16)

    def ids() -> Iterator[npt.NDArray[np.int32]]:
        progress(artifacts.NEIGHBORS.name, 0, number)
        for start in range(0, number, _CHUNK):
            rows = np.arange(start, min(start + _CHUNK, number))
            nearest = np.full((len(rows), width), -1, dtype=np.int32)
            usable = store.valid[rows]
            if width and usable.any():
                asked = rows[usable]
                itself = [Exclusion(everyone, asked)]
                hits = searcher.search(searcher.queries_of(asked), k=width, exclusions=itself, method=method)
                nearest[usable], similarities[asked] = hits.rows, hits.similarities
            yield nearest
            progress(artifacts.NEIGHBORS.name, start + len(rows), number)

    ids_path, similarities_path = store.layout.files(artifacts.NEIGHBORS)
    write_array(ids_path, ids(), shape=(number, width), dtype=np.int32)
    write_array(similarities_path, [similarities], shape=(number, width), dtype=np.float16)
    if not approximate:
        return {"method": "exact", "engine": engine.name if engine.method == "exact" else "exact"}
    return {"method": "approximate", "engine": engine.name, "recall_at_10": engine.recall}


def ranked_hits(
    store: EncoderStore,
    queries: npt.NDArray[np.intp],
    *,
    k: int,
    gallery: npt.NDArray[np.bool_],
    exclude: Sequence[str] = (),
    groups_by: EncoderStore | None = None,
) -> Hits:
    """The first k images of the gallery for each query, exclusions applied.

    Args:
        store: What an encoder made of a collection, with its graph.
        queries: ``(Q,)`` rows; an image never returns itself. All must have an embedding.
        k: How many hits.
        gallery: ``(N,)``; which images may be returned.
        exclude: Of :data:`~radcbir_core.collections.groups.EXCLUSIONS`.
        groups_by: What another encoder made of the collection, whose near-duplicates these are, where several encoders
            are asked under the same exclusions; its own by default.

    Returns:
        Exactly k hits a query, or all there are. Similarities of hits from the graph have half precision.
    """
    hits = known_hits(store, queries, k=k, gallery=gallery, exclude=exclude, groups_by=groups_by)
    again = np.flatnonzero(hits.counts < k)
    if len(again):
        searcher = searcher_of(store)
        vectors = searcher.queries_of(queries[again])
        exclusions = exclusions_of(groups_by or store, queries[again], exclude)
        complete = searcher.search(vectors, k=k, allowed=gallery & store.valid, exclusions=exclusions)
        hits.rows[again], hits.similarities[again], hits.counts[again] = (
            complete.rows,
            complete.similarities,
            complete.counts,
        )
    return hits


def known_hits(
    store: EncoderStore,
    queries: npt.NDArray[np.intp],
    *,
    k: int,
    gallery: npt.NDArray[np.bool_],
    exclude: Sequence[str] = (),
    groups_by: EncoderStore | None = None,
) -> Hits:
    """Of the first k images of the gallery for each query those that the graph has; nothing is searched.

    The arguments are those of :func:`ranked_hits`.

    Returns:
        At most k hits a query: exactly the first ones, as many as are left of the query's neighbors in the graph.
    """
    facts = store.facts(artifacts.NEIGHBORS)
    hits = Hits.empty(
        len(queries),
        k,
        method=facts.get("method", "exact"),
        engine=facts.get("engine", "exact"),
        recall=facts.get("recall_at_10", 1.0),
    )
    allowed = gallery & store.valid
    exclusions = exclusions_of(groups_by or store, queries, exclude)
    width = store.neighbor_ids.shape[1]
    # Mostly the first hits are among the first neighbors; who is left with too few of these is looked at in full.
    first = min(width, _FIRST_WIDTH * k)
    for start in range(0, len(queries), _CHUNK * 8):
        part = slice(start, min(start + _CHUNK * 8, len(queries)))
        _fill(hits, store, queries, part, width=first, allowed=allowed, exclusions=exclusions)
        if first < width:
            few = start + np.flatnonzero(hits.counts[part] < k)
            _fill(hits, store, queries, few, width=width, allowed=allowed, exclusions=exclusions)
    return hits


def _fill(
    hits: Hits,
    store: EncoderStore,
    queries: npt.NDArray[np.intp],
    part: slice | npt.NDArray[np.intp],
    *,
    width: int,
    allowed: npt.NDArray[np.bool_],
    exclusions: Sequence[Exclusion],
) -> None:
    """Write the hits of some of the queries, as many as there are among the first ``width`` neighbors of each."""
    rows, k = queries[part], hits.rows.shape[1]
    ids = np.asarray(store.neighbor_ids[:, :width][rows])
    usable = (ids >= 0) & allowed[ids]
    for exclusion in exclusions:
        mine = exclusion.query_groups[part, None]
        usable &= ~((exclusion.groups[ids] == mine) & (mine >= 0))
    if k < width:
        usable &= np.cumsum(usable, axis=1, dtype=np.int32) <= k
    counts = usable.sum(axis=1)
    # Both masks are read line by line, so that the usable neighbors of each come to its front in their order.
    front = np.arange(k) < counts[:, None]
    found, similarities = hits.rows[part], hits.similarities[part]
    found[front] = ids[usable]
    similarities[front] = np.asarray(store.neighbor_similarities[:, :width][rows])[usable]
    hits.rows[part], hits.similarities[part], hits.counts[part] = found, similarities, counts
