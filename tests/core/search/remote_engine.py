"""An engine in another process: it holds the vectors itself, and is asked over a pipe.

All that it takes to add an engine: this one module, and its line in the list of engines. The other process compares
plainly, one query after the other, and shares no code with the engines of the core.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from radcbir_core.messages import receive, send
from radcbir_core.search.backend import (
    EXACT_RECALL,
    Exclusion,
    Filter,
    Float32,
    Floats,
    Hits,
    Mask,
    Method,
    Rows,
    Vectors,
    in_blocks,
)
from radcbir_core.search.engines.shards import Shards
from radcbir_core.search.opening import Engine
from radcbir_core.storage import atomic_path

REPOSITORY = Path(__file__).resolve().parents[3]


class RemoteEngine:
    """The side that asks."""

    name = "remote"
    method: Method = "exact"
    recall = EXACT_RECALL
    exact_elements = 0

    def __init__(self, path: Path, *, filters: frozenset[Filter] = frozenset({"allowed", "exclusions"})) -> None:
        self.filters = filters
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.core.search.remote_engine", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
        )
        facts, _ = self._ask({"ask": "shape"})
        self.shape: tuple[int, int] = (facts["rows"], facts["dimension"])
        self.dtype: np.dtype[np.floating[Any]] = np.dtype(facts["dtype"])

    @property
    def pid(self) -> int:
        return self._process.pid

    def like(self, filters: frozenset[Filter]) -> RemoteEngine:
        """The same engine, in the same process, that leaves less or more to those who ask it."""
        other = copy(self)
        other.filters = filters
        return other

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def vectors(self, rows: Rows) -> Floats:
        _, data = self._ask({"ask": "vectors"}, np.asarray(rows, dtype=np.int64).tobytes())
        return np.frombuffer(data, dtype=self.dtype).reshape(len(rows), -1)

    def search(
        self, queries: Float32, *, k: int, allowed: Mask | None = None, exclusions: Sequence[Exclusion] = ()
    ) -> Hits:
        assert allowed is None or "allowed" in self.filters
        assert not exclusions or "exclusions" in self.filters
        arrays = [np.ascontiguousarray(queries, dtype=np.float32)]
        arrays += [] if allowed is None else [allowed]
        for exclusion in exclusions:
            arrays += [exclusion.groups.astype(np.int64), exclusion.query_groups.astype(np.int64)]
        message = {"ask": "search", "k": k, "allowed": allowed is not None, "exclusions": len(exclusions)}
        facts, data = self._ask(message, b"".join(array.tobytes() for array in arrays))
        hits = Hits.empty(len(queries), k, method=self.method, engine=self.name, recall=self.recall)
        rows = np.frombuffer(data, dtype=np.int64, count=sum(facts["counts"]))
        similarities = np.frombuffer(data, dtype=np.float32, offset=rows.nbytes)
        ends = np.cumsum(facts["counts"])
        for query, (end, count) in enumerate(zip(ends.tolist(), facts["counts"], strict=True)):
            hits.fill(query, rows[end - count : end], similarities[end - count : end])
        return hits

    def _ask(self, message: dict[str, Any], data: bytes = b"") -> tuple[dict[str, Any], bytes]:
        with self._lock:
            send(self._process.stdin, message, data=data)
            return receive(self._process.stdout)


def remote(opened: ExitStack) -> Engine:
    """The engine for the list of engines; what it opens is closed by ``opened``."""

    def build(source: Vectors, path: Path, *, valid: Mask, shards: Shards, told: Callable[[int, int], None]) -> dict:
        told(0, len(valid))
        with atomic_path(path) as partial, partial.open("wb") as handle:
            np.save(handle, np.concatenate([part for _, part in in_blocks(source, np.arange(len(valid)), size=100)]))
        told(len(valid), len(valid))
        return {}

    def connect(source: Vectors, path: Path, facts: Mapping[str, Any]) -> RemoteEngine:
        engine = RemoteEngine(path)
        opened.callback(engine.close)
        return engine

    return Engine(build, connect, file="index.usearch")


def _answer(vectors: np.ndarray, message: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    if message["ask"] == "shape":
        return {"rows": len(vectors), "dimension": vectors.shape[1], "dtype": str(vectors.dtype)}, b""
    if message["ask"] == "vectors":
        return {}, vectors[np.frombuffer(data, dtype=np.int64)].tobytes()
    number, dimension = vectors.shape
    fixed = number * message["allowed"] + message["exclusions"] * 8 * number
    n_queries = (len(data) - fixed) // (4 * dimension + 8 * message["exclusions"])
    queries = np.frombuffer(data, dtype=np.float32, count=n_queries * dimension).reshape(n_queries, dimension)
    offset = queries.nbytes
    usable = np.ones(number, dtype=bool)
    if message["allowed"]:
        usable = np.frombuffer(data, dtype=bool, count=number, offset=offset)
        offset += number
    exclusions = []
    for _ in range(message["exclusions"]):
        groups = np.frombuffer(data, dtype=np.int64, count=number, offset=offset)
        mine = np.frombuffer(data, dtype=np.int64, count=n_queries, offset=offset + groups.nbytes)
        exclusions.append((groups, mine))
        offset += groups.nbytes + mine.nbytes
    rows, similarities = [], []
    single = vectors.astype(np.float32)
    lengths = np.linalg.norm(single, axis=1)
    single /= np.where(lengths > 0, lengths, 1)[:, None]
    for q, query in enumerate(queries):
        may = usable.copy()
        for groups, mine in exclusions:
            may &= (groups != mine[q]) | (mine[q] < 0)
        left = np.flatnonzero(may)
        cosines = single[left] @ query
        best = np.lexsort((left, -cosines))[: message["k"]]
        rows.append(left[best])
        similarities.append(cosines[best])
    counts = {"counts": [len(found) for found in rows]}
    return counts, b"".join([*(r.tobytes() for r in rows), *(s.astype(np.float32).tobytes() for s in similarities)])


def main(path: str) -> None:
    """Answer until nobody asks any more."""
    vectors = np.load(path)
    while True:
        try:
            message, data = receive(sys.stdin.buffer)
        except EOFError:
            return
        answer, behind = _answer(vectors, message, data)
        send(sys.stdout.buffer, answer, data=behind)


if __name__ == "__main__":
    main(sys.argv[1])
