"""Planted leakage: whether the gauge finds all of it, and says how much it carried.

    python -m benchmarks.leakage COLLECTION [--images 900] [--planted 150]

Three collections are made of pictures of an imported one, each with a leak whose size is known, and asked as the view
Leakage does, with the baseline ``pixels``. All pictures are in no near-duplicate group of their own.

- *Copies*: some images of split test have a changed copy (scaled, compressed, cropped …) in train, of another patient.
  Told are how many test images are counted as having a near-duplicate in train, and P@1 before and after the step,
  beside that of the same collection without any copy.
- *Patients*: some images of test have an image of their patient in train: half of the same picture, on its side.
- *Data set*: labels are drawn at random, .8 of one kind in one data set and .2 in the other, whose pictures are
  inverted.
  No picture says anything of its label. P@10 should be .8² + .2² = .68, and 2 × .8 × .2 = .32 without the own data set.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

import radcbir_core
from benchmarks.near_duplicates import COPIES, Pixels
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.importers import import_collection
from radcbir_core.pipeline import build_collection

Row = tuple[Pixels, dict[str, Any]]
MAJORITY = 0.8


def steps(rows: Sequence[Row]) -> radcbir_core.Result:
    """What the gauge says of a collection of these pictures and lines of a manifest."""
    before = os.environ.get("RADCBIR_DATA")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        lines = []
        for place, (pixels, line) in enumerate(rows):
            Image.fromarray(pixels).save(source / f"{place}.png")
            lines.append({"path": f"{place}.png", "modality": "XR", "anatomy": "chest", **line})
        pd.DataFrame(lines).to_csv(source / "manifest.csv", index=False)
        os.environ["RADCBIR_DATA"] = str(Path(folder) / "data")
        try:
            collection = import_collection([source / "manifest.csv"], name="planted").collection
            build_collection(collection, load_encoder("pixels"))
            return radcbir_core.evaluate(collection, "pixels", "leakage")
        finally:
            os.environ.pop("RADCBIR_DATA") if before is None else os.environ.update(RADCBIR_DATA=before)


def around(result: radcbir_core.Result, step: str, k: int) -> tuple[float, float]:
    """Micro P@k before one step, and after it."""
    table = result.tables["steps"]
    micro = table[(table["averaging"] == "micro") & (table["k"] == k)].reset_index(drop=True)
    place = micro.index[micro["step"] == step][0]
    return float(micro["precision"][place - 1]), float(micro["precision"][place])


def at_first(result: radcbir_core.Result, k: int) -> float:
    """Micro P@k with nothing left out."""
    table = result.tables["steps"]
    return float(table.loc[(table["averaging"] == "micro") & (table["k"] == k), "precision"].iloc[0])


def company(result: radcbir_core.Result, shares: str) -> int:
    """How many test images have such an image in train."""
    table = result.tables["splits"]
    return int(table.loc[table["shares"] == shares, "n_with_company"].sum())


def pictures_of(collection: Collection, number: int) -> list[tuple[Pixels, str]]:
    """Some labeled pictures that are in no near-duplicate group, each with its label."""
    groups = np.asarray(collection.store("pixels").near_duplicate_groups)
    labels = collection.manifest.frame["pathologies"].tolist()
    alone = [row for row in np.flatnonzero(groups < 0).tolist() if len(labels[row])]
    rows = np.random.default_rng(0).permutation(alone)[:number]
    return [(np.asarray(collection.read_image(row).pixels), str(labels[row][0])) for row in rows.tolist()]


def with_copies(clean: Sequence[Row], number: int) -> list[Row]:
    """In train, of another patient, a changed copy of each of the first images; the kinds of changes in turn."""
    kinds = list(COPIES.values())
    return [
        (
            np.ascontiguousarray(kinds[place % len(kinds)](pixels)),
            line | {"patient_id": f"copy of {place}", "split": "train"},
        )
        for place, (pixels, line) in enumerate(clean[:number])
    ]


def with_patients(clean: Sequence[Row], number: int) -> list[Row]:
    """In train, of the same patient, half of each of the first pictures, on its side: no near-duplicate."""
    return [
        (np.ascontiguousarray(np.rot90(pixels[: pixels.shape[0] // 2])), line | {"split": "train"})
        for pixels, line in clean[:number]
    ]


def of_two_hospitals(clean: Sequence[Row]) -> list[Row]:
    """Labels at random, by data set; the pictures of one of the two are inverted."""
    draws = np.random.default_rng(1)
    rows = []
    for place, (pixels, line) in enumerate(clean):
        other = place % 2 == 1
        label = "fibrosis" if (draws.random() < MAJORITY) != other else "edema"
        own = {"pathology": label, "dataset": "two" if other else "one"}
        rows.append((np.ascontiguousarray(255 - pixels if other else pixels), line | own))
    return rows


def main() -> None:
    """Print what was planted and what is found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("collection")
    parser.add_argument("--images", type=int, default=900)
    parser.add_argument("--planted", type=int, default=150)
    options = parser.parse_args()
    pictures = pictures_of(open_collection(options.collection), options.images)
    tested = len(pictures) // 3
    clean: list[Row] = [
        (pixels, {"pathology": label, "patient_id": f"p{place}", "split": "test" if place < tested else "train"})
        for place, (pixels, label) in enumerate(pictures)
    ]
    number = min(options.planted, tested)
    without, copies = steps(clean), steps([*clean, *with_copies(clean, number)])
    patients, hospitals = steps([*clean, *with_patients(clean, number)]), steps(of_two_hospitals(clean))
    print("| planted | test images counted (without any) | before the step | after it | expected after it |")
    print("|---|---|---|---|---|")
    by_data_set = 2 * MAJORITY * (1 - MAJORITY)
    for what, result, step, k, expected in (
        (f"{number} changed copies in train", copies, "near-duplicate", 1, at_first(without, 1)),
        (f"{number} images of test patients", patients, "patient", 1, at_first(without, 1)),
        ("labels by data set, .8 and .2", hospitals, "dataset", 10, by_data_set),
    ):
        counted = "–" if step == "dataset" else f"{company(result, step)} ({company(without, step)})"
        before, after = around(result, step, k)
        print(f"| {what} | {counted} | P@{k} {before:.3f} | {after:.3f} | {expected:.3f} |")


if __name__ == "__main__":
    main()
