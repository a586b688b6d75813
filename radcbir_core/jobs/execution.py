"""Carrying a job out, in the process and thread that hold its lock, and telling on disk how far it is.

Owns what is told meanwhile, stopping, and what is said of what went wrong. What a job does is its request's business,
and where it runs a runner's.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field, replace

from radcbir_core.errors import RadcbirError, Remedy, StorageError
from radcbir_core.jobs.job import Job
from radcbir_core.jobs.status import START, State, Status
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import write_json

_WRITE_SECONDS = 0.5
_LOOK_SECONDS = 0.25
_RATE_SECONDS = 0.5


class Stopped(Exception):  # noqa: N818 - not an error
    """Somebody asked to stop."""


@dataclass(slots=True)
class Teller:
    """Progress of one run, written to disk; raises :class:`Stopped` once that was asked for.

    Attributes:
        job: Whose.
        status: As it was written last, or is about to be.
        progress: Told the same.
    """

    job: Job
    status: Status
    progress: Progress = silent
    _began: float = field(default_factory=time.monotonic)
    _done_before: int = 0
    _written: float = 0.0
    _looked: float = 0.0

    @property
    def started(self) -> float:
        """When the job began for the first time, in seconds since 1970."""
        return self.status.started

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take note of progress, as :class:`~radcbir_core.progress.Progress` says."""
        now = time.monotonic()
        new = step != self.status.stage
        if new or done < self._done_before:
            self._began, self._done_before = now, done
        seconds = now - self._began
        rate = (done - self._done_before) / seconds if seconds > _RATE_SECONDS else 0.0
        self.status = replace(self.status, stage=step, done=done, total=total, rate=rate)
        if new or now - self._written > _WRITE_SECONDS:
            self.write()
        self.progress(step, done, total)
        # A new step looks at once: what follows may be over sooner than the next look is due.
        if (new or now - self._looked > _LOOK_SECONDS) and self._is_asked():
            raise Stopped

    def at(self, part: str) -> None:
        """Say which part comes next."""
        self.status = replace(self.status, part=part, stage=START, done=0, total=0, rate=0.0)

    def finished(self, part: str) -> None:
        """Note that a part is finished for good."""
        self.status = replace(self.status, finished=(*self.status.finished, part))
        self.write()

    def count(self, **counts: int) -> None:
        """Note what is to be said of what was made; written with what comes next."""
        self.status = replace(self.status, counts={**self.status.counts, **counts})

    def ended(self, state: State, error: str = "", *, remedy: Remedy | None = None) -> None:
        """Write the last word."""
        self.status = replace(self.status, state=state, error=error, remedy=remedy, rate=0.0)
        self.write()

    def write(self) -> None:
        """Write the status; where the disk is full, the work itself says so, and this is not worth stopping for."""
        self._written = time.monotonic()
        self.status = replace(self.status, updated=time.time())
        with contextlib.suppress(StorageError, OSError):
            write_json(self.job.status_path, self.status.to_json())

    def _is_asked(self) -> bool:
        self._looked = time.monotonic()
        return self.job.stop_path.exists()


def execute(job: Job, *, progress: Progress = silent) -> object:
    """Carry a job out here and now, and write how it ended before anything is raised; what its request returned.

    Args:
        job: Whose lock is held by this thread.
        progress: Told how far it is.

    Raises:
        Stopped: Somebody asked it to stop.
        RadcbirError: It went wrong.
        BaseException: Whatever else nobody thought of.
    """
    before = job.status()
    teller = Teller(job, Status(runner=before.runner, started=before.started, counts=before.counts), progress)
    teller.write()
    try:
        result = job.request.carry_out(teller)
    except (Stopped, KeyboardInterrupt):
        teller.ended("stopped")
        raise
    except RadcbirError as error:
        teller.ended("failed", str(error), remedy=error.remedy)
        raise
    except BaseException as error:
        # A mistake of ours, or an answer of the operating system that nobody thought of: told, not swallowed.
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        where = str(job.log_path) if before.runner == "process" else "the server's log"
        teller.ended("failed", f"{text} (more in {where})")
        raise
    teller.ended("done")
    return result


def execute_alone(job: Job) -> bool:
    """Carry a job out where nobody waits for what it returns or raises; whether it came to its end.

    Raises:
        BaseException: What nobody thought of, so that its traceback is in the log.
    """
    try:
        execute(job)
    except Stopped:
        return False
    except RadcbirError as error:
        print(f"Error: {error}", flush=True)
        return False
    return True
