"""Jobs in threads of this process, which end with it.

Owns starting such a thread. It holds the job's lock like a process of its own would, so that everybody, in this process
or another, sees it the same way; a thread cannot be ended from outside, only asked to stop.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from radcbir_core.errors import CollectionError
from radcbir_core.jobs.liveness import Hold

if TYPE_CHECKING:
    from radcbir_core.jobs.job import Job


def begin(job: Job, hold: Hold) -> None:
    """As :class:`~radcbir_core.jobs.runners.Runner` says."""
    try:
        threading.Thread(target=_run, args=(job, hold), name=job.id, daemon=True).start()
    except RuntimeError as error:
        raise CollectionError(
            f"Expected to begin a thread for {job.id}, but the system refuses another one. End some work that is not "
            "needed, and try again."
        ) from error


def end(job: Job) -> None:
    """As :class:`~radcbir_core.jobs.runners.Runner` says: nothing, for the job has been asked to stop before."""


def _run(job: Job, hold: Hold) -> None:
    from radcbir_core.jobs.execution import execute_alone

    try:
        execute_alone(job)
    finally:
        hold.release()
