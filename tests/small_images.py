"""A small source of images, made by code: three kinds of pictures, patients, splits, and labels that resist."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

HTML_LABEL = '<b onclick="x()">bold</b> & "quoted"'
COMMA_LABEL = "cyst, simple"
CYRILLIC_LABEL = "опухоль"
HAN_LABEL = "腫瘍"
FORMULA_LABEL = "=1+1"

KINDS = (
    ("X-ray", "chest", ("pneumonia", "normal", "pneumonia|effusion", "")),
    ("CT", "abdomen", (HTML_LABEL, COMMA_LABEL)),
    ("MRI", "brain", (CYRILLIC_LABEL, HAN_LABEL, "normal", FORMULA_LABEL)),
)


def draw(kind: int, number: int) -> Image.Image:
    """A 48 x 48 gray image of one of three kinds (rings, stripes, blocks), like its siblings but never the same."""
    random = np.random.default_rng([kind, number])
    y, x = np.mgrid[0:48, 0:48]
    shape = (np.hypot(x - 24, y - 24) % 12 < 6, (x + y) % 10 < 5, (x // 12 + y // 12) % 2 == 0)[kind]
    return Image.fromarray((shape * 150 + random.integers(0, 90, shape.shape)).astype(np.uint8))


def write_small_images(folder: Path) -> None:
    """Write 20 images of each kind and a manifest.csv into ``folder``.

    Number 0 of each anatomy belongs to the same patient as number 1, and so on; the last ten of the brain have no
    patient. Numbers 14 to 19 are the test split. ``chest_copy.png`` is an exact copy of ``chest_00.png``. One row
    names a missing file, and one file that is named .png holds text.
    """
    rows = [["path", "modality", "anatomy", "labels_all", "patient_id", "split", "caption"]]
    for kind, (modality, anatomy, labels) in enumerate(KINDS):
        for number in range(20):
            name = f"{anatomy}_{number:02d}.png"
            draw(kind, number).save(folder / name)
            patient = "" if anatomy == "brain" and number >= 10 else f"{anatomy}-{number // 2}"
            split = "test" if number >= 14 else "train"
            rows.append([name, modality, anatomy, labels[number % len(labels)], patient, split, f"<i>{name}</i>"])
    shutil.copy(folder / "chest_00.png", folder / "chest_copy.png")
    rows.append(["chest_copy.png", "X-ray", "chest", "pneumonia", "chest-0", "train", ""])
    (folder / "not_an_image.png").write_text("no image at all", encoding="utf-8")
    rows.append(["not_an_image.png", "CT", "abdomen", "normal", "", "train", ""])
    rows.append(["missing.png", "CT", "abdomen", "normal", "", "train", ""])
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows(rows)
