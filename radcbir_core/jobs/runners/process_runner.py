"""Jobs in processes of their own, which outlive whoever began them.

Owns starting and ending such a process. It is ``python -m radcbir_core.jobs``, and holds the job's lock from its birth
to its death.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from radcbir_core.collections.layout import data_folder
from radcbir_core.errors import CollectionError
from radcbir_core.jobs import unwritten
from radcbir_core.jobs.liveness import Hold, InheritableHold, birth, number_of
from radcbir_core.storage import disk_errors

if TYPE_CHECKING:
    from radcbir_core.jobs.job import Job

ROOT: Final = Path(__file__).resolve().parents[3]


def begin(job: Job, hold: Hold) -> None:
    """As :class:`~radcbir_core.jobs.runners.Runner` says."""
    if isinstance(hold, InheritableHold):
        try:
            child = _spawn(job, ["--lock", str(hold.descriptor)], pass_fds=(hold.descriptor,))
            with contextlib.suppress(OSError):  # it is at work all the same; then it can be stopped, but not ended
                hold.note(child.pid)
        finally:
            hold.release()
    else:
        children: list[subprocess.Popen[bytes]] = []
        with birth(job.folder, is_over=lambda: children[0].poll() is not None):
            hold.release()
            children.append(_spawn(job, []))
        child = children[0]
    # A child whose end nobody asks for stays in the system's table.
    threading.Thread(target=child.wait, name=f"end of {job.id}", daemon=True).start()


def end(job: Job) -> None:
    """As :class:`~radcbir_core.jobs.runners.Runner` says."""
    number = number_of(job.folder)
    if number is not None:
        with contextlib.suppress(OSError):
            os.kill(number, getattr(signal, "SIGKILL", signal.SIGTERM))  # on Windows, both end it at once


def _spawn(job: Job, options: Sequence[str], **inherited: Any) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, **unwritten.told(job.id)}
    environment |= {"RADCBIR_DATA": str(data_folder().absolute()), "PYTHONPATH": path}
    if sys.platform == "win32":
        inherited["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS
    else:
        inherited["start_new_session"] = True  # what ends the terminal or the server does not end it
    with disk_errors(job.log_path), job.log_path.open("ab") as log:
        try:
            return subprocess.Popen(  # noqa: S603 - this very Python, and a module of this program
                [sys.executable, "-m", "radcbir_core.jobs", job.id, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=environment,
                **inherited,
            )
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.ENOMEM}:
                raise
            raise CollectionError(
                f"Expected to begin a process for {job.id}, but the system refuses another one: {error.strerror}. "
                "End some that are not needed, and try again."
            ) from error
