"""Protocols from words, and what they are called."""

from __future__ import annotations

import pytest

from radcbir_core.errors import EvaluationError, QueryError
from radcbir_core.evaluation import FIXED, KS, PAPER, Protocol


def test_what_is_left_open_has_a_default() -> None:
    assert Protocol.of() == Protocol()
    assert Protocol.of("split").exclude == ()
    assert Protocol.of(ks=[5, 1, 5]).ks == (1, 5)
    assert Protocol.of(exclude=["patient", "duplicate"]).exclude == ("duplicate", "patient")


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({}, "leave-one-out, patient excluded, divided by k, queries without a relevant image left out"),
        (
            {"name": "split", "divisor": "available", "empty": "zero"},
            "split, nothing but the query excluded, divided by min(k, relevant images available), queries without a "
            "relevant image counted as 0",
        ),
        (
            {"name": "paper"},
            "the paper's: train against test, exact search, divided by min(k, relevant images available), queries "
            "without a relevant image left out",
        ),
    ],
)
def test_a_protocol_is_told_in_words_with_its_rule(choices, said) -> None:
    assert Protocol.of(**choices).describe() == said


def test_the_paper_s_is_one_that_is_fixed() -> None:
    assert {"paper": PAPER} == FIXED
    assert PAPER.fixed
    assert PAPER.split
    assert PAPER.exact
    assert PAPER.summary_ks == KS
    assert not Protocol().fixed
    assert not Protocol().split


def test_what_cannot_be_is_refused() -> None:
    for choices, words in (
        ({"name": "loo"}, "protocol = 'loo'"),
        ({"divisor": "n"}, "divisor = 'n'"),
        ({"empty": "drop"}, "empty = 'drop'"),
        ({"ks": [0]}, r"ks = \(0,\)"),
        ({"ks": [101]}, r"ks = \(101,\)"),
        ({"name": "paper", "empty": "zero"}, "Expected the paper's protocol as it is .* but empty = zero"),
    ):
        with pytest.raises(EvaluationError, match=words):
            Protocol.of(**choices)
    with pytest.raises(QueryError, match="exclude = 'hospital'"):
        Protocol.of(exclude=["hospital"])
