"""Whatever changes a collection is ended at operations on files, some of them; see benchmarks/kill_everywhere."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks.kill_everywhere.faults import compiler
from tests.conftest import REPOSITORY


@pytest.mark.skipif(compiler() is None, reason="needs Linux and a C compiler")
def test_old_or_new_wherever_it_ends():
    """A sample; all of them take the better part of an hour."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kill_everywhere", "--every", "149", "--processes", "1"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 wrong, " in done.stdout
