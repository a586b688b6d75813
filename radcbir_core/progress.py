"""How long work tells the outside how far it is.

Owns one small protocol. The core calls it and prints nothing; a command draws a bar with it, a page a progress
element, a test a list. A callback stops the work by raising: everything finished so far stays on disk.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called now and then while a step runs, and once when it is complete."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take note that ``done`` of ``total`` items of ``step`` are finished (``0 <= done <= total``)."""


def silent(step: str, done: int, total: int) -> None:
    """A progress callback that does nothing."""
