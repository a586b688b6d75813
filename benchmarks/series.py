"""Whole series against single slices: which rule should count the votes, on phantom volumes and on real images.

Usage: python -m benchmarks.series [--real FOLDER] [--patients 5] [--slices 7] [--findings 2] [--in-the-middle]

Draws phantom volumes with known ground truth: of each pathology of each CT and MR scene some patients, each with slices
of which a few, somewhere in it, show the finding and the others none, all under the volume's label, as in practice.
Embeds them with radcbir-mini, and prints P@k of series by each rule and by single slices, with 95 % intervals over
patients, paired for differences. With ``--real``, also ultrasound clips of lungs (each clip a series; its patient
left out) and small radiographs of the chest (all of a patient's ask together).
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from radcbir_core.collections.collection import Collection
from radcbir_core.embed import embed
from radcbir_core.encoders import load_encoder
from radcbir_core.evaluation import evaluation_of
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.synthetic.phantoms.patients import all_scenes

ENCODER = "radcbir-mini"
VOLUMES = ("CT", "MR")
KS = (1, 5)


def drawn(folder: Path, *, patients: int, slices: int, findings: int, in_the_middle: bool) -> None:
    """Volumes with few slices that show something, and their table."""
    rows = []
    for scene in all_scenes():
        for place, pathology in enumerate(scene.pathologies if scene.modality in VOLUMES else ()):
            for number in range(patients):
                name = f"{scene.modality}-{scene.anatomy}-{pathology}-{number}".replace(" ", "_")
                seed = [7, len(scene.anatomy), place, number]
                shown = scene.draw(pathology, np.random.default_rng(seed), findings)
                others = scene.draw(scene.pathologies[0], np.random.default_rng(seed), slices - findings)
                before = int(np.random.default_rng([*seed, 1]).integers(slices - findings + 1))
                before = (slices - findings) // 2 if in_the_middle else before
                for at, image in enumerate([*others[:before], *shown, *others[before:]]):
                    Image.fromarray(image.pixels).save(folder / f"{name}-{at}.png")
                    rows.append([f"{name}-{at}.png", scene.modality, scene.anatomy, pathology, name, name])
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerows([["path", "modality", "anatomy", "pathology", "patient_id", "series_id"], *rows])


def clips(real: Path, folder: Path) -> Path:
    """The table of the ultrasound clips, each a series of its own."""
    with (real / "pocus_lung_us" / "manifest.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    table = folder / "clips.csv"
    with table.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, [*rows[0], "series_id"])
        writer.writeheader()
        writer.writerows({**row, "series_id": row["patient_id"]} for row in rows)
    return table


def told(title: str, collection: Collection, **choices: object) -> None:
    """Embed a collection, and print the table of its series."""
    embed(collection, load_encoder(ENCODER))
    result = evaluation_of("series", ks=list(KS), sample=1000, **choices).compute(collection.store(ENCODER))
    print(f"\n### {title}\n\n{result.title}\n")
    summary = result.summary()
    print("| " + " | ".join(summary.columns) + " |\n|" + "---|" * len(summary.columns))
    for line in summary.itertuples(index=False):
        print("| " + " | ".join(str(cell) for cell in line) + " |", flush=True)


def main() -> None:
    """Draw, embed, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=Path, help="the folder of real images")
    parser.add_argument("--patients", type=int, default=5, help="of each pathology")
    parser.add_argument("--slices", type=int, default=7, help="of each volume")
    parser.add_argument("--findings", type=int, default=2, help="of these, how many show the finding")
    parser.add_argument("--in-the-middle", action="store_true", help="the slices that show it lie in the middle")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        os.environ["RADCBIR_DATA"] = str(folder / "data")
        (folder / "volumes").mkdir()
        drawn(
            folder / "volumes",
            patients=options.patients,
            slices=options.slices,
            findings=options.findings,
            in_the_middle=options.in_the_middle,
        )
        told("Phantom volumes", import_as(ImportRequest([folder / "volumes"], "volumes", check="exists")).collection)
        if options.real:
            table = clips(options.real, folder)
            root = options.real / "pocus_lung_us"
            request = ImportRequest([table], "clips", image_root=root, check="bytes")
            told("Ultrasound clips", import_as(request).collection)
            request = ImportRequest([options.real / "nih_cxr14_64px"], "chests", check="bytes")
            told("Radiographs by patient", import_as(request).collection, group="patient")


if __name__ == "__main__":
    main()
