"""Words of radiology and what they mean: abbreviations, synonyms, lay words and German ones, by concept.

Owns the reading of ``glossary.csv`` and the form under which two spellings are one. The table is ours; one line is one
concept, under the English term that encoders have learned. It says what words mean and nothing of any image.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

Form = Literal["term", "abbreviation", "synonym", "lay", "german"]
"""As what a word stands in the glossary. The first three are what an English report would say."""

_TABLE: Final = Path(__file__).with_name("glossary.csv")
_COLUMNS: Final[dict[str, Form]] = {
    "abbreviations": "abbreviation",
    "synonyms": "synonym",
    "lay": "lay",
    "german": "german",
}
_DIGRAPH: Final = re.compile(r"(?<=[aou])e")
_SLASHED: Final = re.compile(r"[a-z]/[a-z]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing and its names.

    Attributes:
        term: What it is called in English.
        kind: ``modality``, ``anatomy``, ``finding``, ``symptom``, ``function`` (a word such as "with") or ``other``.
        names: Each further name with its form.
        narrower: The terms of what is a kind of it.
    """

    term: str
    kind: str
    names: tuple[tuple[str, Form], ...] = ()
    narrower: tuple[str, ...] = ()

    @property
    def english(self) -> tuple[str, ...]:
        """Its term and its English synonyms, as a report would say them."""
        return (self.term, *(name for name, form in self.names if form == "synonym"))


def spelling_key(text: str) -> str:
    """What two spellings of one word have in common: no case, accents, umlauts, blanks, hyphens.

    The slash of an abbreviation such as r/o stays: "ro" is something else.

    Example:
        >>> spelling_key("Röntgen-Thorax") == spelling_key("Roentgen Thorax") == spelling_key("rontgenthorax")
        True
        >>> spelling_key("X-ray"), spelling_key("Erguß")
        ('xray', 'erguss')
        >>> spelling_key("R/O"), spelling_key("CT/MR")
        ('r/o', 'ctmr')
    """
    if _SLASHED.fullmatch(text):
        return text.casefold()
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss"))
    letters = "".join(character for character in plain if character.isalnum())
    return _DIGRAPH.sub("", letters)


@cache
def concepts() -> tuple[Concept, ...]:
    """All of the glossary, in its order."""
    with _TABLE.open(encoding="utf-8", newline="") as handle:
        return tuple(
            Concept(
                term=line["term"],
                kind=line["kind"],
                names=tuple((name, form) for column, form in _COLUMNS.items() for name in _parts(line[column])),
                narrower=tuple(_parts(line["narrower"])),
            )
            for line in csv.DictReader(handle)
        )


@cache
def by_key() -> dict[str, tuple[tuple[Concept, Form], ...]]:
    """Each name's :func:`spelling_key` → what it may mean, and as what it stands there."""
    found: dict[str, list[tuple[Concept, Form]]] = {}
    for concept in concepts():
        for name, form in ((concept.term, "term"), *concept.names):
            entry: tuple[Concept, Form] = (concept, form)
            entries = found.setdefault(spelling_key(name), [])
            if not any(concept is other for other, _ in entries):
                entries.append(entry)
    return {key: tuple(entries) for key, entries in found.items()}


@cache
def by_term() -> dict[str, Concept]:
    """Each concept by its term."""
    return {concept.term: concept for concept in concepts()}


def _parts(cell: str) -> Iterator[str]:
    return filter(None, cell.split(";"))
