"""What a sentence denies, by hand: in two languages, in lists, before and after; and what only looks like a denial."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.search.language.denials import denials_in, without

DENIED = {
    "no effusion": ("effusion",),
    "No effusion.": ("effusion",),
    "chest radiograph without pleural effusion": ("pleural effusion",),
    "no effusion or pneumothorax": ("effusion", "pneumothorax"),
    "no effusion, pneumothorax or consolidation": ("effusion", "pneumothorax", "consolidation"),
    "no effusion, cardiomegaly": ("effusion",),
    "no effusion but cardiomegaly": ("effusion",),
    "no effusion in a chest radiograph": ("effusion",),
    "no evidence of a fracture": ("fracture",),
    "neither effusion nor pneumothorax": ("effusion", "pneumothorax"),
    "there is no hemorrhage": ("hemorrhage",),
    "negative for pneumonia": ("pneumonia",),
    "absence of edema": ("edema",),
    "kidney w/o stones": ("stones",),
    "effusion excluded": ("effusion",),
    "fracture was ruled out": ("fracture",),
    "pneumothorax is not seen": ("pneumothorax",),
    "kein Erguss": ("Erguss",),
    "Thorax ohne Erguss oder Pneu": ("Erguss", "Pneu"),
    "kein Nachweis von Metastasen": ("Metastasen",),
    "kein Anhalt für eine Blutung": ("Blutung",),
    "weder Erguss noch Pneumothorax": ("Erguss", "Pneumothorax"),
    "Fraktur ausgeschlossen": ("Fraktur",),
    "Blutung nicht nachweisbar": ("Blutung",),
    "no nodule": ("nodule",),
    "no effusion, no pneumothorax": ("effusion", "pneumothorax"),
}


@pytest.mark.parametrize("text", DENIED)
def test_denied(text) -> None:
    assert tuple(name for denial in denials_in(text) for name in denial.findings) == DENIED[text]


@pytest.mark.parametrize(
    "text",
    [
        "pulmonary nodule",
        "nodule, node and anomaly of the nose",
        "not without effusion",
        "pneumonia cannot be excluded",
        "fracture not ruled out",
        "non-contrast CT",
        "noncontrast CT of the head",
        "No. 5",
        "no longer effusion",
        "nicht ohne Erguss",
        "Fraktur nicht ausgeschlossen",
        "Ohnmacht",
        "Notaufnahme",
        "no",
        "without",
        "",
    ],
)
def test_not_denied(text) -> None:
    assert denials_in(text) == ()


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("no effusion", ""),
        ("chest radiograph without effusion", "chest radiograph"),
        ("chest radiograph with no effusion", "chest radiograph"),
        ("CT of the head, no hemorrhage, with a mass", "CT of the head, with a mass"),
        ("no nodule in the left lung", "the left lung"),
        ("cardiomegaly and no effusion", "cardiomegaly"),
        ("no effusion but cardiomegaly", "cardiomegaly"),
        ("effusion excluded, cardiomegaly", "cardiomegaly"),
        ("cardiomegaly (no effusion)", "cardiomegaly"),
        ("the absence of lung markings", ""),
    ],
)
def test_what_is_left(text, rest) -> None:
    assert without(text, denials_in(text)) == rest


WORDS = "no not without or and , . effusion mass of in excluded kein ohne seen is"


@given(st.lists(st.sampled_from(WORDS.split(" "))))
def test_stretches_are_of_the_sentence_and_do_not_overlap(words) -> None:
    text = " ".join(words)
    end = 0
    for denial in denials_in(text):
        assert denial.start >= end
        assert text[denial.start : denial.end] == denial.written
        assert denial.findings
        assert all(finding in denial.written for finding in denial.findings)
        end = denial.end
    assert len(without(text, denials_in(text))) <= len(text)
