"""Which known words are nearest to a misspelt one.

Owns how near is near enough. The measure is the standard library's (Ratcliff and Obershelp's): it mends as many
misspellings of the glossary's words as counting edits and swaps does, in some two milliseconds a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from radcbir_core.search.language.glossary import spelling_key

NEAR: Final = 0.75
"""The least similarity of a suggestion. Below it every other word of daily life would be taken for a medical one."""
_SHORTEST: Final = 4


def nearest(word: str, known: Mapping[str, str], *, most: int = 3) -> list[str]:
    """The known words that ``word`` may have been meant for, nearest first; none where nothing is near.

    Args:
        word: As it was written.
        known: Each word's :func:`~radcbir_core.search.language.glossary.spelling_key` → the word.
        most: How many at most.

    Example:
        >>> known = {"pneumothorax": "pneumothorax", "pneumonia": "pneumonia", "rontgen": "Röntgen"}
        >>> nearest("pnuemothorax", known), nearest("Roengten", known), nearest("asdf", known)
        (['pneumothorax'], ['Röntgen'], [])
    """
    key = spelling_key(word)
    if len(key) < _SHORTEST or not key.isalpha():
        return []
    return [known[near] for near in get_close_matches(key, known, n=most, cutoff=NEAR)]
