"""Example sentences to search with, made from the labels that a collection has.

Owns the wording of examples. Pure: labels in, sentences out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_FORMS: Final = {
    "XR": "{anatomy} radiograph",
    "CT": "CT of the {anatomy}",
    "MR": "MRI of the {anatomy}",
    "US": "ultrasound of the {anatomy}",
}
_TELLING: Final = (
    ("XR", "chest", "effusion"),
    ("CT", "head", "hemorrhage"),
    ("MR", "brain", "meningioma"),
    ("US", "kidney", "stone"),
)
_COUNTABLE: Final = frozenset({"cyst", "fracture", "infarct", "lesion", "mass", "nodule", "stone", "tear", "tumor"})
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
    return [sentence(*triple) for triple in told[:most]]


def sentence(modality: str, anatomy: str, pathology: str) -> str:
    """One label in words.

    >>> sentence("CT", "abdomen", "renal cyst"), sentence("MR", "brain", "normal"), sentence("other", "skin", "nevus")
    ('CT of the abdomen with a renal cyst', 'normal MRI of the brain', 'skin with nevus')
    """
    image = _FORMS.get(modality, "{anatomy}").format(anatomy=anatomy)
    if pathology == "normal":
        return f"normal {image}"
    finding = pathology.removeprefix(f"{anatomy} ")
    if finding.split()[-1:] and finding.split()[-1] in _COUNTABLE:
        finding = f"{'an' if finding[0] in 'aeiou' else 'a'} {finding}"
    return f"{image} with {finding}"
