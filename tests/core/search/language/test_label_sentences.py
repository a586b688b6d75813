"""Labels in sentences."""

from __future__ import annotations

import pytest

from radcbir_core.search.language.label_sentences import label_sentence


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (("XR", "chest", "pleural effusion"), "chest radiograph with pleural effusion"),
        (("US", "kidney", "kidney stone"), "ultrasound of the kidney with a stone"),
        (("CT", "liver", "infarct"), "CT of the liver with an infarct"),
        (("XR", "hand", "normal"), "normal hand radiograph"),
        (("other", "skin", "nevus"), "skin with nevus"),
        (("", "skin", "nevus"), "skin with nevus"),
    ],
)
def test_one_label(label, said) -> None:
    assert label_sentence(*label) == said
