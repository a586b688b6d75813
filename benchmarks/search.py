"""One query against 100,000 x 512 half-precision vectors with a patient exclusion, beside FAISS in the same run.

Usage: python -m benchmarks.search [--rows 100000] [--dimension 512] [--queries 200]

FAISS answers the same queries with IndexFlatIP over the same vectors in single precision, fetching as many more hits
as the largest patient has images and leaving those out afterwards. Prints median and 95th percentile of each, their
ratio, and how many hits differ; a difference is counted only where the similarities differ by more than 1e-6.
"""

from __future__ import annotations

import argparse
import resource
import time

import faiss
import numpy as np

from radcbir_core.search.backend import ArrayVectors, Exclusion, unit
from radcbir_core.search.exact import Exact
from radcbir_core.search.searcher import Searcher


def clustered(rows: int, dimension: int, random: np.random.Generator) -> np.ndarray:
    """Unit vectors around 200 centers, single precision."""
    centers = random.normal(size=(200, dimension)).astype(np.float32)
    points = centers[random.integers(0, 200, rows)]
    points += random.normal(size=(rows, dimension)).astype(np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("-k", type=int, default=10)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    embeddings = clustered(options.rows, options.dimension, random).astype(np.float16)
    patients = random.integers(0, options.rows // 4, options.rows).astype(np.int32)
    most = int(np.bincount(patients).max())
    rows = random.choice(options.rows, options.queries, replace=False)
    noise = 0.02 * random.normal(size=(options.queries, options.dimension))
    queries = unit(embeddings[rows].astype(np.float32) + noise, dimension=options.dimension)

    searcher = Searcher(Exact(ArrayVectors(embeddings)), valid=np.ones(options.rows, dtype=bool))
    flat = faiss.IndexFlatIP(options.dimension)
    flat.add(embeddings.astype(np.float32))
    ours, theirs, differing = [], [], 0
    for row, query in zip(rows, queries, strict=True):
        start = time.perf_counter()
        hits = searcher.search(query[None], k=options.k, exclusions=[Exclusion(patients, patients[[row]])])
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        similarities, found = flat.search(query[None], options.k + most)
        kept = patients[found[0]] != patients[row]
        expected, expected_rows = similarities[0][kept][: options.k], found[0][kept][: options.k]
        theirs.append(time.perf_counter() - start)
        close = np.abs(hits.similarities[0] - expected) < 1e-6
        differing += int((~close).sum()) + int(((hits.rows[0] != expected_rows) & ~close).sum())
    asked = f"{options.queries} queries, k = {options.k}, {hits.found_by()}"
    print(f"{options.rows} x {options.dimension} float16, {asked}")
    for name, seconds in (("RadCBIR", ours), ("FAISS IndexFlatIP", theirs)):
        milliseconds = 1000 * np.array(seconds)
        print(f"{name:<18} median {np.median(milliseconds):6.1f} ms   p95 {np.quantile(milliseconds, 0.95):6.1f} ms")
    print(f"ratio of medians, FAISS / RadCBIR: {np.median(theirs) / np.median(ours):.2f}")
    print(f"hits that differ from FAISS: {differing} of {options.queries * options.k}")
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
