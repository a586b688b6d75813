"""The layout of labels against loops over all pairs of images, and by hand."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pandas as pd
import pytest

from radcbir_core.cli import main
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError, QueryError, StaleError
from radcbir_core.evaluation.metrics.similarity import label_similarities
from radcbir_core.evaluation.reports import space
from radcbir_core.evaluation.reports.space import (
    SPACE_COLUMNS,
    Space,
    label_silhouettes,
)
from radcbir_core.search.backend import ArrayVectors
from tests.core.evaluation.metrics.test_similarity import slow
from tests.kept_embeddings import kept_embeddings
from tests.stale import outdate

NOTHING_SEEN = np.empty(0, dtype=np.int32)


@pytest.fixture
def store(small_data, tmp_path_factory, monkeypatch):
    data = tmp_path_factory.mktemp("copied") / "data"  # silhouettes are kept in the collection
    shutil.copytree(small_data, data)
    monkeypatch.setenv("RADCBIR_DATA", str(data))
    return open_collection("small").store("pixels")


@pytest.mark.parametrize("exclude", ["patient", "none"])
def test_the_table_of_a_collection(store, exclude) -> None:
    found = Space(exclude, "anatomy").run(store)
    table = found.table
    assert tuple(table.columns) == SPACE_COLUMNS
    assert any("pairs of the same patient may count" in note for note in found.notes) == (exclude == "patient")
    manifest = store.collection.manifest
    anatomy = manifest.codes("anatomy")
    apart = manifest.groups("patient") if exclude == "patient" else np.full(len(manifest), -1)
    within, n_within, between, n_between = slow(kept_embeddings(store), anatomy.codes.tolist(), 3, apart.tolist())
    part = table[table["level"] == "anatomy"].set_index(["averaging", "label"])
    for code, name in enumerate(anatomy.values):
        line = part.loc["label", name]
        assert line["within"] == pytest.approx(within[code] / n_within[code])
        assert line["between"] == pytest.approx(between[code] / n_between[code])
        assert line["gap"] == pytest.approx(line["within"] - line["between"])
        assert line["relative_gap"] == pytest.approx(line["gap"] / (1 - line["between"]))
        assert line["n_pairs"] == n_within[code] / 2
    assert part.loc["micro", ""]["within"] == pytest.approx(sum(within) / sum(n_within))
    assert part.loc["micro", ""]["between"] == pytest.approx(sum(between) / sum(n_between))
    means = [within[code] / n_within[code] for code in range(3)]
    assert part.loc["macro", ""]["within"] == pytest.approx(sum(means) / 3)
    assert part.loc["micro", ""]["gap"] > 0  # three kinds of pictures that differ


def test_points_and_noise() -> None:
    """Labels that are points have a relative gap of 1; labels given at random one near 0."""
    points = np.repeat(np.eye(3), 4, axis=0)
    found = label_similarities(ArrayVectors(points), np.repeat(np.arange(3), 4), n_labels=3)
    lines = list(space._lines(found, ("a", "b", "c"), NOTHING_SEEN))
    assert [line["relative_gap"] for line in lines] == pytest.approx([1] * 5)
    random = np.random.default_rng(0)
    vectors = random.normal(size=(2000, 8)) + 2
    sums = label_similarities(ArrayVectors(vectors), random.integers(0, 3, 2000), n_labels=3)
    lines = list(space._lines(sums, ("a", "b", "c"), NOTHING_SEEN))
    assert abs(lines[0]["relative_gap"]) < 0.01
    assert lines[0]["between"] > 0.5


def test_what_there_is_no_pair_of_is_unknown() -> None:
    found = label_similarities(ArrayVectors(np.eye(2)), np.array([0, 0]), n_labels=1, apart=np.array([3, 3]))
    line = next(space._lines(found, ("a",), NOTHING_SEEN))
    assert math.isnan(line["within"])
    assert math.isnan(line["between"])
    assert line["n_pairs"] == 0


def test_a_collection_agrees_with_the_mean_similarities(store) -> None:
    told = []
    found = Space(level="anatomy").run(store, progress=lambda *step: told.append(step))
    assert told[0][1] == 0
    assert told[-1][1] == told[-1][2]
    assert list(found.tables["matrix"].columns) == ["label", "other", "similarity", "n_images", "n_others"]
    assert list(found.tables["silhouettes"].columns) == ["row", "label", "own", "other", "nearest", "silhouette"]
    means = found.table.query("level == 'anatomy' and averaging == 'label'").set_index("label")
    own = found.tables["matrix"][found.tables["matrix"]["label"] == found.tables["matrix"]["other"]].set_index("label")
    for label in means.index:
        assert own.loc[label, "similarity"] == pytest.approx(means.loc[label, "within"])
        assert own.loc[label, "n_images"] == means.loc[label, "n_images"]
    labels = label_silhouettes(found.tables["silhouettes"])
    known = found.tables["silhouettes"].dropna(subset="silhouette")
    assert labels["silhouette"].is_monotonic_increasing
    for row in labels.to_dict("records"):
        values = known.loc[known["label"] == row["label"], "silhouette"]
        assert (row["n_images"], row["silhouette"]) == (len(values), pytest.approx(values.mean()))
        assert row["nearer"] == pytest.approx((values < 0).mean())
    assert any("have no patient_id: pairs of the same patient may count" in note for note in found.notes)


def test_what_is_wrong_is_said(store, monkeypatch) -> None:
    with pytest.raises(EvaluationError, match="or none, but exclude = 'site'"):
        Space("site")
    with pytest.raises(QueryError, match="level = 'planet'"):
        Space(level="planet")
    manifest = store.collection.manifest
    original = type(manifest).labels

    def none(self, level):
        found = original(self, level)
        return type(found)(values=found.values, codes=found.codes * 0 - 1)

    with monkeypatch.context() as patch:
        patch.setattr(type(manifest), "labels", none)
        with pytest.raises(EvaluationError, match="Expected images with a modality, an anatomy or a label"):
            Space(level="anatomy").run(store)
    outdate(store)
    with pytest.raises(StaleError, match="Expected embeddings of the images"):
        Space().run(store)


def test_the_command_does_without_labels_at_the_level_of_silhouettes(store, monkeypatch, capsys) -> None:
    from radcbir_core.collections.manifests.manifest import Manifest

    original = Manifest.labels

    def without(self, level):
        found = original(self, level)
        return type(found)(values=found.values, codes=found.codes * 0 - 1) if level == "label" else found

    monkeypatch.setattr(Manifest, "labels", without)
    assert main(["evaluate-space", "small"]) == 0
    printed = capsys.readouterr().out
    assert "anatomy" in printed
    assert "Mean silhouette" not in printed
    assert "No image has a label at the level label, so there are no silhouettes." in printed
    assert main(["evaluate-space", "small", "--level", "planet"]) == 2
    assert "planet" in capsys.readouterr().err
    assert main(["evaluate-space", "small", "--level", "anatomy"]) == 0
    assert "Mean silhouette at the level anatomy" in capsys.readouterr().out


def test_the_command(store, tmp_path, capsys) -> None:
    output, matrix, images = (tmp_path / f"{name}.csv" for name in ("space", "matrix", "images"))
    options = ["--level", "anatomy", "--matrix", str(matrix), "--silhouettes", str(images)]
    assert main(["evaluate-space", "small", "--exclude", "none", "--output", str(output), *options]) == 0
    printed = capsys.readouterr().out
    assert "Mean silhouette at the level anatomy: micro 0." in printed
    assert len(pd.read_csv(matrix)) == 9
    assert list(pd.read_csv(images).columns) == ["image_id", "label", "own", "other", "nearest", "silhouette"]
    assert set(pd.read_csv(images)["image_id"]) <= set(store.collection.manifest.column("image_id"))
    assert "within" in printed
    assert "macro" in printed
    assert tuple(pd.read_csv(output).columns) == SPACE_COLUMNS
    assert main(["evaluate-space", "small", "--exclude", "site"]) == 2
    assert "exclude = 'site'" in capsys.readouterr().err
