"""One sentence in several phrasings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.search.language.lexicon import Lexicon
from radcbir_core.search.language.phrasings import MOST, phrasings_of


def test_the_sentence_comes_first_then_synonyms_then_frames() -> None:
    assert phrasings_of("chest radiograph with pneumothorax", Lexicon(), most=7) == (
        "chest radiograph with pneumothorax",
        "chest radiograph with air in the pleural space",
        "chest x-ray with pneumothorax",
        "chest radiograph with tension pneumothorax",
        "chest film with pneumothorax",
        "an image of chest radiograph with pneumothorax",
        "a radiological image showing chest radiograph with pneumothorax",
    )


def test_a_synonym_that_is_a_label_of_the_collection_comes_first() -> None:
    assert phrasings_of("pleural effusion", Lexicon(["hydrothorax"]))[1] == "hydrothorax"


def test_what_has_no_synonyms_is_put_in_frames() -> None:
    assert len(phrasings_of("asdf", Lexicon())) == 5


@given(st.text(min_size=1, max_size=80))
def test_they_are_few_and_all_different(text) -> None:
    said = phrasings_of(text, Lexicon())
    assert said[0] == text
    assert len(said) == len(set(said)) <= MOST
