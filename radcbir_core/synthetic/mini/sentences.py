"""What is said about an image in training: sentences in many forms, and what each of them claims.

Owns the grammar (templates, word order, missing parts, negation, German, the manner of reports, slips of the pen) and
the claims, so that a sentence can be compared with any image, not only with the one that it was made for. Words come
from the phantoms' vocabulary and from the glossary of queries: abbreviations, synonyms, lay words, German ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from radcbir_core.search.language.glossary import Form, by_key, spelling_key
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
_NEGATED_ALONE = ("no {f}", "no evidence of {f}", "without {f}", "{f} is absent", "negative for {f}", "no sign of {f}")
_AND_DENIED = ("{x}, no {f}", "{x}. No {f}.", "{x} without {f}")

_GERMAN_BOTH = ("{m} {a}", "{m}: {a}", "{a} im {m}", "{m} von {a}", "{a}, {m}", "Aufnahme {a}, {m}")
_GERMAN_WITH = (
    "{s} mit {f}",
    "{s}: {f}",
    "{s}, {f}",
    "{f}, {s}",
    "{s} mit Nachweis von {f}",
    "{s}, V. a. {f}",
    "{s}: Zeichen von {f}",
    "{s} zeigt {f}",
)
_GERMAN_ALONE = ("{f}", "Nachweis von {f}", "V. a. {f}", "Bild mit {f}", "es zeigt sich {f}", "Befund: {f}")
_GERMAN_NEGATED = ("{s} ohne {f}", "{s}: kein {f}", "{s}, kein Nachweis von {f}", "kein Anhalt für {f}, {s}")
_GERMAN_NORMAL = ("unauffällig", "Normalbefund", "ohne pathologischen Befund", "o. B.", "kein pathologischer Befund")

_MANNERS: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("axial", "coronal", "sagittal", "lateral", "follow-up", "initial"),
    "XR": ("AP", "PA", "portable", "lateral", "frontal", "supine", "erect", "digital"),
    "CT": ("axial", "non-contrast", "contrast-enhanced", "coronal", "low-dose", "thin-section", "native"),
    "MR": (
        "T1-weighted",
        "T2-weighted",
        "FLAIR",
        "axial",
        "sagittal",
        "coronal",
        "contrast-enhanced",
        "post-gadolinium",
    ),
    "US": ("B-mode", "transverse", "longitudinal", "bedside", "targeted", "gray-scale"),
}
"""How an image is taken, which images here do not say: sentences may name it, and claim nothing by it."""

_QUALITIES = (
    "small", "large", "moderate", "mild", "severe", "extensive", "subtle", "new", "known", "probable", "suspected",
    "left-sided", "right-sided", "left", "right", "bilateral", "chronic", "acute", "2 cm", "15 mm", "marked",
)  # fmt: skip
_GERMAN_QUALITIES = ("kleine", "große", "ausgeprägte", "linksseitige", "rechtsseitige", "bekannte", "neue", "diskrete")
_BEFORE = ("Findings: {x}", "IMPRESSION: {x}", "Report: {x}", "Indication: pain. {x}", "{x} Compare with prior.")
_AFTER = (
    "{x} in a {n}-year-old man",
    "{x} in a {n}-year-old woman",
    "{x}, {n} y/o",
    "{n}-year-old patient, {x}",
    "{x}, left side",
    "{x}, right side",
)

_PARTS = ("both", "both", "both", "both", "anatomy", "modality", "none")
_SHARE_NEGATED = 0.1
_SHARE_ALSO_DENIED = 0.04
_SHARE_FINDING = 0.75
_SHARE_GERMAN = 0.15
_SHARE_GLOSSARY = 0.35
_SHARE_MANNER = 0.25
_SHARE_QUALITY = 0.25
_SHARE_REPORT = 0.2
_SHARE_SLIPS = 0.12
_ENGLISH: Final[tuple[Form, ...]] = ("term", "abbreviation", "synonym", "lay")
_GERMAN: Final[tuple[Form, ...]] = ("german",)


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
    german = generator.random() < _SHARE_GERMAN
    say = _german if german else _english
    text = say(
        generator,
        modality=modality if names_modality else "",
        anatomy=anatomy if names_anatomy else "",
        finding=finding,
        negated=negated,
    )
    if text and absent and pathologies and not negated and generator.random() < _SHARE_ALSO_DENIED:
        # Also true, and the claim stays what it was: what is denied must not call for itself.
        denied = _bare(_word(generator, words.FINDINGS, _one(generator, absent), _GERMAN if german else _ENGLISH))
        text = f"{text}, kein {denied}" if german else _one(generator, _AND_DENIED).format(x=text, f=denied)
    if text and not german and generator.random() < _SHARE_REPORT:
        text = _one(generator, _BEFORE + _AFTER).format(x=text, n=int(generator.integers(18, 95)))
    claim = Claim(
        modality=modality if names_modality else None,
        anatomy=anatomy_of(anatomy) if names_anatomy else None,
        finding=SAME_FINDING.get(finding, finding) if finding else None,
        negated=negated,
    )
    return _spoken(generator, text), claim


def _english(generator: np.random.Generator, *, modality: str, anatomy: str, finding: str, negated: bool) -> str:
    said_modality = _word(generator, words.MODALITIES, modality, _ENGLISH) if modality else ""
    said_anatomy = _word(generator, words.ANATOMIES, anatomy, _ENGLISH) if anatomy else ""
    if generator.random() < _SHARE_MANNER and (modality or anatomy):
        manner = _one(generator, _MANNERS.get(modality, _MANNERS[""]))
        said_modality, said_anatomy = (
            (f"{manner} {said_modality}", said_anatomy) if modality else ("", f"{manner} {said_anatomy}")
        )
    subject = ""
    if modality and anatomy:
        subject = _one(generator, _BOTH).format(m=said_modality, a=said_anatomy)
    elif modality or anatomy:
        form = "{x}" if finding else _one(generator, ("{x}", "a {x}", "image of {x}", "the {x}"))
        subject = form.format(x=said_modality or said_anatomy)
    if not finding:
        return subject
    if finding == NORMAL:
        if subject and generator.random() < 0.55:
            return _one(generator, _NORMAL_BEFORE).format(s=subject)
        said = _one(generator, words.NORMAL)
    else:
        said = _word(generator, words.FINDINGS, finding, _ENGLISH)
        if not negated and generator.random() < _SHARE_QUALITY:
            said = f"{_one(generator, _QUALITIES)} {_bare(said)}"
    if negated:
        forms = _NEGATED if subject else _NEGATED_ALONE
        return _one(generator, forms).format(s=subject, f=_bare(said))
    return _one(generator, _SUFFIXES if subject else _ALONE).format(s=subject, f=said)


def _german(generator: np.random.Generator, *, modality: str, anatomy: str, finding: str, negated: bool) -> str:
    said_modality = _word(generator, words.MODALITIES, modality, _GERMAN) if modality else ""
    said_anatomy = _word(generator, words.ANATOMIES, anatomy, _GERMAN) if anatomy else ""
    subject = said_modality or said_anatomy
    if modality and anatomy:
        subject = _one(generator, _GERMAN_BOTH).format(m=said_modality, a=said_anatomy)
    if not finding:
        return subject
    if finding == NORMAL:
        said = _one(generator, _GERMAN_NORMAL)
        return f"{subject}, {said}" if subject else said
    said = _bare(_word(generator, words.FINDINGS, finding, _GERMAN))
    if negated:
        return _one(generator, _GERMAN_NEGATED).format(s=subject or "Bild", f=said)
    if generator.random() < _SHARE_QUALITY:
        said = f"{_one(generator, _GERMAN_QUALITIES)} {said}"
    return _one(generator, _GERMAN_WITH if subject else _GERMAN_ALONE).format(s=subject, f=said)


@cache
def names_of(name: str, forms: tuple[Form, ...]) -> tuple[str, ...]:
    """What the glossary calls something, in these forms; empty where it does not know it, or by other names only.

    Args:
        name: A modality, an anatomy or a finding, as labels or plain words name it.
        forms: Which names.

    Example:
        >>> names_of("pneumothorax", ("german",))
        ('Pneu', 'Spannungspneumothorax')
    """
    entries = [concept for concept, form in by_key().get(spelling_key(name), ()) if form == "term"]
    found = [other for concept in entries for other, form in concept.names if form in forms]
    return tuple(dict.fromkeys([*(concept.term for concept in entries if "term" in forms), *found]))


def _word(
    generator: np.random.Generator, table: Mapping[str, tuple[str, ...]], name: str, forms: tuple[Form, ...]
) -> str:
    """One way to say something: the vocabulary's, or now and then the glossary's; in German the glossary's."""
    own = words.of(table, name)
    others = names_of(name, forms) or names_of(_bare(own[0]), forms)
    if others and (forms == _GERMAN or generator.random() < _SHARE_GLOSSARY):
        return _one(generator, others)
    return _one(generator, own)


def _bare(said: str) -> str:
    return said.removeprefix("a ").removeprefix("an ")


def _spoken(generator: np.random.Generator, text: str) -> str:
    """The same with a capital letter, a full stop or a slip of the pen, or without."""
    tidy = " ".join(text.split())
    if generator.random() < _SHARE_SLIPS:
        tidy = _slip(generator, tidy)
    if generator.random() < 0.3:
        tidy = f"{tidy[:1].upper()}{tidy[1:]}"
    return f"{tidy}." if generator.random() < 0.15 and not tidy.endswith(".") else tidy


def _slip(generator: np.random.Generator, text: str) -> str:
    """One letter of a long word left out, doubled, or in the place of its neighbor."""
    parts = text.split(" ")
    long_ones = [place for place, part in enumerate(parts) if len(part) > 5 and part.isalpha()]
    if not long_ones:
        return text
    place = long_ones[int(generator.integers(len(long_ones)))]
    word, at = parts[place], int(generator.integers(1, len(parts[place]) - 1))
    changed = (
        word[:at] + word[at + 1 :],
        word[:at] + word[at] + word[at:],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    )
    parts[place] = changed[int(generator.integers(3))]
    return " ".join(parts)


def _one(generator: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(generator.integers(len(choices)))]
