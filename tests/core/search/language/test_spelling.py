"""Misspelt words: how often the nearest known one is right, and what has no near one."""

from __future__ import annotations

import random

from radcbir_core.search.language.lexicon import Lexicon
from radcbir_core.search.language.nonsense import nonsense
from radcbir_core.search.language.spelling import nearest

WORDS = Lexicon().words


def misspelt(draw: random.Random, word: str) -> str:
    """With one slip behind the first letter: left out, put in, another, or exchanged with the next."""
    at = draw.randrange(1, len(word) - 1)
    letter = draw.choice("abcdefghijklmnopqrstuvwxyz")
    kinds = (
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at:],
        word[:at] + letter + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    )
    return draw.choice(kinds)


def test_nine_of_ten_slips_are_mended_by_the_first_suggestion() -> None:
    draw = random.Random(1)
    chosen = [draw.choice(sorted(key for key in WORDS if len(key) >= 6 and key.isalpha())) for _ in range(120)]
    slips = [(misspelt(draw, word), word) for word in chosen]
    slips = [(slip, word) for slip, word in slips if slip not in WORDS]
    mended = [nearest(slip, WORDS, most=1) == [WORDS[word]] for slip, word in slips]
    assert len(slips) > 90
    assert sum(mended) >= 0.9 * len(mended)


def test_letters_at_random_are_hardly_ever_taken_for_a_word() -> None:
    words = [word for sentence in nonsense((2, 3), seed=9)[:20] for word in sentence.split()]
    assert sum(bool(nearest(word, WORDS)) for word in words) <= 0.15 * len(words)


def test_short_words_and_numbers_are_left_alone() -> None:
    assert nearest("ptx", {"pt": "pt", "ptxa": "ptxa"}) == []
    assert nearest("T2-weighted5", WORDS) == []


def test_umlauts_are_no_slips() -> None:
    assert nearest("Pleuraergüs", WORDS)[0] in ("Pleuraergüsse", "Pleuraerguss")
    assert nearest("roengtenbild", WORDS)[0] == "Röntgenbild"
