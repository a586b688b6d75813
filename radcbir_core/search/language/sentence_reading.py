"""How a sentence is read: what was written, what it is taken for, and what a person may want to change of that.

Owns the decision which words are replaced. Replaced by itself is what can mean one thing only and is not English as
reports write it: an abbreviation, a lay word, a German one. What may be misspelt or may mean several things is never
replaced without being asked for. Each of these can be decided otherwise: ``choices`` has what the person has said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from radcbir_core.search.language.denials import Denial, denials_in, without
from radcbir_core.search.language.glossary import Concept, Form, spelling_key
from radcbir_core.search.language.lexicon import SMALL_WORDS, Lexicon
from radcbir_core.vocabulary import NORMAL

Why = Literal["abbreviation", "lay", "german", "normal", "chosen"]

WHY: Final[Mapping[Why, str]] = {
    "abbreviation": "abbreviation",
    "lay": "everyday words",
    "german": "German",
    "normal": "nothing is found",
    "chosen": "as chosen",
}
"""Why something is read as something else, in words."""

LONGEST_READ: Final = 2_000
"""Characters; a longer text is no sentence, and is taken word for word."""

_TOKEN: Final = re.compile(r"[^\s,;:!?()\[\]\"]+")
_LONGEST_NAME: Final = 6
_UNITS: Final = frozenset({"mm", "cm", "ml", "cc"})
"""Units of sizes, in small letters; CM is an abbreviation."""
_ENDING: Final = ".'\u2019"
_OF: Final = frozenset({"of", "for", "suggesting", "suggestive", "von", "für", "eines", "einer"})


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is read as something else.

    Attributes:
        written: What the sentence says.
        means: What it is read as.
        why: For what reason.
    """

    written: str
    means: str
    why: Why


@dataclass(frozen=True, slots=True)
class Doubt:
    """A word that is not known, or that may mean several things.

    Attributes:
        written: The word.
        suggestions: What it may mean, the likeliest first; nothing where nothing is near.
        several: Whether it is known, and means several things.
    """

    written: str
    suggestions: tuple[str, ...] = ()
    several: bool = False


@dataclass(frozen=True, slots=True)
class SentenceReading:
    """A sentence as it is read.

    Attributes:
        text: As it was written.
        plain: With all changes.
        asked: What of ``plain`` images should show: all but what is denied. It may be empty.
        changes: What is read as something else.
        doubts: What is not known or not plain.
        denials: What images should not show.
        kept: What would have been changed or taken for a denial, and was not, because that was chosen.
        words: How many words there are, but for those such as "of" and "in".
        known: How many of them are known.
    """

    text: str
    plain: str
    asked: str
    changes: tuple[Change, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    denials: tuple[Denial, ...] = ()
    kept: tuple[str, ...] = ()
    words: int = 0
    known: int = 0

    @property
    def denied(self) -> tuple[str, ...]:
        """What images should not show."""
        return tuple(finding for denial in self.denials for finding in denial.findings)

    @property
    def read_as(self) -> str:
        """What is searched for, in words; "" where the sentence is taken as it was written.

        Example:
            >>> read_sentence("CXR, no PTX", Lexicon()).read_as
            'chest radiograph, without pneumothorax'
        """
        if self.plain == self.text and not self.denials:
            return ""
        return ", ".join(filter(None, [self.asked, *(f"without {finding}" for finding in self.denied)]))

    @property
    def said(self) -> str:
        """How it was read and which words are not known, in one line; "" where there is nothing to tell.

        Example:
            >>> read_sentence("PTX asdf", Lexicon()).said
            'read as pneumothorax asdf; not known: asdf'
        """
        unknown = ", ".join(doubt.written for doubt in self.doubts if not doubt.several)
        several = ", ".join(f"{one.written} ({' or '.join(one.suggestions)})" for one in self.doubts if one.several)
        parts = {"read as": self.read_as, "not known:": unknown, "not plain:": several}
        return "; ".join(f"{name} {words}" for name, words in parts.items() if words)


@dataclass(frozen=True, slots=True)
class _Run:
    """Some words next to each other that are looked at together."""

    start: int
    end: int
    written: str
    meanings: tuple[tuple[Concept, Form], ...]


def read_sentence(text: str, lexicon: Lexicon, *, choices: Mapping[str, str] | None = None) -> SentenceReading:
    """How a sentence is read.

    Args:
        text: As it was written, single blanks between words.
        lexicon: Of the collection that is searched.
        choices: What is written → what it is to be read as; "" or itself leaves it as it stands, denials too.

    Example:
        >>> reading = read_sentence("CXR with PTX, no water on the lung", Lexicon())
        >>> reading.asked, reading.denied
        ('chest radiograph with pneumothorax', ('pleural effusion',))
        >>> read_sentence("pnuemothorax", Lexicon()).doubts[0].suggestions[0]
        'pneumothorax'
    """
    if len(text) > LONGEST_READ:
        return as_written(text)
    chosen = {_choice_key(written): means for written, means in (choices or {}).items()}
    runs = list(_runs(text, lexicon, chosen))
    german = any(_only_form(run) == "german" and run.meanings[0][0].kind != "function" for run in runs)
    changes: list[Change] = []
    doubts: list[Doubt] = []
    kept: list[str] = []
    words = known = 0
    pieces: list[str] = []
    at = 0
    for run in runs:
        number = sum(word.casefold() not in SMALL_WORDS for word in run.written.split())
        words += number
        change, doubt = _decided(run, lexicon, chosen, german=german)
        if change is not None:
            pieces += [text[at : run.start], change.means]
            at = run.end
            if change not in changes and not _is_small(run):
                changes.append(change)
        elif doubt is not None and doubt not in doubts:
            doubts.append(doubt)
        if doubt is None or doubt.several:
            known += number
        if change is None and _choice_key(run.written) in chosen:
            kept.append(run.written)
    plain = "".join([*pieces, text[at:]])
    denials = []
    for denial in denials_in(plain):
        if _choice_key(denial.written) in chosen:
            kept.append(denial.written)
        else:
            denials.append(denial)
    return SentenceReading(
        text,
        plain,
        without(plain, tuple(denials)) if denials else plain,
        tuple(changes),
        tuple(doubts),
        tuple(denials),
        tuple(dict.fromkeys(kept)),
        words,
        known,
    )


def as_written(text: str) -> SentenceReading:
    """A sentence that is taken word for word."""
    number = len(text.split())
    return SentenceReading(text, text, text, words=number, known=number)


def _choice_key(written: str) -> str:
    return " ".join(written.casefold().split())


def _runs(text: str, lexicon: Lexicon, chosen: Mapping[str, str]) -> list[_Run]:
    """The sentence in words, and where several of them are one name, in names."""
    tokens = [(token.start(), token.start() + len(token.group().rstrip(_ENDING))) for token in _TOKEN.finditer(text)]
    tokens = [(start, end) for start, end in tokens if end > start]
    runs = []
    at = 0
    while at < len(tokens):
        for number in range(min(_LONGEST_NAME, len(tokens) - at), 0, -1):
            start, end = tokens[at][0], tokens[at + number - 1][1]
            written = text[start:end]
            meanings = lexicon.meanings(written)
            if number == 1 or _choice_key(written) in chosen:
                break
            if meanings and not re.search(r"[,;:!?()\[\]]|\.\s", written) and not _goes_on(text[end:], meanings):
                break
        runs.append(_Run(start, end, written, meanings))
        at += number
    return runs


def _goes_on(rest: str, meanings: tuple[tuple[Concept, Form], ...]) -> bool:
    """Whether "no findings" is followed by "of": then it is no name of what is normal."""
    return meanings[0][0].term == NORMAL and not _OF.isdisjoint(rest.casefold().split()[:1])


def _is_small(run: _Run) -> bool:
    """Whether it is a word such as "mit", whose change is seen in the sentence and is not worth a line."""
    return bool(run.meanings) and run.meanings[0][0].kind == "function"


def _only_form(run: _Run) -> Form | None:
    return run.meanings[0][1] if len(run.meanings) == 1 else None


def _decided(
    run: _Run, lexicon: Lexicon, chosen: Mapping[str, str], *, german: bool
) -> tuple[Change | None, Doubt | None]:
    key = _choice_key(run.written)
    if key in chosen:
        means = chosen[key]
        same = not means or _choice_key(means) == key
        return (None if same else Change(run.written, means, "chosen")), None
    if run.written in _UNITS or lexicon.has_label_words(run.written):
        return None, None
    if len(run.meanings) > 1:
        return None, Doubt(run.written, tuple(concept.term for concept, _ in run.meanings), several=True)
    if run.meanings:
        return _meant(run, german=german), None
    if lexicon.knows(run.written):
        return None, None
    return None, Doubt(run.written, tuple(lexicon.suggestions(run.written)))


def _meant(run: _Run, *, german: bool) -> Change | None:
    concept, form = run.meanings[0]
    if spelling_key(concept.term) == spelling_key(run.written):
        return None
    if concept.term == NORMAL and len(run.written.split()) > 1:
        return Change(run.written, NORMAL, "normal")
    if concept.kind == "function" and form == "german" and not german:
        return None
    return Change(run.written, concept.term, form) if form in ("abbreviation", "lay", "german") else None
