"""Arrays of artifacts: opened only if they can be what the artifact is."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.collections.artifacts import EMBEDDINGS, NEIGHBORS
from radcbir_core.collections.encoder_data.checked_arrays import open_checked

IDS, SIMILARITIES, VECTORS = "neighbor_ids.npy", "neighbor_similarities.npy", "embeddings.npy"


def opened(folder, name: str, array, *, images: int = 3, whole: bool = True):
    np.save(folder / name, np.asarray(array))
    artifact = EMBEDDINGS if name == VECTORS else NEIGHBORS
    return open_checked(folder / name, artifact, images=images, whole=whole)


def test_what_an_artifact_may_hold(tmp_path) -> None:
    for name, array in (
        (VECTORS, np.eye(3, dtype=np.float16)),
        (VECTORS, np.zeros((3, 0), np.float32)),
        (IDS, np.array([[1, 2], [0, -1], [-1, -1]], np.int32)),
        (IDS, np.zeros((3, 0), np.int32)),
        (SIMILARITIES, np.array([[1, -1], [0.5, np.nan], [1.005, np.nan]], np.float16)),
    ):
        np.testing.assert_array_equal(opened(tmp_path, name, array), array)
    assert opened(tmp_path, VECTORS, np.eye(3)[:2], whole=False).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        (VECTORS, [[1.0, np.nan]] * 3, "it holds numbers that are not finite"),
        (VECTORS, [[1.0, -np.inf]] * 3, "it holds numbers that are not finite"),
        (VECTORS, [1.0, 2.0, 3.0], r"it holds float64 of shape \(3,\)"),
        (VECTORS, [[1, 2]] * 3, "it holds int64"),
        (VECTORS, [[1.0]] * 2, "it has 2 rows"),
        (VECTORS, [["a"]] * 3, "its type is <U1"),
        (IDS, [[3]] * 3, "it names others than its 3 images"),
        (IDS, [[-2]] * 3, "it names others than its 3 images"),
        (IDS, [[1.0]] * 3, "it holds float64"),
        (SIMILARITIES, [[1.5]] * 3, "it holds others than similarities"),
        (SIMILARITIES, [[-np.inf]] * 3, "it holds others than similarities"),
    ],
)
def test_what_it_may_not(tmp_path, name, array, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        opened(tmp_path, name, array)


def test_one_of_more_rows_than_images_is_never_one(tmp_path) -> None:
    with pytest.raises(ValueError, match="it has 4 rows"):
        opened(tmp_path, VECTORS, np.eye(4), whole=False)


def test_values_are_looked_at_once_and_again_after_a_change(tmp_path, monkeypatch) -> None:
    opened(tmp_path, VECTORS, np.eye(3))
    looked: list[int] = []
    monkeypatch.setattr(np, "isfinite", lambda part: looked.append(len(part)) or np.ones(1, bool))
    open_checked(tmp_path / VECTORS, EMBEDDINGS, images=3)
    assert looked == []
    opened(tmp_path, VECTORS, np.eye(3))
    assert looked == [3]
