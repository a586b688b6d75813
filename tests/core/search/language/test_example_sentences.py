"""Sentences to begin with: telling ones first, then kinds of images that differ."""

from __future__ import annotations

from radcbir_core.search.language.example_sentences import example_sentences


def test_examples_prefer_what_tells_and_what_differs() -> None:
    labels = ["XR/chest/normal", "CT/head/normal", "CT/head/hemorrhage", "XR/chest/nodule", "US/kidney/kidney stone"]
    labels += ["MR/brain/meningioma", "XR/chest/pleural effusion", "XR/hand/fracture", "x" * 300, "no label"]
    assert [example.sentence for example in example_sentences(labels)] == [
        "chest radiograph with pleural effusion",
        "CT of the head with hemorrhage",
        "MRI of the brain with meningioma",
        "ultrasound of the kidney with a stone",
        "hand radiograph with a fracture",
        "normal chest radiograph",
    ]
    assert example_sentences([]) == []


def test_each_says_which_label_it_asks_for() -> None:
    (example,) = example_sentences(["XR/chest/wall/mass"], most=3)
    assert (example.modality, example.anatomy, example.pathology) == ("XR", "chest", "wall/mass")
