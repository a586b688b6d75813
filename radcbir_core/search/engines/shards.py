"""Parts of a long computation that are kept on disk as they are finished, so that what is killed goes on from there.

Owns the reading and writing of such parts, and the threads that make them. Knows nothing of what is in them.
"""

from __future__ import annotations

import math
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.search.engines.exact import one_thread_each
from radcbir_core.storage import array_header, write_array

_TELL_EVERY = 0.5


class Shards:
    """The finished parts of one computation.

    Args:
        folder: Where they are kept, with those of no other computation.
        key: What decides their content; those of another key that lie there are of no use, and are removed.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "parts"
        >>> Shards(folder, "a").kept("ones", lambda: np.ones(2), shape=(2,), dtype=np.float32).tolist()
        [1.0, 1.0]
        >>> Shards(folder, "a").kept("ones", lambda: np.zeros(2), shape=(2,), dtype=np.float32).tolist()
        [1.0, 1.0]
        >>> Shards(folder, "b").kept("ones", lambda: np.zeros(2), shape=(2,), dtype=np.float32).tolist()
        [0.0, 0.0]
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder / key
        for other in folder.glob("*"):
            if other.name != key:
                shutil.rmtree(other, ignore_errors=True)

    def kept(
        self, name: str, make: Callable[[], npt.NDArray[Any]], *, shape: tuple[int, ...], dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        """A part, made and written where it is not there yet; memory-mapped, read-only.

        Args:
            name: Of the part.
            make: Makes it.
            shape: It has.
            dtype: It has.

        Raises:
            StorageError: No space left, or no permission.
        """
        if (there := self._opened(name, shape=shape, dtype=dtype)) is not None:
            return there
        write_array(self._path(name), [make()], shape=shape, dtype=dtype)
        made: npt.NDArray[Any] = np.load(self._path(name), mmap_mode="r")
        return made

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _opened(self, name: str, *, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any] | None:
        """A part that is there; None where it is not, or begins or ends otherwise than one of this form would."""
        path, header = self._path(name), array_header(shape, dtype)
        try:
            with path.open("rb") as handle:
                begins, length = handle.read(len(header)), os.fstat(handle.fileno()).st_size
            # What it begins with is compared and not read: NumPy raises many things over what is no array.
            if begins != header or length != len(header) + math.prod(shape) * np.dtype(dtype).itemsize:
                return None
            part: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except OSError:
            return None
        return part


def in_threads(work: Callable[[int], object], tasks: Sequence[int], told: Callable[[int], None]) -> None:
    """Do some tasks, several at a time, each with products of one thread.

    Args:
        work: Does a task. Called from threads.
        tasks: Which.
        told: Told how many are done, now and then; what it raises ends the work when those under way are done.

    Example:
        >>> done = []
        >>> in_threads(done.append, range(3), lambda number: None)
        >>> sorted(done)
        [0, 1, 2]
    """
    workers = max(1, min(len(tasks), os.cpu_count() or 1))
    ended = threading.Event()

    def unless_ended(task: int) -> None:
        if ended.is_set():
            return
        try:
            work(task)
        except BaseException:
            ended.set()
            raise

    with one_thread_each(), ThreadPoolExecutor(workers) as pool:
        waiting = {pool.submit(unless_ended, task) for task in tasks}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=_TELL_EVERY, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                told(len(tasks) - len(waiting))
        finally:
            ended.set()
            for future in waiting:
                future.cancel()
