"""Files that somebody hands in through the browser, kept until they are imported and for as long as they are used.

Owns the folder of uploads. An import leaves images where they are, so what is uploaded has to be somewhere: below
``<data folder>/uploads/<digest>/``, readable by the owner of the server alone. The same files uploaded again are the
same folder. What no collection uses is removed after a day.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import data_folder, list_collections
from radcbir_core.errors import ArchiveError, CollectionError, ManifestError
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import atomic_path, disk_errors
from radcbir_core.unpacking import ZipLimits, content_folder, unpack

TABLES: Final = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".pq")
VECTORS: Final = (".h5", ".hdf5", ".npy", ".npz")
KEPT_SECONDS: Final = 24 * 3600.0

_CHUNK: Final = 1024 * 1024
_STRANGE: Final = re.compile(r"[^\w.() -]+")
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Upload:
    """What somebody handed in.

    Attributes:
        folder: Where it is kept.
        paths: What to import: the folder with an archive's content, or the files.
        files: How many files there are.
        notes: What was left out of an archive, one sentence each.
    """

    folder: Path
    paths: tuple[Path, ...]
    files: int
    notes: tuple[str, ...] = ()


def uploads_folder() -> Path:
    """The folder that holds the uploads, one folder each."""
    return data_folder().absolute() / "uploads"


def keep_upload(
    files: Sequence[tuple[str, IO[bytes]]],
    *,
    stays_packed: Callable[[Path], bool] = lambda _: False,
    limits: ZipLimits | None = None,
    progress: Progress = silent,
) -> Upload:
    """Keep files that were handed in; a ZIP archive is unpacked, tables and files of vectors are written as they are.

    Args:
        files: Name and content: one ZIP archive, or one or more tables and files of vectors.
        stays_packed: Asked of an archive's file: whether it is kept as it is.
        limits: What an archive may hold.
        progress: Told the bytes unpacked, as step "unpack".

    Raises:
        ArchiveError: The archive is damaged, or must not be unpacked.
        ManifestError: A file is neither, or an archive does not stand alone.
        StorageError: No space left, or no permission.
    """
    if not files:
        raise ManifestError("Expected a file, but none was handed in. Choose a table or a ZIP archive.")
    names = [_plain_name(given) for given, _ in files]
    archives = [name for name in names if name.lower().endswith(".zip")]
    strange = [name for name in names if not name.lower().endswith((".zip", *TABLES, *VECTORS))]
    if strange:
        raise ManifestError(
            f"Expected a ZIP archive of images, or a table ({', '.join(TABLES)}), with vectors {', '.join(VECTORS)}, "
            f"but there is {strange[0]!r}. Pack images into a ZIP archive."
        )
    if archives and len(files) > 1:
        raise ManifestError(
            f"Expected a ZIP archive alone, but there are {len(files)} files with {archives[0]!r}. "
            "Put the table into the archive, beside the images."
        )
    if len(set(names)) < len(names):
        raise ManifestError("Expected files of different names, but one name is there twice. Rename one of them.")
    folder = uploads_folder() / _digest(names, [content for _, content in files])
    target = folder / (_stem(names[0]) or "upload")
    with disk_errors(folder):
        uploads_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        os.utime(folder)  # used just now, and not to be removed as one that nobody wants
    if not archives:
        for name, (_, content) in zip(names, files, strict=True):
            _write(target / name, content)
        return Upload(folder, tuple(target / name for name in names), len(names))
    packed = folder / names[0]
    if not (packed.is_file() or target.is_dir()):
        _write(packed, files[0][1])
    try:
        if packed.is_file() and stays_packed(packed):
            return Upload(folder, (packed,), 1)
        notes: tuple[str, ...] = ()
        if not target.is_dir():
            notes = unpack(packed, target, name=names[0], limits=limits, progress=progress).notes
    except ArchiveError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    packed.unlink(missing_ok=True)
    count = sum(len(inside) for _, _, inside in os.walk(target))
    return Upload(folder, (content_folder(target),), count, notes)


def remove_unused(also_used: Iterable[Path] = (), *, older_than: float = KEPT_SECONDS) -> list[Path]:
    """Remove uploads that no collection uses; what was handed in within the last day stays.

    Args:
        also_used: Paths that something else still needs, such as work that has not begun.
        older_than: In seconds.

    Returns:
        What was removed. Nothing is where a collection cannot be read, because what it uses is not known then.
    """
    folder = uploads_folder()
    if not folder.is_dir():
        return []
    used = {path.absolute() for path in also_used}
    try:
        for name in list_collections():
            collection = open_collection(name)
            used.add(collection.image_root.absolute())
            used |= {Path(str(source.get("origin", ""))).absolute() for source in collection.record.get("sources", [])}
    except (CollectionError, AttributeError):
        return []
    removed = []
    for upload in sorted(folder.iterdir()):
        in_use = any(path.is_relative_to(upload) or upload.is_relative_to(path) for path in used)
        if not in_use and time.time() - upload.stat().st_mtime > older_than:
            shutil.rmtree(upload, ignore_errors=True)
            removed.append(upload)
    return removed


def _write(path: Path, content: IO[bytes]) -> None:
    with atomic_path(path) as partial, partial.open("wb") as written:
        shutil.copyfileobj(content, written, _CHUNK)


def _digest(names: Sequence[str], contents: Sequence[IO[bytes]]) -> str:
    total = hashlib.sha256()
    for name, content in zip(names, contents, strict=True):
        content.seek(0)
        part = hashlib.sha256()
        while piece := content.read(_CHUNK):
            part.update(piece)
        content.seek(0)
        total.update(f"{name}\0".encode() + part.digest())
    return total.hexdigest()[:32]


def _plain_name(given: str) -> str:
    r"""A file's name without folders and strange characters.

    Example:
        >>> _plain_name("C:\\scans\\my $table.csv"), _plain_name("../../.ssh")
        ('my _table.csv', 'ssh')
    """
    name = _STRANGE.sub("_", re.split(r"[/\\]", given)[-1]).lstrip(". ")
    if not name:
        raise ArchiveError(f"Expected a file with a name, but it is {given[:80]!r}. Rename it.")
    stem, dot, suffix = name.rpartition(".")
    return f"{stem[:_LONGEST_NAME]}{dot}{suffix[-20:]}"


def _stem(name: str) -> str:
    """A name without what tells its kind.

    Example:
        >>> _stem("a.csv.gz"), _stem("site.zip"), _stem("x.y.parquet")
        ('a', 'site', 'x.y')
    """
    lowered = name.lower()
    ending = next((e for e in sorted((".zip", *TABLES, *VECTORS), key=len, reverse=True) if lowered.endswith(e)), "")
    return name[: len(name) - len(ending)].strip(". ")
