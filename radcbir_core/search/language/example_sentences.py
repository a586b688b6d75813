"""Example sentences to search with, made from the labels that a collection has.

Owns which of them are shown. Pure: labels in, sentences out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from radcbir_core.search.language.label_sentences import label_sentence

_TELLING: Final = (
    ("XR", "chest", "effusion"),
    ("CT", "head", "hemorrhage"),
    ("MR", "brain", "meningioma"),
    ("US", "kidney", "stone"),
)
_LONGEST: Final = 60


@dataclass(frozen=True, slots=True)
class ExampleSentence:
    """A sentence that asks for images of a label.

    Attributes:
        sentence: What is asked.
        modality: Of the images that are meant.
        anatomy: Likewise.
        pathology: Likewise.
    """

    sentence: str
    modality: str
    anatomy: str
    pathology: str


def example_sentences(labels: Iterable[str], *, most: int = 6) -> list[ExampleSentence]:
    """Sentences that ask for images of some of the labels, different ones first.

    Args:
        labels: Full labels ``modality/anatomy/pathology``, the most frequent first.
        most: How many sentences at most.

    Example:
        >>> labels = ["US/kidney/kidney stone", "XR/chest/normal", "XR/chest/pleural effusion"]
        >>> [example.sentence for example in example_sentences(labels)]
        ['chest radiograph with pleural effusion', 'ultrasound of the kidney with a stone', 'normal chest radiograph']
    """
    triples = [tuple(label.split("/", 2)) for label in labels if label.count("/") >= 2 and len(label) <= _LONGEST]
    told = [
        triple
        for modality, anatomy, word in _TELLING
        for triple in [t for t in triples if t[:2] == (modality, anatomy) and word in t[2]][:1]
    ]
    seen = {triple[:2] for triple in told}
    for triple in triples:
        if triple[:2] not in seen and triple[2] != "normal":
            seen.add(triple[:2])
            told.append(triple)
    told += [triple for triple in triples if triple not in told]
    return [ExampleSentence(label_sentence(*triple), *triple) for triple in told[:most]]
