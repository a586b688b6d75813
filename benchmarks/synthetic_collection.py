"""What a collection of `synthesize` is like: P@1 by exact search, and what drawing it costs.

Usage: python -m benchmarks.synthetic_collection [--rows 100000 …] [--dimension 512] [--labels 161] [--seed 0]
       [--sample 2000]

Draws each collection in a temporary folder, and prints the processor's seconds and the clock's, how many patients there
are and how many images each has, how many images the rarest and the most frequent label have, and how often the most
similar image of another patient, by exact search over a sample of queries, has the same label and the same modality and
anatomy. Peak memory is that of the process so far.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time

import numpy as np
import numpy.typing as npt

from radcbir_core.search.backend import Vectors
from radcbir_core.search.opening import vectors_in
from radcbir_core.synthetic.embedding_collection import ENCODER_ID, make_synthetic
from radcbir_core.synthetic.embedding_plan import BLOCK, EmbeddingPlan


def nearest_of_others(vectors: Vectors, plan: EmbeddingPlan, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The most similar image of another patient, by exact search.

    Args:
        vectors: Of all rows.
        plan: Whose.
        rows: ``(Q,)``, the queries.

    Returns:
        ``(Q,)`` row numbers.
    """
    queries = vectors.vectors(rows).astype(np.float32)
    best, nearest = np.full(len(rows), -np.inf, dtype=np.float32), np.zeros(len(rows), dtype=np.int64)
    first, last = (np.searchsorted(plan.patient, plan.patient[rows], side=side) for side in ("left", "right"))
    for start in range(0, len(plan), BLOCK):
        block = vectors.vectors(np.arange(start, min(start + BLOCK, len(plan))))
        similarities = queries @ block.astype(np.float32).T
        for query in np.flatnonzero((last > start) & (first < start + BLOCK)):
            similarities[query, max(0, first[query] - start) : last[query] - start] = -np.inf
        of_block = similarities.argmax(axis=1)
        found = similarities[np.arange(len(rows)), of_block]
        better = found > best
        best[better], nearest[better] = found[better], of_block[better] + start
    return nearest


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000])
    for option, default in (("dimension", 512), ("labels", 161), ("seed", 0), ("sample", 2000)):
        parser.add_argument(f"--{option}", type=int, default=default)
    options = parser.parse_args()
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["RADCBIR_DATA"] = folder
            began = time.process_time(), time.perf_counter()
            plan = EmbeddingPlan.of(rows, dimension=options.dimension, labels=options.labels, seed=options.seed)
            collection = make_synthetic("synthetic", plan)
            taken = time.process_time() - began[0], time.perf_counter() - began[1]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            queries = np.sort(np.random.default_rng(0).permutation(rows)[: options.sample])
            nearest = nearest_of_others(vectors_in(collection.store(ENCODER_ID)), plan, queries)
        images, of_label = np.bincount(plan.patient), np.bincount(plan.label, minlength=options.labels)
        label, place = plan.label, plan.place[plan.label]
        print(
            f"{rows:,} x {options.dimension}: {taken[0]:.1f} s of the processor, {taken[1]:.1f} s on the clock, "
            f"{peak:,.0f} MiB at most; {len(images):,} patients of {images.min()} to {images.max()} images, "
            f"{options.labels} labels of {of_label.min():,} to {of_label.max():,} images; of {len(queries):,} queries "
            f"another patient's nearest image has the same label in {(label[nearest] == label[queries]).mean():.3f}, "
            f"the same modality and anatomy in {(place[nearest] == place[queries]).mean():.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
