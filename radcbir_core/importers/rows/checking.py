"""Whether the file that a row names is there, lies where it may, and is an image.

Owns the look at each file of an import, as far as the request asks for it: whether it exists, its bytes, or its
picture. Folders are listed once, because asking for a million files one by one takes minutes.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from radcbir_core.errors import FOLDER, ImageError, Remedy
from radcbir_core.images import Limits, Measured, measure_images
from radcbir_core.importers.request import Check
from radcbir_core.storage import digest_of

_MOST_NAMES = 4_000_000
_MOST_FOLDERS = 20_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One image to look at.

    Attributes:
        root: The real folder that its path starts from and must not leave.
        path: Its path.
        frame: Which frame of a file with several; ``None`` for a file that is one image.
    """

    root: Path
    path: str
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found out about one file; or the reason why it cannot be used.

    Attributes:
        path: Its whole path.
        sha256: Of its bytes, or of these and the number of its frame; "" where they were not read.
        width: In pixels; ``None`` where it was not decoded.
        height: In pixels; ``None`` where it was not decoded.
        reason: Why it cannot be used; "" where it can.
        remarks: What its file says of its picture and could not be used; nothing where it was not decoded.
    """

    path: str = ""
    sha256: str = ""
    width: int | None = None
    height: int | None = None
    reason: str = ""
    remarks: tuple[str, ...] = ()


class Checker:
    """Looks at files, several at once.

    Args:
        check: How far.
        limits: What a file may cost.
    """

    def __init__(self, check: Check, limits: Limits) -> None:
        self._check = check
        self._limits = limits
        self._listed: dict[str, frozenset[str] | None] = {}
        self._names = 0
        self._lock = threading.Lock()
        self._without_links = lru_cache(maxsize=_MOST_FOLDERS)(self._has_no_links)
        self._workers = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="import")

    def __enter__(self) -> Checker:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def in_order(self, batches: Iterable[Sequence[Wanted]]) -> Iterator[list[Checked]]:
        """Check the images of each batch; several batches at once, a bounded number ahead."""
        submitted = (self._pool.submit(self._look_at_all, batch) for batch in batches)
        waiting = deque(islice(submitted, 3 * self._workers))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(islice(submitted, 1))

    def _look_at_all(self, batch: Sequence[Wanted]) -> list[Checked]:
        looked = [self._look_at(wanted) for wanted in batch]
        if self._check != "decode":
            return looked
        there = [(n, checked.path) for n, checked in enumerate(looked) if not checked.reason]
        files = [(file, batch[n].path, batch[n].frame) for n, file in there]
        for (n, _), measured in zip(there, measure_images(files, limits=self._limits), strict=True):
            looked[n] = _measured(looked[n].path, batch[n].frame, measured)
        return looked

    def _look_at(self, wanted: Wanted) -> Checked:
        """Whether a file is there and may be read; its digest too, where only its bytes are asked for."""
        try:
            file = self._file_of(str(wanted.root), wanted.path)
            if self._check != "bytes":
                return Checked(file)
            with open(file, "rb", buffering=0) as handle:  # noqa: PTH123 - a Path costs as much as the rest
                if os.fstat(handle.fileno()).st_size > self._limits.max_bytes:
                    return Checked(reason=f"Expected at most {self._limits.max_bytes:,} bytes, but the file is larger.")
                return Checked(file, _digest(hashlib.file_digest(handle, "sha256").hexdigest(), wanted.frame))
        except OSError as error:
            return Checked(reason=f"Expected a readable file, but: {error.strerror}.")
        except ImageError as error:
            return Checked(reason=str(error))

    def _file_of(self, root: str, path: str) -> str:
        """The file that a row names, if it may be read.

        Raises:
            ImageError: There is none, or it lies outside the image root.
        """
        if not path or "\0" in path:
            raise ImageError(f"Expected a path, but the cell {'is empty' if not path else 'has a zero byte in it'}.")
        named = os.path.normpath(os.path.join(root, path))  # noqa: PTH118 - a Path costs as much as the rest
        if named.startswith(root.rstrip("/") + "/"):
            folder, _, name = named.rpartition("/")
            plain = self._files_in(folder, root)
            if plain is not None and name in plain:
                return named
        # Not a plain file in a folder below: a link, a name in another Unicode form, or nothing of the kind.
        return file_below(root, path)

    def _files_in(self, folder: str, root: str) -> frozenset[str] | None:
        """The names of the plain files in a folder, links left out; ``None`` for one that a link leads to."""
        known = self._listed.get(folder)
        if known is not None or folder in self._listed:
            return known
        names: frozenset[str] | None = None
        if self._without_links(folder, root):
            try:
                with os.scandir(folder) as entries:
                    names = frozenset(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
            except OSError:
                names = None
        with self._lock:
            self._names += len(names or ())
            if self._names > _MOST_NAMES or len(self._listed) >= _MOST_FOLDERS:
                self._listed.clear()
                self._names = len(names or ())
            self._listed[folder] = names
        return names

    def _has_no_links(self, folder: str, root: str) -> bool:
        """Whether a folder is the root, which is real, or below it with no link on the way."""
        if folder == root.rstrip("/"):
            return True
        if not _is_below(folder, root) or os.path.islink(folder):  # noqa: PTH114
            return False
        return self._without_links(folder.rpartition("/")[0], root)


def file_below(root: str, path: str) -> str:
    """The file that ``path`` names, whose real place is below ``root``.

    Raises:
        ImageError: There is none, or it lies elsewhere.
    """
    named = os.path.normpath(os.path.join(root, path))  # noqa: PTH118
    actual = os.path.realpath(named)
    if not (_is_below(named, root) and _is_below(actual, root)):
        raise ImageError(
            f"Expected a path inside the image root, but it leads out of {root}. "
            "Name the folder that holds all images as the image root.",
            remedy=Remedy("again", options={"image_root": FOLDER}),
        )
    if not os.path.isfile(actual):  # noqa: PTH113
        raise ImageError("Expected an image file, but there is none at this path.")
    return named


def _measured(file: str, frame: int | None, measured: Measured | ImageError) -> Checked:
    if isinstance(measured, ImageError):
        return Checked(reason=str(measured))
    return Checked(file, _digest(measured.sha256, frame), measured.width, measured.height, remarks=measured.remarks)


def _digest(of_file: str, frame: int | None) -> str:
    """The digest of an image: its file's, or for one frame of several the digest of that and the frame's number."""
    return of_file if frame is None else digest_of(of_file, str(frame))


def _is_below(path: str, root: str) -> bool:
    return path.startswith(root.rstrip("/") + "/")
