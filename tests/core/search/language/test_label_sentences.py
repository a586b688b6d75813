"""Labels in sentences."""

from __future__ import annotations

import pytest

from radcbir_core.search.language.label_sentences import image_in_words, label_sentence


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


@pytest.mark.parametrize(
    ("modality", "anatomy", "said"),
    [
        ("XR", "chest", "chest radiograph"),
        ("US", "kidney", "ultrasound of the kidney"),
        ("MR", "", "MRI"),
        ("", "skin", "skin"),
        ("other", "", "image"),
    ],
)
def test_one_kind_of_image(modality, anatomy, said) -> None:
    assert image_in_words(modality, anatomy) == said
