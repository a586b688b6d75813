"""Jobs on disk: the one handle by which a job is watched, stopped, gone on with and dismissed, and the list of them.

Owns the folders of jobs, and that at one place one job is at work. A job is the same to whoever asks: the page that
began it, another browser, a terminal, the process at work. All that is known of it is read from its folder.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import filelock

from radcbir_core.collections.layout import data_folder
from radcbir_core.errors import CollectionError, CollectionNotFoundError, StorageError
from radcbir_core.jobs.kinds import Request, request_in
from radcbir_core.jobs.liveness import Hold, is_held, take
from radcbir_core.jobs.runners import RUNNERS, runner_of
from radcbir_core.jobs.status import Status
from radcbir_core.storage import disk_errors, make_private_folder, read_json, write_json

OLD_FOLDER: Final = "work"
"""Where jobs were kept before they were called so; those that are there are seen, and can go on."""

REQUEST: Final = "request.json"
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TURN_SECONDS: Final = 40.0
_POLL_SECONDS: Final = 0.05


class Job:
    """A job. Made by :func:`~radcbir_core.jobs.starting.start`, :func:`list_jobs` and what is made from it.

    Attributes:
        folder: Where its files lie.
        id: Its name: when it was asked for, the collection's name, and some letters.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name

    @property
    def request(self) -> Request:
        """What was asked for.

        Raises:
            CollectionError: Its record is damaged, or of a kind that is not known.
        """
        path = self.folder / REQUEST
        try:
            return _request_in(path, path.stat().st_mtime_ns)
        except OSError:
            return request_in(read_json(path))  # says what is wrong

    @property
    def kind(self) -> str:
        """The name of its kind; "" where the record is damaged."""
        return getattr(self._request, "kind", "")

    @property
    def name(self) -> str:
        """The collection's name; "" where the record is damaged."""
        return self._request.name if self._request is not None else ""

    @property
    def place(self) -> str:
        """What it writes; "" where the record is damaged."""
        return self._request.place if self._request is not None else ""

    @property
    def by(self) -> str:
        """Who asked for it, as :func:`~radcbir_core.jobs.starting.start` was told; "" where nobody said."""
        try:
            by = read_json(self.folder / REQUEST).get("by")
        except (CollectionError, StorageError):
            return ""
        return by if isinstance(by, str) else ""

    @property
    def is_listed(self) -> bool:
        """Whether it stays in the list once it is done, see :class:`~radcbir_core.jobs.kinds.Request`."""
        return self._request is None or self._request.is_listed

    @property
    def log_path(self) -> Path:
        """What its process wrote."""
        return self.folder / "log.txt"

    @property
    def status_path(self) -> Path:
        """Where its status is kept."""
        return self.folder / "status.json"

    @property
    def stop_path(self) -> Path:
        """The file whose being there asks it to stop."""
        return self.folder / "stop"

    def status(self) -> Status:
        """How far it is; read from disk each time, never an error."""
        # The lock comes first: one that ends between the two looks has written its last word before.
        try:
            alive = self.is_alive()
        except StorageError as error:
            return Status(state="failed", error=str(error))
        try:
            self.request  # noqa: B018 - only to see whether it can be read
            status = Status.from_json(read_json(self.status_path))
        except CollectionError as error:
            return Status(state="running" if alive else "failed", error=str(error), remedy=error.remedy)
        return status.as_seen(alive=alive, asked_to_stop=self.stop_path.exists())

    def is_alive(self) -> bool:
        """Whether anybody is at it.

        Raises:
            StorageError: It cannot be told: no permission, or a disk without locks.
        """
        return is_held(self.folder)

    def wait(self, seconds: float = float("inf")) -> Status:
        """Wait until it has ended, at most so long; how far it is then."""
        until = time.monotonic() + seconds
        while not (status := self.status()).ended and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
        return status

    def stop(self) -> None:
        """Ask it to stop at the next step of its progress. What is finished stays.

        Raises:
            StorageError: No permission.
        """
        # One that somebody else has dismissed since is not there to be asked.
        with disk_errors(self.stop_path), contextlib.suppress(FileNotFoundError):
            self.stop_path.touch()

    def end(self) -> None:
        """End it at once, wherever it is, if it runs in a process of its own; else ask it to stop.

        What it had finished stays, and it can go on.

        Raises:
            StorageError: No permission.
        """
        self.stop()
        runner = self.status().runner
        if runner in RUNNERS:
            runner_of(runner).end(self)

    def resume(self, *, runner: str | None = None) -> None:
        """Start it again, with the same request; what is finished is not made again.

        Args:
            runner: Where; as jobs of its kind do by default.

        Raises:
            CollectionError: It is at work, or another job at the same place is.
            StorageError: No space left, or no permission.
        """
        with turn():
            refuse_second(self.request)
            before = self.status()
            runner = runner or self.request.runner
            carrier = runner_of(runner)
            hold = self.prepare(Status(runner=runner, started=before.started, counts=before.counts))
            try:
                carrier.begin(self, hold)
            except BaseException:
                with contextlib.suppress(StorageError):
                    write_json(self.status_path, before.to_json())  # it is what it was
                hold.release()
                raise

    def prepare(self, status: Status) -> Hold:
        """Take its lock and write its first status; what is to be said while the lock is held.

        Raises:
            CollectionError: Somebody is at it.
            StorageError: No space left, or no permission.
        """
        hold = take(self.folder)
        try:
            with disk_errors(self.folder):
                self.stop_path.unlink(missing_ok=True)
            now = time.time()
            write_json(self.status_path, replace(status, started=status.started or now, updated=now).to_json())
        except BaseException:
            hold.release()
            raise
        return hold

    def dismiss(self) -> None:
        """Forget it; what it has made stays.

        Raises:
            CollectionError: It is at work.
            StorageError: No permission.
        """
        # One that has written its last word may still be on its way out; it does nothing more.
        if not self.status().ended:
            raise CollectionError(
                f"Expected a job that has ended, but that on {self.name or self.id} is at work. Stop it first."
            )
        with disk_errors(self.folder):
            shutil.rmtree(self.folder, onerror=_but_what_is_gone)

    @property
    def _request(self) -> Request | None:
        try:
            return self.request
        except CollectionError:
            return None


def jobs_folder() -> Path:
    """The folder that holds the jobs, one folder each."""
    return data_folder().absolute() / "jobs"


def list_jobs() -> list[Job]:
    """All jobs, the newest first; also those that may not be read, whose status says so.

    Raises:
        StorageError: No permission to see what jobs there are.
    """
    jobs = []
    for folder in (jobs_folder(), jobs_folder().with_name(OLD_FOLDER)):
        with disk_errors(folder):
            if folder.is_dir():
                entries = [entry for entry in folder.iterdir() if _ID.fullmatch(entry.name)]
                jobs += [Job(entry) for entry in entries if _has_request(entry)]
    return sorted(jobs, key=lambda job: job.id, reverse=True)


def _has_request(folder: Path) -> bool:
    try:
        return (folder / REQUEST).is_file()
    except PermissionError:  # somebody else's: that nobody may look is no reason to say that there is none
        return True


def job_at(place: str) -> Job | None:
    """The newest job at a place, at work or ended; None where there is none."""
    return next((job for job in list_jobs() if job.place == place), None)


def at_work_on(name: str) -> Job | None:
    """A job that is at work on a collection right now, or None."""
    return next((job for job in list_jobs() if job.name == name and not job.status().ended), None)


def job_called(job_id: str) -> Job:
    """The job of that id.

    Raises:
        CollectionNotFoundError: There is none.
    """
    for folder in (jobs_folder(), jobs_folder().with_name(OLD_FOLDER)):
        if _ID.fullmatch(job_id) and _has_request(folder / job_id):
            return Job(folder / job_id)
    raise CollectionNotFoundError(f"Expected the id of a job, but id = {job_id[:80]!r}. See the list of jobs.")


def at_work_at(place: str) -> Job | None:
    """The job that is at work at a place right now, or None."""
    return next((job for job in list_jobs() if job.place == place and not job.status().ended), None)


def refuse_second(request: Request) -> None:
    """Refuse a job where another is at work at the same place; only in one's :func:`turn`.

    Raises:
        CollectionError: One is.
    """
    if at_work_at(request.place) is not None:
        raise CollectionError(
            f"Expected one job at a time on {request.name}, but another is at it. Wait until it has ended, or stop it."
        )


@contextmanager
def turn() -> Iterator[None]:
    """Hold the right to start a job, so that two who ask at once do not both begin.

    Raises:
        CollectionError: Others have held it for too long.
        StorageError: No permission.
    """
    folder = jobs_folder()
    with disk_errors(folder):
        make_private_folder(folder)
        lock = filelock.FileLock(folder / ".lock", timeout=_TURN_SECONDS, fallback_to_soft=False)
        try:
            with lock:
                yield
        except filelock.Timeout as error:
            raise CollectionError(
                "Expected to start a job within some seconds, but another process has been starting one for longer. "
                "Try again."
            ) from error


def _but_what_is_gone(_function: object, _path: str, raised: tuple[type[BaseException], BaseException, object]) -> None:
    """Let two who dismiss the same job at once not get in each other's way."""
    if not isinstance(raised[1], FileNotFoundError):
        raise raised[1]


@lru_cache(maxsize=256)
def _request_in(path: Path, written: int) -> Request:  # noqa: ARG001 - when it was written is the cache's
    return request_in(read_json(path))
