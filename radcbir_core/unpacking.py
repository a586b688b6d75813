"""ZIP archives from outside: what may be unpacked, and unpacking it.

Owns the rules for a ZIP archive that somebody hands in. Every member is looked at before the first byte is written:
names that lead out of the folder, links, repeated names, encrypted members and archives that would swell beyond all
measure are refused with the member's name. What an archive says about itself holds: zipfile gives no more bytes of a
member than were announced, and finds it damaged if there were more. It knows nothing of images or collections.

The rules on names follow ISO/IEC 21320-1 and APPNOTE.TXT 4.4.17.1: relative paths with forward slashes.
"""

from __future__ import annotations

import re
import shutil
import stat
import unicodedata
import uuid
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from radcbir_core.errors import ArchiveError, StorageError
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import disk_errors, refuse_full_disk
from radcbir_core.wording import counted

_GIBIBYTE = 1024**3
_CHUNK = 1024 * 1024
_ENCRYPTED = 0x1 | 0x40
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_LONGEST_NAME = 255
_LONGEST_PATH = 1000
_DRIVE = re.compile(r"[A-Za-z]:")
# What Finder adds to archives beside each file: resource forks, named like the images that they belong to.
_ADDED_BY_MACOS = re.compile(r"(^|/)__MACOSX/|(^|/)\.DS_Store$|(^|/)\._[^/]*$")


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """What an archive may hold.

    Attributes:
        files: How many files.
        file_bytes: The size of one, unpacked.
        total_bytes: The size of all, unpacked.
        ratio: How many times its own size an archive may unpack to. Deflate reaches 1,032 on zeros; images, which are
            compressed already, and tables stay below 20.
        ratio_from_bytes: Below this unpacked size the ratio does not matter: a small archive of blank images is no
            danger.
    """

    files: int = 200_000
    file_bytes: int = 2 * _GIBIBYTE
    total_bytes: int = 20 * _GIBIBYTE
    ratio: float = 100.0
    ratio_from_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What has been unpacked.

    Attributes:
        folder: Where to.
        files: How many files.
        total_bytes: Of how many bytes together.
        notes: What was left out, one sentence each.
    """

    folder: Path
    files: int
    total_bytes: int
    notes: tuple[str, ...] = ()


def unpack(
    source: Path | IO[bytes],
    folder: Path,
    *,
    name: str = "",
    limits: ZipLimits | None = None,
    progress: Progress = silent,
) -> Unpacked:
    """Unpack a ZIP archive into a new folder, wholly or not at all.

    Args:
        source: The archive: a path, or an open file that can be searched.
        folder: Where to; made in one step once everything is unpacked. Its files can be read by their owner alone.
        name: What to call the archive in messages; its path by default.
        limits: What it may hold.
        progress: Told the bytes unpacked, as step "unpack".

    Raises:
        ArchiveError: It is no ZIP archive, is damaged, or one of its members must not be unpacked.
        StorageError: No space left, or no permission; or ``folder`` is there already.

    Example:
        >>> import io, tempfile
        >>> content = io.BytesIO()
        >>> with zipfile.ZipFile(content, "w") as archive:
        ...     archive.writestr("site/1.png", b"an image")
        >>> target = Path(tempfile.mkdtemp()) / "here"
        >>> unpack(content, target).files, (target / "site" / "1.png").read_bytes()
        (1, b'an image')
        >>> with zipfile.ZipFile(content, "w") as archive:
        ...     archive.writestr("../1.png", b"an image")
        >>> unpack(content, target.with_name("there"), name="a.zip")
        Traceback (most recent call last):
        radcbir_core.errors.ArchiveError: Expected names that stay inside the archive's folder, but a.zip has \
'../1.png'. Make the archive anew from within the folder of the images.
    """
    called = name or (str(source) if isinstance(source, Path) else "the archive")
    limits = limits or ZipLimits()
    unfinished = folder.with_name(f".unfinished-{uuid.uuid4().hex}")
    with disk_errors(folder), opened(source, name=called) as archive:
        members, notes = checked_members(archive, name=called, limits=limits)
        total = sum(member.file_size for member in members)
        folder.parent.mkdir(parents=True, exist_ok=True)
        refuse_full_disk(folder.parent, total, purpose=f"unpack {called}")
        if folder.exists():
            raise StorageError(f"Expected a folder that is not there yet, but {folder} is. Choose another.")
        try:
            unfinished.mkdir(mode=0o700)
            done = 0
            progress("unpack", 0, total)
            for member in members:
                for size in _write(archive, member, unfinished, called):
                    done += size
                    progress("unpack", min(done, total), total)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return Unpacked(folder, len(members), total, notes)


@contextmanager
def opened(source: Path | IO[bytes], *, name: str) -> Iterator[zipfile.ZipFile]:
    """An archive, open for reading; what is wrong with it becomes an error that names it.

    Args:
        source: A path, or an open file that can be searched.
        name: What to call it in messages.

    Raises:
        ArchiveError: It is no ZIP archive, or damaged, also where that is found inside the ``with`` block.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise ArchiveError(
            f"Expected a whole ZIP archive, but {name} is damaged, cut off, or none at all. Make or copy it again."
        ) from error
    except FileNotFoundError as error:
        raise ArchiveError(f"Expected a ZIP archive, but {name} does not exist. Check the path.") from error


def checked_members(
    archive: zipfile.ZipFile, *, name: str, limits: ZipLimits | None = None
) -> tuple[list[zipfile.ZipInfo], tuple[str, ...]]:
    """The files of an archive, once all of its members were found harmless by what the archive says of them.

    Args:
        archive: Open for reading.
        name: What to call it in messages.
        limits: What it may hold.

    Returns:
        The files in the archive's order, without what macOS adds; and what was left out, one sentence each.

    Raises:
        ArchiveError: It is empty, or one of its members must not be unpacked.
    """
    limits = limits or ZipLimits()
    listed = archive.infolist()
    if len(listed) > 2 * limits.files:
        raise ArchiveError(
            f"Expected at most {limits.files:,} files, but {name} has {len(listed):,} entries. "
            "Unpack it yourself, and give the folder."
        )
    for member in listed:
        _check_name(member, name)
        _check_kind(member, name)
    files = [member for member in listed if not member.is_dir()]
    added = [member for member in files if _ADDED_BY_MACOS.search(member.filename)]
    kept = [member for member in files if not _ADDED_BY_MACOS.search(member.filename)]
    if not kept:
        raise ArchiveError(f"Expected files in the archive, but {name} has none. Make it anew with the images.")
    _check_distinct(kept, listed, name)
    _check_sizes(kept, name, limits)
    if not added:
        return kept, ()
    return kept, (f"Left out: {counted(len(added), 'file')} that macOS adds to archives (__MACOSX, .DS_Store).",)


def extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, *, name: str) -> Path:
    """Write one checked member below a folder.

    Args:
        archive: Open for reading.
        member: One of :func:`checked_members`.
        folder: That its name starts from.
        name: What to call the archive in messages.

    Returns:
        The file.

    Raises:
        ArchiveError: It is damaged.
        StorageError: No space left, or no permission.
    """
    with disk_errors(folder):
        for _ in _write(archive, member, folder, name):
            pass
    return folder / member.filename


def content_folder(folder: Path) -> Path:
    """Where the content of an unpacked archive begins: below folders that hold one folder and nothing else.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "site" / "images").mkdir(parents=True)
        >>> (folder / "site" / "manifest.csv").touch()
        >>> content_folder(folder).name
        'site'
    """
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].is_symlink():
            return folder
        folder = inside[0]


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, called: str) -> Iterator[int]:
    """Write a member; gives the number of bytes as they are written."""
    path = folder / member.filename
    # Checked again where it counts, whatever the rules on names let through.
    if not path.resolve().is_relative_to(folder.resolve()):
        raise _leads_out(called, member.filename)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as content, path.open("xb") as file:
            while piece := content.read(_CHUNK):
                file.write(piece)
                yield len(piece)
    except RuntimeError as error:  # zipfile's answer to a member that needs a password
        raise _encrypted(called, member.filename) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        # Two names that this file system takes for one, such as a.png and A.PNG on some.
        raise _repeated(called, member.filename) from error


def _check_name(member: zipfile.ZipInfo, called: str) -> None:
    """Refuse a name that is not a plain relative path.

    ``orig_filename`` is the name as it stands in the archive: ``filename`` ends at a zero byte.
    """
    given = member.orig_filename
    parts = given.rstrip("/").split("/")
    if given.startswith(("/", "\\")) or _DRIVE.match(given) or ".." in parts or ".." in given.split("\\"):
        raise _leads_out(called, given)
    if "\\" in given:
        raise ArchiveError(
            f"Expected forward slashes between folders, but {called} has {_shown(given)}. "
            "Make the archive anew with another program."
        )
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in given):
        raise ArchiveError(
            f"Expected names of printable characters, but {called} has {_shown(given)}. Rename that file."
        )
    if "" in parts or "." in parts:
        raise ArchiveError(f"Expected plain paths, but {called} has {_shown(given)}. Make the archive anew.")
    if len(given.encode()) > _LONGEST_PATH or any(len(part.encode()) > _LONGEST_NAME for part in parts):
        raise ArchiveError(
            f"Expected names of at most {_LONGEST_NAME} bytes in paths of at most {_LONGEST_PATH}, but {called} has "
            f"{_shown(given)}. Shorten it."
        )


def _check_kind(member: zipfile.ZipInfo, called: str) -> None:
    """Refuse what is neither a plain file nor a folder, or cannot be read."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        what = "a link" if kind == stat.S_IFLNK else "a special file"
        raise ArchiveError(
            f"Expected plain files and folders, but {called} has {_shown(member.filename)}, which is {what}. "
            "Make the archive anew with the files themselves."
        )
    if member.flag_bits & _ENCRYPTED:
        raise _encrypted(called, member.filename)
    if member.compress_type not in _METHODS:
        raise ArchiveError(
            f"Expected members that are stored or deflated, but {called} has {_shown(member.filename)} compressed by "
            f"method {member.compress_type}. Make the archive anew as an ordinary ZIP."
        )


def _check_distinct(files: Sequence[zipfile.ZipInfo], listed: Sequence[zipfile.ZipInfo], called: str) -> None:
    """Refuse two files of one name, and a file that is a folder too."""
    repeated = [given for given, count in Counter(member.filename for member in files).items() if count > 1]
    if repeated:
        raise _repeated(called, repeated[0])
    folders = {member.filename.rstrip("/") for member in listed if member.is_dir()}
    for member in files:
        parts = member.filename.split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    for member in files:
        if member.filename in folders:
            raise _repeated(called, member.filename)


def _check_sizes(files: Sequence[zipfile.ZipInfo], called: str, limits: ZipLimits) -> None:
    """Refuse an archive that would unpack to more than it may, by what it says itself."""
    advice = "Unpack it yourself if you trust it, and give the folder."
    if len(files) > limits.files:
        raise ArchiveError(f"Expected at most {limits.files:,} files, but {called} has {len(files):,}. {advice}")
    largest = max(files, key=lambda member: member.file_size)
    if largest.file_size > limits.file_bytes:
        raise ArchiveError(
            f"Expected files of at most {limits.file_bytes:,} bytes, but {called} has {_shown(largest.filename)}, "
            f"which unpacks to {largest.file_size:,}. {advice}"
        )
    total = sum(member.file_size for member in files)
    if total > limits.total_bytes:
        raise ArchiveError(
            f"Expected at most {limits.total_bytes:,} bytes in all, but {called} unpacks to {total:,}. {advice}"
        )
    packed = sum(member.compress_size for member in files)
    if total > limits.ratio_from_bytes and total > limits.ratio * packed:
        raise ArchiveError(
            f"Expected an archive that unpacks to at most {limits.ratio:g} times its size, but {called} unpacks from "
            f"{packed:,} to {total:,} bytes, as a ZIP bomb does. {advice}"
        )


def _leads_out(called: str, given: str) -> ArchiveError:
    return ArchiveError(
        f"Expected names that stay inside the archive's folder, but {called} has {_shown(given)}. "
        "Make the archive anew from within the folder of the images."
    )


def _repeated(called: str, given: str) -> ArchiveError:
    return ArchiveError(
        f"Expected each name once, but {called} has {_shown(given)} twice, or as a file and a folder. "
        "Make the archive anew."
    )


def _encrypted(called: str, given: str) -> ArchiveError:
    return ArchiveError(
        f"Expected an archive without a password, but {called} has {_shown(given)} encrypted. "
        "Make it anew without a password."
    )


def _shown(given: str) -> str:
    return repr(given[:120])
