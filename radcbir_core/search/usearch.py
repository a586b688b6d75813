"""USearch: an approximate engine, one file on disk that is opened by memory map.

Owns the file's parameters, its making, and the turning of USearch's distances into cosines. USearch has no filter, and
its vectors have half precision: what is to be left out is left out around it, and similarities are computed again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.errors import CollectionError
from radcbir_core.search.backend import Exclusion, Filter, Float32, Hits, Mask, Method, OverVectors, Vectors, in_blocks
from radcbir_core.storage import atomic_path, digest_once

EXACT_ELEMENTS = 64_000_000
"""Vector elements that an exact scan may read for one query: about 10 ms in half precision on one core."""

_CONNECTIVITY = 16
_EXPANSION_ADD = 128
_EXPANSION_SEARCH = 128
_ADDED_AT_ONCE = 8192


class USearch(OverVectors):
    """A USearch index over the valid rows of some vectors; opened when it is first asked.

    Args:
        source: The vectors that it was built over.
        path: The file that :func:`build_index` wrote.
        digest: SHA-256 that the file must have: a changed one can end the process that reads it, and not as an error.
        recall: As measured when it was built; NaN if it was not.
        exact_elements: Up to how many vector elements an exact scan is as quick.
    """

    name = "usearch"
    method: Method = "approximate"
    filters: frozenset[Filter] = frozenset()
    rounded = True

    def __init__(
        self,
        source: Vectors,
        path: Path,
        *,
        digest: str,
        recall: float = math.nan,
        exact_elements: int = EXACT_ELEMENTS,
    ) -> None:
        super().__init__(source)
        self._path = path
        self._digest = digest
        self.recall = recall
        self.exact_elements = exact_elements

    def search(
        self, queries: Float32, *, k: int, allowed: Mask | None = None, exclusions: Sequence[Exclusion] = ()
    ) -> Hits:
        """The rows that the graph finds for each query, best first, with rounded similarities.

        Raises:
            CollectionError: The file is missing, damaged, or not the one that was built.
            ValueError: It is to filter, which it cannot.
        """
        if allowed is not None or exclusions:
            raise ValueError("Expected no filter, which USearch does not have. Search through a Searcher.")
        matches = self._index.search(queries.astype(np.float16), min(k, len(self._index)))
        keys, distances = np.atleast_2d(matches.keys), np.atleast_2d(matches.distances)
        counts = np.atleast_1d(getattr(matches, "counts", len(matches.keys)))
        hits = Hits.empty(len(queries), k, method=self.method, engine=self.name, recall=self.recall)
        for query, count in enumerate(counts.tolist()):
            hits.fill(query, keys[query, :count].astype(np.int32), 1 - distances[query, :count])
        return hits

    @cached_property
    def _index(self) -> Any:
        from usearch.index import Index

        try:
            digest = digest_once(self._path)
        except OSError as error:
            raise CollectionError(
                f"Expected a USearch index, but {self._path}: {error.strerror}. Build again."
            ) from error
        if digest != self._digest:
            raise CollectionError(
                f"Expected the index as it was built, but {self._path} has other bytes. Build again, or open the "
                "collection again if it was."
            )
        index = Index(
            ndim=self.shape[1],
            metric="cos",
            dtype="f16",
            connectivity=_CONNECTIVITY,
            expansion_search=_EXPANSION_SEARCH,
        )
        try:
            index.view(str(self._path))
        except RuntimeError as error:
            raise CollectionError(f"Expected a USearch index, but {self._path} cannot be read. Build again.") from error
        return index


def build_index(source: Vectors, path: Path, *, valid: npt.NDArray[np.bool_], told: Callable[[int, int], None]) -> None:
    """Build the index and write it in one step.

    Args:
        source: The vectors, unit norm.
        path: Where to.
        valid: ``(N,)``; which rows have a vector. The keys in the index are row numbers.
        told: Called with (rows added, rows in all).

    Raises:
        StorageError: No space left, or no permission.
    """
    from usearch.index import Index

    index = Index(
        ndim=source.shape[1],
        metric="cos",
        dtype="f16",
        connectivity=_CONNECTIVITY,
        expansion_add=_EXPANSION_ADD,
        expansion_search=_EXPANSION_SEARCH,
    )
    rows = np.flatnonzero(valid)
    told(0, len(rows))
    done = 0
    for part, vectors in in_blocks(source, rows, size=_ADDED_AT_ONCE):
        index.add(part.astype(np.uint64), np.ascontiguousarray(vectors, dtype=np.float16))
        done += len(part)
        told(done, len(rows))
    with atomic_path(path) as partial:
        try:
            index.save(str(partial))
        except RuntimeError as error:
            # USearch reports a failed write as a RuntimeError; atomic_path turns the OSError into a StorageError.
            raise OSError(28, f"USearch could not write the index: {error}") from error


def open_index(source: Vectors, path: Path, facts: Mapping[str, Any]) -> USearch:
    """The engine over an index that was built before; the file is opened when it is first asked.

    Args:
        source: The vectors that it was built over.
        path: The file.
        facts: What was recorded of it: ``sha256``, and ``recall_at_10`` once it was measured.
    """
    recall = facts.get("recall_at_10")
    return USearch(
        source, path, digest=str(facts.get("sha256", "")), recall=math.nan if recall is None else float(recall)
    )
