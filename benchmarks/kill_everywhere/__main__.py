"""``python -m benchmarks.kill_everywhere``: see ``ending.py``, which this runs with the library of faults."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.kill_everywhere.faults import compiler, run_with_library

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - quick, and it can exchange names


def main() -> int:
    """Make the library, and run everything in a process that has it; the exit code."""
    if compiler() is None:
        print("Needs Linux and a C compiler (cc).", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
        return run_with_library("benchmarks.kill_everywhere.ending", [folder, *sys.argv[1:]], Path(folder))


if __name__ == "__main__":
    sys.exit(main())
