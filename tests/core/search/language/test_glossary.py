"""The glossary: what it holds, and which spellings are one."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.search.language.glossary import by_key, by_term, concepts, spelling_key

KINDS = {"modality", "anatomy", "finding", "symptom", "function", "other"}


def test_it_holds_a_few_hundred_concepts_in_two_languages() -> None:
    names = [form for concept in concepts() for _, form in concept.names]
    assert len(concepts()) >= 300
    assert len(by_key()) >= 1_500
    for form, least in (("abbreviation", 130), ("synonym", 350), ("lay", 130), ("german", 500)):
        assert names.count(form) >= least, form


def test_its_lines_are_whole() -> None:
    assert {concept.kind for concept in concepts()} == KINDS
    assert len(by_term()) == len(concepts()), "a term stands on one line"
    for concept in concepts():
        for name in (concept.term, *(name for name, _ in concept.names)):
            assert name == name.strip()
            assert spelling_key(name), concept.term
        keys = [spelling_key(name) for name, _ in concept.names]
        assert len(keys) == len(set(keys)), f"{concept.term} has a name twice"
        assert set(concept.narrower) <= by_term().keys(), concept.term
        assert concept.term not in concept.narrower


def test_what_people_write_is_in_it() -> None:
    meant = {
        "PTX": "pneumothorax",
        "CXR": "chest radiograph",
        "SOB": "shortness of breath",
        "MRT": "MRI",
        "Pleuraerguß": "pleural effusion",
        "water on the lung": "pleural effusion",
        "Schaedel": "head",
        "Herzschrittmacher": "pacemaker",
        "X ray": "radiograph",
        "haemorrhage": "hemorrhage",
    }
    assert {name: by_key()[spelling_key(name)][0][0].term for name in meant} == meant


def test_what_is_ambiguous_has_several_meanings() -> None:
    for name, terms in (
        ("PE", {"pulmonary embolism", "pleural effusion", "pericardial effusion"}),
        ("Brust", {"chest", "breast"}),
        ("CM", {"cardiomegaly", "contrast"}),
    ):
        assert {concept.term for concept, _ in by_key()[spelling_key(name)]} == terms


@given(st.text(max_size=30))
def test_a_key_is_its_own_key_and_has_letters_and_digits_alone(text) -> None:
    key = spelling_key(text)
    assert spelling_key(text.upper().lower()) == spelling_key(text.lower())
    assert not re.search(r"[\s\-_.]", key)


def test_umlauts_are_one_however_they_are_written() -> None:
    assert len({spelling_key(word) for word in ("Schädel", "Schaedel", "Schadel", "SCHÄDEL", "Scha\u0308del")}) == 1
    assert spelling_key("effusion") != spelling_key("efusion")
