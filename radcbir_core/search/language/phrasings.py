"""One thing said in several ways: what an encoder makes of a sentence depends on words that mean the same.

Owns the ways: frames that are put around a sentence, and synonyms that are put in. Pure: a sentence in, sentences out.
Averaging over frames follows Radford et al. (arXiv 2103.00020, section 3.1.4).
"""

from __future__ import annotations

import re
from typing import Final

from radcbir_core.search.language.lexicon import Lexicon

MOST: Final = 8
"""How many ways at most; the time that a text tower takes grows with them."""

_FRAMES: Final = ("an image of {s}", "a radiological image showing {s}", "findings: {s}", "this is {s}")
_WORD: Final = re.compile(r"[^\s,;:!?()]+")
_LONGEST_NAME: Final = 4
_MOST_SYNONYMS: Final = 4


def phrasings_of(sentence: str, lexicon: Lexicon, *, most: int = MOST) -> tuple[str, ...]:
    """The sentence, the sentence with synonyms, and the sentence in frames, all of them different.

    Args:
        sentence: What images should show, without what is denied.
        lexicon: Of the collection: a synonym that is one of its labels comes first.
        most: How many at most; the first is the sentence itself.

    Example:
        >>> phrasings_of("pleural effusion", Lexicon(), most=4)
        ('pleural effusion', 'pleural fluid', 'hydrothorax', 'an image of pleural effusion')
    """
    found = [sentence, *_with_synonyms(sentence, lexicon)[:_MOST_SYNONYMS]]
    found += [frame.format(s=sentence) for frame in _FRAMES]
    return tuple(dict.fromkeys(found))[:most]


def _with_synonyms(sentence: str, lexicon: Lexicon) -> list[str]:
    tokens = list(_WORD.finditer(sentence))
    found: list[list[str]] = []
    at = 0
    while at < len(tokens):
        step = 1
        for number in range(min(_LONGEST_NAME, len(tokens) - at), 0, -1):
            start, end = tokens[at].start(), tokens[at + number - 1].end()
            meanings = lexicon.meanings(sentence[start:end])
            if len(meanings) == 1 and meanings[0][0].kind in ("finding", "modality", "anatomy"):
                written = sentence[start:end].casefold()
                names = [name for name in meanings[0][0].english if name.casefold() != written]
                names.sort(key=lambda name: name not in lexicon.labels)
                found.append([f"{sentence[:start]}{name}{sentence[end:]}" for name in names])
                step = number
                break
        at += step
    # One of each in turn, so that a finding's many synonyms leave room for an anatomy's.
    longest = max(map(len, found), default=0)
    return [names[place] for place in range(longest) for names in reversed(found) if place < len(names)]
