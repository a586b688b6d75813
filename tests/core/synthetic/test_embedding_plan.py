"""A plan is as it says, the same however it is asked for, and its vectors lie as an encoder's do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.errors import CollectionError
from radcbir_core.synthetic.embedding_plan import BLOCK, MOST_IMAGES, PLACES, EmbeddingPlan, strengths

PLAN = EmbeddingPlan.of(12_000, dimension=64, labels=40, seed=1)


def test_labels_and_patients_are_as_planned() -> None:
    counts = np.bincount(PLAN.label, minlength=40)
    assert counts[0] > 4 * counts[9] > 4 * counts[39] > 0, "a few labels have most images"
    images = np.bincount(PLAN.patient)
    assert set(images[:-1]) == set(range(1, MOST_IMAGES + 1))
    assert len(images) == PLAN.patients
    table = PLAN.table().to_pandas()
    for column in ("split", "sex", "age", "dataset", "modality", "anatomy"):
        assert (table.groupby("patient_id")[column].nunique() == 1).all(), "a patient is at one place, and of one split"
    assert set(zip(table["modality"], table["anatomy"], strict=True)) == set(PLACES)
    several = table.groupby("patient_id")["pathologies"].nunique()
    assert 0 < (several > 1).mean() < 0.1, "a patient has mostly one label"
    assert table["path"].is_unique
    assert table["path"].iloc[[0, -1]].tolist() == ["0000000.png", "0011999.png"]
    assert (table["pathologies"] == "normal").groupby([table["modality"], table["anatomy"]]).any().all()
    assert table["split"].value_counts(normalize=True)["train"] == pytest.approx(0.6, abs=0.05)


def test_the_table_has_each_image_s_label() -> None:
    table = PLAN.table().to_pandas()
    words = table[["modality", "anatomy", "pathologies"]].agg("/".join, axis=1)
    assert words.groupby(PLAN.label).nunique().eq(1).all()
    assert words.nunique() == len(np.unique(PLAN.label))
    assert (table["patient_id"].str.removeprefix("p").astype(int) == PLAN.patient).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, len(PLAN)), st.integers(0, len(PLAN)))
def test_whichever_rows_are_asked_for_are_the_same(one, other) -> None:
    start, stop = sorted((one, other))
    whole = PLAN.vectors(start // BLOCK * BLOCK, len(PLAN))
    part = PLAN.vectors(start, stop)
    np.testing.assert_array_equal(part, whole[start % BLOCK :][: stop - start])


def test_they_are_the_same_by_threads_and_differ_by_the_seed() -> None:
    whole = PLAN.vectors(0, len(PLAN))
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda start: PLAN.vectors(start, min(start + 1000, len(PLAN))), range(0, 12_000, 1000)))
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    again = EmbeddingPlan.of(12_000, dimension=64, labels=40, seed=1)
    np.testing.assert_array_equal(again.vectors(0, 12_000), whole)
    assert again.table().equals(PLAN.table())
    other = EmbeddingPlan.of(12_000, dimension=64, labels=40, seed=2)
    assert (other.vectors(0, 100) != whole[:100]).any(axis=1).all()
    assert not np.array_equal(other.label, PLAN.label)


def test_vectors_lie_as_an_encoder_s() -> None:
    plan = EmbeddingPlan.of(12_000, dimension=64, seed=1)
    vectors = plan.vectors(0, len(plan)).astype(np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3)
    queries = np.random.default_rng(0).permutation(len(plan))[:400]
    similarities = vectors[queries] @ vectors.T
    own = plan.patient[queries][:, None] == plan.patient
    itself = queries[:, None] == np.arange(len(plan))
    assert similarities[own & ~itself].mean() > similarities[~own].mean() + 0.05, "images of a patient are alike"
    similarities[own] = -2
    nearest = similarities.argmax(axis=1)
    label, place = plan.label, plan.place[plan.label]
    assert (label[nearest] == label[queries]).mean() == pytest.approx(0.6, abs=0.1)
    assert (place[nearest] == place[queries]).mean() == pytest.approx(0.98, abs=0.03)


def test_the_more_there_are_the_less_of_a_vector_is_its_label() -> None:
    few, many = strengths(25_000, dimension=512), strengths(1_600_000, dimension=512)
    assert all(a > b > 0 for a, b in zip(few, many, strict=True))


def test_one_row_is_a_plan_too() -> None:
    plan = EmbeddingPlan.of(1, dimension=8, labels=20)
    assert (len(plan), plan.patients, plan.table().num_rows, plan.vectors(0, 1).shape) == (1, 1, 1, (1, 8))


@pytest.mark.parametrize(
    ("rows", "numbers", "named"),
    [
        (0, {}, "rows = 0"),
        (9, {"dimension": 7}, "dimension = 7"),
        (9, {"labels": 19}, "labels = 19"),
        (9, {"seed": -1}, "seed = -1"),
        (2**31, {}, "rows of at most 2,147,483,647, but rows = 2,147,483,648"),
        (9, {"dimension": 16_385}, "dimension of at most 16,384"),
        (9, {"labels": 100_001}, "labels of at most 100,000"),
    ],
)
def test_numbers_that_make_no_plan_are_refused(rows, numbers, named) -> None:
    with pytest.raises(CollectionError, match=named):
        EmbeddingPlan.of(rows, **numbers)
