"""What the tests of the recipe share."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from radcbir_core.importers import import_collection


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A collection of 30 images: patients, splits, and near duplicates without a patient."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    folder = tmp_path / "source"
    folder.mkdir()
    generator = np.random.default_rng(0)
    rows = [["path", "modality", "anatomy", "pathology", "patient_id", "split"]]
    for number in range(30):
        base = np.random.default_rng(number // 2).integers(0, 256, (40, 30))
        pixels = np.clip(base + generator.integers(0, 8, base.shape), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        patient = f"p{number // 3}" if number < 12 else ""
        rows.append(
            [
                f"{number}.png",
                "CT",
                "head",
                ["normal", "mass"][number % 2],
                patient,
                "test" if number in (0, 20) else "",
            ]
        )
    with (folder / "manifest.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    return import_collection([folder], name="source").collection
