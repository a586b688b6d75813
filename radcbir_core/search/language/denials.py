"""What a sentence says is not there: "no effusion", "ohne Erguss", "effusion excluded".

Owns the words by which something is denied, how far a denial reaches, and what only looks like one: "nodule" has no
"no", "not without" denies nothing, and what "cannot be excluded" is not excluded. Pure: text in, spans out. It follows
the idea of NegEx (Chapman et al., J Biomed Inform 34, 2001): a cue, then all up to a word that ends its reach.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(r"[^\W_]+(?:[-/.'\u2019][^\W_]+)*/?|[,;:.!?()]")

_BEFORE: Final = sorted(
    (
        tuple(cue.split())
        for cue in (
            # English
            *("no", "not", "without", "w/o", "nor", "neither", "never", "lacks", "lacking", "denies", "except"),
            *("absence of", "absent", "free of", "clear of", "negative for", "rather than", "excluding"),
            *("no evidence of", "no sign of", "no signs of", "no indication of", "no findings of", "no suspicion of"),
            *("no evidence for", "no signs for", "not any", "without any", "without evidence of", "without signs of"),
            *("without sign of", "there is no", "there are no", "does not show", "do not show", "is not", "are not"),
            *("no visible", "no definite", "no obvious", "no acute", "not showing", "has no", "have no"),
            # German
            *("kein", "keine", "keinen", "keinem", "keiner", "keines", "ohne", "nicht", "weder", "noch", "frei von"),
            *(
                "kein nachweis von",
                "kein nachweis eines",
                "kein nachweis einer",
                "kein hinweis auf",
                "kein hinweis für",
            ),
            *("keine hinweise auf", "kein anhalt für", "keine zeichen von", "keine zeichen für", "keine zeichen eines"),
            *("kein hinweis auf einen", "kein hinweis auf eine", "kein anhalt für einen", "kein anhalt für eine"),
            *(
                "keine zeichen einer",
                "ohne nachweis von",
                "ohne hinweis auf",
                "ohne zeichen von",
                "ohne nachweis eines",
            ),
            *("ohne nachweis einer", "ausschluss von", "ausschluss eines", "ausschluss einer"),
        )
    ),
    key=len,
    reverse=True,
)
"""What denies that which follows, longest first."""

_AFTER: Final = sorted(
    (
        tuple(cue.split())
        for cue in (
            *("excluded", "ruled out", "absent", "not seen", "not present", "not visible", "not found", "not detected"),
            *("not shown", "is excluded", "is ruled out", "is absent", "is not seen", "is not present", "was excluded"),
            *("was ruled out", "are not seen", "are absent", "are excluded", "not identified", "is not identified"),
            *("has been excluded", "has been ruled out", "is not visible", "negative", "is not there", "not there"),
            *("ausgeschlossen", "wurde ausgeschlossen", "ist ausgeschlossen", "nicht nachweisbar", "nicht erkennbar"),
            *("nicht sichtbar", "nicht vorhanden", "ist nicht nachweisbar", "ist nicht erkennbar", "nicht abgrenzbar"),
        )
    ),
    key=len,
    reverse=True,
)
"""What denies that which stands before it."""

_NO_DENIALS: Final = sorted(
    (
        tuple(words.split())
        for words in (
            *("not without", "no absence of", "not excluded", "not ruled out", "cannot be excluded", "not absent"),
            *("cannot be ruled out", "can not be excluded", "can not be ruled out", "cannot exclude", "not exclude"),
            *("cannot rule out", "not rule out", "no longer", "not only", "not just", "not necessarily", "no doubt"),
            *("no change", "no significant change", "no interval change", "not been excluded", "not been ruled out"),
            *("nicht ohne", "nicht ausgeschlossen", "nicht auszuschließen", "nicht nur", "nicht sicher ausgeschlossen"),
            *("kein zweifel an", "keine änderung", "is not excluded", "is not ruled out", "ist nicht ausgeschlossen"),
            *("cannot be safely excluded", "not completely excluded", "keine frage"),
        )
    ),
    key=len,
    reverse=True,
)
"""What looks like a denial and is none."""

_ENDS: Final = frozenset(
    re.findall(
        r"\w+",
        """
        but however although though yet with showing shows show demonstrating demonstrates has have is are was were
        which that in on at from after before by during following since despite due because as for while
        aber jedoch mit zeigt zeigen sondern im in am auf bei nach vor bis durch seit trotz wegen dafür
        """,
    )
)
"""Words at which the reach of a denial ends."""

_JOINING: Final = frozenset({"or", "nor", "and", "oder", "und", "noch", "sowie"})
_LIST_ENDS: Final = frozenset({"or", "nor", "oder", "noch"})
_PUNCTUATION: Final = frozenset(",;:.!?()")
_NUMBER: Final = re.compile(r"\d")
_FILLERS: Final = frozenset({"a", "an", "any", "the", "ein", "eine", "einen", "einem", "einer", "eines", "den", "die"})
_LEFT_OVER: Final = re.compile(
    r"(?:[\s,;:]|\b(?:with|and|or|but|showing|shows|there (?:is|are)|mit|und|oder|aber|zeigt))+$", re.IGNORECASE
)
_LEADING: Final = re.compile(r"^(?:[\s,;:.]|\b(?:and|or|but|with|und|oder|aber|mit|on|auf|in)\b)+", re.IGNORECASE)
_STARTS: Final = frozenset({"the", "an", "there", "is", "are", "it", "shows", "es", "ist", "sind", "zeigt", "sich"})


CUE_WORDS: Final = frozenset(word for cue in (*_BEFORE, *_AFTER, *_NO_DENIALS) for word in cue)
"""The words that denials are made of."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A stretch of a sentence that denies something.

    Attributes:
        written: The stretch, its cue in it.
        findings: What is denied, in the sentence's words.
        start: Where it begins.
        end: Where it ends.
    """

    written: str
    findings: tuple[str, ...]
    start: int
    end: int


def denials_in(text: str) -> tuple[Denial, ...]:
    """What a sentence denies, in its order.

    Example:
        >>> [found.findings for found in denials_in("chest radiograph without effusion or pneumothorax")]
        [('effusion', 'pneumothorax')]
        >>> [found.written for found in denials_in("effusion excluded, cardiomegaly")]
        ['effusion excluded']
        >>> denials_in("pulmonary nodule, not without effusion"), denials_in("pneumonia cannot be excluded")
        ((), ())
    """
    tokens = list(_TOKEN.finditer(text))
    words = [token.group().casefold() for token in tokens]
    taken = [False] * len(words)
    for at in range(len(words)):
        for phrase in _NO_DENIALS:
            if tuple(words[at : at + len(phrase)]) == phrase and not taken[at]:
                taken[at : at + len(phrase)] = [True] * len(phrase)
                break
    found = []
    at = 0
    while at < len(words):
        stretch = None if taken[at] else _stretch_at(words, taken, at)
        if stretch is None:
            at += 1
            continue
        first, last, findings = stretch
        taken[first:last] = [True] * (last - first)
        said = tuple(filter(None, (_finding(text, tokens, *part) for part in findings)))
        if said:
            start, end = tokens[first].start(), tokens[last - 1].end()
            found.append(Denial(text[start:end], said, start, end))
        at = max(last, at + 1)
    return tuple(sorted(found, key=lambda denial: denial.start))


def without(text: str, denials: tuple[Denial, ...]) -> str:
    """The sentence without what it denies.

    Example:
        >>> text = "CT of the head with no hemorrhage in the left hemisphere"
        >>> without(text, denials_in(text))
        'CT of the head in the left hemisphere'
    """
    rest = text
    for denial in reversed(denials):
        rest = f"{_LEFT_OVER.sub('', rest[: denial.start])} {rest[denial.end :]}"
    rest = re.sub(r"\(\s*\)", "", rest)
    rest = re.sub(r"\s+([,;:.!?)])", r"\1", " ".join(rest.split()))
    rest = re.sub(r"[,;:.]+(?=\s*[,;:.])", "", rest)
    return _LEADING.sub("", rest).strip(" ,;:.")


_Stretch = tuple[int, int, list[tuple[int, int]]]


def _stretch_at(words: list[str], taken: list[bool], at: int) -> _Stretch | None:
    """The denial whose cue begins at a word; of "is not" and "is not seen", the longer."""
    before, after = (_cue_at(words, at, cues) for cues in (_BEFORE, _AFTER))
    order = (_starting_at, _ending_at) if len(before) >= len(after) else (_ending_at, _starting_at)
    return order[0](words, taken, at) or order[1](words, taken, at)


def _cue_at(words: list[str], at: int, cues: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return next((cue for cue in cues if tuple(words[at : at + len(cue)]) == cue), ())


def _starting_at(words: list[str], taken: list[bool], at: int) -> _Stretch | None:
    """The denial whose cue begins at a word, and what follows it as far as it reaches."""
    cue = _cue_at(words, at, _BEFORE)
    if not cue or any(taken[at : at + len(cue)]):
        return None
    begin = at + len(cue)
    if begin < len(words) and _NUMBER.match(words[begin]):
        return None  # "No. 5"
    if words[at] == "no" and words[begin : begin + 1] == ["."]:
        return None
    end = begin
    parts: list[tuple[int, int]] = []
    part = begin
    while end < len(words) and not taken[end]:
        word = words[end]
        if word in _ENDS or word in ";:.!?()":
            break
        if word == ",":
            if not _list_goes_on(words, end + 1):
                break
            parts.append((part, end))
            part = end + 1
        elif word in _JOINING:
            if end > begin:
                parts.append((part, end))
            part = end + 1
        elif end > begin and _cue_at(words, end, _BEFORE):
            break
        end += 1
    parts.append((part, end))
    parts = [(first, last) for first, last in parts if first < last]
    if not parts:
        return None
    start = at
    while start > 0 and words[start - 1] in _STARTS and not taken[start - 1]:
        start -= 1
    return start, parts[-1][1], parts


def _ending_at(words: list[str], taken: list[bool], at: int) -> _Stretch | None:
    """The denial whose cue begins at a word, and what stands before it."""
    cue = _cue_at(words, at, _AFTER)
    if not cue or any(taken[at : at + len(cue)]) or at == 0:
        return None
    begin = at
    while begin > 0 and not taken[begin - 1]:
        word = words[begin - 1]
        if word in _PUNCTUATION or word in _ENDS:
            break
        begin -= 1
    parts: list[tuple[int, int]] = []
    part = begin
    for place in range(begin, at):
        if words[place] in _JOINING:
            parts.append((part, place))
            part = place + 1
    parts.append((part, at))
    parts = [(first, last) for first, last in parts if first < last]
    return (begin, at + len(cue), parts) if parts else None


def _list_goes_on(words: list[str], at: int) -> bool:
    """Whether a comma stands in a list that ends in "or": up to the next full stop, and before the reach ends."""
    for word in words[at:]:
        if word in _LIST_ENDS:
            return True
        if word in _ENDS or word in ";:.!?()":
            return False
    return False


def _finding(text: str, tokens: list[re.Match[str]], first: int, last: int) -> str:
    while first < last and tokens[first].group().casefold() in _FILLERS:
        first += 1
    return text[tokens[first].start() : tokens[last - 1].end()] if first < last else ""
