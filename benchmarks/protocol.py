"""The paper's protocol at scale, beside a bare exact search and beside the published evaluation as it was told.

Usage: python -m benchmarks.protocol [--gallery 100000] [--queries 10000] [--dimension 512] [--labels 161]
       [--rounds 3] [--faiss] [--skip-published] [--folder DIR]

In one run, on the same clustered vectors:

1. the paper's HDF5 form (one data set an image) is written, read data set by data set as h5py offers it, and imported;
2. ``evaluate --protocol paper`` goes from the embeddings on disk to the finished table, with nothing cached;
3. bare searches of the same data, vectors in memory: a single-precision matrix product in blocks with the first 100 of
   each line, by NumPy (argpartition) and by PyTorch (topk), and FAISS IndexFlatIP with --faiss;
4. the published evaluation, retold row by row with pandas, from the hits on; its numbers are compared.

Parts 2 and 3 take turns, --rounds times. Prints seconds on the clock and of the processors, and the ratios of the whole
protocol to each bare search: by the quickest rounds, by medians, and by the processors' time, which others who use the
machine change least.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

import h5py
import numpy as np
import pandas as pd

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation.reports.paper import Paper
from radcbir_core.importers.vectors.embeddings import import_embeddings
from radcbir_core.search.opening import vectors_of

K = 100
BLOCK = 1024
T = TypeVar("T")


def write_source(folder: Path, *, gallery: int, queries: int, dimension: int, labels: int) -> None:
    """The paper's form: ``b.h5`` and ``b.csv``; labels of very different frequency, as in the paper."""
    random = np.random.default_rng(0)
    total = gallery + queries
    share = random.pareto(1.0, labels) + 0.05
    codes = random.choice(labels, total, p=share / share.sum())
    names = [
        f"{m}/{a}/finding {i:03d}" for i in range(labels) for m, a in [(("CT", "MR", "XR", "US")[i % 4], f"a{i % 11}")]
    ]
    centers = random.normal(size=(labels, dimension)).astype(np.float32)
    paths = [f"b/p{i // 4:06d}/{i:07d}.png" for i in range(total)]
    with h5py.File(folder / "b.h5", "w") as file:
        for start in range(0, total, 10_000):
            part = codes[start : start + 10_000]
            vectors = centers[part] + 2 * random.normal(size=(len(part), dimension)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            for path, vector in zip(paths[start:], vectors, strict=False):
                file.create_dataset(path, data=vector)
    marks = np.full((total, 2 * labels), ord("0"), dtype=np.uint8)
    marks[:, ::2] = ord(",")
    marks[np.arange(total), 2 * codes + 1] = ord("1")
    with (folder / "b.csv").open("wb") as handle:
        handle.write(",".join(["filepath", "dataset", "split", "modality", "anatomic_region", *names]).encode() + b"\n")
        for row, path in enumerate(paths):
            modality, anatomy, _ = names[codes[row]].split("/")
            split = "train" if row < gallery else "test"
            handle.write(f"{path},b,{split},{modality},{anatomy}".encode() + marks[row].tobytes() + b"\n")


def read_one_by_one(folder: Path) -> None:
    """What reading the form costs with nothing around it."""
    paths = pd.read_csv(folder / "b.csv", usecols=["filepath"])["filepath"].tolist()
    with h5py.File(folder / "b.h5", "r") as file:
        first = file[paths[0]][()]
        vectors = np.empty((len(paths), len(first)), dtype=first.dtype)
        for row, path in enumerate(paths):
            vectors[row] = file[path][()]


def bare_numpy(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """A matrix product in blocks, and the first 100 of each line, sorted."""
    found = np.empty((len(queries), K), dtype=np.int64)
    for start in range(0, len(queries), BLOCK):
        product = queries[start : start + BLOCK] @ gallery.T
        best = np.argpartition(product, -K, axis=1)[:, -K:]
        order = np.argsort(-np.take_along_axis(product, best, axis=1), axis=1)
        found[start : start + BLOCK] = np.take_along_axis(best, order, axis=1)
    return found


def bare_torch(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """The same by PyTorch."""
    import torch

    left, right = torch.from_numpy(queries), torch.from_numpy(gallery).T
    parts = [torch.topk(left[i : i + BLOCK] @ right, K).indices.numpy() for i in range(0, len(queries), BLOCK)]
    return np.concatenate(parts)


def bare_faiss(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """The same by FAISS, as the published scripts search."""
    import faiss

    index = faiss.IndexFlatIP(gallery.shape[1])
    index.add(gallery)
    return np.asarray(index.search(queries, K)[1])


def published(hit_labels: np.ndarray, query_labels: np.ndarray, occurrences: pd.Series) -> pd.DataFrame:
    """The published evaluation, retold: a table of hits' labels, compared column by column, and P@N row by row."""
    hits = pd.DataFrame(hit_labels, index=query_labels)
    same = hits.apply(lambda column: column == hits.index, axis=0)

    def at(n: int) -> list[float]:
        def precision_of(row: pd.Series) -> float:
            size = min(n, occurrences[row.name])
            return sum(row[:size]) / size if size else np.nan

        precision = same.apply(precision_of, axis=1)
        by_label = precision.groupby(same.index)
        return [precision.mean(), precision.std(), by_label.mean().mean(), by_label.std().mean()]

    return pd.DataFrame([at(n) for n in range(1, 100)], columns=["micro", "micro_std", "macro", "macro_std"])


class Took(NamedTuple):
    """Seconds on the clock, and of all processors together."""

    clock: float
    processors: float


def timed(name: str, work: Callable[[], T]) -> tuple[Took, T]:
    """How long ``work`` took; printed."""
    busy, start = time.process_time(), time.perf_counter()
    result = work()
    took = Took(time.perf_counter() - start, time.process_time() - busy)
    print(f"{name:<62} {took.clock:8.2f} s   CPU {took.processors:6.2f} s", flush=True)
    return took, result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gallery", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--labels", type=int, default=161)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--faiss", action="store_true", help="search with FAISS too (minutes)")
    parser.add_argument("--skip-published", action="store_true", help="leave the retold evaluation out (minutes)")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        os.environ["RADCBIR_DATA"] = str(folder / "data")
        measure(folder, options)
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


def measure(folder: Path, options: argparse.Namespace) -> None:
    """All four parts."""
    write_source(
        folder,
        gallery=options.gallery,
        queries=options.queries,
        dimension=options.dimension,
        labels=options.labels,
    )
    print(f"{options.gallery} x {options.dimension} gallery, {options.queries} queries, {options.labels} labels")
    slow, _ = timed("HDF5, data set by data set with h5py", lambda: read_one_by_one(folder))
    quick, _ = timed(
        "import of HDF5 and CSV as a collection",
        lambda: import_embeddings([folder / "b.h5", folder / "b.csv"], name="b", encoder_id="e"),
    )
    print(f"ratio, import / reading alone: {quick.clock / slow.clock:.2f}")

    searched = [0.0]

    def told(step: str, done: int, total: int) -> None:
        if step == "search" and done == total:
            searched[0] = time.perf_counter()

    collection = open_collection("b")
    split = collection.manifest.codes("split")
    embeddings = np.array(vectors_of(collection.store("e")).vectors(np.arange(len(collection))))
    gallery_rows, query_rows = (np.flatnonzero(split.codes == split.values.index(side)) for side in ("train", "test"))
    gallery, queries = embeddings[gallery_rows], embeddings[query_rows]
    searches = {"NumPy product, argpartition": bare_numpy, "PyTorch product, topk": bare_torch}
    searches |= {"FAISS IndexFlatIP": bare_faiss} if options.faiss else {}
    # Others may use the machine: the rounds are mixed.
    whole: list[Took] = []
    bare: dict[str, list[Took]] = {name: [] for name in searches}
    for _ in range(options.rounds):
        shutil.rmtree(collection.store("e").evaluation_folder, ignore_errors=True)
        took, evaluation = timed(
            "the paper's protocol, from disk to the finished table",
            lambda: Paper().run(open_collection("b").store("e"), progress=told),
        )
        print(f"{'  of that, after the search':<62} {time.perf_counter() - searched[0]:8.2f} s")
        whole.append(took)
        for name, search in searches.items():
            took, hits = timed(f"bare search: {name}", partial(search, queries, gallery))
            bare[name].append(took)
    print("ratio, whole protocol / bare search            quickest rounds   medians   CPU   round by round")
    for name, times in bare.items():
        quickest = min(took.clock for took in whole) / min(took.clock for took in times)
        medians = median(took.clock for took in whole) / median(took.clock for took in times)
        busy = median(took.processors for took in whole) / median(took.processors for took in times)
        each = ", ".join(f"{ours.clock / theirs.clock:.2f}" for ours, theirs in zip(whole, times, strict=True))
        print(f"  {name:<45} {quickest:14.2f} {medians:9.2f} {busy:5.2f}   {each}")
    if options.skip_published:
        return
    labels = collection.manifest.labels("label")
    names = np.asarray(labels.values, dtype=object)[labels.codes]
    occurrences = pd.Series(names[gallery_rows]).value_counts().reindex(list(labels.values), fill_value=0)
    _, retold = timed(
        "the published evaluation retold with pandas, after the search",
        lambda: published(names[gallery_rows][hits], names[query_rows], occurrences),
    )
    worst = 0.0
    for averaging in ("micro", "macro"):
        ours = evaluation.table[evaluation.table["averaging"] == averaging].sort_values("k").iloc[:99]
        worst = max(
            worst,
            np.abs(ours["precision"].to_numpy() - retold[averaging].to_numpy()).max(),
            np.abs(ours["std"].to_numpy() - retold[f"{averaging}_std"].to_numpy()).max(),
        )
    print(f"largest difference of the 99 x 4 numbers: {worst:.1e} (bare hits: ties may be ordered otherwise)")


if __name__ == "__main__":
    main()
