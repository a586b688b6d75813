"""Ending whatever changes a collection at every change that it makes to files, and looking what stands then.

    python -m benchmarks.kill_everywhere [--every N] [--few-writes] [--faults kill,full] [--only TEXT] [--processes N]

Prints a table: of each operation how many changes it makes to files, and for each fault how often it was begun and how
often what stood afterwards was neither what was there before nor what comes after, or what was said was no error of
RadCBIR's; below it each such case. The exit code is 1 where there is one. Needs a C compiler, and Linux.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.kill_everywhere.faults import FAULTS, NEED_ROOM, in_child
from benchmarks.kill_everywhere.operations import (
    NAME,
    OPERATIONS,
    Operation,
    apply_corrections,
    import_source,
    prepare,
    use,
)
from benchmarks.kill_everywhere.standing import Standing, is_between, standing_of


@dataclass(frozen=True)
class Case:
    """An operation with a fault at one place."""

    operation: Operation
    fault: str
    at: int
    what: str
    exchange: bool


def main() -> int:
    """Run it all; 1 where something was lost or not said."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kill_everywhere",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--every", type=int, default=1, help="Of the changes to files, take one of so many.")
    parser.add_argument("--few-writes", action="store_true", help="Of writes in a row, take the first and the last.")
    parser.add_argument("--faults", default=",".join(FAULTS), help="Which, with commas between.")
    parser.add_argument("--only", default="", help="Operations whose name has this in it.")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    return run(given.folder, given)


def run(root: Path, given: argparse.Namespace) -> int:
    """All operations with all faults; 1 where something was lost or not said."""
    faults = given.faults.split(",")
    started = time.monotonic()
    _quickly(partial(prepare, root))
    _warm_up(root)
    variants = [
        (operation, exchange)
        for operation in OPERATIONS
        for exchange in ((True, False) if operation.exchanges else (True,))
        if given.only in operation.name
    ]
    table, wrong = [], []
    before: dict[str, Standing] = {}
    for number, (operation, exchange) in enumerate(variants):
        if operation.begins not in before:
            before[operation.begins] = _standing_before(root, operation)
        old = before[operation.begins]
        new, names = _without_fault(root, operation, exchange=exchange)
        cases = [
            Case(operation, fault, at, what, exchange)
            for fault in faults
            for at, what in enumerate(names)
            if (at + number) % given.every == 0 and (fault != "full" or what in NEED_ROOM)
            if not (given.few_writes and names[max(at - 1, 0) : at + 2] == ("write",) * 3)
        ]
        told = _all(root, cases, old, new, given.processes)
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for case, faulty in told:
            counts[case.fault][0] += 1
            counts[case.fault][1] += bool(faulty)
            wrong += [(case, faulty)] if faulty else []
        name = _name(operation, exchange=exchange)
        table.append((name, len(names), counts))
        print(
            f"  {name}: {len(names)} changes, {len(cases)} cases, {sum(bool(f) for _, f in told)} wrong",
            file=sys.stderr,
        )
    _print(table, faults)
    for case, faulty in wrong:
        name = _name(case.operation, exchange=case.exchange)
        print(f"\n{name}: {case.fault} at {case.at} ({case.what})\n    {faulty}")
    runs = sum(count for _, _, counts in table for count, _ in counts.values())
    print(f"\n{runs} runs, {len(wrong)} wrong, {time.monotonic() - started:.0f} s")
    return int(bool(wrong))


def _name(operation: Operation, *, exchange: bool) -> str:
    return operation.name if exchange else f"{operation.name}, no exchange"


def _warm_up(root: Path) -> None:
    """Do everything once here, so that the children, which are copies of this process, need not import anything."""
    for operation in OPERATIONS:
        work = _begin(root, operation)
        _quickly(partial(operation.do, work))
    standing_of(work)
    _quickly(partial(_then, work))


def _quickly(do: Callable[[], object]) -> object:
    """Do something without UMAP, which takes seconds."""
    import radcbir_core.pipeline
    import radcbir_core.projection.map_making
    from tests.stand_ins import place_quickly, project_quickly

    radcbir_core.pipeline.project_store = project_quickly  # type: ignore[assignment]
    radcbir_core.projection.map_making.project = place_quickly
    told = do()
    return told if isinstance(told, str) else None


def _begin(root: Path, operation: Operation) -> Path:
    """A folder of its own, as the operation begins with."""
    work = root / f"run-{os.getpid()}"
    if work.exists():
        shutil.rmtree(work)
    shutil.copytree(root / operation.begins, work, symlinks=True)
    use(work)
    return work


def _standing_before(root: Path, operation: Operation) -> Standing:
    """What stands in the folder that an operation begins with."""
    old = in_child(partial(standing_of, _begin(root, operation)))
    if old.how != "ok":
        raise SystemExit(f"{operation.begins}, as it was prepared: {old}")
    standing: Standing = old.value
    return standing


def _without_fault(root: Path, operation: Operation, *, exchange: bool) -> tuple[Standing, tuple[str, ...]]:
    """What stands after an operation, and what it changes on disk meanwhile."""
    work = _begin(root, operation)
    done = in_child(partial(_quickly, partial(operation.do, work)), exchange=exchange)
    new = in_child(partial(standing_of, work))
    for outcome in (done, new):
        if outcome.how != "ok":
            raise SystemExit(f"{operation.name} without a fault: {outcome}")
    return new.value, done.operations


def _all(root: Path, cases: list[Case], old: Standing, new: Standing, processes: int) -> list[tuple[Case, str]]:
    """What is wrong in each case; "" where nothing is."""
    parts = [cases[start::processes] for start in range(processes)]
    readers = []
    for part in parts:
        reading, writing = os.pipe()
        if not os.fork():
            os.close(reading)
            with os.fdopen(writing, "w") as told:
                for case in part:
                    told.write(_wrong(root, case, old, new).replace("\n", "⏎") + "\n")
                    told.flush()
            os._exit(0)
        os.close(writing)
        readers.append(os.fdopen(reading))
    told = []
    for part, reader in zip(parts, readers, strict=True):
        lines = reader.read().split("\n")[:-1]
        told += list(zip(part, lines + ["the check itself ended"] * (len(part) - len(lines)), strict=True))
        os.wait()
    return told


def _wrong(root: Path, case: Case, old: Standing, new: Standing) -> str:
    """What is wrong once an operation has met a fault; "" where nothing is."""
    work = _begin(root, case.operation)
    do = partial(_quickly, partial(case.operation.do, work))
    outcome = in_child(do, fault=case.fault, at=case.at, exchange=case.exchange)
    if outcome.how == "hung":
        return "it hangs"
    if outcome.how == "error" and not outcome.value[2]:
        return f"no error of ours: {outcome.value[0]}: {outcome.value[1]}"
    if outcome.how == "killed" and case.fault != "kill":
        return "it crashes"
    done = outcome.how == "ok" and case.fault != "ctrl-c" and not case.operation.partly
    after = in_child(partial(_quickly, partial(_next_start, work, case, old, new, done=done)), exchange=case.exchange)
    return str(after.value) if after.how == "ok" else f"the next start: {after}"


def _next_start(work: Path, case: Case, old: Standing, new: Standing, *, done: bool) -> str:
    """What is wrong with what the next start finds, and with what a person does then; "" where nothing is."""
    now = standing_of(work)
    if now not in (old, new) and not (case.operation.partly and is_between(now, old, new)):
        return f"neither old nor new: {_difference(now, old)} | {_difference(now, new)}"
    if done and now != new:
        return "it says that it is done, and it is not"
    if now != new:
        case.operation.do(work)
        if (now := standing_of(work)) != new:
            return f"done again: {_difference(now, new)}"
    collections = work / "data" / "collections"
    for left in collections.glob(".unfinished-*/"):
        os.utime(left, (0, 0))
    _then(work)
    left_over = [path.name for path in collections.glob(".unfinished-*/")]
    return f"left over for ever: {left_over}" if left_over else ""


def _then(work: Path) -> None:
    """Another import, and a correction where there is a collection to correct."""
    from radcbir_core.collections.layout import list_collections

    import_source(work, "third")
    if NAME in list_collections():
        apply_corrections(work, "first.csv")
        apply_corrections(work)


def _difference(now: Standing, other: Standing) -> str:
    """In which keys two differ, for people."""
    parts = []
    for kind in ("collections", "files"):
        mine, theirs = now[kind], other[kind]
        if set(mine) != set(theirs):
            parts.append(f"{kind}: {sorted(mine)} and not {sorted(theirs)}")
        for name in set(mine) & set(theirs):
            if isinstance(mine[name], dict):
                parts += [
                    f"{name}.{key}: {str(mine[name][key])[:200]} and not {str(theirs[name][key])[:200]}"
                    for key in mine[name]
                    if mine[name][key] != theirs[name].get(key)
                ]
            elif mine[name] != theirs[name]:
                parts.append(name)
    return "; ".join(parts) or "the same"


def _print(table: list[tuple[str, int, dict[str, list[int]]]], faults: list[str]) -> None:
    width = max(len(name) for name, *_ in table)
    print(f"{'operation':{width}}  changes  " + "  ".join(f"{fault:>14}" for fault in faults))
    for name, changes, counts in table:
        cells = "  ".join(f"{f'{counts[fault][0]}, {counts[fault][1]} wrong':>14}" for fault in faults)
        print(f"{name:{width}}  {changes:>7}  {cells}")


if __name__ == "__main__":
    sys.exit(main())
