"""GDCM in a process of its own.

Owns the helper processes that decode what GDCM does: JPEG of more than eight bits (lossless, and 12-bit extended),
JPEG-LS, JPEG 2000 and HTJ2K.
GDCM ends the whole process on some damaged streams, which a dashboard or a long build must survive, and writes to the
terminal. A helper lives as long as this process, serves one frame at a time, and is replaced when it dies.
"""

from __future__ import annotations

import atexit
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from radcbir_core.messages import end_helper, receive, send

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

# Far more than any frame takes; a helper that is still busy then is stuck.
TIMEOUT_SECONDS = 120.0

_HELPER = Path(__file__).with_name("gdcm_helper.py")
_OPTIONS = (
    "bits_allocated",
    "bits_stored",
    "columns",
    "rows",
    "samples_per_pixel",
    "photometric_interpretation",
    "pixel_representation",
    "planar_configuration",
)
_idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
# More helpers than processors would only take memory.
_turns = threading.BoundedSemaphore(os.cpu_count() or 1)


def is_available(uid: str) -> bool:  # noqa: ARG001 - pydicom asks every plug-in module this
    """The helper says itself what is missing."""
    return True


def decode(frame: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame of any precision in a helper process; a plug-in for pydicom's `Decoder`.

    Raises:
        ValueError: GDCM could not decode it, complained about it, died of it, or took too long.
    """
    options = {name: runner.get_option(name) for name in _OPTIONS if runner.get_option(name) is not None}
    options["photometric_interpretation"] = str(options["photometric_interpretation"])
    options["syntax"] = str(runner.transfer_syntax)
    with _turns:
        try:
            answer, decoded = _ask(_idle.get_nowait(), frame, options=options)
        except (queue.Empty, _HelperGoneError):
            # None was idle, or it was gone already and this frame may be a good one: only a new helper can tell.
            try:
                answer, decoded = _ask(_start(), frame, options=options)
            except _HelperGoneError as error:
                raise ValueError("the decoder died of this frame") from error
    if "error" in answer:
        raise ValueError(answer["error"])
    return decoded


class _HelperGoneError(Exception):
    """A helper ended before it had answered."""


def _ask(helper: subprocess.Popen[bytes], frame: bytes, *, options: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Give a helper a frame and wait for its answer; then it is idle, or gone."""
    watch = _Watch(helper)
    try:
        send(cast(BinaryIO, helper.stdin), options, data=frame)
        answer = receive(cast(BinaryIO, helper.stdout))
    except (OSError, EOFError) as error:
        stuck = watch.stop()
        end_helper(helper)
        if stuck:
            raise ValueError("the decoder was stuck in this frame") from error
        raise _HelperGoneError from error
    if watch.stop():
        end_helper(helper)  # it answered just when it was given up
    else:
        _idle.put(helper)
    return answer


class _Watch:
    """Kills a helper that is busy for too long."""

    def __init__(self, helper: subprocess.Popen[bytes]) -> None:
        self._helper = helper
        self._lock = threading.Lock()
        self._over = self._killed = False
        self._timer = threading.Timer(TIMEOUT_SECONDS, self._kill)
        self._timer.daemon = True
        self._timer.start()

    def _kill(self) -> None:
        with self._lock:
            if not self._over:
                self._killed = True
                self._helper.kill()

    def stop(self) -> bool:
        """Stop watching; whether the helper was killed before."""
        self._timer.cancel()
        with self._lock:
            self._over = True
            return self._killed


def _start() -> subprocess.Popen[bytes]:
    """A new helper."""
    # -P keeps this folder, whose modules are named for their use here, off the helper's import path.
    return subprocess.Popen(  # noqa: S603 - our own interpreter and our own file, no shell
        [sys.executable, "-P", str(_HELPER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _end_all() -> None:
    while True:
        try:
            end_helper(_idle.get_nowait())
        except queue.Empty:
            return


def _forget_all() -> None:
    """In a forked child: the parent's helpers answer the parent, and its threads do not give their turns back here."""
    global _idle, _turns  # noqa: PLW0603
    _idle = queue.SimpleQueue()
    _turns = threading.BoundedSemaphore(os.cpu_count() or 1)


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
