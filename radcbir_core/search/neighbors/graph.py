"""The neighbor graph: the 100 most similar images of every image, computed once per encoder.

Owns the graph and the reading of ranked hits from it. The graph leaves out only the image itself; a reader names the
gallery and the exclusions, and images that are left with too few hits are searched again, so that the answer is that
of a search and not what happened to be in the graph.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.artifacts import EMBEDDINGS
from radcbir_core.collections.artifacts import NEIGHBORS as GRAPH
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import EXACT_RECALL, Exclusion, Hits, Recall, Rows, Vectors, unit
from radcbir_core.search.engines.exact import first_hits
from radcbir_core.search.engines.shards import Shards
from radcbir_core.search.exclusions import exclusions_of
from radcbir_core.search.neighbors.neighbor_descent import FOUND, approximate_neighbors
from radcbir_core.search.opening import searcher_of, vectors_of
from radcbir_core.storage import digest_of, write_array

NEIGHBORS = 100
EXACT_ROWS = 200_000
"""Up to this many images the graph is exact: all pairs are compared. Beyond, neighbors of neighbors are."""
DESCENT = "neighbor descent"
"""What an approximate graph comes from."""

_CHUNK = 8192
_FIRST_WIDTH = 2
_SHARD = 16_384
_TOGETHER = 512  # queries of a product


def build_neighbors(store: EncoderStore, *, progress: Progress = silent) -> dict[str, Any]:
    """Compute the graph and write it: ``neighbor_ids.npy`` and ``neighbor_similarities.npy``.

    Can be stopped: what is finished by then is kept, and the next call goes on from there, to the same bytes.

    Args:
        store: Whose embeddings.
        progress: Told the number of images, as step "neighbors".

    Returns:
        What is to be recorded of it: ``method``, whether all pairs were compared, and where they were not the
        ``engine`` that it came from and what
        :func:`~radcbir_core.search.neighbors.neighbor_descent.approximate_neighbors` says of it, its recall first of
        all.

    Raises:
        StorageError: No space left, or no permission.
    """
    number, rows = len(store.valid), np.flatnonzero(store.valid)
    width = min(NEIGHBORS, max(len(rows) - 1, 0))
    source = vectors_of(store)
    folder = store.layout.unfinished(GRAPH)
    decided_by = (store.made_digest(EMBEDDINGS), str(GRAPH.recipe), str(width), store.valid.tobytes())
    shards = Shards(folder, digest_of(*decided_by)[:32])
    progress(GRAPH.name, 0, number)
    facts: dict[str, Any] = {"method": "exact"}
    parts: Iterator[tuple[Rows, npt.NDArray[np.void]]] = iter(())
    if len(rows) > EXACT_ROWS:
        parts, told_of = approximate_neighbors(source, rows, width=width, shards=shards, progress=progress)
        facts = {"method": "approximate", "engine": DESCENT, **told_of}
    elif width:
        parts = exact_neighbors(source, rows, width=width, shards=shards, progress=progress)
    ids = np.full((number, width), -1, dtype=np.int32)
    similarities = np.full((number, width), np.nan, dtype=np.float16)
    for part, found in parts:
        ids[part], similarities[part] = found["row"], found["similarity"]
    ids_path, similarities_path = store.layout.files(GRAPH)
    write_array(ids_path, [ids], shape=ids.shape, dtype=ids.dtype)
    write_array(similarities_path, [similarities], shape=similarities.shape, dtype=similarities.dtype)
    shutil.rmtree(folder, ignore_errors=True)
    progress(GRAPH.name, number, number)
    return facts


def exact_neighbors(
    source: Vectors, rows: Rows, *, width: int, shards: Shards, progress: Progress = silent
) -> Iterator[tuple[Rows, npt.NDArray[np.void]]]:
    """The neighbors of some rows among them, by comparing all pairs.

    Args:
        source: Where the vectors are.
        rows: ``(n,)`` ascending, more than ``width``.
        width: How many neighbors.
        shards: Where finished parts are kept.
        progress: Told how many of the rows are done, of all there are, as step "neighbors".

    Yields:
        Some of the rows, and ``(r, width)`` of :data:`~radcbir_core.search.neighbors.neighbor_descent.FOUND`, best
        first.
    """
    everyone = np.arange(source.shape[0])
    for start in range(0, len(rows), _SHARD):
        part = rows[start : start + _SHARD]

        def found(part: Rows = part, start: int = start) -> npt.NDArray[np.void]:
            hits = first_hits(
                source,
                lambda chosen: unit(source.vectors(part[chosen]), dimension=source.shape[1]),
                queries=len(part),
                k=width,
                rows=rows,
                exclusions=[Exclusion(everyone, part)],
                each=_TOGETHER,
                progress=lambda step, done, total: progress(GRAPH.name, start + done, source.shape[0]),  # noqa: ARG005
            )
            made = np.empty(hits.rows.shape, dtype=FOUND)
            made["row"], made["similarity"] = hits.rows, hits.similarities
            return made

        kept = shards.kept(f"exact-{start:09d}", found, shape=(len(part), width), dtype=FOUND)
        progress(GRAPH.name, start + len(part), source.shape[0])
        yield part, kept


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
    facts = store.facts(GRAPH)
    hits = Hits.empty(
        len(queries),
        k,
        method=facts.get("method", "exact"),
        engine=facts.get("engine", "exact"),
        recall=Recall.of_facts(facts) if facts.get("method") == "approximate" else EXACT_RECALL,
    )
    allowed = gallery & store.valid
    exclusions = exclusions_of(groups_by or store, queries, exclude)
    width = store.neighbor_ids.shape[1]
    # Mostly the first hits are among the first neighbors; who is left with too few of these is looked at in full.
    first = min(width, _FIRST_WIDTH * k)
    for start in range(0, len(queries), _CHUNK):
        part = slice(start, min(start + _CHUNK, len(queries)))
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
