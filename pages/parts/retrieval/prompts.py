"""Example sentences to search with, made from the labels that a collection has.

Owns which of them are shown. Pure: labels in, sentences out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from radcbir_core.search.language.label_sentences import label_sentence

_TELLING: Final = (
    ("XR", "chest", "effusion"),
    ("CT", "head", "hemorrhage"),
    ("MR", "brain", "meningioma"),
    ("US", "kidney", "stone"),
)
_LONGEST: Final = 60


def examples(labels: Iterable[str], *, most: int = 6) -> list[str]:
    """Sentences that ask for images of some of the labels, different ones first.

    Args:
        labels: Full labels ``modality/anatomy/pathology``, the most frequent first.
        most: How many sentences at most.

    >>> examples(["US/kidney/kidney stone", "XR/chest/normal", "XR/chest/pleural effusion"])
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
    return [label_sentence(*triple) for triple in told[:most]]
