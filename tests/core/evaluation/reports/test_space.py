"""Mean similarities against loops over all pairs of images, and by hand."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.cli import main
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.reports import space
from radcbir_core.evaluation.reports.silhouettes import IMAGE_COLUMNS
from radcbir_core.evaluation.reports.space import SPACE_COLUMNS, evaluate_space, label_similarities
from radcbir_core.search.backend import ArrayVectors
from tests.kept_embeddings import kept_embeddings


def slow(vectors, labels, n_labels, apart) -> tuple[list[float], list[int], list[float], list[int]]:
    within, between = [0.0] * n_labels, [0.0] * n_labels
    n_within, n_between = [0] * n_labels, [0] * n_labels
    for i, first in enumerate(labels):
        for j, second in enumerate(labels):
            if i == j or first < 0 or second < 0 or apart[i] == apart[j] >= 0:
                continue
            a, b = vectors[i].astype(float), vectors[j].astype(float)
            cosine = float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))
            if first == second:
                within[first] += cosine
                n_within[first] += 1
            else:
                between[first] += cosine
                n_between[first] += 1
    return within, n_within, between, n_between


@given(
    rows=st.integers(1, 25),
    kind=st.sampled_from([np.float16, np.float32]),
    grouped=st.booleans(),
    block=st.integers(1, 9),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_sums_are_those_of_all_pairs(rows, kind, grouped, block, seed) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(rows, 5)).astype(kind)
    labels, groups = random.integers(-1, 4, rows), random.integers(-1, 5, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space, "_BLOCK", block)
        found = label_similarities(ArrayVectors(vectors), labels, n_labels=4, apart=groups if grouped else None)
    expected = slow(vectors, labels.tolist(), 4, groups.tolist() if grouped else [-1] * rows)
    np.testing.assert_allclose(found.within, expected[0], atol=1e-9)
    assert found.within_pairs.tolist() == expected[1]
    np.testing.assert_allclose(found.between, expected[2], atol=1e-9)
    assert found.between_pairs.tolist() == expected[3]
    assert found.images.tolist() == [int((labels == label).sum()) for label in range(4)]


@pytest.fixture
def store(small_data, tmp_path_factory, monkeypatch):
    data = tmp_path_factory.mktemp("copied") / "data"  # silhouettes are kept in the collection
    shutil.copytree(small_data, data)
    monkeypatch.setenv("RADCBIR_DATA", str(data))
    return open_collection("small").store("pixels")


@pytest.mark.parametrize("exclude", ["patient", ""])
def test_the_table_of_a_collection(store, exclude) -> None:
    table, notes = evaluate_space(store, exclude=exclude)
    assert tuple(table.columns) == SPACE_COLUMNS
    assert bool(notes) == bool(exclude)
    manifest = store.collection.manifest
    anatomy = manifest.codes("anatomy")
    apart = manifest.groups("patient") if exclude else np.full(len(manifest), -1)
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
    lines = list(space._lines(found, ("a", "b", "c")))
    assert [line["relative_gap"] for line in lines] == pytest.approx([1] * 5)
    random = np.random.default_rng(0)
    vectors = random.normal(size=(2000, 8)) + 2
    lines = list(
        space._lines(
            label_similarities(ArrayVectors(vectors), random.integers(0, 3, 2000), n_labels=3), ("a", "b", "c")
        )
    )
    assert abs(lines[0]["relative_gap"]) < 0.01
    assert lines[0]["between"] > 0.5


def test_what_there_is_no_pair_of_is_unknown() -> None:
    found = label_similarities(ArrayVectors(np.eye(2)), np.array([0, 0]), n_labels=1, apart=np.array([3, 3]))
    line = next(space._lines(found, ("a",)))
    assert math.isnan(line["within"])
    assert math.isnan(line["between"])
    assert line["n_pairs"] == 0


def test_what_is_wrong_is_said(store) -> None:
    with pytest.raises(EvaluationError, match="or none, but exclude = 'site'"):
        evaluate_space(store, exclude="site")
    with pytest.raises(ValueError, match=r"but len\(labels\) = 3"):
        label_similarities(ArrayVectors(np.eye(2)), np.zeros(3, dtype=int), n_labels=1)
    with pytest.raises(ValueError, match="Expected label codes below 1, but labels = 1"):
        label_similarities(ArrayVectors(np.eye(2)), np.array([0, 1]), n_labels=1)


def test_the_command_does_without_labels_at_the_level_of_silhouettes(store, tmp_path, monkeypatch, capsys) -> None:
    from radcbir_core.collections.manifest import Manifest

    original = Manifest.labels

    def without(self, level):
        found = original(self, level)
        return type(found)(values=found.values, codes=found.codes * 0 - 1) if level == "label" else found

    monkeypatch.setattr(Manifest, "labels", without)
    assert main(["evaluate-space", "small"]) == 0
    printed = capsys.readouterr().out
    assert "anatomy" in printed
    assert "silhouette" not in printed
    assert main(["evaluate-space", "small", "--matrix", str(tmp_path / "m.csv")]) == 2
    assert "Expected images with a label at the level label" in capsys.readouterr().err
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
    assert tuple(pd.read_csv(images).columns) == ("image_id", *IMAGE_COLUMNS[1:])
    assert set(pd.read_csv(images)["image_id"]) <= set(store.collection.manifest.column("image_id"))
    assert "within" in printed
    assert "macro" in printed
    assert tuple(pd.read_csv(output).columns) == SPACE_COLUMNS
    assert main(["evaluate-space", "small", "--exclude", "site"]) == 2
    assert "exclude = 'site'" in capsys.readouterr().err
