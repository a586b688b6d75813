"""Silhouettes and the matrix of labels against loops over all pairs of images, and scikit-learn."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import silhouette_samples

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError, StaleError
from radcbir_core.evaluation.reports import silhouettes
from radcbir_core.evaluation.reports.silhouettes import IMAGE_COLUMNS, MATRIX_COLUMNS, kept_layout, lay_out, places_of
from radcbir_core.evaluation.reports.space import evaluate_space
from radcbir_core.search.backend import ArrayVectors
from tests.stale import outdate


def slow(vectors, labels, n_labels, apart):
    """For each image, label → mean similarity; and the same by pair of labels."""
    unit = [v / np.linalg.norm(v) for v in vectors.astype(float)]
    by_image, pairs = [], {}
    for i, mine in enumerate(labels):
        found = {}
        for j, other in enumerate(labels):
            if i == j or mine < 0 or other < 0 or apart[i] == apart[j] >= 0:
                continue
            found.setdefault(other, []).append(float(unit[i] @ unit[j]))
            pairs.setdefault((mine, other), []).append(float(unit[i] @ unit[j]))
        by_image.append({label: sum(values) / len(values) for label, values in found.items()})
    matrix = [
        [sum(pairs[a, b]) / len(pairs[a, b]) if (a, b) in pairs else math.nan for b in range(n_labels)]
        for a in range(n_labels)
    ]
    return by_image, np.array(matrix)


@given(
    rows=st.integers(1, 25),
    kind=st.sampled_from([np.float16, np.float32]),
    grouped=st.booleans(),
    block=st.integers(1, 9),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_it_is_what_all_pairs_say(rows, kind, grouped, block, seed) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(rows, 5)).astype(kind)
    labels = random.integers(-1, 4, rows)
    groups = random.integers(-1, 5, rows) if grouped else np.full(rows, -1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(silhouettes, "_BLOCK", block)
        patch.setattr(silhouettes, "_ELEMENTS", 20)
        found = places_of(ArrayVectors(vectors), labels, n_labels=4, apart=groups if grouped else None)
    by_image, matrix = slow(vectors, labels.tolist(), 4, groups.tolist())
    np.testing.assert_allclose(found.matrix, matrix, atol=1e-9)
    for row, means in enumerate(by_image):
        own = means.get(labels[row], math.nan)
        others = {label: value for label, value in means.items() if label != labels[row]}
        other = max(others.values(), default=math.nan)
        assert found.own[row] == pytest.approx(own, abs=1e-9, nan_ok=True)
        assert found.other[row] == pytest.approx(other, abs=1e-9, nan_ok=True)
        assert (found.nearest[row] == -1) == (not others)
        if others:
            assert others[found.nearest[row]] == pytest.approx(other, abs=1e-9)
        expected = (own - other) / max(1 - own, 1 - other) if not math.isnan(own + other) else math.nan
        assert found.silhouette[row] == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_without_exclusions_it_is_scikit_learn_s() -> None:
    random = np.random.default_rng(0)
    vectors, labels = random.normal(size=(80, 6)), np.arange(80) % 5
    vectors += np.eye(6)[labels]
    found = places_of(ArrayVectors(vectors), labels, n_labels=5)
    np.testing.assert_allclose(found.silhouette, silhouette_samples(vectors, labels, metric="cosine"), atol=1e-9)


def test_two_labels_in_one_point_are_on_the_border() -> None:
    found = places_of(ArrayVectors(np.ones((4, 2))), np.array([0, 0, 1, 1]), n_labels=2)
    assert found.silhouette.tolist() == [0] * 4


@pytest.fixture
def store(small_data, tmp_path_factory, monkeypatch):
    data = tmp_path_factory.mktemp("copied") / "data"  # results are kept in the collection
    shutil.copytree(small_data, data)
    monkeypatch.setenv("RADCBIR_DATA", str(data))
    return open_collection("small").store("pixels")


def test_a_collection_agrees_with_the_mean_similarities(store) -> None:
    told = []
    found = lay_out(store, level="anatomy", progress=lambda *step: told.append(step))
    assert told[0][1] == 0
    assert told[-1][1] == told[-1][2]
    assert tuple(found.matrix.columns) == MATRIX_COLUMNS
    assert tuple(found.images.columns) == IMAGE_COLUMNS
    means = evaluate_space(store)[0].query("level == 'anatomy' and averaging == 'label'").set_index("label")
    own = found.matrix[found.matrix["label"] == found.matrix["other"]].set_index("label")
    for label in means.index:
        assert own.loc[label, "similarity"] == pytest.approx(means.loc[label, "within"])
        assert own.loc[label, "n_images"] == means.loc[label, "n_images"]
    labels = found.labels()
    known = found.images.dropna(subset="silhouette")
    assert labels["silhouette"].is_monotonic_increasing
    for row in labels.to_dict("records"):
        values = known.loc[known["label"] == row["label"], "silhouette"]
        assert (row["n_images"], row["silhouette"]) == (len(values), pytest.approx(values.mean()))
        assert row["nearer"] == pytest.approx((values < 0).mean())
    assert any("have no patient_id: pairs of the same patient may count" in note for note in found.notes)


def test_results_are_kept_and_read_again(store, monkeypatch) -> None:
    assert kept_layout(store) is None
    found = lay_out(store)
    monkeypatch.setattr(silhouettes, "_compute", None)  # it must not be called again
    for again in (lay_out(store), kept_layout(store)):
        pd.testing.assert_frame_equal(again.images, found.images, check_dtype=False)
        pd.testing.assert_frame_equal(again.matrix, found.matrix, check_dtype=False)
        assert again.notes == found.notes
    assert kept_layout(store, exclude="") is None
    assert kept_layout(store, level="anatomy") is None


def test_what_is_wrong_is_said(store, monkeypatch) -> None:
    with pytest.raises(EvaluationError, match="or none, but exclude = 'site'"):
        lay_out(store, exclude="site")
    with pytest.raises(ValueError, match="Expected one label below 1 and one group an image"):
        places_of(ArrayVectors(np.eye(2)), np.array([0, 1]), n_labels=1)
    manifest = store.collection.manifest
    original = type(manifest).labels

    def none(self, level):
        found = original(self, level)
        return type(found)(values=found.values, codes=found.codes * 0 - 1)

    with monkeypatch.context() as patch:
        patch.setattr(type(manifest), "labels", none)
        with pytest.raises(EvaluationError, match="Expected images with a label at the level anatomy"):
            lay_out(store, level="anatomy")
    outdate(store)
    with pytest.raises(StaleError, match="Expected embeddings of the images"):
        lay_out(store)
