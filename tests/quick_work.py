"""Work in processes of its own, made quick or slow for tests.

Every Python process that is started after :func:`prepare` reads a ``sitecustomize.py`` first. In those that carry out
work it replaces the layout of the map by a quick stand-in and, where a test wants to meet work in its middle, lets the
encoder ``pixels`` rest before each batch for as long as a file is there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from radcbir_core.jobs import Work, list_work

_SITE = """
import os, sys, time

if "radcbir_core.jobs" in sys.orig_argv:
    import radcbir_core.build
    from radcbir_core.encoders.families.pixels import PixelsEncoder
    from tests.stand_ins import project_quickly

    radcbir_core.build.project_store = project_quickly
    encode = PixelsEncoder.encode_prepared

    def encode_later(self, batch):
        while os.path.exists({rest!r}):
            time.sleep(0.05)
        return encode(self, batch)

    PixelsEncoder.encode_prepared = encode_later
"""


def prepare(patch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Make the processes of work quick; the file that makes them rest while it is there.

    Args:
        patch: Undone at the end of the test.
        folder: Where to put what the processes read.
    """
    site, rest = folder / "site", folder / "rest"
    site.mkdir(parents=True)
    (site / "sitecustomize.py").write_text(_SITE.format(rest=str(rest)), encoding="utf-8")
    root = Path(__file__).resolve().parents[1]
    patch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(root)]))
    return rest


def wait_for(that: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Wait until something is so; fails where that takes too long."""
    until = time.monotonic() + seconds
    while not that():
        if time.monotonic() > until:
            told = [(work.id, work.status(), work.log_path.read_text(encoding="utf-8")) for work in list_work()]
            pytest.fail(f"it did not come to that within {seconds:g} s: {told}")
        time.sleep(0.03)


def end(*, wait: bool = True) -> None:
    """End all work of this data folder, and wait for its processes."""
    for work in list_work():
        work.end()
    if wait:
        wait_for(lambda: not any(work.is_alive() for work in list_work()))


def ended(work: Work) -> Work:
    """The same, once it has ended."""
    wait_for(lambda: work.status().ended)
    return work
