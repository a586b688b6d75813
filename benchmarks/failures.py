"""The failure views at scale: how long each evaluation of the page Failures takes on a synthetic neighbor graph.

Usage: python -m benchmarks.failures [--images 250000] [--labels 161] [--rounds 3]

Makes a manifest and a graph of 100 neighbors in memory, without images and vectors: labels of very different frequency
in 40 pairs of modality and anatomy, patients of about four images, two thirds of an image's neighbors of its own label.
Then, in turn over rounds: retrieval confusion, mined failures, hubness, and, as the peer, Precision, which reads the
same graph. Prints the processor's seconds of the quickest round, which others who use the machine change least, those
on the clock, and the ratio to Precision; and of the pages, which read what is kept, the seconds to choose and to sort
the images of each kind of failure.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from radcbir_core.collections.manifest import COLUMNS, Manifest
from radcbir_core.evaluation.evaluation import Evaluation, Result
from radcbir_core.evaluation.reports.hubness import Hubness
from radcbir_core.evaluation.reports.mined_failures import KINDS, MinedFailures, failures_of
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.evaluation.reports.retrieval_confusion import RetrievalConfusion

WIDTH = 100
_CHUNK = 10_000


class Collection:
    """What evaluations ask of a collection: its manifest and its name."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest, self.name, self.record = manifest, "synthetic", {"checked": "decoded"}

    def __len__(self) -> int:
        return len(self.manifest)


class Graph:
    """What evaluations ask of an encoder's store that has nothing but a neighbor graph."""

    def __init__(self, collection: Collection, ids: npt.NDArray[np.int32], near: npt.NDArray[np.float16]) -> None:
        self.collection, self.encoder_id, self.spec = collection, "graph", "graph"
        self.record: dict[str, Any] = {}
        self.neighbor_ids, self.neighbor_similarities = ids, near
        self.valid = np.ones(len(collection), dtype=np.bool_)

    def facts(self, _artifact: Any) -> dict[str, Any]:
        """Nothing is recorded of it."""
        return {}


def synthetic(images: int, labels: int) -> Graph:
    """A collection with its graph."""
    random = np.random.default_rng(0)
    share = 1 / np.arange(1, labels + 1) ** 0.8
    codes = random.choice(labels, images, p=share / share.sum())
    patients = random.integers(0, images // 4, images)
    columns: dict[str, Any] = {name: np.full(images, "") for name in COLUMNS}
    columns["image_id"] = columns["path"] = np.arange(images).astype(str)
    columns["modality"] = np.array(["XR", "CT", "MR", "US"])[codes % 4]
    columns["anatomy"] = np.char.add("anatomy ", (codes % 40 // 4).astype(str))
    columns["pathologies"] = pa.array([[f"finding {code:03d}"] for code in codes.tolist()])
    columns["patient_id"] = patients.astype(str)
    columns |= {"width": np.full(images, 64), "height": np.full(images, 64), "duplicate_group": np.full(images, -1)}
    by_label = np.argsort(codes, kind="stable")
    first, number = np.searchsorted(codes[by_label], np.arange(labels)), np.bincount(codes, minlength=labels)
    ids = np.empty((images, WIDTH), dtype=np.int32)
    for start in range(0, images, _CHUNK):
        mine = codes[start : start + _CHUNK, None]
        own = by_label[first[mine] + random.integers(0, 1 << 30, (len(mine), WIDTH)) % number[mine]]
        ids[start : start + _CHUNK] = np.where(
            random.random(own.shape) < 2 / 3, own, random.integers(0, images, own.shape)
        )
    near = np.linspace(0.99, 0.5, WIDTH, dtype=np.float16)
    return Graph(Collection(Manifest(pa.table(columns), digest="synthetic")), ids, np.tile(near, (images, 1)))


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("images", 250_000), ("labels", 161), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    graph: Any = synthetic(options.images, options.labels)
    graph.collection.manifest.labels("label")  # read once a process, whatever is evaluated
    evaluations: list[Evaluation] = [Precision(), RetrievalConfusion(), MinedFailures(), Hubness()]
    seconds: dict[str, list[tuple[float, float]]] = {evaluation.kind: [] for evaluation in evaluations}
    results: dict[str, Result] = {}
    for _ in range(options.rounds):
        for evaluation in evaluations:
            began = time.process_time(), time.perf_counter()
            results[evaluation.kind] = evaluation.compute(graph)
            seconds[evaluation.kind].append((time.process_time() - began[0], time.perf_counter() - began[1]))
    peer = min(seconds["precision"])[0]
    for kind, taken in seconds.items():
        processor, clock = min(taken)
        print(f"{kind:>12}: {processor:6.2f} s, {clock:6.2f} s on the clock, {processor / peer:.2f} of precision")
    for kind in KINDS:
        start = time.process_time()
        failures = failures_of(results["failures"], kind)
        print(f"{kind:>12}: {time.process_time() - start:6.3f} s for {len(failures):,} images")


if __name__ == "__main__":
    main()
