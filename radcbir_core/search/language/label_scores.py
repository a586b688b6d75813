"""What an encoder's text tower says of an image: how near it is to each label of the collection, put into a sentence.

Owns the scores and the table that holds them beside the labels of the image's neighbors. They are cosines between an
image and sentences, with no example of a label among them (zero-shot); the sentences' means over the collection are not
taken away, which made the nearest label wrong more often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from radcbir_core.search.backend import Float32, unit
from radcbir_core.search.language.label_sentences import label_sentence
from radcbir_core.search.queries.query import Means
from radcbir_core.search.queries.text import check_text_tower

MOST_LABELS: Final = 60
"""The most frequent labels that are scored; each is a sentence to embed."""


@dataclass(frozen=True, slots=True)
class LabelSentences:
    """The labels of a collection as an encoder reads them.

    Attributes:
        labels: Full labels, ``modality/anatomy/pathology``, the most frequent first.
        vectors: ``(L, D)`` float32, unit norm.
    """

    labels: tuple[str, ...]
    vectors: Float32


@dataclass(frozen=True, slots=True)
class LabelScore:
    """A label beside an image.

    Attributes:
        label: The full label.
        cosine: Between the image and the label's sentence; NaN for a label that was not scored.
        rank: Among all that were scored, from 1; 0 for a label that was not.
        neighbors: How many of the image's hits have the label.
    """

    label: str
    cosine: float
    rank: int
    neighbors: int


def label_sentences(means: Means, *, most: int = MOST_LABELS) -> LabelSentences:
    """The most frequent full labels of a collection, embedded.

    Raises:
        EncoderError: The encoder has no text tower, or cannot be loaded here.
    """
    check_text_tower(means.store)
    labels = tuple(list(means.store.collection.manifest.labels("label").counts())[:most])
    if not labels:
        return LabelSentences((), np.empty((0, means.searcher.dimension), dtype=np.float32))
    texts = [label_sentence(*label.split("/", 2)) for label in labels]
    return LabelSentences(labels, unit(means.encoder().encode_texts(texts), dimension=means.searcher.dimension))


def label_scores(
    sentences: LabelSentences, vector: Float32, neighbors: Sequence[str], *, most: int = 6
) -> list[LabelScore]:
    """The labels nearest to an image, and those of its neighbors, the nearest first.

    Args:
        sentences: Of the collection.
        vector: ``(D,)``; the image's.
        neighbors: The full label of each of its hits; "" for a hit that has none.
        most: How many labels by nearness, and how many by neighbors.

    Example:
        >>> sentences = LabelSentences(("XR/chest/normal", "CT/head/mass"), np.eye(2, dtype=np.float32))
        >>> [(one.label, one.rank, one.neighbors) for one in label_scores(sentences, np.float32([0, 1]), ["US/a/b"])]
        [('CT/head/mass', 1, 0), ('XR/chest/normal', 2, 0), ('US/a/b', 0, 1)]
    """
    cosines = sentences.vectors @ vector
    order = np.argsort(-cosines, kind="stable")
    ranks = {sentences.labels[place]: rank for rank, place in enumerate(order.tolist(), 1)}
    counts = Counter(label for label in neighbors if label)
    shown = [label for label, rank in ranks.items() if rank <= most]
    shown += [label for label, _ in counts.most_common(most) if label not in shown]
    near = dict(zip(sentences.labels, cosines.tolist(), strict=True))
    scores = [LabelScore(name, near.get(name, np.nan), ranks.get(name, 0), counts[name]) for name in shown]
    return sorted(scores, key=lambda score: (score.rank or len(ranks) + 1, -score.neighbors))
