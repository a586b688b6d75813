"""The table of MedMNIST's data sets, against the totals that its authors publish."""

from __future__ import annotations

import pytest

from radcbir_core.importers.datasets.medmnist_sets import DATA_SETS
from radcbir_core.vocabulary import MODALITIES, normal_pathology

VOLUMES = {name for name in DATA_SETS if name.endswith("3d")}


def test_as_many_images_as_are_published() -> None:
    assert (len(DATA_SETS), len(VOLUMES)) == (18, 6)
    # 708,069 and 9,998 in Scientific Data 2023; version 3 of the package has 107 slices of organs, one volume of
    # organs and one vessel fewer.
    assert sum(sum(facts.counts) for name, facts in DATA_SETS.items() if name not in VOLUMES) == 708_069 - 107
    assert sum(sum(DATA_SETS[name].counts) for name in VOLUMES) == 9_998 - 2


def test_sets_of_other_publications_have_their_numbers() -> None:
    """ChestX-ray14 (Wang et al. 2017), HAM10000 (Tschandl et al. 2018), RetinaMNIST's DeepDRiD."""
    assert sum(DATA_SETS["chestmnist"].counts) == 112_120
    assert sum(DATA_SETS["dermamnist"].counts) == 10_015
    assert sum(DATA_SETS["retinamnist"].counts) == 1_600


@pytest.mark.parametrize("name", DATA_SETS)
def test_each_set_speaks_the_manifests_words(name) -> None:
    facts = DATA_SETS[name]
    assert facts.modality in MODALITIES
    assert len(set(facts.classes)) == len(facts.classes) > 1
    assert [normal_pathology(word) for word in facts.classes] == list(facts.classes)
    assert facts.counts[0] == max(facts.counts), "train is the largest part"
    assert facts.licence.startswith("CC BY")


def test_where_the_class_is_the_anatomy_there_is_none_of_the_whole_set() -> None:
    assert {name for name, facts in DATA_SETS.items() if not facts.anatomy} == {
        name for name in DATA_SETS if name.startswith("organ")
    }
    organs = [set(facts.classes) for facts in DATA_SETS.values() if not facts.anatomy]
    assert all(names == organs[0] for names in organs)
