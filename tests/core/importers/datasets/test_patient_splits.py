"""The paper's split of training patients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from radcbir_core.importers.datasets.patient_splits import patient_split


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 19, 100, 1237])
def test_the_split_is_that_of_scikit_learn_with_the_seed_of_the_paper(count) -> None:
    patients = np.array([f"p{number}" for number in range(count)])
    sides = patient_split([*patients, *patients[:3]])
    if count == 1:
        assert sides == {"p0": "val"}
        return
    train, held_out = train_test_split(patients, train_size=0.9, random_state=42)
    assert {patient for patient, side in sides.items() if side == "train"} == set(train)
    assert {patient for patient, side in sides.items() if side == "val"} == set(held_out)
    assert len(train) == math.floor(0.9 * count)


def test_the_order_of_first_appearance_decides() -> None:
    assert patient_split("abcdefghij") == {letter: "val" if letter == "i" else "train" for letter in "abcdefghij"}
    assert patient_split("aabjcdefghia")["h"] == "val"
    assert patient_split([]) == {}
