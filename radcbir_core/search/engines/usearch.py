"""USearch: an approximate engine, one file on disk that is opened by memory map.

Owns the file's parameters, its making, and the turning of USearch's distances into cosines. USearch has no filter, and
its vectors have half precision: what is to be left out is left out around it, and similarities are computed again. How
widely it looks is chosen when it is built, by measuring what it finds so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from radcbir_core.errors import CollectionError
from radcbir_core.search.backend import (
    Exclusion,
    Filter,
    Float32,
    Hits,
    Mask,
    Method,
    OverVectors,
    Recall,
    Vectors,
    in_blocks,
    products_with,
    unit_vectors,
)
from radcbir_core.search.engines.recall import recall_of
from radcbir_core.search.engines.searcher import Searcher
from radcbir_core.search.engines.shards import Shards
from radcbir_core.storage import atomic_path, digest_once

EXACT_ELEMENTS = 64_000_000
"""Vector elements that an exact scan may read for one query: about 10 ms in half precision on one core."""

_CONNECTIVITY = 16
_EXPANSION_ADD = 128
_ADDED_AT_ONCE = 8192
_EXPANSIONS: Final = (128, 256, 512, 1024)
"""How widely a search may look, tried in this order; the first is that of an index that does not say it."""
_TARGET: Final = 0.995
"""Of the exact first 10 hits the share that is to be found."""
_MORE: Final = 16
"""So many more hits are compared again than are wanted, because rounding may exchange the last of them."""


class USearch(OverVectors):
    """A USearch index over the valid rows of some vectors; opened when it is first asked.

    Args:
        source: The vectors that it was built over.
        path: The file that :func:`build_usearch` wrote.
        digest: SHA-256 that the file must have: a changed one can end the process that reads it, and not as an error.
        recall: As measured when it was built.
        expansion: How widely it looks.
        exact_elements: Up to how many vector elements an exact scan is as quick.
    """

    name = "usearch"
    method: Method = "approximate"
    filters: frozenset[Filter] = frozenset()

    def __init__(
        self,
        source: Vectors,
        path: Path,
        *,
        digest: str,
        recall: Recall = Recall(),  # noqa: B008 - it cannot be changed
        expansion: int = _EXPANSIONS[0],
        exact_elements: int = EXACT_ELEMENTS,
    ) -> None:
        super().__init__(source)
        self._path = path
        self._digest = digest
        self._expansion = expansion
        self.recall = recall
        self.exact_elements = exact_elements

    def search(
        self, queries: Float32, *, k: int, allowed: Mask | None = None, exclusions: Sequence[Exclusion] = ()
    ) -> Hits:
        """The rows that the graph finds for each query, best first.

        Raises:
            CollectionError: The file is missing, damaged, or not the one that was built.
            ValueError: It is to filter, which it cannot.
        """
        if allowed is not None or exclusions:
            raise ValueError("Expected no filter, which USearch does not have. Search through a Searcher.")
        hits = Hits.empty(len(queries), k, method=self.method, engine=self.name, recall=self.recall)
        if not len(queries) or not len(self._index):
            return hits
        matches = self._index.search(queries.astype(np.float16), min(k + _MORE, len(self._index)))
        keys = np.atleast_2d(matches.keys)
        counts = np.atleast_1d(getattr(matches, "counts", len(matches.keys)))
        for query, count in enumerate(counts.tolist()):
            rows = keys[query, :count].astype(np.intp)
            similarities = products_with(queries[query], unit_vectors(self.source, rows))
            best = np.lexsort((rows, -similarities))[:k]
            hits.fill(query, rows[best], similarities[best])
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
            expansion_search=self._expansion,
        )
        try:
            index.view(str(self._path))
        except RuntimeError as error:
            raise CollectionError(f"Expected a USearch index, but {self._path} cannot be read. Build again.") from error
        return index


def build_usearch(
    source: Vectors,
    path: Path,
    *,
    valid: Mask,
    shards: Shards,  # noqa: ARG001 - a graph has no parts that could be kept
    told: Callable[[int, int], None],
) -> dict[str, Any]:
    """Build the index and write it in one step, and find how widely it has to look.

    Args:
        source: The vectors, unit norm.
        path: Where to.
        valid: ``(N,)``; which rows have a vector. The keys in the index are row numbers.
        shards: Not used: a graph has no parts that could be kept.
        told: Called with (rows added, rows in all).

    Returns:
        What is to be recorded: ``expansion``, how widely to look so that enough of the exact first 10 hits are found,
        or the most there is.

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
    return {"expansion": _expansion_of(source, path, valid=valid)}


def _expansion_of(source: Vectors, path: Path, *, valid: Mask) -> int:
    digest = digest_once(path)
    for expansion in _EXPANSIONS[:-1]:
        engine = USearch(source, path, digest=digest, expansion=expansion)
        found = recall_of(Searcher(engine, valid=valid), depths=(10,)).at_10
        if not found < _TARGET:  # as well where there is nothing to measure
            return expansion
    return _EXPANSIONS[-1]


def open_usearch(source: Vectors, path: Path, facts: Mapping[str, Any]) -> USearch:
    """The engine over an index that was built before; the file is opened when it is first asked.

    Args:
        source: The vectors that it was built over.
        path: The file.
        facts: What was recorded of it: ``sha256``, ``expansion``, and its recall once it was measured.
    """
    expansion = facts.get("expansion") or _EXPANSIONS[0]
    return USearch(
        source, path, digest=str(facts.get("sha256", "")), recall=Recall.of_facts(facts), expansion=int(expansion)
    )
