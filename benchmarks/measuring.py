"""What benchmarks share: one line a figure, beside its limit, and what a process takes.

A line that :func:`say` prints is read back by :func:`said`, so that ``run_all.py`` can put the figures of many
benchmarks into one table.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(
    r"(?P<what>\S.*?) {2,}(?P<value>[0-9.]+) (?P<unit>\S+)"
    r"(?: {3}limit (?P<side>≤|≥) (?P<limit>[0-9.]+), (?P<kept>kept|not kept))?(?: {3}\((?P<more>.*)\))?"
)


@dataclass(frozen=True)
class Figure:
    """What was measured.

    Attributes:
        what: Of what it is a figure.
        value: The figure.
        unit: Its unit, one word.
        limit: What it is to keep to; None where nothing is asked of it.
        least: Whether the limit is the least that it may be; the most otherwise.
        more: What else is to be known.
    """

    what: str
    value: float
    unit: str
    limit: float | None = None
    least: bool = False
    more: str = ""

    @property
    def kept(self) -> bool:
        """Whether it keeps to its limit."""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.least else self.value <= self.limit

    def line(self) -> str:
        """As it is printed."""
        side = "≥" if self.least else "≤"
        beside = "" if self.limit is None else f"   limit {side} {self.limit:g}, {'kept' if self.kept else 'not kept'}"
        number = f"{self.value:.4f}" if self.unit == "recall" else f"{self.value:.2f}"
        return f"{self.what:<62}  {number} {self.unit}{beside}{f'   ({self.more})' if self.more else ''}"


def say(
    what: str, value: float, unit: str, *, limit: float | None = None, least: bool = False, more: str = ""
) -> Figure:
    """Print a figure, beside its limit."""
    figure = Figure(what, float(value), unit, limit, least, more)
    print(figure.line(), flush=True)
    return figure


def said(output: str) -> list[Figure]:
    """The figures among the lines that a benchmark has printed.

    Example:
        >>> said(say("first paint", 1.25, "s", limit=2.5, more="cold").line())[0].limit
        first paint                                                     1.25 s   limit ≤ 2.5, kept   (cold)
        2.5
    """
    found = [_LINE.fullmatch(line) for line in output.splitlines()]
    return [
        Figure(
            match["what"],
            float(match["value"]),
            match["unit"],
            None if match["limit"] is None else float(match["limit"]),
            match["side"] == "≥",
            match["more"] or "",
        )
        for match in found
        if match
    ]


@dataclass(frozen=True)
class Taken:
    """What a process took.

    Attributes:
        seconds: By the clock.
        processor: Seconds of a processor, of it and of those that it started and waited for.
        peak: The largest resident memory of one of them, in MiB.
        status: With what it ended; 0 for well.
        output: What it printed.
    """

    seconds: float
    processor: float
    peak: float
    status: int
    output: str


def run_measured(arguments: Sequence[str], *, data: Path) -> Taken:
    """Run Python with these arguments on a data folder, show what it prints, and say what it took.

    Args:
        arguments: After ``python``.
        data: ``RADCBIR_DATA`` of the process.
    """
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "RADCBIR_DATA": str(data), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        print(f"    {line}", end="", flush=True)
        lines.append(line)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Taken(
        seconds=time.monotonic() - begun,
        processor=usage.ru_utime + usage.ru_stime,
        peak=usage.ru_maxrss / 1024,
        status=process.returncode,
        output="".join(lines),
    )
