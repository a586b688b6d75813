"""Import data sets of a million and more rows, timed, with the peak memory of each import.

Usage: python -m benchmarks.imports [LAYOUT …] [--rows 1600000] [--folder DIR]

Each layout of ``benchmarks.import_layouts`` is written first, imported, and removed. Nothing is decoded. The commands
run as a person runs them, each in a process of its own. Beside embeddings in one array (``embeddings-table``,
``embeddings-npy``) Arrow and Python's own files do the same reading and writing and nothing else: the table becomes
parquet, the vectors are copied. RadImageNet, the default, is imported twice, the second time
with its bytes read: every tenth file is a copy of another, so that the duplicates and the contradicting labels that are
found can be checked. A layout takes up to 7 GiB of disk at a time, HDF5 and DICOM the most.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.import_layouts import LAYOUTS
from benchmarks.measuring import run_measured, say


def command(what: str, data: Path, *arguments: str, seconds: float | None = None, memory: float | None = None) -> str:
    """Run one command and say what it took; what it says that it has imported."""
    taken = run_measured(["-m", *arguments], data=data)
    if taken.status:
        raise SystemExit(f"{what} ended with {taken.status}.")
    say(what, taken.seconds, "s", limit=seconds, more=f"{taken.processor:.1f} s of the processor")
    say(f"{what}: most memory", taken.peak, "MiB", limit=memory)
    return next(line for line in taken.output.splitlines() if line.startswith("Imported"))


def arrow_alone(source: Path, target: Path) -> None:
    """Read a table and write it as parquet, copy an array: what an import cannot do without."""
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet as pq

    target.mkdir(parents=True)
    (table,), (vectors,) = source.glob("*.csv"), source.glob("*.npy")
    read = arrow_csv.read_csv(table)
    pq.write_table(read, target / "manifest.parquet", compression="zstd")
    with vectors.open("rb", buffering=0) as handle, (target / vectors.name).open("wb", buffering=0) as copy:
        while block := handle.read(4 << 20):
            copy.write(block)
        os.fsync(copy.fileno())
    print(f"Imported {read.num_rows} rows by Arrow alone")


def run(layout: str, rows: int, folder: Path) -> None:
    """Write, import, check how many images there are, and print."""
    start = time.perf_counter()
    source = folder / "set"
    # In a process of its own: a command begins with the memory of whoever starts it, and its peak would be that.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        contradicting = pool.apply(LAYOUTS[layout], (source, rows))
    print(f"{layout}: {rows:,} images written in {time.perf_counter() - start:.0f} s", flush=True)
    if layout.startswith("embeddings"):
        variants = {"": ["--format", "embeddings", "--encoder-id", "e"]}
    else:
        checks = ("exists", "bytes") if layout == "radimagenet" else ("exists",)
        variants = {check: ["--format", layout, "--check", check] for check in checks}
    for check, options in variants.items():
        name = check or "vectors"
        limits = {"seconds": 10.0, "memory": 1024.0} if layout == "embeddings-table" else {}
        what = f"import of {layout}{check and f', {check}'}"
        arguments = ("radcbir_core", "import", str(source), "--name", name, *options)
        line = command(what, folder / "data", *arguments, **limits)
        out = contradicting if check == "bytes" else 0
        assert f"Imported {rows - out:,} images into {name}; {out:,} problems" in line, line
    if list(source.glob("*.npy")) and layout.startswith("embeddings"):
        alone = ("benchmarks.imports", str(source), str(folder / "alone"), "--arrow-alone")
        command("the same work by Arrow alone", folder, *alone)


def main() -> None:
    """All layouts asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layouts", nargs="*", help=", ".join(LAYOUTS), default=["radimagenet"])
    parser.add_argument("--rows", type=int, default=1_600_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--arrow-alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arrow_alone:
        arrow_alone(*map(Path, options.layouts))
        return
    for layout in options.layouts:
        folder = Path(tempfile.mkdtemp(dir=options.folder))
        try:
            run(layout, options.rows, folder)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
