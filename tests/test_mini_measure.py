"""The measure of radcbir-mini's benchmarks, against loops written apart from it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.mini_measure import Images, precision


def made_up(seed: int, count: int = 40) -> tuple[Images, np.ndarray]:
    """Images of few patients, data sets and labels, some unlabeled, two of them copies."""
    generator = np.random.default_rng(seed)
    patient = np.array([["", "a", "b", "c", "d"][i] for i in generator.integers(5, size=count)], dtype=object)
    sha256 = np.array([f"{number:04x}" for number in range(count)], dtype=object)
    sha256[3] = sha256[4]
    images = Images(
        collections=[],
        where=[(0, row) for row in range(count)],
        modality=np.array(["CT", "MR"], dtype=object)[generator.integers(2, size=count)],
        anatomy=np.array(["head", ""], dtype=object)[(generator.random(count) < 0.1).astype(int)],
        pathologies=[[("mass",), ("normal",), ("mass", "edema"), ()][i] for i in generator.integers(4, size=count)],
        patient=patient,
        sha256=sha256,
        split=np.array(["train", "test"], dtype=object)[generator.integers(2, size=count)],
        dataset=np.array(["one", "other"], dtype=object)[generator.integers(2, size=count)],
    )
    vectors = generator.normal(size=(count, 6))
    return images, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("level", ["modality", "anatomy", "label"])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_precision_against_loops(level, apart, seed) -> None:
    images, vectors = made_up(seed)
    labels = []
    for modality, anatomy, pathologies in zip(images.modality, images.anatomy, images.pathologies, strict=True):
        full = f"{modality}/{anatomy}/{pathologies[0]}" if len(pathologies) == 1 and modality and anatomy else ""
        labels.append({"modality": modality, "anatomy": anatomy, "label": full}[level])
    expected_1, expected_10 = [], []
    for query in range(len(labels)):
        if not labels[query] or images.split[query] != "test":
            continue
        others = [
            row
            for row in range(len(labels))
            if row != query
            and labels[row]
            and not (images.patient[row] and images.patient[row] == images.patient[query])
            and images.sha256[row] != images.sha256[query]
            and not (apart and images.dataset[row] == images.dataset[query])
        ]
        if labels[query] not in {labels[row] for row in others}:
            continue
        others.sort(key=lambda row: -float(vectors[row] @ vectors[query]))
        right = [labels[row] == labels[query] for row in others[:10]]
        expected_1.append(right[0])
        expected_10.append(sum(right) / len(right))
    found = precision(images, vectors, level, queries=images.split == "test", apart=apart)
    assert found.at_1.tolist() == expected_1
    assert found.at_10.tolist() == pytest.approx(expected_10)
    low, high = found.interval(10)
    assert low <= found.micro(10) <= high


def test_who_is_not_known_is_a_patient_of_his_own() -> None:
    images, _ = made_up(0)
    codes = images.patients
    for row, name in enumerate(images.patient):
        same = np.flatnonzero(codes == codes[row]).tolist()
        assert same == ([other for other, who in enumerate(images.patient) if who == name] if name else [row])
