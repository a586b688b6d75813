"""What a build evaluates ahead: of many images all that can be, and of few what hits are read by."""

from __future__ import annotations

import shutil

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation import ahead
from tests.core.evaluation.test_evaluation import without_labels


@pytest.fixture
def store(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    store = open_collection("small").store("pixels")
    shutil.rmtree(store.evaluation_folder, ignore_errors=True)  # other tests of the same process may have left some
    return store


def test_of_few_images_what_hits_are_read_by_is_and_of_many_all(store, monkeypatch) -> None:
    assert [one.kind for one in ahead.evaluated_ahead(store)] == ["scale", "calibration"]
    ahead.evaluate_ahead(store)
    kept = [one.kept(store) is not None for one in ahead.evaluated_ahead(store)]
    assert kept == [True, False], "of the calibration there are too few patients"
    monkeypatch.setattr("radcbir_core.evaluation.reports.calibration.FEWEST_PATIENTS", 5)
    monkeypatch.setattr(ahead, "AHEAD_FROM", 60)
    wanted = list(ahead.evaluated_ahead(store))
    assert [one.kind for one in wanted][2:] == ["confusion", "failures", "hubness", "leakage", "slices", "subgroups"]
    assert [one.kept(store) for one in wanted][1:] == [None] * 7
    told = []
    ahead.evaluate_ahead(store, progress=lambda *step: told.append(step))
    assert told
    assert all(one.kept(store) is not None for one in wanted)


def test_what_cannot_be_evaluated_is_left_to_its_view(store, monkeypatch) -> None:
    monkeypatch.setattr(ahead, "AHEAD_FROM", 60)
    with monkeypatch.context() as patch:
        without_labels(patch)
        ahead.evaluate_ahead(store)
    kept = [one.kind for one in ahead.evaluated_ahead(store) if one.kept(store) is not None]
    assert kept == ["scale"], "which needs no labels"
