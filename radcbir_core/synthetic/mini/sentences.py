"""What is said about an image in training: sentences in many forms, and what each of them claims.

Owns the grammar (templates, synonyms, word order, missing parts, negation) and the claims, so that a sentence can be
compared with any image, not only with the one that it was made for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from radcbir_core.synthetic.phantoms import words
from radcbir_core.vocabulary import NORMAL

SAME_ANATOMY: Final[Mapping[str, str]] = {"head": "brain"}
"""Anatomies that sources name in two ways."""

SAME_FINDING: Final[Mapping[str, str]] = {"effusion": "pleural effusion", "ischemic stroke": "infarct"}
"""Findings that sources name in two ways."""

IMPLIED: Final[Mapping[str, tuple[str, ...]]] = {
    "COVID-19 pneumonia": ("pneumonia", "viral pneumonia"),
    "viral pneumonia": ("pneumonia",),
    "bacterial pneumonia": ("pneumonia",),
}
"""What is true of an image as well if a finding is."""

_BOTH = (
    "{m} of the {a}",
    "{m} of {a}",
    "{a} {m}",
    "{m}, {a}",
    "{a}, {m}",
    "a {m} of the {a}",
    "a {a} {m}",
    "{m} showing the {a}",
    "this is a {m} of the {a}",
    "image of the {a}, {m}",
    "the {a} on {m}",
    "{a} imaged by {m}",
    "{m} examination of the {a}",
    "{m}: {a}",
    "a picture of the {a} taken by {m}",
    "{a} on {m}",
)
_SUFFIXES = (
    "{s} with {f}",
    "{s} showing {f}",
    "{s} demonstrating {f}",
    "{s} that shows {f}",
    "{s}: {f}",
    "{f} on {s}",
    "{f}, {s}",
    "{s}, {f}",
    "{s} of a patient with {f}",
    "{s}. There is {f}.",
    "{s} with signs of {f}",
    "{s} consistent with {f}",
    "{s} revealing {f}",
    "findings of {f} in {s}",
    "{s} with evidence of {f}",
)
_ALONE = (
    "{f}",
    "signs of {f}",
    "a patient with {f}",
    "an image with {f}",
    "evidence of {f}",
    "{f} is seen",
    "shows {f}",
)
_NORMAL_BEFORE = ("normal {s}", "{s}, normal", "healthy {s}", "unremarkable {s}", "{s} without abnormality")
_NEGATED = ("{s} without {f}", "{s} with no {f}", "{s}: no {f}", "no evidence of {f} on {s}", "{s}, no {f} is seen")
_PARTS = ("both", "both", "both", "both", "anatomy", "modality", "none")
_SHARE_NEGATED = 0.06
_SHARE_FINDING = 0.75


@dataclass(frozen=True)
class Claim:
    """What a sentence says; ``None`` where it says nothing.

    Attributes:
        modality: XR, CT, MR or US.
        anatomy: With :data:`SAME_ANATOMY` applied.
        finding: With :data:`SAME_FINDING` applied; "normal" for none.
        negated: Whether ``finding`` is said to be absent.
    """

    modality: str | None = None
    anatomy: str | None = None
    finding: str | None = None
    negated: bool = False


def findings_of(pathologies: Sequence[str]) -> frozenset[str]:
    """What is true of an image with these pathologies, in the words of claims.

    Example:
        >>> sorted(findings_of(["COVID-19 pneumonia", "effusion"]))
        ['COVID-19 pneumonia', 'pleural effusion', 'pneumonia', 'viral pneumonia']
    """
    named = [SAME_FINDING.get(name, name) for name in pathologies]
    return frozenset([*named, *(implied for name in named for implied in IMPLIED.get(name, ()))])


def anatomy_of(anatomy: str) -> str:
    """An anatomy in the words of claims."""
    return SAME_ANATOMY.get(anatomy, anatomy)


def sentence(
    generator: np.random.Generator,
    *,
    modality: str,
    anatomy: str,
    pathologies: Sequence[str],
    absent: Sequence[str] = (),
) -> tuple[str, Claim]:
    """A sentence that is true of an image, and its claim.

    Args:
        generator: Source of all choices.
        modality: Of the image; "" where not known, and then the sentence does not say it.
        anatomy: The same.
        pathologies: The same; empty where not known.
        absent: Findings that this image does not show although others of its kind do; one may be denied.
    """
    said = _PARTS[int(generator.integers(len(_PARTS)))]
    names_modality = bool(modality) and said in ("both", "modality")
    names_anatomy = bool(anatomy) and said in ("both", "anatomy")
    finding, negated = "", False
    if absent and pathologies and generator.random() < _SHARE_NEGATED:
        finding, negated = _one(generator, absent), True
    elif pathologies and (generator.random() < _SHARE_FINDING or not (names_modality or names_anatomy)):
        finding = _one(generator, pathologies)
    if not (finding or names_modality or names_anatomy):
        names_modality, names_anatomy = bool(modality), bool(anatomy)
    subject = _subject(
        generator, modality if names_modality else "", anatomy if names_anatomy else "", plain=bool(finding)
    )
    text = _with_finding(generator, subject, finding, negated=negated) if finding else subject
    claim = Claim(
        modality=modality if names_modality else None,
        anatomy=anatomy_of(anatomy) if names_anatomy else None,
        finding=SAME_FINDING.get(finding, finding) if finding else None,
        negated=negated,
    )
    return _spoken(generator, text), claim


def _subject(generator: np.random.Generator, modality: str, anatomy: str, *, plain: bool) -> str:
    said_modality = _one(generator, words.of(words.MODALITIES, modality)) if modality else ""
    said_anatomy = _one(generator, words.of(words.ANATOMIES, anatomy)) if anatomy else ""
    if modality and anatomy:
        template = _one(generator, _BOTH)
        return template.format(m=said_modality, a=said_anatomy)
    if modality or anatomy:
        said = said_modality or said_anatomy
        return said if plain else _one(generator, ("{x}", "a {x}", "image of {x}", "the {x}")).format(x=said)
    return ""


def _with_finding(generator: np.random.Generator, subject: str, finding: str, *, negated: bool) -> str:
    if finding == NORMAL:
        said = _one(generator, words.NORMAL)
        if subject and generator.random() < 0.55:
            return _one(generator, _NORMAL_BEFORE).format(s=subject)
    else:
        said = _one(generator, words.of(words.FINDINGS, finding))
    if negated:
        bare = said.removeprefix("a ").removeprefix("an ")
        return _one(generator, _NEGATED).format(s=subject or "image", f=bare)
    if not subject:
        return _one(generator, _ALONE).format(f=said)
    return _one(generator, _SUFFIXES).format(s=subject, f=said)


def _spoken(generator: np.random.Generator, text: str) -> str:
    """The same with a capital letter or a full stop, or without."""
    tidy = " ".join(text.split())
    if generator.random() < 0.3:
        tidy = f"{tidy[:1].upper()}{tidy[1:]}"
    return f"{tidy}." if generator.random() < 0.15 and not tidy.endswith(".") else tidy


def _one(generator: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(generator.integers(len(choices)))]
