"""How sentences are read: what is replaced, what is asked back, what is left alone; and what a choice changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.search.language.lexicon import Lexicon
from radcbir_core.search.language.sentence_reading import LONGEST_READ, as_written, read_sentence

LEXICON = Lexicon(["pleural effusion", "COPD", "chest", "normal"])


def read(text, **choices):
    return read_sentence(text, LEXICON, choices=choices)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("PTX", "pneumothorax"),
        ("ptx on CXR", "pneumothorax on chest radiograph"),
        ("water on the lung", "pleural effusion"),
        ("CT des Kopfes mit Blutung", "CT of the head with hemorrhage"),
        ("Pleuraerguß, links", "pleural effusion, left"),
        ("pleura erguss", "pleural effusion"),
        ("Thorax ohne Befund", "Thorax normal"),
        ("no abnormality", "normal"),
        ("COPD", "COPD"),  # a label of the collection
        ("pulmonary infection", "pulmonary infection"),  # English as reports write it
        ("die lungs", "die lungs"),  # no German without another German word
        ("pnuemothorax", "pnuemothorax"),  # a slip is not mended unasked
        ("PE", "PE"),
        ("r/o TB", "rule out tuberculosis"),
        ("Rö Knie, b/l", "radiograph knee, bilateral"),
        ("LAD and RA", "LAD and RA"),  # of nodes or of the heart: asked back
    ],
)
def test_what_is_replaced(text, plain) -> None:
    assert read(text).plain == plain


def test_what_was_replaced_is_told_with_its_reason() -> None:
    changes = read("CXR: Pleuraerguss, water on the lung, mit CXR").changes
    assert [(one.written, one.means, one.why) for one in changes] == [
        ("CXR", "chest radiograph", "abbreviation"),
        ("Pleuraerguss", "pleural effusion", "german"),
        ("water on the lung", "pleural effusion", "lay"),
    ]


def test_a_choice_takes_back_and_replaces_whatever_the_case() -> None:
    reading = read("PTX and pnuemothorax, PE", ptx="", Pnuemothorax="pneumothorax", pe="pulmonary embolism")
    assert reading.plain == "PTX and pneumothorax, pulmonary embolism"
    assert reading.kept == ("PTX",)
    assert [(one.written, one.why) for one in reading.changes] == [("pnuemothorax", "chosen"), ("PE", "chosen")]
    assert reading.doubts == ()


def test_what_is_unknown_is_told_with_what_is_near() -> None:
    unknown, several = read("pnuemothorax or PE").doubts
    assert unknown.suggestions[0] == "pneumothorax"
    assert not unknown.several
    assert several.several
    assert "pulmonary embolism" in several.suggestions
    assert [one.suggestions for one in read("asdf").doubts] == [()]


@pytest.mark.parametrize(
    "text", ["mass of 3 cm", "a nodule, 2.5 cm", "2 x 3 cm lesion", "5 mm stone", "20 ml effusion"]
)
def test_a_size_is_not_asked_back(text) -> None:
    assert read(text).doubts == ()
    assert read(text).plain == text


def test_a_denial_is_left_out_and_can_be_read_word_for_word() -> None:
    reading = read("CXR, kein Pleuraerguss")
    assert (reading.asked, reading.denied) == ("chest radiograph", ("pleural effusion",))
    kept = read_sentence("no effusion", LEXICON, choices={"No effusion": ""})
    assert (kept.asked, kept.denied, kept.kept) == ("no effusion", (), ("no effusion",))
    assert read("no findings of pneumonia").denied == ("pneumonia",)
    assert read("no findings").denied == ()


def test_small_words_do_not_count_as_known_words() -> None:
    reading = read("a red bicycle in the rain with effusion")
    assert (reading.known, reading.words) == (1, 4)
    assert (read("CT of the head").known, read("CT of the head").words) == (2, 2)


def test_a_very_long_text_is_taken_word_for_word() -> None:
    text = "PTX " * LONGEST_READ
    assert read_sentence(text, LEXICON) == as_written(text)


@given(st.text(min_size=1, max_size=60))
def test_any_text_can_be_read_and_taken_word_for_word(text) -> None:
    reading = read_sentence(text, LEXICON)
    assert reading.text == text
    assert 0 <= reading.known <= reading.words
    choices = dict.fromkeys([one.written for one in (*reading.changes, *reading.denials)], "")
    again = read_sentence(text, LEXICON, choices=choices)
    assert not set(choices) & {one.written for one in again.changes}


def test_it_says_in_a_line_how_it_was_read() -> None:
    assert read("chest").said == ""
    assert read("CXR, no PTX, PE").said == (
        "read as chest radiograph, PE, without pneumothorax; "
        "not plain: PE (pleural effusion or pericardial effusion or pulmonary embolism)"
    )
    assert read("pnuemothorax asdf").said == "not known: pnuemothorax, asdf"
    assert read("no effusion").read_as == "without effusion"
