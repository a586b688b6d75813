"""benchmarks/synthetic_collection.py in small: as it says, the same each time, and a collection like any other."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.synthetic_collection import ENCODER_ID, MOST_IMAGES, PLACES, Plan, make, precision_at_1
from radcbir_core.collections.artifacts import INDEX, NEIGHBORS
from radcbir_core.evaluation import evaluation_on

PLAN = Plan.of(3000, labels=40, seed=1)


def vectors_of(plan: Plan) -> np.ndarray:
    return np.concatenate(list(plan.vectors(64)))


def test_labels_and_patients_are_as_planned() -> None:
    counts = np.bincount(PLAN.label, minlength=40)
    assert counts[0] > 4 * counts[9] > 4 * counts[39] > 0, "a few labels have most images"
    images = np.bincount(PLAN.patient)
    assert set(images[:-1]) == set(range(1, MOST_IMAGES + 1))
    table = PLAN.table()
    for column in ("split", "sex", "age", "dataset", "modality", "anatomy"):
        assert (table.groupby("patient_id")[column].nunique() == 1).all(), "a patient is at one place, and of one split"
    assert set(zip(table["modality"], table["anatomy"], strict=True)) == set(PLACES)
    several = table.groupby("patient_id")["pathologies"].nunique()
    assert 0 < (several > 1).mean() < 0.1, "a patient has mostly one label"


def test_vectors_lie_as_an_encoder_s_and_are_the_same_each_time(monkeypatch) -> None:
    vectors = vectors_of(PLAN)
    assert vectors.dtype == np.float16
    assert np.linalg.norm(vectors.astype(float), axis=1) == pytest.approx(1, abs=1e-3)
    np.testing.assert_array_equal(vectors, vectors_of(Plan.of(3000, labels=40, seed=1)))
    assert (vectors != vectors_of(Plan.of(3000, labels=40, seed=2))).any(axis=1).all()
    single = vectors.astype(np.float32)
    label = precision_at_1(single, PLAN, PLAN.label)
    place = precision_at_1(single, PLAN, PLAN.place[PLAN.label])
    chance = float((np.bincount(PLAN.label) / 3000)[PLAN.label].mean())
    assert chance + 0.1 < label < place, "places are told apart much better than labels"
    assert place > 0.6


def test_it_becomes_a_collection_that_can_be_evaluated(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path))
    plan = Plan.of(300, labels=20)
    collection = make("synthetic", plan, dimension=16)
    store = collection.store(ENCODER_ID)
    assert store.is_current(INDEX, NEIGHBORS)
    assert len(collection) == 300
    assert not len(collection.problems())
    assert collection.manifest.labels("label").codes.min() >= 0, "every image has its label"
    result = evaluation_on(store, "confusion").compute(store)
    assert result.table["n_hits"].sum() > 0
