"""Known words: of labels, of the glossary, of reports; and which labels a finding is."""

from __future__ import annotations

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.search.language.lexicon import SMALL_WORDS, Lexicon, general_words, keys_of
from radcbir_core.search.language.nonsense import EVERYDAY

REAL = [
    "effusion",
    "pleural thickening",
    "benign tumor",
    "glioma",
    "pneumonia",
    "COVID-19 pneumonia",
    "normal",
    "chest",
]


@pytest.mark.parametrize(
    "word",
    ["effusion", "Effusions", "biopsies", "Pleuraergüsse", "x-ray", "left-sided", "12", "3cm", "T2", "of", "opacities"],
)
def test_known(word) -> None:
    assert Lexicon(["biopsy"]).knows(word)


@pytest.mark.parametrize("word", ["asdf", "qwer", "pnuemothorax", "bicycle", "biopsy"])
def test_unknown(word) -> None:
    assert not Lexicon().knows(word)


def test_words_of_daily_life_are_unknown_and_small_words_are_known() -> None:
    lexicon = Lexicon()
    assert [word for word in EVERYDAY if lexicon.knows(word)] == []
    assert [word for word in SMALL_WORDS if not lexicon.knows(word)] == []
    assert len(general_words()) > 300


def test_labels_of_a_collection_are_known_as_they_are_spelt(small_data, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    lexicon = Lexicon.of(open_collection("small"))
    assert {"pneumonia", "effusion", "chest", "CT"} <= set(lexicon.labels)
    assert lexicon.has_label_words("Effusions of the") is False
    assert lexicon.has_label_words("chest effusions")


@pytest.mark.parametrize(
    ("finding", "labels"),
    [
        ("effusion", ("effusion",)),
        ("pleural effusion", ("effusion",)),  # what it is a kind of
        ("fluid on the lung", ("effusion",)),
        ("tumor", ("benign tumor", "glioma")),  # a kind of it, and one that has its words
        ("gliomas", ("benign tumor", "glioma")[1:]),
        ("pneumonia", ("pneumonia", "COVID-19 pneumonia")),
        ("hemorrhage", ()),
        ("normal", ()),
        ("", ()),
    ],
)
def test_the_labels_that_a_finding_is(finding, labels) -> None:
    assert Lexicon(REAL).labels_for(finding) == labels


def test_keys_are_of_single_words_in_the_singular() -> None:
    assert keys_of("Rib fractures, metastasis; opacities") == ["rib", "fracture", "metastasis", "opacity"]
