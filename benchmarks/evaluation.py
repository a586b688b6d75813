"""What evaluating costs: P@k at three levels with intervals, of any number of images, beside a plain NumPy loop.

Usage: python -m benchmarks.evaluation [--rows 1600000] [--labels 161] [--rounds 3] [--name NAME]

Without ``--name`` the collection is drawn as ``synthesize`` does, in a temporary folder, of 8 dimensions: evaluating
reads no vectors. Its neighbor graph is not searched but made up, of images that mostly share the label, or else the
modality and anatomy, with some of the same patient in front, which is what an encoder's graph is like to who reads it.
With ``--name`` it is a collection of the data folder whose graph is built.

The peer reads the same graph with plain NumPy: the first 10 neighbors that are not of the query's patient, whether each
has the label, and the mean over queries and over labels for each k and level, without intervals, deviations or chance.
Prints the median of the rounds, in seconds of the processor and on the clock, the most memory, and whether both find
the same means.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import say
from radcbir_core.collections.artifacts import NEIGHBORS as GRAPH
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.storage import write_array
from radcbir_core.synthetic.embedding_collection import ENCODER_ID, make_synthetic
from radcbir_core.synthetic.embedding_plan import EmbeddingPlan

WIDTH = 100
BLOCK = 65_536
FAR = 0.3  # of the neighbors are any images
DIMENSION = 8


def make_graph(store: EncoderStore, *, seed: int = 0) -> None:
    """Write a neighbor graph that was not searched, and record it.

    Args:
        store: Of a collection with labels and patients.
        seed: Same seed, same graph.
    """
    manifest, number = store.collection.manifest, len(store.collection)
    label, modality, anatomy = (manifest.labels(level).codes for level in ("label", "modality", "anatomy"))
    patient, random = manifest.groups("patient"), np.random.default_rng(seed)
    order = np.lexsort((random.random(number), label, anatomy, modality)).astype(np.int32)
    place = np.empty(number, dtype=np.int64)
    place[order] = np.arange(number)

    def ids() -> Iterator[npt.NDArray[np.int32]]:
        for start in range(0, number, BLOCK):
            rows = np.arange(start, min(start + BLOCK, number))
            apart = np.cumsum(random.integers(1, 60, (len(rows), WIDTH)), axis=1)
            near = order[(place[rows][:, None] + apart) % number]
            after = np.minimum(rows + 1, number - 1)
            near[:, 0] = np.where((patient[after] == patient[rows]) & (after > rows), after, near[:, 0])
            far = random.integers(0, number - 1, near.shape, dtype=np.int32)
            far += far >= rows[:, None]  # never the image itself
            yield np.where(random.random(near.shape) < FAR, far, near).astype(np.int32)

    def similarities() -> Iterator[npt.NDArray[np.float16]]:
        for start in range(0, number, BLOCK):
            yield np.repeat(np.linspace(0.9, 0.5, WIDTH, dtype=np.float16)[None], min(BLOCK, number - start), axis=0)

    for path, parts, dtype in zip(
        store.layout.files(GRAPH), (ids(), similarities()), (np.int32, np.float16), strict=True
    ):
        write_array(path, parts, shape=(number, WIDTH), dtype=dtype)
    store.mark(GRAPH, method="exact", engine="exact")


def plain(store: EncoderStore, protocol: Protocol) -> dict[tuple[str, str, int], float]:
    """(level, averaging, k) → P@k, as a short script has it."""
    manifest, most = store.collection.manifest, max(protocol.ks)
    patient = manifest.groups("patient")
    neighbors = store.neighbor_ids
    means = {}
    for level in protocol.levels:
        codes = manifest.labels(level).codes
        of_patient = np.unique(patient.astype(np.int64) * (codes.max() + 1) + codes, return_inverse=True)[1]
        available = np.bincount(codes)[codes] - np.bincount(of_patient)[of_patient]
        relevant = np.zeros((len(codes), most), dtype=bool)
        for start in range(0, len(codes), BLOCK):
            rows = np.arange(start, min(start + BLOCK, len(codes)))
            ids = np.asarray(neighbors[start : start + BLOCK, : 4 * most])
            usable = patient[ids] != patient[rows, None]
            chosen = np.argsort(~usable, axis=1, kind="stable")[:, :most]
            hits = np.take_along_axis(ids, chosen, axis=1)
            relevant[rows] = codes[hits] == codes[rows, None]
        asks = available > 0
        for k in protocol.ks:
            values = relevant[:, :k].mean(axis=1)[asks]
            sums = np.bincount(codes[asks], weights=values)
            number = np.bincount(codes[asks])
            means[level, "micro", k] = float(values.mean())
            means[level, "macro", k] = float((sums[number > 0] / number[number > 0]).mean())
    return means


def measured(work: Callable[[], Any], rounds: int) -> tuple[float, float, Any]:
    """Medians of seconds of the processor and on the clock, and what came of the last round."""
    taken, made = [], None
    for _ in range(rounds):
        began = time.process_time(), time.perf_counter()
        made = work()
        taken.append((time.process_time() - began[0], time.perf_counter() - began[1]))
    processor, clock = (statistics.median(each) for each in zip(*taken, strict=True))
    return processor, clock, made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_600_000)
    parser.add_argument("--labels", type=int, default=161)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--name")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.name:
            collection = open_collection(options.name)
            store = collection.store(collection.encoder_ids()[0])
        else:
            os.environ["RADCBIR_DATA"] = folder
            plan = EmbeddingPlan.of(options.rows, dimension=DIMENSION, labels=options.labels, seed=0)
            make_graph(make_synthetic("synthetic", plan).store(ENCODER_ID))
            store = open_collection("synthetic").store(ENCODER_ID)
        store.collection.manifest.labels("label")  # read once a process, whatever is evaluated
        store.neighbor_ids  # noqa: B018 - checked once a process
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        protocol = Protocol()
        own, clock, result = measured(lambda: Precision(protocol).compute(store), options.rounds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{len(store.collection):,} images, {len(protocol.levels)} levels, {len(result.table):,} figures with "
            f"intervals: {own:.1f} s of the processor, {clock:.1f} s on the clock, {peak:,.0f} MiB at most "
            f"({before:,.0f} before)"
        )
        say("P@k, 3 levels, intervals", clock, "s", limit=30, more=f"{own:.1f} s of the processor")
        other, clock, means = measured(lambda: plain(store, protocol), options.rounds)
        print(f"plain NumPy, means alone: {other:.1f} s of the processor, {clock:.1f} s on the clock")
        rows = result.table[result.table["averaging"] != "label"]
        apart = [
            abs(value - means[level, averaging, k])
            for level, averaging, k, value in zip(
                *(rows[name].tolist() for name in ("level", "averaging", "k", "precision")), strict=True
            )
        ]
        print(f"ratio {own / other:.2f}; the {len(apart)} means differ by {max(apart):.1g} at most")


if __name__ == "__main__":
    main()
