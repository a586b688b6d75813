"""Writing files so that nobody ever sees half of one.

Owns atomic writes, JSON on disk and the translation of the operating system's disk errors into
:class:`~radcbir_core.errors.StorageError`. Knows nothing of what the files mean.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import io
import json
import math
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from radcbir_core.checked_files import parse_json
from radcbir_core.errors import CollectionError, StorageError

KEPT_FREE = 500_000_000
"""Bytes that stay free on a disk, for all else that is written there meanwhile."""
_MOST_DIGESTS = 4096
_STEP_OF_CLOCKS = 2_000_000_000
"""Nanoseconds; FAT's is the longest."""
_LARGE = 16 << 20
_TEMPORARY_MARK = ".partial-"
_FROM_HERE, _EXCHANGE = -100, 2
"""AT_FDCWD, and RENAME_EXCHANGE of Linux, which is RENAME_SWAP of macOS."""

_TOLD_LATE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
"""What a disk may say of what was written before."""
_REFUSED = "permission to read and write here, but it was refused. Change the permissions, or use another folder"
_NO_LOCKS = "a disk on which files can be locked, but this one cannot do that. Keep the data on a local disk"
_DISK_ADVICE = {
    errno.ENOSPC: "space left on the disk, but there is none. Free some space, and do the same again",
    errno.EDQUOT: "room within the disk quota, but it is used up. Free some space, and do the same again",
    errno.EROFS: "a folder that can be written, but it is read-only. Make it writable, or use another folder",
    errno.EACCES: _REFUSED,
    errno.EPERM: _REFUSED,
    errno.ENOTDIR: "a folder, but a part of its path is a file. Move that file away, or use another folder",
    errno.EIO: "a disk that works, but it reports a fault. Check the disk, and do the same again",
    errno.EFBIG: "a disk that takes files of this size, but it does not. Use another folder",
    errno.ENAMETOOLONG: "a path that the disk takes, but it is too long. Use a folder with a shorter path",
    errno.EMFILE: "another open file, but too many are open. Close some programs, and do the same again",
    errno.ENFILE: "another open file, but too many are open. Close some programs, and do the same again",
    errno.ENOLCK: _NO_LOCKS,
    errno.ENOSYS: _NO_LOCKS,
}
"""What is said of a disk, whoever wrote there and whatever for: a message must be true of an export to a stick, of a
correction that begins anew, and of a page."""


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a disk that is full, read-only, forbidden or without locks into a :class:`StorageError` that names ``path``.

    Other operating-system errors pass through: they are not the user's to mend.
    """
    try:
        yield
    except OSError as error:
        advice = _DISK_ADVICE.get(error.errno or 0)
        if advice is None:
            raise
        raise StorageError(f"Expected {advice}: {path}") from error


def refuse_folder(path: Path) -> None:
    """Refuse to write a file where a folder is, before anything of it is written.

    Raises:
        StorageError: It is a folder.
    """
    if path.is_dir():
        raise StorageError(f"Expected the name of a file to write, but {path} is a folder. Name a file in it.")


def refuse_full_disk(folder: Path, total: int, *, purpose: str, kept_free: int = KEPT_FREE) -> None:
    """Refuse what would not leave room on a folder's disk, before anything of it is written.

    Args:
        folder: One that is there, on that disk.
        total: Bytes that are to be written.
        purpose: What for, to be read after "to".
        kept_free: Bytes that are to be left after that.

    Raises:
        StorageError: There is less than both.
    """
    free = shutil.disk_usage(folder).free
    if total + kept_free > free:
        raise StorageError(
            f"Expected {(total + kept_free) / 1e9:,.1f} GB of free space to {purpose}, but {folder} has "
            f"{free / 1e9:,.1f} GB. Free some space, or use another disk."
        )


@contextmanager
def atomic_path(path: Path, *, sync_name: bool = True) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on leaving without error, it becomes ``path`` in one step.

    On an error the temporary file is removed and ``path`` stays what it was. What a killed process leaves behind
    is found by :func:`remove_partials`.

    Args:
        path: What it becomes.
        sync_name: Whether the name is on the disk itself then; of many files in one folder, :func:`sync_folder` has all
            names there at once.

    Raises:
        StorageError: A folder is there, no space left, or no permission.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "note.txt"
        >>> with atomic_path(target) as partial:
        ...     _ = partial.write_text("whole or not at all")
        >>> target.read_text()
        'whole or not at all'
    """
    refuse_folder(path)
    partial = path.with_name(f"{_TEMPORARY_MARK}{os.getpid()}-{threading.get_ident()}-{path.name}")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            sync_file(partial)
            partial.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):  # what went wrong first is what is told
                partial.unlink(missing_ok=True)
            raise
        if sync_name:
            sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Have the content of a file on the disk itself, so that a power cut after a rename does not leave it empty."""
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk itself, where the system can do that.

    Raises:
        StorageError: No space left, or the disk reports a fault.
    """
    with disk_errors(folder), _opened_folder(folder) as descriptor:
        try:
            if descriptor is not None:
                os.fsync(descriptor)
        except OSError as error:
            if error.errno in _TOLD_LATE:
                raise  # others mean that this disk cannot be asked; the names are written all the same


@contextmanager
def _opened_folder(folder: Path) -> Iterator[int | None]:
    """A folder's descriptor; None where there is none to be had, as on Windows."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync_disk(folder: Path) -> None:
    """Have all that was written to a folder's disk on the disk itself: for many files that were written plainly.

    Raises:
        StorageError: No space left, or the disk reports a fault.

    Example:
        >>> import tempfile
        >>> sync_disk(Path(tempfile.mkdtemp()))
    """
    library: Any = ctypes.CDLL(None, use_errno=True) if os.name != "nt" else None
    if not hasattr(library, "syncfs"):  # Linux has it, and only there does sync() wait as well
        getattr(os, "sync", lambda: None)()
        return
    with disk_errors(folder), _opened_folder(folder) as descriptor:
        if descriptor is not None and library.syncfs(descriptor) and ctypes.get_errno() in _TOLD_LATE:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))


def sync_tree(folder: Path) -> None:
    """Have all names below a folder on the disk itself; the files that :func:`atomic_path` wrote are already.

    Example:
        >>> import tempfile
        >>> sync_tree(Path(tempfile.mkdtemp()))
    """
    for top, _, _ in os.walk(folder):
        sync_folder(Path(top))


def exchange(one: Path, other: Path) -> bool:
    """Let two folders or files take each other's name in one step: at every instant both names are there.

    Returns:
        Whether it was done; not every system and disk can.

    Raises:
        OSError: One of them is not there, or no permission.

    Example:
        >>> import tempfile
        >>> one, other = (Path(tempfile.mkdtemp()) for _ in range(2))
        >>> (one / "mark").touch()
        >>> exchange(one, other) == (other / "mark").exists()
        True
    """
    if os.name == "nt":  # which has no such call, and no library of the whole process to look for it in
        return False
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if hasattr(library, "renameat2"):  # Linux
        failed = library.renameat2(_FROM_HERE, names[0], _FROM_HERE, names[1], _EXCHANGE)
    elif hasattr(library, "renamex_np"):  # macOS
        failed = library.renamex_np(*names, _EXCHANGE)
    else:
        return False
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EXDEV}:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def atomic_bytes(path: Path, content: bytes, *, sync_name: bool = True) -> None:
    """Write ``content`` to ``path`` in one step, as :func:`atomic_path` does.

    Raises:
        StorageError: No space left, or no permission.
    """
    with atomic_path(path, sync_name=sync_name) as partial:
        partial.write_bytes(content)


def array_header(shape: tuple[int, ...], dtype: npt.DTypeLike) -> bytes:
    """What :func:`write_array` writes before the numbers of an array.

    Args:
        shape: Of the array.
        dtype: Of the array.
    """
    header = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


def write_array(
    path: Path, chunks: Iterable[npt.NDArray[Any]], *, shape: tuple[int, ...], dtype: npt.DTypeLike
) -> None:
    """Write an array as ``.npy``, chunk by chunk along its first axis, in one step.

    Plain writes, because a full disk kills a process that writes through a memory map, and NumPy's own ``save`` loses
    the reason.

    Args:
        path: Where to.
        chunks: Parts of the array, in order.
        shape: Of the whole.
        dtype: Of the whole; the chunks are converted.

    Raises:
        StorageError: No space left, or no permission.
        ValueError: The chunks do not add up to ``shape``.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "a.npy"
        >>> write_array(target, [np.zeros((2, 3)), np.ones((1, 3))], shape=(3, 3), dtype=np.float16)
        >>> np.load(target)[:, 0].tolist()
        [0.0, 0.0, 1.0]
    """
    header = array_header(shape, dtype)
    rows, total = 0, hashlib.sha256(header)
    # What is large is digested on its way to the disk, so that digest_once need not read it again.
    large = math.prod(shape) * np.dtype(dtype).itemsize >= _LARGE
    with (
        atomic_path(path) as partial,
        partial.open("wb") as handle,
        ThreadPoolExecutor(1, thread_name_prefix="digest") as pool,
    ):
        handle.write(header)
        for chunk in chunks:
            rows += len(chunk)
            data = np.ascontiguousarray(chunk, dtype=dtype).data
            digested = pool.submit(total.update, data) if large else None
            handle.write(data)
            if digested is not None:
                digested.result()  # before whoever gives the chunks may write into this one
        handle.flush()
        if rows != shape[0]:
            raise ValueError(f"Expected {shape[0]} rows, but the chunks of {path.name} have {rows}.")
    if large:
        _keep_digest(identity_of(path), total.hexdigest())


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, its owner's alone (0700); what is there stays as it is.

    ``Path.mkdir(parents=True)`` gives its mode to the last folder only, and images of patients lie below the first.

    Raises:
        OSError: No permission, or what is there is no folder.

    Example:
        >>> import tempfile
        >>> below = Path(tempfile.mkdtemp()) / "data" / "collections"
        >>> make_private_folder(below)
        >>> [oct(one.stat().st_mode & 0o777) for one in (below, below.parent)]
        ['0o700', '0o700']
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(exist_ok=True)  # raises where a file has the name


def remove_partials(folder: Path) -> None:
    """Remove what killed processes left half-written anywhere under ``folder``; call it under the folder's lock."""
    for partial in folder.rglob(f"{_TEMPORARY_MARK}*"):
        partial.unlink(missing_ok=True)


def remove_own_partials(folder: Path) -> None:
    """Remove what killed processes left half-written in ``folder`` itself; what others write below it stays.

    Call it while nobody else writes there.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "below").mkdir()
        >>> for place in (folder, folder / "below"):
        ...     (place / ".partial-1-a.npy").touch()
        >>> remove_own_partials(folder)
        >>> sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
        ['below', 'below/.partial-1-a.npy']
    """
    for partial in folder.glob(f"{_TEMPORARY_MARK}*"):
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented UTF-8 JSON, in one step.

    Raises:
        StorageError: No space left, or no permission.
    """
    atomic_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CollectionError: The file is missing, not JSON, or not an object.
    """
    try:
        value = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not valid JSON"
        raise CollectionError(f"Expected a readable JSON file, but {path}: {reason}. Build or import again.") from error
    if not isinstance(value, dict):
        raise CollectionError(
            f"Expected a JSON object, but {path} holds a {type(value).__name__}. Build or import again."
        )
    return value


def digest_of(*parts: bytes | str) -> str:
    """SHA-256 over ``parts``, hex; the parts' lengths count, so that ("ab", "c") and ("a", "bc") differ.

    Example:
        >>> digest_of("ab", "c") == digest_of("a", "bc")
        False
    """
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        total.update(len(raw).to_bytes(8, "big"))
        total.update(raw)
    return total.hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


FileIdentity = tuple[str, int, int, int, int]
"""Path, size, inode, and when a file and its entry were changed, in nanoseconds since 1970."""


def identity_of(path: Path) -> FileIdentity:
    """What tells a file, as it is now, from others: path, size, inode, and when it and its entry were changed.

    Raises:
        OSError: It is not there.
    """
    now = path.stat()
    return str(path), now.st_size, now.st_ino, now.st_mtime_ns, now.st_ctime_ns


def is_settled(identity: FileIdentity, *, at: int) -> bool:
    """Whether a file, looked at from this moment on, could not have been changed since without another identity.

    The clock of a disk goes in steps: what is changed twice within one looks the same. And not every system says when
    an entry was changed, which nobody can set to what they like.

    Args:
        identity: Of the file, while it was looked at.
        at: When that began, in nanoseconds since 1970.

    Example:
        >>> is_settled(("a", 1, 2, 3, 4), at=5), is_settled(("a", 1, 2, 3, 4), at=3_000_000_000)
        (False, True)
    """
    return os.name != "nt" and at - max(identity[3:]) > _STEP_OF_CLOCKS


class _Known(NamedTuple):
    """A digest, and whether it holds for processes that come later, too."""

    digest: str
    lasts: bool


_digests: dict[FileIdentity, _Known] = {}
_digests_lock = threading.Lock()


def digest_once(path: Path) -> str:
    """:func:`digest_file`, computed once a process for a file that stays as it is.

    Raises:
        OSError: It cannot be read.
    """
    began, identity = time.time_ns(), identity_of(path)
    if known := _digests.get(identity):
        return known.digest
    digest = digest_file(path)
    if identity_of(path) == identity:  # else it was changed meanwhile, and is neither the one nor the other
        _keep_digest(identity, digest, lasts=is_settled(identity, at=began))
    return digest


def _keep_digest(identity: FileIdentity, digest: str, *, lasts: bool = False) -> None:
    with _digests_lock:
        if len(_digests) >= _MOST_DIGESTS:
            _digests.clear()
        _digests[identity] = _Known(digest, lasts)


def known_digest(path: Path) -> str | None:
    """What :func:`digest_once` has computed of a file as it is now; ``None`` where it has not been asked."""
    try:
        known = _digests.get(identity_of(path))
    except OSError:
        return None
    return None if known is None else known.digest


def recall_digest(identity: FileIdentity, digest: str) -> bool:
    """Know from now on what an earlier process has found out (:func:`lasting_digest`), if it can be believed.

    Returns:
        Whether it was not known before.
    """
    if identity in _digests:
        return False
    _keep_digest(identity, digest, lasts=True)
    return True


def lasting_digest(identity: FileIdentity) -> str | None:
    """The digest that later processes may know of a file as it is; ``None`` where there is none."""
    known = _digests.get(identity)
    return known.digest if known is not None and known.lasts else None


def forget_digest(identity: FileIdentity) -> None:
    """Have :func:`digest_once` read a file again."""
    with _digests_lock:
        _digests.pop(identity, None)
