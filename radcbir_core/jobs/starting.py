"""Starting a job: once for all who ask for the same, and not beside another one at the same place.

Owns that decision, and carrying a job out in the terminal that asked for it.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from radcbir_core.collections.layout import check_name
from radcbir_core.jobs import unwritten as memory
from radcbir_core.jobs.execution import Stopped, execute
from radcbir_core.jobs.job import REQUEST, Job, at_work_at, jobs_folder, list_jobs, refuse_second, turn
from radcbir_core.jobs.kinds import Request, key_of, record_of
from radcbir_core.jobs.liveness import Hold
from radcbir_core.jobs.runners import runner_of
from radcbir_core.jobs.status import Status
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import disk_errors, write_json

TERMINAL: Final = "terminal"
"""The runner's name of a job that is carried out where it was asked for."""

_FORGET_SECONDS: Final = 3600.0
_POLL_SECONDS: Final = 0.2


def start(
    request: Request,
    *,
    runner: str | None = None,
    by: str = "",
    unwritten: Mapping[str, str] = MappingProxyType({}),
) -> Job:
    """Begin a job, and return while it is at work; the one that is at work already where it is the same.

    Ended jobs at the same place are forgotten; the new one takes their place.

    Args:
        request: What to do.
        runner: Where, see :data:`~radcbir_core.jobs.runners.RUNNERS`; as jobs of its kind do by default.
        by: Who asks, to be told from others later; "" where that does not matter.
        unwritten: What its process finds in its environment beside what this one has; it is written nowhere. No other
            job is the same as one that has some.

    Raises:
        CollectionError: The name cannot be one, or another job is at work at the same place.
        RadcbirError: What the request's ``check`` refuses.
        StorageError: No space left, or no permission.
    """
    check_name(request.name)
    name = runner or request.runner
    carrier = runner_of(name)
    with turn():
        other = at_work_at(request.place)
        if other is not None and not unwritten and key_of(other.request) == key_of(request):
            return other
        refuse_second(request)
        job, hold = _made(request, name, by=by)
        memory.keep(job.id, unwritten)
        try:
            carrier.begin(job, hold)
        except BaseException:
            hold.release()
            shutil.rmtree(job.folder, ignore_errors=True)
            raise
    return job


def run_here(request: Request, *, progress: Progress = silent) -> Any:
    """Carry a job out in this thread, as a command in a terminal does; what it returned.

    Where the same job is at work already, its progress is told until it has ended; then this one finds what is made.
    Others see this job, and can stop it. Nothing is left of it in the list once it has ended here.

    Args:
        request: What to do.
        progress: Told how far it is.

    Raises:
        CollectionError: Another job is at work at the same place.
        RadcbirError: What went wrong.
        KeyboardInterrupt: Somebody asked it to stop.
    """
    check_name(request.name)
    while True:
        with turn():
            other = at_work_at(request.place)
            if other is None:
                job, hold = _made(request, TERMINAL, by="")
                break
            if key_of(other.request) != key_of(request):
                refuse_second(request)
        _pass_on(other, progress)
    try:
        return execute(job, progress=progress)
    except Stopped:
        raise KeyboardInterrupt from None  # as if it had been stopped here
    finally:
        hold.release()
        shutil.rmtree(job.folder, ignore_errors=True)


def _made(request: Request, runner: str, *, by: str) -> tuple[Job, Hold]:
    """A new job whose lock is held; only in one's turn."""
    request.check()
    now = time.time()
    for earlier in list_jobs():
        status = earlier.status()
        is_old = status.state == "done" and now - status.updated > _FORGET_SECONDS
        if status.ended and (earlier.place == request.place or (is_old and not earlier.is_listed)):
            earlier.dismiss()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    job = Job(jobs_folder() / f"{stamp}-{request.name}-{uuid.uuid4().hex[:6]}")
    with disk_errors(job.folder):
        job.folder.mkdir(mode=0o700, parents=True)
    try:
        hold = job.prepare(Status(runner=runner))
        try:
            write_json(job.folder / REQUEST, record_of(request, by=by))
        except BaseException:
            hold.release()
            raise
    except BaseException:
        shutil.rmtree(job.folder, ignore_errors=True)
        raise
    return job, hold


def _pass_on(job: Job, progress: Progress) -> None:
    while not (status := job.status()).ended:
        if status.total > 0:
            progress(status.stage, status.done, status.total)
        time.sleep(_POLL_SECONDS)
