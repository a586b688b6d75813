"""How sources spell things."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.vocabulary import (
    MODALITIES,
    is_known,
    normal_modality,
    normal_pathology,
    normal_split,
    normal_text,
    spelling_to_use,
    tidy,
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("X-ray", "XR"), ("x ray", "XR"), ("CR", "XR"), ("DX", "XR"), ("XR", "XR"), ("Radiograph", "XR"), ("mg", "XR"),
        ("ct", "CT"), ("Computed  Tomography", "CT"), ("MRI", "MR"), ("mr", "MR"), ("Ultrasound", "US"), ("us", "US"),
        ("other", "other"), ("NM", "other"), ("unknown", ""), ("", ""), ("N/A", ""), ("ray", "other"),
    ],
)  # fmt: skip
def test_modalities(source, expected) -> None:
    assert normal_modality(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("No Finding", "normal"), ("no findings", "normal"), ("NORMAL", "normal"),
        ("unknown", ""), ("nan", ""), ("none", ""), ("肺炎", "肺炎"), ("Pleural  effusion\n", "Pleural effusion"),
        ('a "quoted", <b>bold</b> finding', 'a "quoted", <b>bold</b> finding'),
    ],
)  # fmt: skip
def test_pathologies(source, expected) -> None:
    assert normal_pathology(source) == expected


def test_splits() -> None:
    assert [normal_split(w) for w in ("train", "VALID", "validation", "dev", "Test", "holdout", "")] == [
        "train", "val", "val", "val", "test", "", "",
    ]  # fmt: skip


@given(st.text(max_size=30))
def test_every_rule_is_idempotent_and_gives_one_line(text) -> None:
    for rule in (tidy, normal_modality, normal_split, normal_pathology, normal_text):
        once = rule(text)
        assert rule(once) == once
        assert "\n" not in once
        assert once == once.strip()
    assert normal_modality(text) in (*MODALITIES, "")
    if not is_known(text):
        assert normal_pathology(text) == normal_text(text) == normal_modality(text) == normal_split(text) == ""


@given(st.lists(st.sampled_from(["Chest", "chest", "CHEST", "Hand", "hand", "knee"])))
def test_words_that_differ_in_case_become_one_that_occurs(words) -> None:
    replacements = spelling_to_use(Counter(words))
    after = [replacements.get(word, word) for word in words]
    assert len(set(after)) == len({word.casefold() for word in words})
    assert set(after) <= set(words)
    assert [a.casefold() for a in after] == [w.casefold() for w in words]
