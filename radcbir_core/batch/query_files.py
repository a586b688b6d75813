"""The files that are searched with in turn: those of folders, of a ZIP archive, or named one by one.

Owns which files these are, what each is called, and reading it. An archive is never unpacked onto a disk: its members
are checked as for any archive from outside, and read one at a time when their turn comes. Archives in archives are
passed over. Nothing is decoded here.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final

from radcbir_core.errors import ArchiveError, ImageError, QueryError
from radcbir_core.images import IMAGE_SUFFIXES, Limits, suffix_of
from radcbir_core.images.file_types import HEAD_BYTES, sniff
from radcbir_core.importers.rows.image_files import Walk
from radcbir_core.unpacking import ZipLimits, checked_members

Content = Path | bytes
"""What is decoded: a file, or the bytes of one."""

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, RuntimeError, OSError)
_UNKNOWN: Final = "without a suffix"


@dataclass(frozen=True, slots=True, eq=False)
class QueryFile:
    """One file to search with.

    Attributes:
        name: What the table of hits calls it: its path below the folder or in the archive, or as it was given.
        read: Gives it when its turn comes, or raises :class:`~radcbir_core.errors.ImageError`.
    """

    name: str
    read: Callable[[], Content]


@dataclass(frozen=True, slots=True)
class QueryFiles:
    """The files to search with, in their order.

    Attributes:
        files: At least one.
        notes: What was passed over, one sentence each.
    """

    files: tuple[QueryFile, ...]
    notes: tuple[str, ...] = ()


def files_at(paths: Sequence[Path]) -> QueryFiles:
    """The images at paths: of a folder those in it and below, of a ZIP archive its members, else the files themselves.

    Args:
        paths: Folders, ZIP archives and files. Of several folders or archives the names begin with theirs.

    Raises:
        QueryError: A path is not there, or there is no image at all.
        ArchiveError: An archive is damaged, or must not be read.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("b.png", "a.png", "notes.txt"):
        ...     (folder / name).touch()
        >>> found = files_at([folder])
        >>> [file.name for file in found.files], found.notes
        (['a.png', 'b.png'], ('Passed over, because they are no images that can be read: .txt 1.',))
    """
    files: list[QueryFile] = []
    notes: list[str] = []
    for path in paths:
        if path.is_dir():
            walk = Walk(masks=True, any_name=True)
            inside = [QueryFile(_named(name), partial(_there, path / name)) for name in walk.files(path)]
            found = QueryFiles(tuple(inside), tuple(walk.notes()))
        elif path.is_file() and zipfile.is_zipfile(path):
            found = files_in(path, name=_named(path.name))
        elif path.exists():
            found = QueryFiles((QueryFile(_named(str(path)), partial(_there, path)),))
        else:
            raise QueryError(f"Expected a folder, a ZIP archive or an image file, but {path} does not exist. Check it.")
        prefix = f"{_named(path.name or path.absolute().name)}/" if len(paths) > 1 and not _stands_alone(path) else ""
        files += [QueryFile(f"{prefix}{file.name}", file.read) for file in found.files]
        notes += found.notes
    if not files:
        where = " and ".join(str(path) for path in paths) or "what was given"
        raise QueryError(f"Expected images to search with, but {where} has none. Check the path.")
    return QueryFiles(tuple(files), tuple(notes))


def files_of(contents: Sequence[tuple[str, bytes]], *, limits: ZipLimits | None = None) -> QueryFiles:
    """Files that are in memory, such as uploads: images, and ZIP archives of images, which stay there.

    Args:
        contents: Name and bytes of each.
        limits: What an archive may hold; files of up to 512 MiB by default.

    Raises:
        ArchiveError: An archive is damaged, or must not be read.
        QueryError: There is no image at all.

    Example:
        >>> [file.name for file in files_of([("a.png", b"one"), ("b.dcm", b"two")]).files]
        ['a.png', 'b.dcm']
    """
    files: list[QueryFile] = []
    notes: list[str] = []
    for name, data in contents:
        if not zipfile.is_zipfile(io.BytesIO(data)):
            files.append(QueryFile(name, partial(bytes, data)))
            continue
        found = files_in(io.BytesIO(data), name=name, limits=limits)
        prefix = f"{name}/" if len(contents) > 1 else ""
        files += [QueryFile(f"{prefix}{file.name}", file.read) for file in found.files]
        notes += found.notes
    if not files:
        raise QueryError("Expected images to search with, but there are none among the files. Choose images, or a ZIP.")
    return QueryFiles(tuple(files), tuple(notes))


def files_in(source: Path | IO[bytes], *, name: str, limits: ZipLimits | None = None) -> QueryFiles:
    """The images of a ZIP archive, by their names or first bytes; perhaps none.

    Args:
        source: The archive: a path, or an open file that can be searched.
        name: What to call it in messages.
        limits: What it may hold; files of up to 512 MiB by default.

    Raises:
        ArchiveError: It is damaged, or one of its members must not be read: a name that leads out, a link, one name
            twice, a password, more than the limits, or far more than it takes packed.
    """
    try:
        archive = zipfile.ZipFile(source)  # kept by the files, and closed with the last of them
    except _DAMAGED as error:
        raise ArchiveError(
            f"Expected a whole ZIP archive, but {name} is damaged or cut off. Make or copy it again."
        ) from error
    members, notes = checked_members(archive, name=name, limits=limits or ZipLimits(file_bytes=Limits().max_bytes))
    files = []
    others: Counter[str] = Counter()
    for member in members:
        suffix = suffix_of(member.filename)
        if suffix in IMAGE_SUFFIXES or _looks_like_an_image(archive, member):
            files.append(QueryFile(member.filename, partial(_member, archive, member)))
        else:
            others[suffix or _UNKNOWN] += 1
    if others:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(others.items()))
        notes = (*notes, f"Passed over, because they are no images that can be read: {kinds}.")
    return QueryFiles(tuple(files), notes)


def _stands_alone(path: Path) -> bool:
    return path.is_file() and not zipfile.is_zipfile(path)


def _named(name: str) -> str:
    r"""A name as a table can have it: bytes that are no UTF-8 are written out.

    Example:
        >>> _named("b/ä.png"), _named("\udcff.png")
        ('b/ä.png', '\\xff.png')
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _there(path: Path) -> Path:
    return path


def _looks_like_an_image(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    try:
        with archive.open(member) as content:
            return sniff(content.read(HEAD_BYTES)) is not None
    except _DAMAGED:
        return False


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(member)
    except _DAMAGED as error:
        raise ImageError(
            f"Expected a whole file, but {member.filename} is damaged in its archive. Make the archive again."
        ) from error
