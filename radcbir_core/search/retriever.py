"""A query → ranked hits.

Owns what a query means on one collection and one encoder: the filter, what it may not return, what a sentence must be,
and the table of its hits. Searching itself is index.py's; making an embedding of an image or a sentence is the
encoder's.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.artifacts import EMBEDDINGS, INDEX
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.manifest import EXCLUSIONS, Manifest
from radcbir_core.collections.manifest import Exclusion as ExclusionName
from radcbir_core.collections.store import EncoderStore
from radcbir_core.encoders import Encoder
from radcbir_core.errors import EncoderError, QueryError, Remedy, StaleError
from radcbir_core.search.index import ApproximateIndex, Exclusion, Hits, Searcher, unit

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

Measure = Literal["similarity", "text_similarity"]
"""What a number beside a hit is: the cosine between two images, or that between a sentence and an image. The two are
never on one scale: an image is closer to almost any other image than to a sentence that describes it."""

LONGEST_TEXT = 100_000
"""Characters of the longest text that is looked at; every encoder reads far less."""


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A sentence to search with. Made by :func:`embed_text`.

    Attributes:
        text: The sentence, with single spaces.
        embedding: ``(D,)`` float32, unit norm.
        read: The part of ``text`` that counts: all of it, or the beginning that the encoder can take.
        notes: What to know about how it was read, a sentence each; mostly none.
    """

    text: str
    embedding: npt.NDArray[np.float32]
    read: str
    notes: tuple[str, ...]


class Retriever:
    """Everything that answers queries on one collection with one encoder. Safe to share between threads.

    Args:
        collection: The gallery.
        encoder_id: What its embeddings were made with.

    Raises:
        CollectionError: The collection was not built with that encoder.
        StaleError: The embeddings were made of other images than the collection has now.
    """

    def __init__(self, collection: Collection, encoder_id: str) -> None:
        self.collection = collection
        self.store = collection.store(encoder_id)
        if not self.store.is_current(EMBEDDINGS):
            raise StaleError(
                f"Expected embeddings of the images that {collection.name} has now, but those of {encoder_id} are "
                f"missing or of others. Build {collection.name} with {encoder_id} again.",
                remedy=self.store.rebuild,
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
            exclude: Of :data:`~radcbir_core.collections.manifest.EXCLUSIONS`; for an image from outside, only
                "duplicate" can be known, by ``sha256``; patient and study follow from it when the very file is in the
                collection.
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
            exclude: Of :data:`~radcbir_core.collections.manifest.EXCLUSIONS`.

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

    def search_text(self, query: TextQuery, *, k: int, where: Where | None = None, exclude: Sequence[str] = ()) -> Hits:
        """Hits for a sentence. Their similarities are those of a text and an image, see :data:`Measure`.

        Args:
            query: As :func:`embed_text` makes it.
            k: How many hits.
            where: Which images may be returned: column → accepted values.
            exclude: Must be empty: a sentence has no patient, study, series or file that could be left out.

        Raises:
            QueryError: As :meth:`search`, and for any exclusion.
        """
        if names := check_exclusions(exclude):
            raise QueryError(
                f"Expected no exclusions with a text, but exclude = {', '.join(names)}. "
                "A text has no patient or file to leave out: search without, or with an image."
            )
        return self.search(query.embedding, k=k, where=where)

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
    facts = store.facts(INDEX)
    current = store.is_current(INDEX)
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
        exclude: Of :data:`~radcbir_core.collections.manifest.EXCLUSIONS`.

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
        QueryError: One is none of :data:`~radcbir_core.collections.manifest.EXCLUSIONS`.

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
            f"Build {name} with {store.encoder_id} again.",
            remedy=store.rebuild,
        )


def text_encoders(collection: Collection) -> list[str]:
    """The encoders that a collection was built with and that have a text tower, sorted."""
    return [name for name in collection.encoder_ids() if collection.store(name).record.get("supports_text") is True]


def check_text_tower(store: EncoderStore) -> None:
    """Make sure that the encoder of ``store`` can read text; loads nothing.

    Raises:
        EncoderError: It has no text tower; says which encoder to use instead.
    """
    if store.record.get("supports_text") is True:
        return
    able = text_encoders(store.collection)
    advice = (
        f"Choose {' or '.join(able)}."
        if able
        else f"Build {store.collection.name} with one that has, such as radcbir-mini."
    )
    raise EncoderError(
        f"Expected an encoder with a text tower, but encoder = {store.encoder_id} has none: it compares images only. "
        f"{advice}",
        remedy=None if able else Remedy("build", store.collection.name, {"encoder": "radcbir-mini"}),
    )


def embed_text(store: EncoderStore, encoder: Encoder, text: str) -> TextQuery:
    """A sentence as a query on what ``encoder`` has made of a collection.

    Args:
        store: Of the collection and the encoder.
        encoder: The very encoder, loaded.
        text: Any sentence; English for most encoders.

    Raises:
        QueryError: As :func:`cleaned_text`.
        EncoderError: The encoder has no text tower, or cannot read its tokenizer.
        StaleError: As :func:`check_encoder`.
    """
    check_text_tower(store)
    check_encoder(store, encoder)
    sentence = cleaned_text(text)
    read = _read_part(encoder, sentence)
    notes = []
    if read != sentence:
        words, all_words = len(read.split()), len(sentence.split())
        notes.append(
            f"Only the beginning of the text counts, {words:,} of {all_words:,} words ({len(read):,} of "
            f"{len(sentence):,} characters), up to “…{read[-40:]}”: {encoder.encoder_id} reads no more."
        )
    letters = [character for character in read if character.isalpha()]
    latin = sum(unicodedata.name(character, "").startswith("LATIN") for character in letters)
    if 2 * latin < len(letters):
        notes.append(
            "Most of its letters are not Latin. Encoders that learned from English sentences, as most did, make "
            "nothing of other scripts: the hits may be arbitrary."
        )
    embedding = np.asarray(encoder.encode_texts([sentence]), dtype=np.float32)[0]
    return TextQuery(sentence, embedding, read, tuple(notes))


def cleaned_text(text: str) -> str:
    r"""``text`` with single spaces between its words.

    Raises:
        QueryError: It has no letter or digit, is longer than :data:`LONGEST_TEXT`, or is not Unicode.

    Example:
        >>> cleaned_text("  CT of\n the head ")
        'CT of the head'
    """
    if any(unicodedata.category(character) == "Cs" for character in text):
        raise QueryError("Expected text in Unicode, but some of its bytes are not. Type it again.")
    sentence = " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in text).split())
    if len(sentence) > LONGEST_TEXT:
        raise QueryError(
            f"Expected a text of at most {LONGEST_TEXT:,} characters, but it has {len(sentence):,}. "
            "Write one sentence that says what the images should show."
        )
    if not any(character.isalnum() for character in sentence):
        raise QueryError(
            f"Expected a text with at least one word, but text = {sentence[:40]!r}. "
            "Write what the images should show, such as: CT of the head with hemorrhage"
        )
    return sentence


def _read_part(encoder: Encoder, sentence: str) -> str:
    """The longest beginning of ``sentence`` that the encoder does not cut: whole words, else characters."""
    if not encoder.truncated([sentence])[0]:
        return sentence
    words = sentence.split()
    for parts, between in ((words, " "), (list(words[0]), "")):
        low, high = 0, 1  # low parts fit; doubled, so that a long text is not read as a whole again and again
        while high < len(parts) and not encoder.truncated([between.join(parts[:high])])[0]:
            low, high = high, 2 * high
        high = min(high, len(parts))
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if encoder.truncated([between.join(parts[:middle])])[0] else (middle, high)
        if low:
            return between.join(parts[:low])
    return words[0][:1]


def hits_table(manifest: Manifest, hits: Hits, *, query: int = 0, measure: Measure = "similarity") -> pd.DataFrame:
    """The hits of one query with what is known of them: :data:`HIT_COLUMNS`, best first.

    Args:
        manifest: The collection's.
        hits: Of one or more queries.
        query: Which of them.
        measure: What the numbers are; the name of their column.
    """
    count = int(hits.counts[query])
    rows = hits.rows[query, :count]
    columns = [name for name in HIT_COLUMNS if name not in ("rank", "similarity")]
    table = manifest.rows(rows, columns)
    table["rank"] = np.arange(1, count + 1)
    table[measure] = hits.similarities[query, :count]
    return table[[measure if name == "similarity" else name for name in HIT_COLUMNS]]
