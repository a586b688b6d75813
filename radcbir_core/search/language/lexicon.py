"""The words that are known where a collection is searched: its labels, the vocabulary of manifests, and the glossary.

Owns what counts as known, and what a run of words means. An encoder may know more words than these, and not each of
these: the lexicon says what a person may have meant, not what an encoder has learned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Final

from radcbir_core.collections.collection import Collection
from radcbir_core.search.language.denials import CUE_WORDS
from radcbir_core.search.language.glossary import Concept, Form, by_key, by_term, concepts, spelling_key
from radcbir_core.search.language.spelling import nearest
from radcbir_core.vocabulary import MODALITIES, NORMAL

_WORD: Final = re.compile(r"[^\W_]+")
_PLURALS: Final = (("ies", "y"), ("es", ""), ("s", ""))

_GENERAL_FILE: Final = Path(__file__).with_name("general_words.txt")

SMALL_WORDS: Final = frozenset(
    _WORD.findall(
        """
        a als am an and are as at auf be bei but by das dem den der des die ein eine einem einen einer eines for
        from has have im in into is ist it its mit oder of on or over sind that the their there these this to um
        und vom von was were which with zu zum zur
        """
    )
)
"""Words that say nothing by themselves, so that knowing them says nothing of a sentence."""


class Lexicon:
    """Known words, and what they mean. Safe to share.

    Args:
        labels: Of the collection: findings, anatomies, modalities, in its own spelling.

    Example:
        >>> lexicon = Lexicon(["pleural effusion"])
        >>> lexicon.knows("Effusions"), lexicon.knows("pnuemothorax"), lexicon.suggestions("pnuemothorax", most=1)
        (True, False, ['pneumothorax'])
    """

    def __init__(self, labels: Iterable[str] = ()) -> None:
        self.labels = tuple(dict.fromkeys(label for label in labels if label))

    @classmethod
    def of(cls, collection: Collection) -> Lexicon:
        """That of a collection."""
        manifest = collection.manifest
        places = (name for level in ("modality", "anatomy") for name in manifest.codes(level).values)
        return cls([*manifest.pathologies.values, *places])

    @cached_property
    def label_words(self) -> frozenset[str]:
        """The :func:`~radcbir_core.search.language.glossary.spelling_key` of each word of a label."""
        return frozenset(key for label in self.labels for key in keys_of(label))

    @cached_property
    def words(self) -> dict[str, str]:
        """Each known word by its key: what a misspelt one may have been meant for."""
        texts = [*self.labels, *MODALITIES, NORMAL]
        texts += [name for one in concepts() for name in (one.term, *(n for n, f in one.names if f != "abbreviation"))]
        # Names of several words that are written as one, or with a hyphen, are looked up so, too.
        found = {spelling_key(word): word for word in sorted(general_words() | CUE_WORDS)}
        for text in texts:
            for word in text.split():
                found.setdefault(spelling_key(word), word.strip("().,"))
                for part in _WORD.findall(word):
                    found.setdefault(spelling_key(part), part)
        return {key: word for key, word in found.items() if len(key) > 1}

    def knows(self, word: str) -> bool:
        """Whether a word is known, in the singular or in the plural; numbers and single letters always are."""
        keys = [spelling_key(word), *keys_of(word)]
        return not keys[0] or self._knows(keys[0]) or all(self._knows(key) for key in keys[1:])

    def suggestions(self, word: str, *, most: int = 3) -> list[str]:
        """The known words that are nearest to one that is not; of two names of one thing, the nearer."""
        found: dict[str, str] = {}
        for near in nearest(word, self.words, most=2 * most):
            meanings = self.meanings(near)
            found.setdefault(meanings[0][0].term if len(meanings) == 1 else near, near)
        return list(found.values())[:most]

    def meanings(self, text: str) -> tuple[tuple[Concept, Form], ...]:
        """What a word or a run of words may mean, in the singular or in the plural, and in which form it says so."""
        table = by_key()
        for key in _singulars(spelling_key(text)):
            if key in table:
                return table[key]
        return ()

    def has_label_words(self, text: str) -> bool:
        """Whether each word of ``text`` is one of the collection's labels, and so understood as it stands."""
        keys = keys_of(text)
        return bool(keys) and all(key in self.label_words for key in keys)

    def labels_for(self, finding: str) -> tuple[str, ...]:
        """The labels of findings that an image with ``finding`` may have, and those that each imply it.

        It is what has its words or those of a synonym ("effusion" is in "pleural effusion"), what the glossary says is
        a kind of it, and what it is a kind of: rather one too many, because they are left out.

        Example:
            >>> lexicon = Lexicon(["effusion", "pituitary tumor", "glioma", "normal", "chest"])
            >>> lexicon.labels_for("pleural fluid"), lexicon.labels_for("tumours")
            (('effusion',), ('pituitary tumor', 'glioma'))
        """
        found = {concept.term for concept, _ in self.meanings(finding)}
        wanted = {term: by_term()[term] for term in found}
        for term in list(wanted):
            wanted |= {narrow: by_term()[narrow] for narrow in wanted[term].narrower}
        broader = {one.term for one in concepts() if found & set(one.narrower)}
        phrases = [set(keys_of(finding))]
        phrases += [set(keys_of(name)) for one in wanted.values() for name in one.english]
        phrases = [phrase for phrase in phrases if phrase]
        matching = []
        for label in self.labels:
            if label.casefold() == NORMAL:
                continue
            keys = set(keys_of(label))
            meant = {concept.term for concept, _ in self.meanings(label)}
            if any(phrase <= keys for phrase in phrases) or meant & (wanted.keys() | broader):
                matching.append(label)
        return tuple(matching)

    def _knows(self, key: str) -> bool:
        table = by_key()
        if len(key) < 2 or not any(letter.isalpha() for letter in key) or key[:1].isdigit():
            return True
        return any(one in self.words or one in self.label_words or one in table for one in _singulars(key))


@cache
def general_words() -> frozenset[str]:
    """What reports say besides: words that need no explanation, and are never called unknown."""
    return frozenset(_GENERAL_FILE.read_text(encoding="utf-8").split())


def keys_of(text: str) -> list[str]:
    """The :func:`~radcbir_core.search.language.glossary.spelling_key` of each word, in the singular.

    Example:
        >>> keys_of("Kidney stones"), keys_of("COVID-19 pneumonia")
        (['kidney', 'stone'], ['covid', '19', 'pneumonia'])
    """
    return [_singular(spelling_key(word)) for word in _WORD.findall(text)]


def _singular(key: str) -> str:
    if len(key) > 4 and key.endswith("s") and not key.endswith(("ss", "us", "is")):
        return f"{key[:-3]}y" if key.endswith("ies") else key[:-1]
    return key


def _singulars(key: str) -> Iterable[str]:
    yield key
    for ending, instead in _PLURALS:
        if len(key) > len(ending) + 3 and key.endswith(ending):
            yield key[: -len(ending)] + instead
