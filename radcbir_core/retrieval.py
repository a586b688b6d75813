"""A query → ranked hits.

Owns what a query means on one collection and one encoder: the filter, what it may not return, and the table of its
hits. Searching itself is index.py's; making an embedding of an image or a sentence is the encoder's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collection import Collection, EncoderStore
from radcbir_core.encoders import Encoder
from radcbir_core.errors import QueryError, StaleError
from radcbir_core.index import ApproximateIndex, Exclusion, Hits, Searcher, unit
from radcbir_core.manifest import EXCLUSIONS, Manifest
from radcbir_core.manifest import Exclusion as ExclusionName

HIT_COLUMNS = (
    "rank",
    "image_id",
    "path",
    "similarity",
    "modality",
    "anatomy",
    "pathologies",
    "patient_id",
    "dataset",
)

Where = Mapping[str, Sequence[str]]


class Retriever:
    """Everything that answers queries on one collection with one encoder. Safe to share between threads.

    Args:
        collection: The gallery.
        encoder_id: What its embeddings were made with.

    Raises:
        CollectionError: The collection was not built with that encoder.
        StaleError: The embeddings were made from another manifest than the collection has now.
    """

    def __init__(self, collection: Collection, encoder_id: str) -> None:
        self.collection = collection
        self.store = collection.store(encoder_id)
        if self.store.steps()["embed"] != "current":
            raise StaleError(
                f"Expected embeddings of the manifest that {collection.name} has now, but those of {encoder_id} are "
                f"missing or of another one. Run: python -m radcbir_core build {collection.name} --encoder {encoder_id}"
            )
        self._searcher = searcher_of(self.store)

    def search(
        self,
        embeddings: npt.ArrayLike,
        *,
        k: int,
        where: Where | None = None,
        exclude: Sequence[str] = (),
        sha256: str = "",
    ) -> Hits:
        """Hits for embeddings from outside the collection: uploaded images, sentences.

        Args:
            embeddings: ``(Q, D)`` or ``(D,)``, made by the collection's encoder.
            k: How many hits.
            where: Which images may be returned: column → accepted values.
            exclude: Of :data:`~radcbir_core.manifest.EXCLUSIONS`; for an image from outside, only "duplicate" can be
                known, by ``sha256``; patient and study follow from it when the very file is in the collection.
            sha256: Of the queried file.

        Raises:
            QueryError: An unknown column, value or exclusion; k below 1; vectors of another dimension.
        """
        queries = unit(embeddings, dimension=self._searcher.dimension)
        copies = self._copies(sha256)
        exclusions = []
        for name in check_exclusions(exclude):
            groups = self.collection.manifest.groups(name)
            if name == "duplicate":
                groups = np.full(len(self.collection), -1, dtype=np.int32)
                groups[copies] = 0
                mine = np.zeros(len(queries), dtype=np.int32)
            else:
                known = groups[copies][groups[copies] >= 0]
                mine = np.full(len(queries), known[0] if len(known) else -1, dtype=np.int32)
            exclusions.append(Exclusion(groups, mine))
        return self._searcher.search(queries, k=k, allowed=self.allowed(where), exclusions=exclusions)

    def search_rows(
        self, rows: npt.ArrayLike, *, k: int, where: Where | None = None, exclude: Sequence[str] = ()
    ) -> Hits:
        """Hits for images of the collection; an image never returns itself.

        Args:
            rows: ``(Q,)`` row numbers.
            k: How many hits.
            where: Which images may be returned: column → accepted values.
            exclude: Of :data:`~radcbir_core.manifest.EXCLUSIONS`.

        Raises:
            QueryError: As :meth:`search`, and for an image that has no embedding.
        """
        chosen = np.atleast_1d(np.asarray(rows, dtype=np.intp))
        failed = chosen[~self.store.valid[chosen]]
        if len(failed):
            image_id = self.collection.manifest.record(int(failed[0]))["image_id"]
            raise QueryError(
                f"Expected an image with an embedding, but image_id = {image_id!r} could not be embedded. "
                "See problems.csv for the reason, and choose another image."
            )
        queries = unit(self.store.embeddings[chosen], dimension=self._searcher.dimension)
        exclusions = exclusions_of(self.collection.manifest, chosen, exclude)
        return self._searcher.search(queries, k=k, allowed=self.allowed(where), exclusions=exclusions)

    def allowed(self, where: Where | None) -> npt.NDArray[np.bool_] | None:
        """Which images a filter lets through; ``None`` without a filter."""
        return self.collection.manifest.mask(where) if where else None

    def _copies(self, sha256: str) -> npt.NDArray[np.intp]:
        """The rows whose file is byte for byte the queried one."""
        if not sha256:
            return np.empty(0, dtype=np.intp)
        return self.collection.manifest.rows_with("sha256", sha256)


def searcher_of(store: EncoderStore) -> Searcher:
    """The search over what one encoder made of a collection; its index is opened when first needed."""
    facts = store.record.get("index", {})
    current = store.steps()["index"] == "current"
    opener = partial(
        ApproximateIndex,
        store.index_path,
        dimension=store.embeddings.shape[1],
        size_bytes=int(facts.get("bytes", -1)),
    )
    return Searcher(store.embeddings, valid=store.valid, index=opener if current else None)


def exclusions_of(manifest: Manifest, rows: npt.NDArray[np.intp], exclude: Sequence[str]) -> list[Exclusion]:
    """What images of the collection may not return when they are queries: themselves, and what ``exclude`` names.

    Args:
        manifest: The collection's.
        rows: ``(Q,)``; the queries.
        exclude: Of :data:`~radcbir_core.manifest.EXCLUSIONS`.

    Raises:
        QueryError: An unknown exclusion.
    """
    everything = [Exclusion(np.arange(len(manifest)), rows)]
    for name in check_exclusions(exclude):
        groups = manifest.groups(name)
        everything.append(Exclusion(groups, groups[rows]))
    return everything


def check_exclusions(exclude: Sequence[str]) -> list[ExclusionName]:
    """The names in ``exclude``, each once.

    Raises:
        QueryError: One is none of :data:`~radcbir_core.manifest.EXCLUSIONS`.

    Example:
        >>> check_exclusions(["patient", "patient", "duplicate"])
        ['duplicate', 'patient']
    """
    for name in exclude:
        if name not in EXCLUSIONS:
            raise QueryError(
                f"Expected exclusions of {', '.join(EXCLUSIONS)}, but exclude = {name!r}. "
                "Choose among these; an image never returns itself in any case."
            )
    return [name for name in EXCLUSIONS if name in exclude]


def check_encoder(store: EncoderStore, encoder: Encoder) -> None:
    """Make sure that ``encoder`` is the one the embeddings were made with, to the last digit.

    Raises:
        StaleError: It is another version, has other weights, or other preprocessing.
    """
    if store.record.get("fingerprint") != encoder.fingerprint:
        name = store.collection.name
        raise StaleError(
            f"Expected embeddings made by this version of {encoder.encoder_id}, but those of {name} were made by "
            "another version, other weights or other preprocessing. "
            f"Run: python -m radcbir_core build {name} --encoder {store.spec}"
        )


def hits_table(manifest: Manifest, hits: Hits, *, query: int = 0) -> pd.DataFrame:
    """The hits of one query with what is known of them: :data:`HIT_COLUMNS`, best first."""
    count = int(hits.counts[query])
    rows = hits.rows[query, :count]
    columns = [name for name in HIT_COLUMNS if name not in ("rank", "similarity")]
    table = manifest.rows(rows, columns)
    table["rank"] = np.arange(1, count + 1)
    table["similarity"] = hits.similarities[query, :count]
    return table[list(HIT_COLUMNS)]
