"""Import a data set of a million and more rows, timed, with its peak memory: the layout of RadImageNet.

Usage: python -m benchmarks.imports [--rows 1600000] [--folder /dev/shm]

Files of a few thousand bytes are written first, in 165 folders; they are no pictures, because decoding is not what is
measured. The commands run as a person runs them, in processes of their own. Every tenth file is a copy of another, in
another folder or in its own, so that the duplicates and the contradicting labels that are found can be checked.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
LABELS = [f"{('CT', 'MR', 'US')[number % 3]}/anatomy{number // 15}/finding{number % 15}" for number in range(165)]
FILE_BYTES = 3000
COPY_EVERY = 10


def write(folder: Path, rows: int) -> int:
    """Write the layout; how many rows have to be left out because their bytes have two labels."""
    noise = os.urandom(FILE_BYTES)
    for label in LABELS:
        (folder / "radiology_ai" / label).mkdir(parents=True)
    contradicting = 0
    handles = {split: (folder / f"RadiologyAI_{split}.csv").open("w", newline="") for split in ("train", "val", "test")}
    tables = {split: csv.writer(handle) for split, handle in handles.items()}
    for table in tables.values():
        table.writerow(["filename", "label"])
    for number in range(rows):
        label = LABELS[number % len(LABELS)]
        copied = number % COPY_EVERY == COPY_EVERY - 1
        # The file before it, of the same bytes then, lies under another label.
        contradicting += 2 * copied
        path = f"radiology_ai/{label}/image{number:07d}.png"
        with open(folder / path, "wb") as handle:  # noqa: PTH123 - a Path costs as much as the rest
            handle.write((number - copied).to_bytes(8, "big") + noise)
        tables[("train", "val", "test")[number % 3]].writerow([path, label])
    for handle in handles.values():
        handle.close()
    return contradicting


def command(data: Path, *arguments: str) -> str:
    """Run one command; its last line, its wall time and its peak memory."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "radcbir_core", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "RADCBIR_DATA": str(data)},
        check=True,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return f"{seconds:7.1f} s   peak so far {peak:,.0f} MiB   {done.stdout.strip().splitlines()[-1]}"


def main() -> None:
    """Write, import twice, and compare what was found with what is there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_600_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        start = time.perf_counter()
        contradicting = write(folder / "set", options.rows)
        print(f"{time.perf_counter() - start:7.1f} s   {options.rows:,} files written")
        for check in ("exists", "bytes"):
            line = command(folder / "data", "import", str(folder / "set"), "--name", check, "--check", check)
            out = contradicting if check == "bytes" else 0
            assert f"Imported {options.rows - out} images into {check}; {out} problems" in line, line
            print(f"{line}   (--check {check})")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
