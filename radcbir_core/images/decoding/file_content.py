"""The content of one file, as often as a format has to begin with it, and without having a large one in memory.

Owns the choice between bytes and the file itself. It knows no formats.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

KEPT_WHOLE = 32 * 1024 * 1024
"""Bytes of the largest file that is read into memory as a whole."""


class Content:
    """What is in a file.

    Example:
        >>> content = Content(BytesIO(b"abc"), size=3)
        >>> with content.view() as data, content.open() as stream:
        ...     data[:1], stream.read()
        (b'a', b'abc')
    """

    def __init__(self, file: BinaryIO, *, size: int) -> None:
        """Take an open file at its start: one with a name, or one that is in memory already."""
        self._path = Path(file.name) if size > KEPT_WHOLE and not isinstance(file, BytesIO) else None
        self._data = b"" if self._path is not None else file.read()

    def open(self) -> BinaryIO:
        """A stream of its own, at the start."""
        return BytesIO(self._data) if self._path is None else self._path.open("rb")

    @contextmanager
    def view(self) -> Iterator[bytes | mmap.mmap]:
        """All of it, to look at some places."""
        if self._path is None:
            yield self._data
            return
        with self._path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data
