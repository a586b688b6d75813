"""Which engine answers over what an encoder has made of a collection: building its index, opening it.

Owns the list of engines and the reading of the array of embeddings: nothing outside this package opens it. Everything
else asks here, for a searcher or for vectors by row number, and cannot tell where they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from radcbir_core.collections.artifacts import EMBEDDINGS, INDEX, TILES
from radcbir_core.collections.encoder_data.checked_arrays import open_checked
from radcbir_core.collections.encoder_data.store import EncoderStore, content_digest
from radcbir_core.collections.seal import sealed
from radcbir_core.errors import CollectionError, Remedy, StaleError
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import ArrayVectors, Backend, Mask, Vectors
from radcbir_core.search.engines.cell_building import build_cells
from radcbir_core.search.engines.cells import open_cells
from radcbir_core.search.engines.exact import Exact
from radcbir_core.search.engines.recall import recall_of
from radcbir_core.search.engines.searcher import Searcher
from radcbir_core.search.engines.shards import Shards
from radcbir_core.search.engines.usearch import build_usearch, open_usearch
from radcbir_core.storage import digest_of, digest_once


class Builder(Protocol):
    """Makes an engine's index of vectors and writes it, or where it is to be found, to one file."""

    def __call__(
        self, source: Vectors, path: Path, *, valid: Mask, shards: Shards, told: Callable[[int, int], None]
    ) -> Mapping[str, Any]:
        """Build it over the valid rows; ``told`` how many are in, of how many.

        What it has finished may be kept in ``shards``, which are of these vectors alone. What it returns is recorded.
        """


class Opener(Protocol):
    """Opens what was built; ``facts`` are what was recorded of it: ``bytes``, ``sha256``, its recall."""

    def __call__(self, source: Vectors, path: Path, facts: Mapping[str, Any]) -> Backend:
        """Open it."""


@dataclass(frozen=True, slots=True)
class Engine:
    """How an engine's index is built and opened.

    Attributes:
        build: Builds it.
        open: Opens it.
        file: Which of the files it is that an index may be.
    """

    build: Builder
    open: Opener
    file: str


ENGINES: dict[str, Engine] = {
    "usearch": Engine(build_usearch, open_usearch, file="index.usearch"),
    "cells": Engine(build_cells, open_cells, file="index.cells"),
}
"""The engines that can be chosen, by name; exact search needs none."""

USEARCH_ROWS: Final = 200_000
"""Up to how many rows an index is USearch's.

A graph grows dear faster than its rows: what it takes to build, and how widely it has to look for the same recall. Nor
can it filter. Up to so many neither counts, because filters leave it few enough rows to compare all of them.
"""

MOST_TILE_BYTES: Final = 8e9
"""Of more tiles a query is not answered while somebody waits: all of them are read, which takes half a second of a
processor for so many."""

_FIRST_ENGINE: Final = "usearch"
"""That of an index of which none is recorded."""


def searcher_of(store: EncoderStore) -> Searcher:
    """The search over what one encoder made of a collection; its index is opened when first needed.

    Raises:
        CollectionError: The embeddings are missing or damaged, or their index is of an engine that is not known here.
    """
    return Searcher(engine_of(store), valid=store.valid)


def vectors_of(store: EncoderStore) -> Vectors:
    """The vectors that one encoder made of a collection, by row number.

    Raises:
        CollectionError: As :func:`searcher_of`.
    """
    return engine_of(store)


def engine_of(store: EncoderStore) -> Backend:
    """The engine that the index was built with; exact search where there is no index of these embeddings.

    An index that is not, byte for byte, what this machine has built is not opened either (:func:`index_note`).

    Raises:
        CollectionError: As :func:`searcher_of`.
    """
    source = ArrayVectors(store.open_array(EMBEDDINGS, store.embeddings_path))
    if store.index_fault() or not store.is_current(INDEX):
        return Exact(source)
    facts = store.facts(INDEX)
    name = facts.get("engine", _FIRST_ENGINE)
    if name not in ENGINES:
        raise CollectionError(
            f"Expected an index of {' or '.join(sorted(ENGINES))}, but that of {store.collection.name} and "
            f"{store.encoder_id} was built with {name}. Build again.",
            remedy=store.rebuild,
        )
    return ENGINES[name].open(source, store.index_path, facts)


def tiles_of(store: EncoderStore) -> tuple[Vectors, int]:
    """The vectors of the tiles of a collection, and how many there are of each image: ``T``.

    Returns:
        ``N * T`` vectors: tile *t* of image *i* is vector ``i * T + t``; of zeros where there is none.

    Raises:
        StaleError: They were not made, or were made of something else than there is now.
        CollectionError: They are damaged.
    """
    standing = store.standings().get(TILES.name)
    if standing is None or standing.state != "current":
        why = "were never made" if standing is None else f"are {standing.state}: {standing.reason}"
        raise StaleError(
            f"Expected the embedded regions of the images of {store.collection.name}, but those by {store.encoder_id} "
            f"{why}. Embed the regions, or search among whole images.",
            remedy=Remedy("build", store.collection.name, {"encoder": store.spec, "tiles": True}),
        )
    path = store.layout.files(TILES)[0]
    array = store.open_array(TILES, path)
    dimension = int(store.record["dimension"])
    per, rest = divmod(array.shape[1], dimension)
    if rest or not per or array.dtype != np.float16:
        raise CollectionError(
            f"Expected vectors of {dimension} numbers in half precision, but {path} has {array.shape[1]:,} numbers of "
            f"{array.dtype} an image. Embed the regions again.",
            remedy=Remedy("build", store.collection.name, {"encoder": store.spec, "tiles": True}),
        )
    return ArrayVectors(array.reshape(len(array) * per, dimension)), per


def index_note(store: EncoderStore) -> str:
    """What to tell whoever searches of an index that is there and is not used; "" where there is nothing to tell."""
    fault = store.index_fault() if store.index_path.exists() else ""
    if not fault:
        return ""
    return (
        f"The index of {store.encoder_id} is not used, because {fault}; every image was compared instead. Build "
        f"{store.collection.name} with {store.encoder_id} again."
    )


def engine_for(rows: int) -> str:
    """The engine that an index of so many rows is built with, where nobody has chosen one.

    Example:
        >>> engine_for(USEARCH_ROWS), engine_for(USEARCH_ROWS + 1)
        ('usearch', 'cells')
    """
    return "usearch" if rows <= USEARCH_ROWS else "cells"


def is_outgrown(store: EncoderStore) -> bool:
    """Whether the index is of an earlier version, which had another engine than today for so many rows."""
    name = store.facts(INDEX).get("engine", _FIRST_ENGINE)
    return INDEX.title in store.earlier_recipes() and name != engine_for(int(np.count_nonzero(store.valid)))


def build_index(store: EncoderStore, *, engine: str | None = None, progress: Progress = silent) -> None:
    """Build the index of an engine over the embeddings that are there, and record its size and its recall.

    What a killed build has finished is gone on with, if it was of the same embeddings and rows. An index of another
    engine is used until this one is recorded.

    Args:
        store: Whose embeddings.
        engine: Of :data:`ENGINES`; the one for so many rows by default.
        progress: Told the number of rows, as step "index".

    Raises:
        StorageError: No space left, or no permission.
    """
    source = ArrayVectors(store.open_array(EMBEDDINGS, store.embeddings_path))
    name = engine or engine_for(int(np.count_nonzero(store.valid)))
    chosen = ENGINES[name]
    path = store.folder / chosen.file
    decided_by = (name, str(INDEX.recipe), content_digest(EMBEDDINGS, store.layout), store.valid.tobytes())
    built = chosen.build(
        source,
        path,
        valid=store.valid,
        shards=Shards(store.layout.unfinished(INDEX), digest_of(*decided_by)[:32]),
        told=lambda done, total: progress(INDEX.name, done, total),
    )
    facts: dict[str, Any] = {
        "engine": name,
        "file": chosen.file,
        "bytes": path.stat().st_size,
        "sha256": digest_once(path),
        **built,
    }
    # Measured before it is marked: whoever is killed between the two builds again, and no index is without its recall.
    recall = recall_of(Searcher(chosen.open(source, path, facts), valid=store.valid))
    facts["seal"] = sealed(content_digest(INDEX, store.layout, facts))
    store.mark(INDEX, **facts, **recall.facts())
    store.remove_remains(INDEX)


def vectors_in(store: EncoderStore) -> Vectors:
    """The vectors that are there, of however many rows: what a collection had before it has grown.

    Raises:
        CollectionError: It is missing or damaged.
    """
    path = store.embeddings_path
    damage = store.damage(EMBEDDINGS)
    try:
        array = open_checked(path, EMBEDDINGS, images=len(store.collection), whole=False)
    except ValueError as error:
        damage = str(error)
    if damage:
        raise CollectionError(
            f"Expected the vectors that were imported, but {path} is not that: {damage}. "
            "Remove the collection and import it anew.",
            remedy=Remedy("remove", store.collection.name),
        )
    return ArrayVectors(array)
