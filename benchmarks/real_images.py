"""Import, build and evaluate a folder of real images, timed, beside an independent computation of the same figures.

Usage: python -m benchmarks.real_images FOLDER [--encoder pixels] [--without dicom_samples]

FOLDER holds one folder a data set, each with a manifest.csv. The commands run as a person runs them, in processes of
their own; their wall time and the largest peak memory of any of them are printed. The independent computation shares
no code with the core: Pillow, one matrix product in double precision, and plain loops; it does what ``pixels`` and
leave-one-out with the patient excluded are defined to do, on the PNG and JPEG files, queries that have nothing to find
left out.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent


def command(data: str, *arguments: str) -> float:
    """Run one command; seconds it took."""
    start = time.perf_counter()
    environment = {**os.environ, "RADCBIR_DATA": data}
    done = subprocess.run(
        [sys.executable, "-m", "radcbir_core", *arguments],
        cwd=REPOSITORY,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    print(f"{seconds:6.1f} s   {arguments[0]:<9} {done.stdout.strip().splitlines()[-1]}")
    return seconds


def independent(folders: list[Path]) -> dict[tuple[str, str], float]:
    """(level, averaging) → P@1, computed apart from the core."""
    rows = []
    for folder in folders:
        with (folder / "manifest.csv").open(encoding="utf-8", newline="") as handle:
            rows += [{**row, "file": str(folder / row["path"])} for row in csv.DictReader(handle)]
    vectors = []
    for row in rows:
        with Image.open(row["file"]) as image:
            small = image.convert("L").resize((32, 32), Image.Resampling.BILINEAR)
        vector = np.asarray(small, dtype=np.float64).ravel()
        vector -= vector.mean()
        vectors.append(vector / np.linalg.norm(vector))
    similarity = np.array(vectors) @ np.array(vectors).T
    single = [row["pathology"] not in ("", "unknown", "multiple") for row in rows]
    result = {}
    for level in ("modality", "anatomy", "label"):
        labels = [
            ("/".join((row["modality"], row["anatomy"], row["pathology"])) if known else "")
            if level == "label"
            else row[level].replace("unknown", "")
            for row, known in zip(rows, single, strict=True)
        ]
        hit: dict[str, list[bool]] = defaultdict(list)
        for q, label in enumerate(labels):
            if not label:
                continue
            best, best_similarity, anything = -1, -2.0, False
            for row, other in enumerate(labels):
                patient = rows[q]["patient_id"]
                if row == q or not other or (patient and rows[row]["patient_id"] == patient):
                    continue
                anything |= other == label
                if similarity[q, row] > best_similarity:
                    best, best_similarity = row, similarity[q, row]
            if anything:  # else nothing could have been found
                hit[label].append(labels[best] == label)
        everything = [value for values in hit.values() for value in values]
        result[level, "micro"] = float(np.mean(everything))
        result[level, "macro"] = float(np.mean([np.mean(values) for values in hit.values()]))
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", default="pixels")
    parser.add_argument("--without", action="append", default=["dicom_samples"])
    options = parser.parse_args()
    folders = sorted(p.parent for p in options.folder.glob("*/manifest.csv") if p.parent.name not in options.without)
    with tempfile.TemporaryDirectory() as data:
        seconds = command(data, "import", *map(str, folders), "--name", "real")
        seconds += command(data, "build", "real", "--encoder", options.encoder)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{seconds:6.1f} s   import and build in all; peak memory of a process {peak:.0f} MiB")
        output = Path(data) / "evaluation.csv"
        command(data, "evaluate", "real", "--encoder", options.encoder, "--output", str(output))
        table = pd.read_csv(output)
    first = table[(table["k"] == 1) & (table["averaging"] != "label")].set_index(["level", "averaging"])
    expected = independent(folders) if options.encoder == "pixels" else {}
    for (level, averaging), row in first.iterrows():
        line = f"P@1 {level:<9} {averaging}  {row['precision']:.4f} [{row['low']:.3f}, {row['high']:.3f}]"
        line += f"  {int(row['n_queries'])} queries"
        if (level, averaging) in expected:
            line += f"   independent {expected[level, averaging]:.4f}"
        print(line)


if __name__ == "__main__":
    main()
