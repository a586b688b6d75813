"""Whether anybody is at work on a job, asked of a lock and of nothing else.

Owns that lock. Whoever carries a job out holds it, and the operating system lets go of it when they end, however they
end: a process number that is used again by another program is never mistaken for it. The number beside the lock only
says whom to end, and counts only while the lock is held.

Where processes can inherit a lock (Linux, macOS), the process of a job holds it from its birth: the file is opened and
locked here, and handed down. Elsewhere (Windows) the child takes it itself, and a second lock is held here until it
has, so that there is no moment at which nobody holds one.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import filelock

from radcbir_core.errors import CollectionError
from radcbir_core.storage import disk_errors

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

INHERITED: Final = fcntl is not None
"""Whether a process can be born with a lock."""

_LOCK = "lock"
_BIRTH = "birth"
_NUMBER = "number"
_TAKE_SECONDS: Final = 5.0
_BIRTH_SECONDS: Final = 30.0
_ASK_SECONDS: Final = 0.02


class Hold(Protocol):
    """The lock of a job, held by this process."""

    def note(self, number: int) -> None:
        """Write down the number of the process that may be ended to end the job."""

    def release(self) -> None:
        """Let go of it; nothing where that was done before."""


def take(folder: Path) -> Hold:
    """Take the lock of the job in a folder.

    Raises:
        CollectionError: Somebody is at it.
        StorageError: No permission, or a disk without locks.
    """
    hold = _take_inheritable(folder) if INHERITED else _take_alone(folder)
    if hold is None:
        raise CollectionError(
            f"Expected nobody at work on the job {folder.name}, but somebody is. Wait until it has ended, or stop it."
        )
    return hold


def is_held(folder: Path) -> bool:
    """Whether somebody is at work on the job in a folder.

    Raises:
        StorageError: It cannot be told: no permission, or a disk without locks.
    """
    with disk_errors(folder / _LOCK):
        if not INHERITED:
            return _is_held_alone(folder / _LOCK) or _is_held_alone(folder / _BIRTH)
        try:
            descriptor = os.open(folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(descriptor)


def number_of(folder: Path) -> int | None:
    """The number of the process to end; None where nobody holds the lock, or it is not a process of its own.

    Raises:
        StorageError: It cannot be told whether somebody holds it.
    """
    path = folder / (_LOCK if INHERITED else _NUMBER)
    try:
        number = int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    # The number belongs to the holder of the lock: as long as the lock is held, to nobody else.
    return number if number > 1 and is_held(folder) else None


class InheritableHold:
    """A lock that a process started from here is born with.

    Attributes:
        descriptor: The open file; a child that gets it holds the lock too.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def note(self, number: int) -> None:
        """As :class:`Hold` says."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, str(number).encode("ascii"), 0)

    def release(self) -> None:
        """As :class:`Hold` says; a child that was born with it goes on holding it."""
        # Once only: the same number may be another open file by the second time.
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(descriptor)


class LoneHold:
    """A lock that belongs to this process alone."""

    def __init__(self, folder: Path, lock: filelock.BaseFileLock) -> None:
        self._folder = folder
        self._lock = lock

    def note(self, number: int) -> None:
        """As :class:`Hold` says."""
        (self._folder / _NUMBER).write_text(str(number), encoding="ascii")

    def release(self) -> None:
        """As :class:`Hold` says."""
        self._lock.release()


@contextmanager
def birth(folder: Path, *, is_over: Callable[[], bool]) -> Iterator[None]:
    """Count as at work while the body starts a process, and until that process holds the lock itself.

    Args:
        folder: Of the job. Its lock must be free when the body has ended.
        is_over: Whether the process has ended already.

    Raises:
        CollectionError: The process does not come to take the lock, or another one is being born.
        StorageError: No permission, or a disk without locks.
    """
    lock = _file_lock(folder / _BIRTH)
    with disk_errors(folder / _BIRTH):
        try:
            lock.acquire(timeout=_TAKE_SECONDS)
        except filelock.Timeout as error:
            raise CollectionError(
                f"Expected nobody else to begin the job {folder.name}, but another process is. Wait for it."
            ) from error
    try:
        yield
        until = time.monotonic() + _BIRTH_SECONDS
        while not _is_held_alone(folder / _LOCK) and not is_over():
            if time.monotonic() > until:
                raise CollectionError(
                    f"Expected the process of the job {folder.name} to begin within {_BIRTH_SECONDS:g} seconds, but it "
                    "has not. Its log.txt says more. Try again."
                )
            time.sleep(_ASK_SECONDS)
    finally:
        lock.release()


def _take_inheritable(folder: Path) -> InheritableHold | None:
    path = folder / _LOCK
    with disk_errors(path):
        hold = InheritableHold(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            until = time.monotonic() + _TAKE_SECONDS
            while not _is_locked_now(hold.descriptor):
                # Somebody who only asks whether it is held holds it for a moment too.
                if time.monotonic() > until:
                    hold.release()
                    return None
                time.sleep(_ASK_SECONDS)
            os.ftruncate(hold.descriptor, 0)  # whose number stood there holds it no longer
        except BaseException:
            hold.release()
            raise
        return hold


def _is_locked_now(descriptor: int) -> bool:
    """Lock an open file, unless somebody else has."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _take_alone(folder: Path) -> LoneHold | None:
    lock = _file_lock(folder / _LOCK)
    with disk_errors(folder / _LOCK):
        try:
            lock.acquire(timeout=_TAKE_SECONDS)
        except filelock.Timeout:
            return None
        hold = LoneHold(folder, lock)
        try:
            (folder / _NUMBER).unlink(missing_ok=True)
        except BaseException:
            hold.release()
            raise
        return hold


def _is_held_alone(path: Path) -> bool:
    if not path.exists():
        return False
    lock = _file_lock(path)
    try:
        # Others who only ask hold it for a moment too.
        lock.acquire(timeout=3 * _ASK_SECONDS, poll_interval=_ASK_SECONDS)
    except filelock.Timeout:
        return True
    lock.release()
    return False


def _file_lock(path: Path) -> filelock.BaseFileLock:
    # Not of one thread: the thread that starts a job is not the one that ends it. And never a file whose being there
    # is the lock: it would outlive whoever is killed.
    return filelock.FileLock(path, thread_local=False, fallback_to_soft=False)
