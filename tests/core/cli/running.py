"""Runs a command in this process, or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from radcbir_core.cli import main

REPOSITORY = Path(__file__).resolve().parents[3]


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    out = capsys.readouterr()
    return code, out.out, out.err


def process(*arguments: str, data: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "radcbir_core", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "RADCBIR_DATA": str(data), "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
