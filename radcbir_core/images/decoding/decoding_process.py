"""The processes that decode: limited in memory and time, kept between files, replaced when they die.

Owns when such a process is started, how long it may take, and what becomes of one that died. Files come from strangers:
some take gigabytes or hours to decode, some end the decoder. It happens in a process that can be given up, and is an
error of that one file.

A process serves one request at a time. A further one is started only once requests have waited for a while, so that a
few hundred small files do not pay for it, and at most one a processor, because more would only take memory.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from radcbir_core.errors import ImageError
from radcbir_core.images.decoded_image import CLOCK_SECONDS, MEBIBYTE, Limits
from radcbir_core.images.decoding.decoding_request import image_error, too_much_memory
from radcbir_core.images.decoding.image_messages import error_from, error_to_message
from radcbir_core.messages import end_helper, receive, send

IDLE_SECONDS = 120.0
"""After which a process that has nothing to do is ended."""

_WORKER = Path(__file__).with_name("decoding_worker.py")
# How long requests wait, all together, before a further process is started.
_PATIENCE_SECONDS = 3.0
_LOOKS_A_SECOND = 20
# After which a request that waits looks whether there are fewer processes, which nobody may have told it.
_LOOK_AGAIN_SECONDS = 1.0
_PIPE_BYTES = MEBIBYTE
# Where the system itself refuses memory beyond the limit; elsewhere, who asks looks how much the process has.
_LIMITED_BY_SYSTEM = sys.platform == "linux"
# How a process ends that has set itself a time, where the system has such signals.
_OVER_TIME = {-getattr(signal, name) for name in ("SIGPROF", "SIGALRM") if hasattr(signal, name)}
# What a process may take from its last word to its end.
_ENDING_SECONDS = 1.0


class _Process(subprocess.Popen[bytes]):
    """A process that decodes; it ends with the last who knows of it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._owner = os.getpid()
        super().__init__(*arguments, **options)

    def __del__(self) -> None:
        # In a forked child it is the parent's.
        if self.returncode is None and getattr(self, "_child_created", False) and self._owner == os.getpid():
            end_helper(self)


def ask(request: dict[str, Any], *, name: str, limits: Limits, data: bytes = b"") -> tuple[dict[str, Any], bytes]:
    """Ask a process that decodes; safe to call from several threads.

    Args:
        request: as ``decoding_worker`` understands it.
        name: what messages call the file that is asked about.
        limits: of memory and time; for one file, also where the request names several.
        data: the content of the file, where the request names no path.

    Returns:
        The answer and the bytes behind it; where the process died of the file, or was given up, the error in one.
    """
    answer = _ask(request, data, name=name, limits=limits)
    if answer is None:
        # Ended by a signal, and not over a limit of ours: by the file, by somebody else, or by the system for want of
        # memory. The file may be good, and has one more try.
        answer = _ask(request, data, name=name, limits=limits, is_last=True)
    return cast(tuple[dict[str, Any], bytes], answer)


def prepare() -> None:
    """Start a process, if there is none, while the caller does something else before it asks."""
    threading.Thread(target=_processes.prepare, name="decoding start", daemon=True).start()


def error_in(answer: dict[str, Any]) -> ImageError | None:
    """The error that an answer holds, if it is one."""
    return error_from(answer) if "error" in answer else None


def _ask(
    request: dict[str, Any], data: bytes, *, name: str, limits: Limits, is_last: bool = False
) -> tuple[dict[str, Any], bytes] | None:
    """The answer of a process; None where it was killed, and it is not the last try."""
    worker = _processes.take()
    try:
        _processes.begin(worker, limits)
        try:
            send(cast(BinaryIO, worker.stdin), request, data=data)
            answer = receive(cast(BinaryIO, worker.stdout))
        except (OSError, EOFError):
            code = _ended_with(worker)
            reason = _processes.end(worker)
            if reason == "time" or code in _OVER_TIME:
                return error_to_message(_too_slow(name, limits)), b""
            if reason == "memory":
                return error_to_message(too_much_memory(name, limits)), b""
            if code < 0 and not is_last:
                return None
            return error_to_message(_died(name, code)), b""
        if answer[0]["last"]:
            _processes.end(worker)
        else:
            _processes.give_back(worker)
    except BaseException:  # Ctrl-C: what it would still answer is nobody's
        _processes.end(worker)
        raise
    return answer


def _ended_with(worker: _Process) -> int:
    """How a process ended by itself, that has closed its pipes or is about to."""
    try:
        return worker.wait(_ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        return 0  # it lives, and says nothing that can be understood


def _too_slow(name: str, limits: Limits) -> ImageError:
    return image_error(
        name,
        f"an image that decodes within {limits.max_seconds:g} seconds",
        "not decoded by then",
        remedy="Convert it to a plain PNG, or leave it out.",
    )


def _died(name: str, code: int) -> ImageError:
    how = f"exit code {code}"
    if code < 0:
        try:
            how = signal.Signals(-code).name
        except ValueError:
            how = f"signal {-code}"
    return image_error(
        name,
        "a file that can be decoded",
        f"damaged, or more than its decoder can take, which ended ({how})",
        remedy="Copy it again from its source, or convert it.",
    )


def memory_of(process_id: int) -> int:
    """The bytes that a process has in memory now; 0 where nobody says."""
    try:
        pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    try:
        told = subprocess.run(  # noqa: S603 - no shell, and nothing from outside
            ["ps", "-o", "rss=", "-p", str(process_id)],  # noqa: S607 - where it is differs
            capture_output=True,
            text=True,
            check=False,
        )
        return int(told.stdout.strip() or 0) * 1024
    except (OSError, ValueError):
        return 0


@dataclass(slots=True)
class _Turn:
    """What a process is busy with.

    Attributes:
        end: when it is given up, by the monotonic clock.
        max_memory: above which it is given up.
        reason: why it was, "time" or "memory"; "" where it was not.
    """

    end: float
    max_memory: int
    reason: str = ""


class _Processes:
    """The processes of this one, and the thread that gives them up.

    The thread looks at those that are busy some times a second, and now and then for those that have been idle for
    long; it lives as long as there are any.
    """

    def __init__(self) -> None:
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._wake_keeper = threading.Condition(lock)
        self._idle: list[tuple[_Process, float]] = []
        self._busy: dict[_Process, _Turn] = {}
        # Weakly: one that is lost between two hands counts against nobody.
        self._all: weakref.WeakSet[_Process] = weakref.WeakSet()
        self._starting = 0
        self._waited = 0.0
        self._most = os.cpu_count() or 1
        self._keeper: threading.Thread | None = None
        self._keeper_rests = False

    def take(self) -> _Process:
        """A process for one request; waits while all that may be are busy."""
        start = time.monotonic()
        with self._changed:
            self._drop_dead()
            while not self._idle and self._count():
                left = _PATIENCE_SECONDS - self._waited - (time.monotonic() - start)
                may_start = self._count() < self._most
                if may_start and left <= 0:
                    break
                self._changed.wait(min(left, _LOOK_AGAIN_SECONDS) if may_start else _LOOK_AGAIN_SECONDS)
            self._waited += time.monotonic() - start
            if self._idle:
                return self._idle.pop()[0]
            self._waited = 0.0
            self._starting += 1
        try:
            worker = _start()
        except BaseException:
            with self._changed:
                self._starting -= 1
                self._changed.notify()
            raise
        with self._changed:
            self._starting -= 1
            self._all.add(worker)
        try:
            self._have_keeper()
        except BaseException:
            self.end(worker)
            raise
        return worker

    def _have_keeper(self) -> None:
        """Have the thread that gives processes up.

        Raises:
            ImageError: the system gives no further thread.
        """
        with self._changed:
            if self._keeper is not None:
                return
            keeper = threading.Thread(target=self._keep, name="decoding keeper", daemon=True)
            try:
                keeper.start()
            except RuntimeError as error:
                raise ImageError(
                    f"Expected a thread to watch decoding, but the system gives none ({error}). Close other programs, "
                    "and try again."
                ) from error
            self._keeper = keeper

    def prepare(self) -> None:
        """Have a process that is idle, unless there is one; who asks is told if there cannot be."""
        with self._changed:
            if self._count():
                return
        with contextlib.suppress(ImageError):
            self.give_back(self.take())

    def begin(self, worker: _Process, limits: Limits) -> None:
        """It has been asked, and is given up once it is over these limits."""
        with self._changed:
            self._busy[worker] = _Turn(time.monotonic() + CLOCK_SECONDS * limits.max_seconds, limits.max_memory)
            if self._keeper_rests:
                self._wake_keeper.notify()

    def give_back(self, worker: _Process) -> None:
        """It has answered, and is idle again; unless it was given up just then."""
        with self._changed:
            turn = self._busy.pop(worker, None)
            if turn is None or not turn.reason:
                self._idle.append((worker, time.monotonic()))
                self._changed.notify()
                return
        self.end(worker)

    def end(self, worker: _Process) -> str:
        """Leave nothing of it; why it was given up before, if it was."""
        with self._changed:
            turn = self._busy.pop(worker, None)
        end_helper(worker)
        with self._changed:
            self._all.discard(worker)
            self._changed.notify()
        return "" if turn is None else turn.reason

    def end_idle(self, *, since: float) -> None:
        """End the processes that have had nothing to do since then."""
        with self._changed:
            ended = [worker for worker, idle_since in self._idle if idle_since <= since]
            self._idle = [(worker, idle_since) for worker, idle_since in self._idle if idle_since > since]
        for worker in ended:
            self.end(worker)

    def _drop_dead(self) -> None:
        """Let go of those that somebody has ended while they were idle: no file is to blame."""
        for worker, _ in [idle for idle in self._idle if idle[0].poll() is not None]:
            self._idle = [idle for idle in self._idle if idle[0] is not worker]
            self.end(worker)

    def _keep(self) -> None:
        while True:
            self.end_idle(since=time.monotonic() - IDLE_SECONDS)
            with self._changed:
                if not self._count():
                    self._keeper = None
                    return
                self._give_up()
                self._keeper_rests = not self._busy
                self._wake_keeper.wait(1 / _LOOKS_A_SECOND if self._busy else IDLE_SECONDS / 4)
                self._keeper_rests = False

    def _give_up(self) -> None:
        """Kill those that are busy for too long, or take too much memory where the system does not see to that."""
        for worker, turn in self._busy.items():
            if time.monotonic() >= turn.end:
                turn.reason = "time"
            elif not _LIMITED_BY_SYSTEM and memory_of(worker.pid) > turn.max_memory:
                turn.reason = "memory"
            if turn.reason:
                worker.kill()

    def _count(self) -> int:
        return len(self._all) + self._starting


def _start() -> _Process:
    """A new process, once it is ready. It is not forked: a server has threads.

    Raises:
        ImageError: it did not get as far as that.
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    # -P keeps this folder, whose modules are named for their use here, off the import path.
    try:
        worker = _Process(
            [sys.executable, "-P", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            pipesize=_PIPE_BYTES if sys.platform == "linux" else -1,
        )
    except OSError as error:
        raise ImageError(
            f"Expected a process to decode images in, but it could not be started: {error.strerror}. Close other "
            "programs, or allow more files and processes (`ulimit`)."
        ) from error
    try:
        receive(cast(BinaryIO, worker.stdout))
    except EOFError as error:
        end_helper(worker)
        raise ImageError(
            "Expected a process to decode images in, but it ended as it started. Install the packages again."
        ) from error
    except BaseException:
        end_helper(worker)
        raise
    return worker


_processes = _Processes()


def end_all() -> None:
    """End all processes that are idle; the next request starts one."""
    _processes.end_idle(since=time.monotonic())


def _begin_anew() -> None:
    """In a forked child: the parent's processes answer the parent, and its threads are not there."""
    global _processes  # noqa: PLW0603
    _processes = _Processes()


atexit.register(end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
