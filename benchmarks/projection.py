"""The map at any size, and how faithful it is: beside umap-learn on the same vectors, in the same run.

Usage: python -m benchmarks.projection NAME --encoder ENC [--rows 50000] [--peers] [--sample 2000]
       python -m benchmarks.projection --graph IDS.npy SIMILARITIES.npy

The first takes the first rows of a built or imported collection, finds their neighbors by exact search, and lays them
out in several ways: all at first, on one core and on all; an eighth first, the others then joining in, as large
collections are; an eighth alone, the others placed among them and left there; and, with ``--peers``, umap-learn from
the same neighbors and with its own search. Trustworthiness and continuity (Venna and Kaski, *Neighborhood preservation
in nonlinear projection methods*, 2001) are exact for a sample of the images, over 15 neighbors: 1 means that whoever is
near on the map is near in the space of the embeddings, or the other way round.

The second takes a neighbor graph of any size, and tells how long each part takes and how much memory the process needs.

Processor seconds are told beside seconds of the clock, because the clock is worth little on a busy machine.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.collection import open_collection
from radcbir_core.projection.drawn_rows import drawn_by_label
from radcbir_core.projection.map_options import MapOptions
from radcbir_core.projection.placing import place
from radcbir_core.projection.preservation import preservation_of
from radcbir_core.projection.projecting import project
from radcbir_core.search.backend import unit_vectors
from radcbir_core.search.engines.exact_ranking import rank_exactly
from radcbir_core.search.opening import vectors_of

K = 15
WIDTH = 100
_CHUNK = 200


def exact_graph(store: Any, rows: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float16]]:
    """The exact neighbors of some images among themselves, counted from 0."""
    hits = rank_exactly(vectors_of(store), queries=rows, gallery=rows, k=WIDTH + 1)
    place_of = np.full(len(store.valid), -1, dtype=np.int32)
    place_of[rows] = np.arange(len(rows), dtype=np.int32)
    ids = place_of[hits.rows]
    itself = ids == np.arange(len(rows))[:, None]
    itself[~itself.any(axis=1), -1] = True  # behind more copies than there is room for
    kept = (len(rows), WIDTH)
    return ids[~itself].reshape(kept), hits.similarities[~itself].reshape(kept).astype(np.float16)


def faithfulness(
    vectors: npt.NDArray[np.float32], places: npt.NDArray[np.float32], *, rows: npt.NDArray[np.intp], k: int = K
) -> tuple[float, float]:
    """Trustworthiness and continuity of a map, for some of its images.

    Args:
        vectors: ``(N, D)`` of unit length.
        places: ``(N, 2)``.
        rows: Of which images.
        k: How many neighbors.
    """
    number, sums = len(vectors), [0, 0]
    for start in range(0, len(rows), _CHUNK):
        own = rows[start : start + _CHUNK]
        there = -(vectors[own] @ vectors.T)
        here = ((places[own, None] - places[None]) ** 2).sum(axis=2)
        for distances in (there, here):
            distances[np.arange(len(own)), own] = np.inf
        for side, (near, judge) in enumerate(((here, there), (there, here))):
            first = np.argpartition(near, k, axis=1)[:, :k]
            in_order = np.sort(judge, axis=1)
            for line in range(len(own)):
                rank = np.searchsorted(in_order[line], judge[line, first[line]]) + 1
                sums[side] += int(np.maximum(rank - k, 0).sum())
    scale = 2 / (len(rows) * k * (2 * number - 3 * k - 1))
    return 1 - scale * sums[0], 1 - scale * sums[1]


def by_umap_learn(
    vectors: npt.NDArray[np.float32], graph: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None
) -> npt.NDArray[np.float32]:
    """umap-learn's map by its defaults and a seed, from these neighbors or by its own search."""
    import umap

    known = None
    if graph is not None:
        ids, similarities = (array[:, : K - 1] for array in graph)
        itself = np.arange(len(ids), dtype=np.int32)[:, None]
        away = np.maximum(1 - similarities.astype(np.float32), 0)
        known = (np.hstack([itself, ids]), np.hstack([np.zeros_like(away[:, :1]), away]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = umap.UMAP(metric="cosine", random_state=0, n_jobs=1, precomputed_knn=known or (None, None, None))
        return np.asarray(made.fit_transform(vectors), dtype=np.float32)


def placed(ids: npt.NDArray[Any], similarities: npt.NDArray[Any], labels: npt.NDArray[Any], most: int) -> Any:
    """The map of a part of the images, with the others placed among them and left there."""
    part = drawn_by_label(labels, most)
    place_of = np.full(len(ids) + 1, -1, dtype=np.int32)
    place_of[part] = np.arange(len(part), dtype=np.int32)
    found = place_of[ids[part]]
    order = np.argsort(found < 0, axis=1, kind="stable")
    found = np.take_along_axis(found, order, axis=1)
    near = np.take_along_axis(similarities[part], order, axis=1)
    alone = found[:, 0] < 0  # of whose neighbors none was drawn
    kept = np.flatnonzero(~alone)
    again = np.append(np.cumsum(~alone) - 1, -1).astype(np.int32)
    again[:-1][alone] = -1
    made = project(again[found[kept]], near[kept], options=MapOptions())
    places = np.full((len(ids), 2), np.nan, dtype=np.float32)
    places[part[kept]] = made.coordinates
    others = np.setdiff1d(np.arange(len(ids)), part[kept])
    places[others] = place(ids[others], similarities[others], coordinates=places).coordinates
    return np.where(np.isnan(places), np.nanmean(places, axis=0), places)


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it gives, with processor seconds and seconds."""
    processor, clock = time.process_time(), time.monotonic()
    made = work()
    return made, time.process_time() - processor, time.monotonic() - clock


def compare(name: str, encoder_id: str, *, rows: int, sample: int, peers: bool) -> None:
    """Lay out the first rows of a collection in several ways, and print a table."""
    collection = open_collection(name)
    store = collection.store(encoder_id)
    own = np.flatnonzero(store.valid)[:rows]
    labels = collection.manifest.labels("label").codes[own]
    vectors = unit_vectors(vectors_of(store), own)
    graph, search, _ = timed(lambda: exact_graph(store, own))
    asked = np.random.default_rng(0).permutation(len(own))[:sample]
    most = max(len(own) // 8, 100)
    project(graph[0][:0, :0], graph[1][:0, :0])
    by_umap_learn(vectors[:300], None)  # compiles, which is not what is measured
    ways: dict[str, Callable[[], npt.NDArray[np.float32]]] = {
        "all at first": lambda: project(*graph, labels=labels).coordinates,
        "all at first, on all cores": lambda: project(*graph, options=MapOptions(parallel=True)).coordinates,
        f"{most:,} first, the others join in": lambda: (
            project(*graph, options=MapOptions(most_drawn=most), labels=labels).coordinates
        ),
        f"{most:,} first, the others placed and left there": lambda: placed(*graph, labels, most),
    }
    if peers:
        ways["umap-learn, from these neighbors"] = lambda: by_umap_learn(vectors, graph)
        ways["umap-learn, with its own search"] = lambda: by_umap_learn(vectors, None)
    print(f"{name} with {encoder_id}: {len(own):,} images; exact neighbors in {search:.0f} processor seconds\n")
    print("| map | trustworthiness | continuity | preservation | processor s | s |")
    print("|---|---|---|---|---|---|", flush=True)
    for way, work in ways.items():
        places, processor, clock = timed(work)
        trust, continuity = faithfulness(vectors, places, rows=asked)
        kept = preservation_of(places, graph[0], n_neighbors=K).mean()
        print(f"| {way} | {trust:.4f} | {continuity:.4f} | {kept:.4f} | {processor:.1f} | {clock:.1f} |", flush=True)


def at_size(ids_path: str, similarities_path: str) -> None:
    """Lay out a whole graph, and print how far it is, and the memory it takes."""
    ids, similarities = np.load(ids_path, mmap_mode="r"), np.load(similarities_path, mmap_mode="r")
    processor, clock = time.process_time(), time.monotonic()

    def told(step: str, done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            spent, passed = time.process_time() - processor, time.monotonic() - clock
            print(f"{step} {done} of {total}: {spent:,.0f} processor s, {passed:,.0f} s, {peak:.2f} GiB", flush=True)

    made = project(ids, similarities, progress=told)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(ids):,} images, {int(made.drawn.sum()):,} at first, start {made.start}: "
        f"{time.process_time() - processor:,.0f} processor s, {time.monotonic() - clock:,.0f} s, peak {peak:.2f} GiB, "
        f"mean preservation {np.nanmean(made.preservation):.4f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?")
    parser.add_argument("--encoder")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--sample", type=int, default=2000)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--graph", nargs=2, metavar=("IDS", "SIMILARITIES"))
    options = parser.parse_args()
    if options.graph:
        at_size(*options.graph)
    else:
        compare(options.name, options.encoder, rows=options.rows, sample=options.sample, peers=options.peers)


if __name__ == "__main__":
    main()
