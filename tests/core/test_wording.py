"""Counts with their nouns."""

from __future__ import annotations

import pytest

from radcbir_core.wording import counted, parted_condition


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


@pytest.mark.parametrize(
    ("condition", "column", "value"),
    [
        ("view=PA", "view", "PA"),
        ("b=1000=yes", "b=1000", "yes"),
        ("b=10=yes", "b", "10=yes"),
        ("b=1000", "b", "1000"),
        ("b=1000=", "b=1000", ""),
        ("other=a=b", "other", "a=b"),
    ],
)
def test_of_a_condition_the_longest_column_that_there_is_is_meant(condition, column, value) -> None:
    assert parted_condition(condition, ["view", "b", "b=1000"]) == (column, "=", value)
