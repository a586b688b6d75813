"""The whole dashboard at one size: every step really made, every page really opened, each figure beside its limit.

Usage: python -m benchmarks.run_all FOLDER [--rows 1600000] [--dimension 512] [--again STEP …] [--only STEP …]

Draws a collection as ``synthesize`` does and makes each artifact of it in a process of its own; then runs the
benchmarks that need it. All of it lies in FOLDER, which becomes a data folder. It takes some hours at 1.6 million rows
and can be stopped: what a step printed and took is kept in FOLDER/measured.json, and a step that is there is not run
again unless ``--again`` names it. Prints all figures as a table. Limits are those of 1.6 million rows of 512 numbers on
2 cores that do nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Figure, run_measured, said, say
from radcbir_core.storage import write_json

NAME = "scale"
KEPT = "measured.json"


@dataclass(frozen=True)
class Step:
    """One process to measure.

    Attributes:
        name: What it is called here.
        arguments: After ``python``.
        seconds: At most so many, on the clock; None where nothing is asked of it.
        memory: At most so many MiB.
    """

    name: str
    arguments: tuple[str, ...]
    seconds: float | None = None
    memory: float | None = None


def steps(folder: Path, *, rows: int, dimension: int) -> list[Step]:
    """All of them, in their order."""
    make = ("-m", "benchmarks.run_all", str(folder), "--make")
    drawn = ("--rows", str(rows), "--dimension", str(dimension), "--labels", "161")
    return [
        Step("synthesize", ("-m", "radcbir_core", "synthesize", NAME, *drawn)),
        Step("import", ("-m", "benchmarks.imports", "embeddings-table", "--rows", str(rows), "--folder", str(folder))),
        Step("index", (*make, "index"), seconds=1200),
        Step("neighbors", (*make, "neighbors"), seconds=1800),
        Step("projection", (*make, "projection"), seconds=900, memory=8 * 1024),
        Step("peers", ("-m", "benchmarks.neighbor_graph", "--collection", NAME)),
        Step("precision", ("-m", "benchmarks.evaluation", "--name", NAME, "--rounds", "2")),
        Step("near-duplicates", (*make, "near-duplicates")),
        Step("evaluation", (*make, "evaluation")),
        Step("queries", ("-m", "benchmarks.search", NAME)),
        Step("pages", ("-m", "benchmarks.page_switches", NAME)),
        Step("map", ("-m", "benchmarks.map_page", "--name", NAME, "--data", str(folder))),
        Step("embedding", ("-m", "benchmarks.embed", "--encoder", "radcbir-mini", "--device", "cpu")),
    ]


def make_artifact(name: str) -> None:
    """Make one artifact of the collection, in this process, and say how good it is."""
    from radcbir_core.collections.artifacts import ARTIFACTS
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.pipeline import MAKERS
    from radcbir_core.synthetic.embedding_collection import ENCODER_ID

    told = 0.0

    def progress(step: str, done: int, total: int) -> None:
        nonlocal told
        if done >= total or time.monotonic() - told > 30:
            told = time.monotonic()
            print(f"{step}: {done:,} of {total:,}", flush=True)

    collection = open_collection(NAME)
    with collection.building(ENCODER_ID):
        store = collection.store(ENCODER_ID)
        MAKERS[name](store, progress)
    facts = store.facts(next(one for one in ARTIFACTS if one.name == name))
    least = {"index": {"10": 0.995}, "neighbors": {"100": 0.98}}.get(name, {})
    for depth in ("1", "10", "100"):
        recall = facts.get(f"recall_at_{depth}")
        if recall is not None:
            say(f"{name}: recall@{depth}", recall, "recall", limit=least.get(depth), least=True)


def table(kept: dict[str, dict[str, object]]) -> str:
    """All figures of all steps, in Markdown."""
    lines = ["| step | what | measured | limit | kept | also |", "|---|---|---|---|---|---|"]
    for name, taken in kept.items():
        figures = [Figure(**figure) for figure in taken["figures"]]  # type: ignore[attr-defined]
        for figure in figures:
            value = f"{figure.value:.4f}" if figure.unit == "recall" else f"{figure.value:,.2f} {figure.unit}"
            limit = "" if figure.limit is None else f"{'≥' if figure.least else '≤'} {figure.limit:g}"
            met = "" if figure.limit is None else "yes" if figure.kept else "**no**"
            lines.append(f"| {name} | {figure.what} | {value} | {limit} | {met} | {figure.more} |")
    return "\n".join(lines)


def run(step: Step, folder: Path) -> dict[str, object]:
    """Run one step; its figures, and what else is to be known of the run."""
    load = os.getloadavg()[0]
    taken = run_measured(step.arguments, data=folder)
    if taken.status:
        raise SystemExit(f"{step.name} ended with {taken.status}; what was measured before is kept.")
    figures = [
        say(
            f"{step.name}: all of it",
            taken.seconds,
            "s",
            limit=step.seconds,
            more=f"{taken.processor:.0f} s of the processor; load {load:.1f} before",
        ),
        say(f"{step.name}: most memory", taken.peak, "MiB", limit=step.memory),
        *said(taken.output),
    ]
    return {"figures": [vars(figure) for figure in figures], "load": round(load, 1), "output": taken.output}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not there, and print all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_600_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--again", nargs="*", default=[], metavar="STEP")
    parser.add_argument("--only", nargs="*", metavar="STEP")
    parser.add_argument("--make", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.make:
        make_artifact(options.make)
        return
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / KEPT
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for step in steps(folder, rows=options.rows, dimension=options.dimension):
        if (step.name in kept and step.name not in options.again) or step.name not in (options.only or [step.name]):
            continue
        print(f"{step.name}: python {' '.join(step.arguments)}", flush=True)
        kept[step.name] = run(step, folder)
        write_json(path, kept)
    print(f"\n{options.rows:,} rows of {options.dimension} numbers, {os.cpu_count()} cores, {platform.machine()}\n")
    print(table(kept))


if __name__ == "__main__":
    main()
