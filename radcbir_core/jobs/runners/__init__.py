"""Where a job is carried out: in a process of its own, or in a thread of this one.

Owns what a runner is, and the table of those there are. Another engine is one module here and one line of the table.
A runner decides where; what a job does, and how it is told, is the same everywhere
(:mod:`~radcbir_core.jobs.execution`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol

from radcbir_core.errors import CollectionError
from radcbir_core.jobs.liveness import Hold

if TYPE_CHECKING:
    from radcbir_core.jobs.job import Job

RUNNERS: Final = {
    "process": "radcbir_core.jobs.runners.process_runner",
    "thread": "radcbir_core.jobs.runners.thread_runner",
}
"""Name → the module whose functions ``begin`` and ``end`` are that runner."""


class Runner(Protocol):
    """What carries jobs out; a module with these two functions is one."""

    def begin(self, job: Job, hold: Hold) -> None:
        """Have a job carried out, and return at once.

        Args:
            job: Which.
            hold: Its lock, which the runner has from now on: it must be held without a gap until the job has ended,
                and be free then. Where this raises, whoever called lets go of it.

        Raises:
            CollectionError: It cannot be begun.
            StorageError: No space left, or no permission.
        """

    def end(self, job: Job) -> None:
        """End a job at once, wherever it is, if this runner can; it has been asked to stop before."""


def runner_of(name: str) -> Runner:
    """The runner of that name.

    Raises:
        CollectionError: There is none.
    """
    if name not in RUNNERS:
        raise CollectionError(f"Expected a runner among {', '.join(RUNNERS)}, but runner = {name[:40]!r}. Choose one.")
    runner: Runner = import_module(RUNNERS[name])
    return runner
