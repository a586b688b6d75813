"""Who the phantoms' patients are, and what is said of their images."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from radcbir_core.synthetic.phantoms import words
from radcbir_core.synthetic.phantoms.patients import all_labels, all_scenes, draw, labels_for, patient, patients


def test_there_are_four_modalities_twelve_anatomies_and_45_labels() -> None:
    scenes = all_scenes()
    assert {scene.modality for scene in scenes} == {"XR", "CT", "MR", "US"}
    assert len({scene.anatomy for scene in scenes}) >= 12
    assert len(set(all_labels())) == len(all_labels()) >= 45
    assert all(scene.pathologies[0] == "normal" for scene in scenes)
    assert len({(scene.modality, scene.anatomy) for scene in scenes}) == len(scenes)


def test_every_label_has_words() -> None:
    for scene in all_scenes():
        assert scene.modality in words.MODALITIES
        assert scene.anatomy in words.ANATOMIES
        assert all(pathology in words.FINDINGS for pathology in scene.pathologies[1:])


@pytest.mark.parametrize("images", [1, 7, 2400])
def test_the_plan_adds_up(images) -> None:
    everyone = list(patients(images, seed=3))
    assert sum(one.kept for one in everyone) == images
    assert all(2 <= one.images <= 5 for one in everyone)
    assert all(one.kept == one.images for one in everyone[:-1])
    assert [one.number for one in everyone] == list(range(len(everyone)))
    if images == 2400:
        by_label = Counter((one.scene.modality, one.scene.anatomy, one.pathology) for one in everyone)
        assert len(by_label) == len(all_labels())
        assert max(by_label.values()) - min(by_label.values()) <= 1
        splits = Counter(one.split for one in everyone)
        assert set(splits) == {"train", "val", "test"}
        assert splits["train"] > splits["test"] > splits["val"]


def test_more_images_only_add_patients() -> None:
    few, many = list(patients(30, seed=9)), list(patients(300, seed=9))
    assert [one.patient_id for one in few] == [one.patient_id for one in many[: len(few)]]
    assert few[:-1] == many[: len(few) - 1]


def test_a_patient_cut_short_has_the_first_images_of_the_whole_one() -> None:
    whole, cut = patient(0, left=99, seed=1), patient(0, left=1, seed=1)
    first, only = draw(whole, seed=1), draw(cut, seed=1)
    assert len(first) == whole.images
    assert len(only) == 1
    assert np.array_equal(first[0].pixels, only[0].pixels)
    assert first[0].caption == only[0].caption


def test_another_seed_is_another_patient() -> None:
    one, other = (draw(patient(0, left=9, seed=seed), seed=seed)[0] for seed in (1, 2))
    assert not np.array_equal(one.pixels, other.pixels)


def test_captions_vary_and_name_what_there_is() -> None:
    said = {image.caption for number in range(5) for image in draw(patient(number, left=9, seed=4), seed=4)}
    assert len(said) > 9
    assert all(caption.endswith(".") and caption[0].isupper() and "  " not in caption for caption in said)


@pytest.mark.parametrize("images", [24, 60, 150, 300, 471])
def test_few_images_show_labels_of_several_patients_on_both_sides(images) -> None:
    labels = labels_for(images)
    assert labels is not None
    everyone = list(patients(images, seed=20, labels=labels))
    sides: dict[tuple[str, str, str], set[str]] = {}
    for one in everyone:
        sides.setdefault((one.scene.modality, one.scene.anatomy, one.pathology), set()).add(one.split)
    assert len(sides) == labels
    assert sum({"train", "test"} <= each for each in sides.values()) >= 0.9 * labels
    again = [patient(one.number, left=one.kept, seed=20, labels=labels) for one in everyone]
    assert again == everyone, "as a drawing process plans it"


def test_enough_images_show_all_labels() -> None:
    assert labels_for(472) is None
    assert labels_for(471) == 58 < len(all_labels())
    assert [labels_for(images) for images in (1, 8, 16)] == [1, 1, 2]


def test_out_of_range() -> None:
    for labels in (0, len(all_labels()) + 1):
        with pytest.raises(ValueError, match=f"Expected 1 to {len(all_labels())} labels, but labels = {labels}"):
            next(patients(1, seed=0, labels=labels))
    with pytest.raises(ValueError, match="images >= 1 and seed >= 0, but images = 0, seed = 0"):
        next(patients(0, seed=0))
