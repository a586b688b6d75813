"""What was imported late is left out of the search for garbage, too, and nothing is looked through twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMPORTED_LATE = """
import gc, sys
from pages.parts.frame import garbage

garbage.leave_out_modules()
first = gc.get_freeze_count()
garbage.leave_out_modules()
again = gc.get_freeze_count()
before = len(sys.modules)
import pandas
new = len(sys.modules) - before
garbage.leave_out_modules()
late = gc.get_freeze_count()
print(first > 0, again == first, new >= garbage.MANY, late > first + 10_000)
"""


def test_modules_that_are_imported_after_the_first_page_are_left_out_too() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED_LATE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * 4
