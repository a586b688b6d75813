"""Pieces of work on disk: starting one in a process of its own, and stopping, going on with and dismissing it.

Owns the folders of work and who may be at work. The process that is at a piece of work holds a lock from its birth to
its death, however it dies: the lock's file is opened here and handed down. Whether a piece is at work is asked of this
lock and of nothing else, so that a process number that is used again by another program is never mistaken for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final

import filelock

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import check_name, data_folder
from radcbir_core.collections.writing import refuse_existing
from radcbir_core.errors import CollectionError, CollectionNotFoundError
from radcbir_core.jobs.request import WorkRequest
from radcbir_core.jobs.status import Status
from radcbir_core.storage import disk_errors, read_json, write_json

ROOT: Final = Path(__file__).resolve().parents[2]
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TURN_SECONDS: Final = 20.0
_LOCK_SECONDS: Final = 5.0

# What this process has started and not yet asked for its end: a child that nobody asks stays in the system's table.
_children: list[subprocess.Popen[bytes]] = []


class Work:
    """A piece of work. Made by :func:`start`, :func:`list_work` and :func:`work_on`.

    Attributes:
        folder: Where its files lie.
        id: Its name: when it was asked for, the collection's name, and some letters.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name

    @cached_property
    def request(self) -> WorkRequest:
        """What was asked for.

        Raises:
            CollectionError: Its record is damaged.
        """
        return WorkRequest.from_json(read_json(self.folder / "request.json"))

    @property
    def name(self) -> str:
        """The collection's name; "" where the record is damaged."""
        try:
            return self.request.name
        except CollectionError:
            return ""

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

    @property
    def lock_path(self) -> Path:
        """The file that the process at work holds locked."""
        return self.folder / "lock"

    def status(self) -> Status:
        """How far it is; read from disk each time, never an error."""
        # The lock comes first: a process that ends between the two looks has written its last word before.
        alive = self.is_alive()
        try:
            self.request  # noqa: B018 - only to see whether it can be read
            status = Status.from_json(read_json(self.status_path))
        except CollectionError as error:
            return Status(state="running" if alive else "failed", error=str(error))
        return status.as_seen(alive=alive, asked_to_stop=self.stop_path.exists())

    def is_alive(self) -> bool:
        """Whether a process is at it."""
        try:
            descriptor = os.open(self.lock_path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(descriptor)

    def stop(self) -> None:
        """Ask it to stop at the next step of its progress. What is finished stays.

        Raises:
            StorageError: No permission.
        """
        with disk_errors(self.stop_path):
            self.stop_path.touch()

    def end(self) -> None:
        """End its process at once, wherever it is; what it had finished stays, and it can go on.

        Raises:
            StorageError: No permission.
        """
        self.stop()
        with contextlib.suppress(OSError, ValueError):
            number = int(self.lock_path.read_text(encoding="ascii"))
            # The number belongs to the holder of the lock: as long as the lock is held, to nobody else.
            if number > 1 and self.is_alive():
                os.kill(number, signal.SIGKILL)

    def go_on(self) -> None:
        """Start it again, with the same request; what is finished is not made again.

        Raises:
            CollectionError: It is at work, or another piece of work on the same collection is.
            StorageError: No space left, or no permission.
        """
        with _turn():
            _refuse_second(self.request.name)
            status = self.status()
            now = time.time()
            again = Status(started=status.started or now, updated=now, images=status.images, problems=status.problems)
            with _locked(self) as descriptor:
                with disk_errors(self.folder):
                    self.stop_path.unlink(missing_ok=True)
                write_json(self.status_path, again.to_json())
                _spawn(self, descriptor)

    def dismiss(self) -> None:
        """Forget it; what it has made stays.

        Raises:
            CollectionError: It is at work.
            StorageError: No permission.
        """
        # One that has written its last word may still be on its way out; it does nothing more.
        if not self.status().ended:
            raise CollectionError(
                f"Expected work that has ended, but {self.name or self.id} is at work. Stop it first."
            )
        with disk_errors(self.folder):
            shutil.rmtree(self.folder)


def work_folder() -> Path:
    """The folder that holds the pieces of work, one folder each."""
    return data_folder().absolute() / "work"


def list_work() -> list[Work]:
    """All pieces of work, the newest first."""
    _reap()
    folder = work_folder()
    if not folder.is_dir():
        return []
    found = [entry for entry in folder.iterdir() if _ID.fullmatch(entry.name) and (entry / "request.json").is_file()]
    return [Work(entry) for entry in sorted(found, key=lambda entry: entry.name, reverse=True)]


def work_on(name: str) -> Work | None:
    """The piece of work that is at a collection right now, or None."""
    return next((work for work in list_work() if work.name == name and not work.status().ended), None)


def start(request: WorkRequest) -> Work:
    """Begin a piece of work in a process of its own, which outlives this one.

    Ended pieces of work on the same collection are forgotten; the new one takes their place.

    Raises:
        CollectionError: The name cannot be one, or another piece of work is at the same collection.
        CollectionExistsError: The name of what is imported is taken.
        CollectionNotFoundError: There is no such collection to build or to add to.
        StorageError: No space left, or no permission.
    """
    check_name(request.name)
    with _turn():
        _refuse_second(request.name)
        if request.needs_new_name:
            refuse_existing(request.name)
        elif not request.brings_in or (request.imports is not None and request.imports.add):
            open_collection(request.name)
        for earlier in list_work():
            if earlier.name == request.name:
                earlier.dismiss()
        now = time.time()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
        work = Work(work_folder() / f"{stamp}-{request.name}-{uuid.uuid4().hex[:6]}")
        with disk_errors(work.folder):
            work.folder.mkdir(mode=0o700, parents=True)
        try:
            with _locked(work) as descriptor:
                write_json(work.status_path, Status(started=now, updated=now).to_json())
                write_json(work.folder / "request.json", request.to_json())
                _spawn(work, descriptor)
        except BaseException:
            shutil.rmtree(work.folder, ignore_errors=True)
            raise
    return work


def taken_lock(work: Work) -> int:
    """Take the lock of a piece of work; the open file that holds it.

    Raises:
        CollectionError: A process is at it.
        StorageError: No permission.
    """
    with disk_errors(work.lock_path):
        descriptor = os.open(work.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Somebody who only asks whether it is held holds it for a moment too.
            if time.monotonic() > until:
                os.close(descriptor)
                raise CollectionError(
                    f"Expected nobody at work on {work.name}, but a process is. Wait until it has ended, or stop it."
                ) from None
            time.sleep(0.02)
        else:
            return descriptor


@contextmanager
def _locked(work: Work) -> Iterator[int]:
    """Hold the lock of a piece of work while a process is started, which then holds it on."""
    descriptor = taken_lock(work)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _spawn(work: Work, descriptor: int) -> None:
    """Start the process; it inherits the lock, so that there is no moment at which nobody holds it."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "RADCBIR_DATA": str(data_folder().absolute()), "PYTHONPATH": path}
    with disk_errors(work.log_path), work.log_path.open("ab") as log:
        child = subprocess.Popen(  # noqa: S603 - this very Python, and a module of this program
            [sys.executable, "-m", "radcbir_core.jobs", work.id, "--lock", str(descriptor)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(descriptor,),
            start_new_session=True,
            cwd=ROOT,
            env=environment,
        )
    note_number(descriptor, child.pid)
    _children.append(child)


def note_number(descriptor: int, number: int) -> None:
    """Write the number of the process that holds a lock into its file."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(number).encode("ascii"), 0)


def _reap() -> None:
    """Ask after the children that have ended, so that nothing is left of them in the system's table."""
    for child in list(_children):
        if child.poll() is not None:
            with contextlib.suppress(ValueError):  # another thread was quicker
                _children.remove(child)


def _refuse_second(name: str) -> None:
    other = work_on(name)
    if other is not None:
        raise CollectionError(
            f"Expected one piece of work at a time on {name}, but another is at it. Wait until it has ended, or stop "
            "it."
        )


@contextmanager
def _turn() -> Iterator[None]:
    """Hold the right to start work, so that two who ask at once do not both begin."""
    folder = work_folder()
    with disk_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / ".lock", timeout=_TURN_SECONDS)
        try:
            with lock:
                yield
        except filelock.Timeout as error:
            raise CollectionError(
                "Expected to start work within some seconds, but another process has been starting some for longer. "
                "Try again."
            ) from error


def named(work_id: str) -> Work:
    """The piece of work of that id.

    Raises:
        CollectionNotFoundError: There is none.
    """
    work = Work(work_folder() / work_id)
    if not _ID.fullmatch(work_id) or not (work.folder / "request.json").is_file():
        raise CollectionNotFoundError(f"Expected the id of a piece of work, but id = {work_id[:80]!r}. Start it anew.")
    return work
