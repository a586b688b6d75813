"""The neighbor graph, exact and by neighbor descent, beside FAISS IVFFlat at equal recall in the same run.

Usage: python -m benchmarks.neighbor_graph [--rows 100000 …] [--dimension 512] [--vectors FILE.npy] [--folder FOLDER]
       [--peer-queries 1000] [--exact-rows 4096]
       python -m benchmarks.neighbor_graph --collection NAME [--encoder synthetic] [--peer-queries 1000]

Draws vectors as `synthesize` does, or reads the first rows of a file (`--vectors`), and makes the graph of each number
of rows by neighbor descent. Its parts are kept in a folder; where one is named, what is killed goes on. Comparing all
pairs is measured over some rows (`--exact-rows`), and its cost a row is that of all. FAISS trains and fills an IVFFlat
index of 4·√N lists and is asked for the 100 neighbors of a sample of rows, with the fewest lists at which it finds as
much as the graph; its cost a row is that of all as well. With ``--collection`` the graph is the one that was built of
it, and FAISS alone is measured. Prints the seconds of the processor and of the clock, recall
at 1, 10 and 100, and peak memory of the process so far. Recall is against exact search; a copy of an exact hit counts.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from benchmarks.measuring import say
from radcbir_core.collections.artifacts import NEIGHBORS as NEIGHBORS_ARTIFACT
from radcbir_core.collections.collection import open_collection
from radcbir_core.search.backend import ArrayVectors, Exclusion, Floats, Rows, unit_vectors
from radcbir_core.search.engines.exact import first_hits
from radcbir_core.search.engines.recall import neighbor_recall, true_similarities
from radcbir_core.search.engines.shards import Shards
from radcbir_core.search.neighbors.graph import NEIGHBORS
from radcbir_core.search.neighbors.neighbor_descent import approximate_neighbors
from radcbir_core.search.opening import vectors_of
from radcbir_core.synthetic.embedding_plan import BLOCK, EmbeddingPlan

_READ = 65_536
_TELL_EVERY = 60


class Told:
    """Prints how far the work is, with its rate, once a minute."""

    def __init__(self) -> None:
        self._begun = self._last = time.monotonic()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take note."""
        now = time.monotonic()
        if now - self._last >= _TELL_EVERY:
            self._last = now
            print(f"  {step}: {done:,} of {total:,}, {done / (now - self._begun):,.0f} a second", flush=True)


def peak() -> str:
    """Peak memory of the process so far."""
    return f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"


def by_descent(vectors: Floats, folder: Path) -> float:
    """Make the graph and say what it took; its recall@100."""
    clock, processor = time.monotonic(), time.process_time()
    parts, facts = approximate_neighbors(
        ArrayVectors(vectors), np.arange(len(vectors)), width=NEIGHBORS, shards=Shards(folder, "graph"), progress=Told()
    )
    rows = sum(len(part) for part, _ in parts)
    processor, clock = time.process_time() - processor, time.monotonic() - clock
    recall = ", ".join(f"{facts[f'recall_at_{k}']:.4f}" for k in (1, 10, 100))
    print(
        f"{rows:,} x {vectors.shape[1]}, neighbor descent: {processor:.0f} s of the processor "
        f"({1000 * processor / rows:.2f} ms a row), {clock:.0f} s by the clock on {os.cpu_count()} cores; "
        f"recall@1, 10, 100 {recall} over {facts['recall_queries']:,} rows, {facts['rounds']} rounds, "
        f"{facts['dimensions']} dimensions; {peak()}",
        flush=True,
    )
    return float(facts["recall_at_100"])


def of_all_pairs(vectors: Floats, rows: Rows) -> npt.NDArray[np.int32]:
    """The exact neighbors of some rows, and what they took."""
    source = ArrayVectors(vectors)
    clock, processor = time.monotonic(), time.process_time()
    hits = first_hits(
        source,
        lambda part: unit_vectors(source, rows[part]),
        queries=len(rows),
        k=NEIGHBORS,
        rows=np.arange(len(vectors)),
        exclusions=[Exclusion(np.arange(len(vectors)), rows)],
        each=512,
    )
    processor, clock = time.process_time() - processor, time.monotonic() - clock
    print(
        f"  all pairs: {1000 * processor / len(rows):.2f} ms of the processor and {1000 * clock / len(rows):.2f} ms by "
        f"the clock a row, over {len(rows):,} rows",
        flush=True,
    )
    return hits.rows


def by_faiss(vectors: Floats, rows: Rows, exact: npt.NDArray[np.int32], *, at_least: float) -> None:
    """Fill an IVFFlat index, ask it with more lists until recall is as high, and say what all rows would take."""
    source, dimension = ArrayVectors(vectors), vectors.shape[1]
    exact_at = true_similarities(source, rows, exact)
    lists = int(4 * np.sqrt(len(vectors)))
    clock, processor = time.monotonic(), time.process_time()
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dimension), dimension, lists, faiss.METRIC_INNER_PRODUCT)
    chosen = np.random.default_rng(0).choice(len(vectors), min(len(vectors), 40 * lists), replace=False)
    index.train(unit_vectors(source, np.sort(chosen)))
    for start in range(0, len(vectors), _READ):
        index.add(unit_vectors(source, np.arange(start, min(start + _READ, len(vectors)))))
    filled = time.process_time() - processor, time.monotonic() - clock
    queries = unit_vectors(source, rows)
    for probes in (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024):
        index.nprobe = min(probes, lists)
        clock, processor = time.monotonic(), time.process_time()
        found = index.search(queries, NEIGHBORS + 1)[1]
        asked = time.process_time() - processor, time.monotonic() - clock
        hits = np.full((len(rows), NEIGHBORS), -1, dtype=np.int32)
        for line, row in enumerate(rows.tolist()):
            others = found[line][(found[line] != row) & (found[line] >= 0)][:NEIGHBORS]
            hits[line, : len(others)] = others
        recall = neighbor_recall(true_similarities(source, rows, hits), exact_at, (1, 10, 100)).mean(axis=0)
        if recall[2] >= at_least or probes >= lists:
            break
    shares = ", ".join(f"{share:.4f}" for share in recall)
    all_of_them = [one + len(vectors) / len(rows) * other for one, other in zip(filled, asked, strict=True)]
    print(
        f"  FAISS IVFFlat, {lists:,} lists, {index.nprobe} probed: filled in {filled[0]:.0f} s of the processor, "
        f"{1000 * asked[0] / len(rows):.2f} ms a row; all of them {all_of_them[0]:.0f} s, {all_of_them[1]:.0f} s by "
        f"the clock; recall@1, 10, 100 {shares} over {len(rows):,} rows; {peak()}",
        flush=True,
    )
    say(
        f"FAISS IVF, the graph of all rows at recall@100 {recall[2]:.4f}",
        all_of_them[0],
        "s",
        more=f"of the processor, filled in {filled[0]:.0f}; by its cost over {len(rows):,} rows",
    )


def peer_of(name: str, encoder_id: str, *, queries: int) -> None:
    """What FAISS takes for as good a graph as a collection has."""
    store = open_collection(name).store(encoder_id)
    recall = float(store.facts(NEIGHBORS_ARTIFACT).get("recall_at_100", 1.0))
    source = vectors_of(store)
    vectors = source.vectors(np.arange(len(store.valid)))
    if not store.valid.all():
        raise SystemExit(f"Expected a vector of every row, but {name} has rows without. Measure another collection.")
    chosen = np.sort(np.random.default_rng(1).choice(len(vectors), min(queries, len(vectors)), replace=False))
    by_faiss(vectors, chosen, of_all_pairs(vectors, chosen), at_least=recall)


def drawn(rows: int, dimension: int) -> npt.NDArray[np.float16]:
    """Vectors that lie as those of `synthesize` do."""
    plan = EmbeddingPlan.of(rows, dimension=dimension)
    return np.concatenate([plan.vectors(start, min(start + BLOCK, rows)) for start in range(0, rows, BLOCK)])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000])
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--peer-queries", type=int, default=1000)
    parser.add_argument("--exact-rows", type=int, default=4096)
    parser.add_argument("--collection", metavar="NAME")
    parser.add_argument("--encoder", default="synthetic")
    options = parser.parse_args()
    if options.collection:
        peer_of(options.collection, options.encoder, queries=options.peer_queries)
        return
    for number in options.rows:
        if options.vectors:
            vectors: Floats = np.load(options.vectors, mmap_mode="r")[:number]
        else:
            vectors = drawn(number, options.dimension)
        with tempfile.TemporaryDirectory() as temporary:
            recall = by_descent(vectors, (options.folder or Path(temporary)) / f"{len(vectors)}")
        chosen = np.sort(
            np.random.default_rng(1).choice(len(vectors), min(options.exact_rows, len(vectors)), replace=False)
        )
        exact = of_all_pairs(vectors, chosen)
        if options.peer_queries:
            few = np.linspace(0, len(chosen) - 1, min(options.peer_queries, len(chosen))).astype(np.int64)
            by_faiss(vectors, chosen[few], exact[few], at_least=recall)


if __name__ == "__main__":
    main()
