"""Queries of a built collection, kind by kind, with recall against exact search, beside FAISS and USearch in one run.

Usage: python -m benchmarks.search NAME [--encoder synthetic] [--queries 500] [--peers flat,ivf,hnsw,usearch] [-k 10]

NAME is a collection in the data folder (``RADCBIR_DATA``) with an index, such as one that ``synthesize`` has made. Each
kind of query is asked one at a time, the query's patient excluded where it has one: without a filter, with filters that
let 99, 50, 10 and 1 % of the rows through at random, two filters together, a filter whose rows are all far from the
query, and directions that lie far from all rows, as those of sentences do. Printed are recall@k against exact search,
median and 95th percentile of the clock and of processor time, and apart from these what a query asks of all rows
outside the engine: a filter, first and asked again, the look-up of an image_id, the exclusions, and the table of hits.

The peers hold the same vectors in single precision (USearch in half precision). They are asked the first 200 queries,
without a filter, for as many more hits as the largest patient has images, the patient left out afterwards. IVF, HNSW
and USearch are asked ever more widely until their recall reaches that of the index, if they do.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.measuring import say
from radcbir_core.collections.collection import open_collection
from radcbir_core.search.backend import Exclusion, Hits
from radcbir_core.search.engines.recall import neighbor_recall
from radcbir_core.search.engines.searcher import Searcher
from radcbir_core.search.exclusions import exclusions_of
from radcbir_core.search.opening import searcher_of

PEER_QUERIES = 200
COLUMNS = ["image_id", "path", "modality", "anatomy", "pathologies", "patient_id", "dataset"]
PEERS = {"flat": "FAISS flat", "ivf": "FAISS IVF", "hnsw": "FAISS HNSW", "usearch": "USearch"}
WIDER = (16, 32, 64, 128, 256, 512, 1024)


def timed(work: Callable[[int], Any], numbers: Iterable[int]) -> tuple[list[Any], str, float]:
    """What some work gives, one call after the other; its times in words; the 95th percentile of the clock."""
    results, clock, processor = [], [], []
    for number in numbers:
        start, used = time.perf_counter(), time.process_time()
        results.append(work(number))
        clock.append(1000 * (time.perf_counter() - start))
        processor.append(1000 * (time.process_time() - used))
    said = [f"{np.median(times):8.2f} {np.quantile(times, 0.95):8.2f}" for times in (clock, processor)]
    return results, "   ".join(said), float(np.quantile(clock, 0.95))


def away(vectors: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Directions of which a third of the length is a vector's."""
    drawn = random.normal(size=vectors.shape)
    mixed = 0.3 * vectors + drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def ask_kinds(searcher: Searcher, vectors: np.ndarray, rows: np.ndarray, patients: np.ndarray, k: int) -> None:
    """Ask and print each kind of query."""
    random, number = np.random.default_rng(1), len(searcher.valid)
    everything = np.ones(number, dtype=bool)
    shares = {f"{share:.0%} filter": random.random(number) < share for share in (0.99, 0.5, 0.1, 0.01)}
    # Far from a query is the half of the rows that is less like the mean of the queries of the other half.
    mean = vectors.mean(axis=0)
    toward = vectors - vectors @ mean[:, None] * mean / (mean @ mean)
    axis = np.linalg.svd(toward, full_matrices=False)[2][0]
    along = np.concatenate(
        [searcher.vectors(np.arange(first, min(first + 50_000, number))) @ axis for first in range(0, number, 50_000)]
    )
    far = along < np.quantile(along, 0.3)
    near = vectors @ axis > np.quantile(along, 0.7)
    kinds = [
        ("no filter", vectors, rows, everything),
        *((name, vectors, rows, mask) for name, mask in shares.items()),
        ("two filters", vectors, rows, shares["50% filter"] & shares["10% filter"]),
        ("far filter", vectors[near], rows[near], far),
        ("text-like", away(vectors, random), np.full(len(rows), -1), everything),
    ]
    print(f"{'kind':<14} {'recall':>7} {'clock p50':>9} {'p95':>8}   {'cpu p50':>8} {'p95':>8}   found by")
    for name, asked, asking, mask in kinds:
        allowed = None if mask.all() else mask

        def exclusions(part: np.ndarray) -> list[Exclusion]:
            groups = np.where(part >= 0, patients[part], -1)
            return [Exclusion.of_itself(part, among=number), Exclusion(patients, groups)]

        def ask(place: int, asked=asked, asking=asking, allowed=allowed) -> Hits:
            part = slice(place, place + 1)
            return searcher.search(asked[part], k=k, allowed=allowed, exclusions=exclusions(asking[part]))

        hits, times, late = timed(ask, range(len(asked)))
        exact = searcher.search(asked, k=k, allowed=allowed, exclusions=exclusions(asking), method="exact")
        found = np.concatenate([one.similarities for one in hits])
        recall = float(np.nanmean(neighbor_recall(found, exact.similarities, (k,))))
        print(f"{name:<14} {recall:7.4f} {times}   {hits[0].method}", flush=True)
        say(f"query, {name}: 95 % within", late, "ms", limit=15 if name == "no filter" else 40)
        say(f"query, {name}: recall@{k}", recall, "recall", limit=0.995, least=True)


def ask_manifest(name: str, encoder_id: str, rows: np.ndarray) -> None:
    """What a query asks of all rows, but for the engine."""
    store = open_collection(name).store(encoder_id)
    manifest = store.collection.manifest
    ids = manifest.rows(rows, ["image_id"])["image_id"].tolist()
    column = next(one for one in manifest.filterable() if one != "pathologies")
    value = manifest.codes(column).values[0]
    pathology = next(iter(manifest.pathology_counts))
    exclusions_of(store, rows[:1], ["patient"])
    manifest.mask({"pathologies": [pathology]})
    manifest.mask({column: [value]})
    work: list[tuple[str, Callable[[int], object]]] = [
        ("filter, again", lambda _: manifest.mask({column: [value]})),
        ("filter, new", lambda _: (manifest._masks.clear(), manifest.mask({column: [value]}))),
        ("pathology, new", lambda _: (manifest._masks.clear(), manifest.mask({"pathologies": [pathology]}))),
        ("image_id", lambda place: manifest.row_of(ids[place])),
        ("exclusions", lambda place: [one.rows(0) for one in exclusions_of(store, rows[[place]], ["patient"])]),
        ("table of hits", lambda place: manifest.rows(rows[place : place + 10], COLUMNS)),
    ]
    print(f"\n{'of all rows':<14} {'':>7} {'clock p50':>9} {'p95':>8}   {'cpu p50':>8} {'p95':>8}")
    for image_id in ids[-6:]:
        manifest.row_of(image_id)  # whoever asks again and again has the column sorted once
    together = 0.0
    for what, call in work:
        _, times, late = timed(call, range(min(50, len(rows))))
        print(f"{what:<14} {'':>7} {times}", flush=True)
        together += 0.0 if what in ("filter, again", "filter, new") else late
    say("of all rows, around a query with a new filter by pathology: 95 % within", together, "ms", limit=3)


def blocks_of(searcher: Searcher) -> Iterable[np.ndarray]:
    """All vectors in single precision, some at a time."""
    number = len(searcher.valid)
    for first in range(0, number, 50_000):
        yield searcher.queries_of(np.arange(first, min(first + 50_000, number)))


def peer_of(name: str, searcher: Searcher) -> Callable[[np.ndarray, int, int], np.ndarray]:
    """A peer over the same vectors; asked with (query, k, width), it gives rows."""
    import faiss

    number, dimension = searcher.engine.shape
    if name == "usearch":
        from usearch.index import Index

        index = Index(ndim=dimension, metric="cos", dtype="f16", connectivity=16, expansion_add=128)
        for block in blocks_of(searcher):
            index.add(np.arange(len(index), len(index) + len(block), dtype=np.uint64), block.astype(np.float16))

        def ask_usearch(query: np.ndarray, k: int, width: int) -> np.ndarray:
            index.expansion_search = width
            return np.atleast_2d(index.search(query.astype(np.float16), k).keys)[0].astype(np.int64)

        return ask_usearch
    cells = int(1.6 * np.sqrt(number))
    made = {
        "flat": lambda: faiss.IndexFlatIP(dimension),
        "ivf": lambda: faiss.index_factory(dimension, f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT),
        "hnsw": lambda: faiss.IndexHNSWFlat(dimension, 16, faiss.METRIC_INNER_PRODUCT),
    }[name]()
    if name == "ivf":
        made.train(searcher.queries_of(np.random.default_rng(0).choice(number, min(number, 40 * cells), replace=False)))
    for block in blocks_of(searcher):
        made.add(block)

    def ask_faiss(query: np.ndarray, k: int, width: int) -> np.ndarray:
        if name == "ivf":
            made.nprobe = width
        elif name == "hnsw":
            made.hnsw.efSearch = width
        return made.search(query, k)[1][0]

    return ask_faiss


def asked_of(
    ask: Callable[[np.ndarray, int, int], np.ndarray], questions: list[tuple[np.ndarray, int, int]], place: int
) -> np.ndarray:
    """What a peer answers to one of some questions."""
    return ask(*questions[place])


def ask_peers(names: list[str], searcher: Searcher, rows: np.ndarray, *, patients: np.ndarray, k: int) -> None:
    """Ask and print each peer, as widely as it needs, and the index once more between them."""
    number, vectors = len(searcher.valid), searcher.queries_of(rows)
    more = int(np.bincount(patients[patients >= 0]).max(initial=0)) + 1
    exclusions = [Exclusion.of_itself(rows, among=number), Exclusion(patients, patients[rows])]
    exact = searcher.search(vectors, k=k, exclusions=exclusions, method="exact")
    aim = searcher.engine.recall.at_10 if searcher.engine.method == "approximate" else 0.995
    own_part = [slice(place, place + 1) for place in range(len(rows))]

    def ask_own(place: int) -> Hits:
        part = own_part[place]
        asked = [exclusion.of(part) for exclusion in exclusions]
        return searcher.search(vectors[part], k=k, exclusions=asked)

    print(f"\n{'peer':<14} {'recall':>7} {'clock p50':>9} {'p95':>8}   {'cpu p50':>8} {'p95':>8}   width, built in")
    for name in names:
        start = time.process_time()
        ask = peer_of(name, searcher)
        seconds = time.process_time() - start
        for width in (0,) if name == "flat" else WIDER:
            questions = [(vectors[place : place + 1], k + more, width) for place in range(len(rows))]
            found, times, _ = timed(partial(asked_of, ask, questions), range(len(rows)))
            similarities = np.full((len(rows), k), np.nan)
            for place, row in enumerate(rows):
                hits = found[place]
                kept = hits[(hits >= 0) & (hits != row) & ((patients[hits] != patients[row]) | (patients[row] < 0))][:k]
                similarities[place, : len(kept)] = searcher.queries_of(kept) @ vectors[place]
            recall = float(np.nanmean(neighbor_recall(similarities, exact.similarities, (k,))))
            if recall >= aim - 0.001 or width == WIDER[-1] or name == "flat":
                print(
                    f"{name:<14} {recall:7.4f} {times}   {width or 'all'}, {seconds:.0f} s of processor time",
                    flush=True,
                )
                _, own_times, _ = timed(ask_own, range(len(rows)))
                print(f"{'the index':<14} {'':>7} {own_times}", flush=True)
                ratio = float(times.split()[0]) / float(own_times.split()[0])
                limit = 40 if name == "flat" else None
                say(f"a query of {PEERS[name]}, times one of the index", ratio, "times", limit=limit, least=True)
                break


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--encoder", default="synthetic")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--peers", default="flat,ivf")
    parser.add_argument("-k", type=int, default=10)
    options = parser.parse_args()
    store = open_collection(options.name).store(options.encoder)
    searcher = searcher_of(store)
    rows = np.random.default_rng(0).choice(np.flatnonzero(searcher.valid), options.queries, replace=False)
    vectors = searcher.queries_of(rows)
    patients = store.collection.manifest.groups("patient")
    shape = " x ".join(map(str, searcher.engine.shape))
    print(
        f"{shape}, {options.queries} queries, k = {options.k}, times in milliseconds; {searcher.engine.recall.said()}"
    )
    searcher.search(vectors[:1], k=options.k, method="approximate")  # opens the index
    ask_kinds(searcher, vectors, rows, patients, options.k)
    ask_manifest(options.name, options.encoder, rows)
    if options.peers:
        ask_peers(options.peers.split(","), searcher, rows[:PEER_QUERIES], patients=patients, k=options.k)
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
