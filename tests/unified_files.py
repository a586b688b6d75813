"""Small files in the paper's published form: one HDF5 data set an image, and the unified CSV."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

LABELS = ("CT/abd/cyst", "CT/abd/No Finding", "XR/chest/mass", "XR/chest/edema", "US/liver/rare", "US/liver/alone")
"""Of these, "rare" is in no gallery, "alone" has one query."""


def write_unified(folder: Path, *, rows: int, dimension: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Write ``u.h5`` and ``u.csv``; every tenth row has two labels, every fourth is a test image.

    Returns:
        The table and the vectors, float32, unit norm.
    """
    random = np.random.default_rng(seed)
    marks = np.zeros((rows, len(LABELS)))
    marks[np.arange(rows), random.integers(0, 4, rows)] = 1
    split = np.where(np.arange(rows) % 4 == 0, "test", "train").astype(object)
    split[1::20] = "val"
    marks[[0, 4]] = [0, 0, 0, 0, 1, 0]
    marks[[8, 9, 10]] = [0, 0, 0, 0, 0, 1]
    marks[5::10, 1] = marks[5::10, 0] = 1
    marks[5::10, 2:] = 0
    first = marks.argmax(axis=1)
    frame = pd.DataFrame(
        {
            "filepath": [f"u/p{row // 3}/{row:04d}.png" for row in range(rows)],
            "dataset": "u",
            "split": split,
            "modality": [LABELS[label].split("/")[0] for label in first],
            "anatomic_region": [LABELS[label].split("/")[1] for label in first],
        }
    )
    frame[list(LABELS)] = marks
    centers = random.normal(size=(len(LABELS), dimension))
    vectors = (centers[first] + 1.5 * random.normal(size=(rows, dimension))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    frame.to_csv(folder / "u.csv", index=False)
    write_h5(folder / "u.h5", dict(zip(frame["filepath"], vectors, strict=True)))
    return frame, vectors


def write_h5(path: Path, vectors: dict[str, np.ndarray]) -> None:
    """One data set an image."""
    with h5py.File(path, "w") as file:
        for name, vector in vectors.items():
            file.create_dataset(name, data=vector)
