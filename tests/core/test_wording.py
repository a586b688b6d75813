"""Counts with their nouns."""

from __future__ import annotations

import pytest

from radcbir_core.wording import counted


@pytest.mark.parametrize(
    ("number", "nouns", "said"),
    [
        (0, ("problem",), "0 problems"),
        (1, ("problem",), "1 problem"),
        (1234, ("problem",), "1,234 problems"),
        (1, ("query", "queries"), "1 query"),
        (2, ("query", "queries"), "2 queries"),
    ],
)
def test_a_noun_has_the_number_of_its_count(number, nouns, said) -> None:
    assert counted(number, *nouns) == said
