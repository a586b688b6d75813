"""R-precision at scale: counting the relevant images among the first R, beside listing the first R of each query.

Usage: python -m benchmarks.r_precision [--images 100000] [--queries 2000] [--listed 500] [--dimension 512]
       [--labels 161] [--rounds 3]

On the same clustered vectors, with labels of very different frequency and patients of about four images left out, both
are asked for the same queries in turn: ``relevant_among_first``, and the exact search of exact.py for as many hits as
the largest R, which finds the same by a table of hits. Prints milliseconds a query and their ratio, and stops with an
error where any count differs.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import numpy.typing as npt

from radcbir_core.search.backend import ArrayVectors, Exclusion, unit
from radcbir_core.search.engines.exact import Exact
from radcbir_core.search.engines.relevant_counts import relevant_among_first

_ELEMENTS = 4_000_000


def listed(
    vectors: npt.NDArray[np.float16],
    queries: npt.NDArray[np.intp],
    depths: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    patients: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """The same counts from tables of hits, for queries of like R together."""
    order = np.argsort(-depths, kind="stable")
    counts = np.zeros(len(queries), dtype=np.int64)
    start = 0
    engine = Exact(ArrayVectors(vectors))
    while start < len(order):
        chosen = order[start : start + max(1, _ELEMENTS // max(1, int(depths[order[start]])))]
        rows = queries[chosen]
        exclusions = [Exclusion(np.arange(len(vectors)), rows), Exclusion(patients, patients[rows])]
        asked = unit(vectors[rows], dimension=vectors.shape[1])
        hits = engine.search(asked, k=int(depths[chosen].max()), exclusions=exclusions)
        inside = (np.arange(hits.rows.shape[1]) < depths[chosen][:, None]) & (hits.rows >= 0)
        counts[chosen] = ((labels[hits.rows] == labels[rows][:, None]) & inside).sum(axis=1)
        start += len(chosen)
    return counts


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("images", 100_000), ("queries", 2000), ("listed", 500), ("dimension", 512)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--labels", type=int, default=161)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    share = 1 / np.arange(1, options.labels + 1) ** 0.8
    labels = random.choice(options.labels, options.images, p=share / share.sum())
    centers = random.normal(size=(options.labels, options.dimension)).astype(np.float32)
    found = 0.35 * centers[labels] + random.normal(size=(options.images, options.dimension)).astype(np.float32)
    vectors = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)
    patients = random.integers(0, max(1, options.images // 4), options.images)
    # Of each label, less those of the query's patient, itself among them.
    _, pair, number = np.unique(labels * options.images + patients, return_inverse=True, return_counts=True)
    relevant = np.bincount(labels)[labels] - number[pair]
    queries = random.choice(options.images, min(options.queries, options.images), replace=False)
    few = queries[: options.listed]
    print(f"{options.images:,} images, R from {relevant[queries].min():,} to {relevant[queries].max():,}")
    for _ in range(options.rounds):
        began = time.perf_counter()
        counts = relevant_among_first(
            ArrayVectors(vectors),
            queries=queries,
            gallery=np.ones(options.images, dtype=bool),
            depths=relevant[queries],
            kinds=labels,
            relevant_to=lambda kind: np.arange(options.labels) == kind,
            groups=[patients],
        )
        ours = (time.perf_counter() - began) / len(queries)
        began = time.perf_counter()
        expected = listed(vectors, few, relevant[few], labels, patients)
        theirs = (time.perf_counter() - began) / len(few)
        if not np.array_equal(counts[: len(few)], expected):
            raise SystemExit("The two do not agree.")
        print(f"counted {1000 * ours:.2f} ms a query, listed {1000 * theirs:.2f} ms: {theirs / ours:.1f} times")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
