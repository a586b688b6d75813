"""Which images can be cases, and which are drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.errors import StudyError
from radcbir_core.reader_study.case_choice import Eligible, choose_cases, eligible, labels_in, labels_of_row


@pytest.fixture
def manifest(small_data, monkeypatch) -> Manifest:
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small").manifest


@pytest.mark.parametrize("alone", [True, False])
def test_a_case_shows_exactly_one_of_the_answers(manifest, alone) -> None:
    answers = ("pneumonia", "normal", "effusion")
    found = eligible(manifest, answers, column="pathologies", where={"anatomy": ["chest"]}, alone=alone)
    expected = {}
    for row in range(len(manifest)):
        record = manifest.record(row)
        matching = [one for one in record["pathologies"] if one in answers]
        if record["anatomy"] == "chest" and len(matching) == 1 and (not alone or len(record["pathologies"]) == 1):
            expected[row] = answers.index(matching[0])
    assert dict(zip(found.rows.tolist(), found.truths.tolist(), strict=True)) == expected
    assert len(expected) > 5


def test_of_two_answers_in_one_image_neither_is_right(manifest) -> None:
    both = eligible(manifest, ("pneumonia", "effusion"), column="pathologies", alone=False)
    assert not [row for row in both.rows.tolist() if set(labels_of_row(manifest, row, "pathologies")) > {"pneumonia"}]
    one = eligible(manifest, ("pneumonia", "normal"), column="pathologies", alone=False)
    assert [row for row in one.rows.tolist() if "effusion" in labels_of_row(manifest, row, "pathologies")]


@pytest.mark.parametrize("column", ["anatomy", "modality"])
def test_other_columns_can_be_asked_for(manifest, column) -> None:
    answers = tuple(labels_in(manifest, column))[:2]
    found = eligible(manifest, answers, column=column)
    said = [labels_of_row(manifest, row, column) for row in found.rows.tolist()]
    assert said == [(answers[truth],) for truth in found.truths.tolist()]
    assert len(said) == sum(labels_in(manifest, column)[answer] for answer in answers)


def test_what_cannot_be_asked_for_is_said(manifest) -> None:
    with pytest.raises(StudyError, match="Expected a column of pathologies, anatomy, modality"):
        labels_in(manifest, "patient_id")
    with pytest.raises(StudyError, match="none has 'no such'"):
        eligible(manifest, ("pneumonia", "no such"), column="pathologies")


LABELS = st.lists(st.integers(0, 2), min_size=1, max_size=60)


@given(LABELS, st.integers(1, 12), st.integers(0, 999), st.sampled_from(["equal", "as there are"]))
def test_of_a_patient_there_is_one_case_and_the_draw_is_decided_by_the_seed(labels, number, seed, balance) -> None:
    truths = np.array(labels)
    rows = np.arange(len(truths)) * 2
    groups = np.arange(len(truths) * 2) // 4  # two of these rows are of one patient
    among = Eligible(rows, truths, ("a", "b", "c"))
    if number > len(set(groups[rows].tolist())):
        with pytest.raises(StudyError, match="patients by label"):
            choose_cases(among, number, groups=groups, seed=seed, balance=balance)
        return
    drawn = choose_cases(among, number, groups=groups, seed=seed, balance=balance)
    assert len(drawn) == number
    assert set(drawn) <= set(rows.tolist())
    assert len({int(groups[row]) for row in drawn}) == number
    assert drawn == choose_cases(among, number, groups=groups, seed=seed, balance=balance)
    further = number < len(set(groups[rows].tolist())) and choose_cases(
        among, 1, groups=groups, seed=seed, without=drawn, purpose="practice"
    )
    assert not further or int(groups[further[0]]) not in {int(groups[row]) for row in drawn}


def test_labels_are_as_many_or_as_frequent() -> None:
    truths = np.array([0] * 30 + [1] * 90)
    among = Eligible(np.arange(120), truths, ("a", "b"))
    groups = np.arange(120)
    for balance, expected in (("equal", {0: 10, 1: 10}), ("as there are", {0: 5, 1: 15})):
        drawn = choose_cases(among, 20, groups=groups, seed=3, balance=balance)
        assert Counter(truths[drawn].tolist()) == expected
    with pytest.raises(StudyError, match="Expected a balance of equal or as there are"):
        choose_cases(among, 2, groups=groups, seed=3, balance="other")
    assert among.counts(np.arange(120) // 2) == {"a": 15, "b": 45}
