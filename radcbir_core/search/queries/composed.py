"""Several queries as one: images and sentences, each with a weight, more like this and less like that.

Owns the sum: how the parts are made comparable, what a weight means, and when nothing is left of it. What a part is, is
query.py's; which parts people have put together, composition.py's.

A part adds to every image of the collection its weight times that image's similarity to the part. Sentences and images
lie apart in the space of an encoder (the modality gap, Liang et al., NeurIPS 2022), with two consequences. Similarities
to a sentence differ less over a collection than those to an image do, so that with equal weights the image would decide
alone: each part is divided by the standard deviation of its similarities over the collection. And what all sentences
have in common tells nothing of what one says: their middle is taken from each, that of the sentences which the
collection's labels make. Images have no middle taken from them; that would change little. The composed query is the
direction of that sum; of a single part it is that part as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.encoders import Encoder
from radcbir_core.errors import QueryError
from radcbir_core.search.backend import Exclusion, Float32, Mask, Vectors, unit_vectors
from radcbir_core.search.queries.query import EmbeddedQuery, Known, Means, Measure, Query
from radcbir_core.wording import counted

SAMPLE: Final = 4096
"""Over how many images of a collection at most a part's spread is measured: evenly spaced ones, always the same."""

MOST_SENTENCES: Final = 64
"""Of so many of the most frequent labels at most sentences are made, to find their middle."""

_LEAST_LEFT: Final = 0.01
"""What has to be left of a sum, as a share of what was put in: below that it is the rounding of embeddings that is
left, not a direction. A file and its half-precision embedding differ by less than a thousandth."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One of the queries that a composed one is made of.

    Attributes:
        query: One image, from the collection or from outside, one sentence, or one vector.
        weight: How much it counts; below 0 for what is not wanted.
    """

    query: Query
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class ComposedQuery:
    """The weighted sum of several queries.

    Attributes:
        parts: One or more.
    """

    parts: tuple[Part, ...]
    measure: Measure = field(default="composed_similarity", init=False)

    @property
    def known(self) -> Known:
        """As of its images; a sentence has nobody to leave out and changes nothing."""
        kinds = {part.query.known for part in self.parts} - {"never"}
        if not kinds:
            return "never"
        return "always" if kinds == {"always"} else "if in the collection"

    @property
    def reads_text(self) -> bool:
        """Whether a sentence counts in it."""
        return any(part.weight and _reads_text(part.query) for part in self.parts)

    def embed(self, means: Means) -> EmbeddedQuery:
        """The direction of the weighted sum; ``notes`` are those of its parts.

        Raises:
            QueryError: There is no part, none counts, they cancel each other out, or one of them stands for several
                queries.
        """
        if not any(part.weight for part in self.parts):
            raise QueryError(
                f"Expected a query of which something counts, but {counted(len(self.parts), 'part')} with weight 0 "
                f"{'is' if len(self.parts) == 1 else 'are'} all there is. Give at least one a weight."
            )
        if not all(np.isfinite(part.weight) for part in self.parts):
            raise QueryError("Expected weights that are numbers, but one is not finite. Correct it.")
        # What counts nothing is not asked for: no encoder is loaded for it.
        counting = [part for part in self.parts if part.weight]
        embedded = [means.embedded(part.query) for part in counting]
        if several := [one for one in embedded if len(one.vectors) != 1]:
            raise QueryError(
                f"Expected parts of one image each, but one has {len(several[0].vectors)}. Make a part of each."
            )
        vectors = np.concatenate([one.vectors for one in embedded])
        weights = np.array([part.weight for part in counting])
        notes = tuple(dict.fromkeys(note for one in embedded for note in one.notes))
        if len(counting) > 1:
            of_text = np.array([part.query.measure == "text_similarity" for part in counting])
            if of_text.any():
                vectors = without_middle(vectors, of_text, means.middle())
            weights = weights / spreads_of(vectors, means.searcher.engine, valid=means.store.valid)
        of_region = None
        if any(one.of_region is not None for one in embedded):
            length = float(np.linalg.norm(weights @ vectors.astype(np.float64)))
            parts = [np.zeros_like(one.vectors) if one.of_region is None else one.of_region for one in embedded]
            of_region = (weights @ np.concatenate(parts) / max(length, 1e-9)).astype(np.float32)[None]
        return EmbeddedQuery(self, weighted_sum(vectors, weights)[None], notes, of_region=of_region)

    def exclusions(self, store: EncoderStore, exclude: Sequence[str]) -> list[Exclusion]:
        """What any of its parts may not return: every image in it, and what shares that image's patient and so on.

        Of a sentence that is wanted it is what the sentence denies.
        """
        is_known = self.known != "never"
        left_out: list[Exclusion] = []
        for part in self.parts:
            if part.query.known != "never" or not is_known:
                left_out += part.query.exclusions(store, exclude)
            elif part.weight > 0:
                left_out += part.query.exclusions(store, ())
        return left_out


def _reads_text(query: Query) -> bool:
    return query.reads_text if isinstance(query, ComposedQuery) else query.measure == "text_similarity"


def middle_of_sentences(store: EncoderStore, encoder: Encoder) -> Float32 | None:
    """The mean of the vectors of the sentences that a collection's labels make: ``(D,)``.

    Returns:
        Of at most :data:`MOST_SENTENCES` labels, the most frequent ones; None where there are fewer than two.
    """
    triples = [label.split("/", 2) for label in store.collection.manifest.labels("label").counts()]
    sentences = [f"{words[0]} of the {words[1]} with {words[2]}" for words in triples if len(words) == 3]
    if len(sentences) < 2:
        return None
    middle: Float32 = encoder.encode_texts(sentences[:MOST_SENTENCES]).mean(axis=0)
    return middle


def without_middle(vectors: Float32, of_text: Mask, middle: Float32 | None) -> Float32:
    """Unit vectors, of which those of sentences have the middle of sentences taken from them.

    Args:
        vectors: ``(P, D)`` unit norm.
        of_text: ``(P,)``; which are of sentences.
        middle: ``(D,)``; None takes nothing away.

    Returns:
        ``(P, D)`` unit norm. A sentence that is the middle itself stays as it is.

    Example:
        >>> without_middle(np.float32([[0, 1], [0.6, 0.8]]), np.array([False, True]), np.float32([0, 0.8])).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    if middle is None:
        return vectors
    moved = vectors - np.where(of_text[:, None], middle, 0).astype(np.float32)
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(np.where(lengths > _LEAST_LEFT, moved / np.maximum(lengths, _LEAST_LEFT), vectors), np.float32)


def spreads_of(queries: Float32, source: Vectors, *, valid: Mask) -> np.ndarray:
    """How much the similarities to each query differ over a collection: ``(Q,)`` float64, their standard deviations.

    Args:
        queries: ``(Q, D)`` float32, unit norm.
        source: The vectors of the collection.
        valid: ``(N,)``; which of them are embeddings.

    Returns:
        Over at most :data:`SAMPLE` images; 1 for all where one of them is 0, as among fewer than two images, because
        there is nothing to compare with.
    """
    rows = np.flatnonzero(valid)
    rows = rows[np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).astype(np.intp)] if len(rows) else rows
    if len(rows) < 2:
        return np.ones(len(queries))
    spreads: np.ndarray = (unit_vectors(source, rows) @ queries.T).std(axis=0, dtype=np.float64)
    return spreads if (spreads > 1e-6).all() else np.ones(len(queries))


def weighted_sum(vectors: Float32, weights: np.ndarray) -> Float32:
    """The direction of a weighted sum: ``(D,)`` float32, unit norm.

    Args:
        vectors: ``(P, D)`` unit norm.
        weights: ``(P,)``.

    Raises:
        QueryError: Less than a hundredth of what was put in is left, so that there is no direction.

    Example:
        >>> weighted_sum(np.eye(2, dtype=np.float32), np.array([3.0, -4.0])).astype(float).round(2).tolist()
        [0.6, -0.8]
    """
    total = weights @ vectors.astype(np.float64)
    left, put_in = float(np.linalg.norm(total)), float(np.abs(weights).sum())
    if left <= _LEAST_LEFT * put_in:
        raise QueryError(
            "Expected parts that add up to a direction, but they cancel each other out: what is wanted is as good as "
            "the same as what is not. Change a weight, or take one of them out."
        )
    return (total / left).astype(np.float32)
