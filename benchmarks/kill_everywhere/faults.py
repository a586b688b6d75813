"""Faults at file operations, made by a small library that is loaded before the C library."""

from __future__ import annotations

import ctypes
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FAULTS: Final = {"kill": 1, "ctrl-c": 2, "full": 3, "denied": 4, "read-only": 5}
"""What happens, and its number in faults.c. The third and fifth last from the operation on, the fourth is once."""
NEED_ROOM: Final = frozenset({"open", "write", "copy", "mkdir", "link", "fsync"})
"""What a full disk refuses."""
_SECONDS: Final = 60.0
_SOURCE: Final = Path(__file__).with_name("faults.c")


def compiler() -> str | None:
    """A C compiler, where the library can be made and loaded; else None."""
    return shutil.which("cc") if sys.platform == "linux" else None


def run_with_library(module: str, arguments: list[str], folder: Path) -> int:
    """Run a module in a process that has the library; its exit code."""
    library = folder / "faults.so"
    subprocess.run([str(compiler()), "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"], check=True)
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "LD_PRELOAD": str(library), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False, env=environment).returncode


@dataclass(frozen=True)
class Outcome:
    """How a process ended that carried something out.

    Attributes:
        how: "ok", "error", "killed" or "hung".
        value: What it returned, or the error as (type, text, whether it is one of RadCBIR's).
        operations: What it changed on disk, operation by operation; empty where it was killed.
    """

    how: str
    value: Any = None
    operations: tuple[str, ...] = ()


def in_child(do: Callable[[], Any], *, fault: str = "", at: int = 0, exchange: bool = True) -> Outcome:
    """Carry something out in a process of its own, with a fault at one of its operations on files.

    Args:
        do: What returns something that can be pickled.
        fault: One of :data:`FAULTS`; none by default.
        at: The number of the operation, from 0.
        exchange: Whether the disk can exchange two names.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        code = 1
        try:
            told = pickle.dumps(_carried_out(do, fault, at, exchange=exchange))
            os.write(writing, len(told).to_bytes(8, "big"))
            for start in range(0, len(told), 65536):
                os.write(writing, told[start : start + 65536])
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    told = _read(reading, time.monotonic() + _SECONDS)
    os.close(reading)
    if told is None:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if told is None:
        return Outcome("hung")
    if not told:
        return Outcome("killed")
    outcome: Outcome = pickle.loads(told[8:])  # noqa: S301 - our own child's
    return outcome


def _read(pipe: int, until: float) -> bytes | None:
    import select

    told = b""
    while True:
        if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
            return None
        if not (piece := os.read(pipe, 65536)):
            return told
        told += piece


def _carried_out(do: Callable[[], Any], fault: str, at: int, *, exchange: bool) -> Outcome:
    from radcbir_core.errors import RadcbirError

    library = ctypes.CDLL(None)
    library.faults_name.restype = ctypes.c_char_p
    signal.signal(signal.SIGINT, signal.default_int_handler)
    how, value = "ok", None
    library.faults_arm(ctypes.c_long(at), FAULTS.get(fault, 0), int(exchange))
    try:
        try:
            value = do()
        finally:
            library.faults_disarm()
    except KeyboardInterrupt:
        how, value = "error", ("KeyboardInterrupt", "", True)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is told to who asked
        import traceback

        where = "".join(traceback.format_exception(error)[-3:])
        ours = isinstance(error, RadcbirError) and "\n" not in str(error)
        how, value = "error", (type(error).__name__, f"{error}" if ours else where, ours)
    names = (library.faults_name(number) for number in range(library.faults_count()))
    return Outcome(how, value, tuple(name.decode() for name in names))
