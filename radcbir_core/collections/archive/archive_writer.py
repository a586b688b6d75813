"""A collection → an archive.

Owns the making: a snapshot that later builds do not touch, the members with their digests, the images on request.
Members are stored and not compressed, because all that is large in a collection is compressed already.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import unicodedata
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyarrow.parquet as pq

from radcbir_core.collections.archive.contents import (
    FORMAT,
    LABEL,
    LIST,
    STEP,
    VERSION,
    Member,
    belongs,
    write_list,
)
from radcbir_core.collections.artifacts import EVALUATION, INDEX
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.export import Exported
from radcbir_core.collections.layout import (
    ENCODER_RECORD,
    ENCODERS,
    IMAGES,
    MANIFEST,
    RECORD,
    THUMBNAILS,
    Layout,
)
from radcbir_core.collections.locks import at_rest
from radcbir_core.collections.manifests.manifest import FRAME_COLUMN
from radcbir_core.collections.reader_studies.study_definition import list_studies
from radcbir_core.collections.records.record import write_record
from radcbir_core.collections.reviews.review_log import leave_out_damaged
from radcbir_core.collections.writing import link_or_copy, unfinished_folder
from radcbir_core.errors import CollectionError
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import atomic_path, disk_errors, read_json, refuse_full_disk
from radcbir_core.wording import counted

_CHUNK = 1024 * 1024
_ROWS = 16_384
_MEGABYTE = 1_000_000

DICOM_NOTE = (
    "The images are the source files as they are. Headers of DICOM files may name patients: give the archive only to "
    "those who may see them."
)
STUDIES_NOTE = (
    "Reader studies are not in the archive: what readers answered is about people. Their tables are exported by "
    "themselves."
)


def write_archive(collection: Collection, path: Path, *, images: bool = False, progress: Progress = silent) -> Exported:
    """Write a collection, and all that was computed for it, as one ZIP file, in one step.

    The file holds a list of its members with their SHA-256, and no private file such as the salt of pseudonyms. While
    it is being written, the collection may be used and built.

    Args:
        collection: Which.
        path: Where to; ``.zip``. A file that is there is replaced.
        images: Whether the image files go in too. Without them, the collection opens with thumbnails, and shows its
            images once they are found (:func:`~radcbir_core.collections.changes.relocate_images`).
        progress: Told the megabytes written, as step "archive".

    Raises:
        CollectionError: It is being built or changed, or an image is missing or lies outside the image root.
        StorageError: No space left, or no permission.
    """
    if path.suffix.lower() != ".zip":
        raise CollectionError(f"Expected a file of .zip for the archive, but it is {path}. Give it this ending.")
    if path.resolve().is_relative_to(collection.folder.resolve()):
        raise CollectionError(
            f"Expected a file outside the collection's own folder, but it is {path}. Write it somewhere else."
        )
    with _snapshot(collection) as folder:
        own = sorted(_files(folder))
        total = sum((folder / name).stat().st_size for name in own)
        total += sum(size for *_, size in _image_files(collection)) if images else 0
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        refuse_full_disk(path.parent, total, purpose=f"write {path.name}", kept_free=0)
        with (
            atomic_path(path) as partial,
            zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
        ):
            count = _Writing(archive, total, progress).write(collection, folder, own, images=images)
        unfinished = _unfinished(Collection(folder))
    notes = [] if images else ["The images are not in the archive. Thumbnails are."]
    notes += [DICOM_NOTE] if images and _has_dicom(collection) else []
    notes += [STUDIES_NOTE] if list_studies(collection.folder) else []
    notes += _on_text(collection, images=images)
    notes += [f"Not complete, and so in the archive too: {', '.join(unfinished)}."] if unfinished else []
    return Exported((path,), count if images else len(collection), tuple(notes))


def _on_text(collection: Collection, *, images: bool) -> list[str]:
    """What to know of text in the pictures that are given away."""
    try:
        flagged = int(collection.burned_text().flagged.sum())
    except CollectionError:
        return []  # damaged, which is said where somebody asks for it
    if not flagged or (collection.blacks_out and not images):
        return []
    what = "images" if collection.blacks_out else "thumbnails and images" if images else "thumbnails"
    return [f"Text seems to be burned into {counted(flagged, 'image')}, and the {what} in the archive show it."]


def _unfinished(collection: Collection) -> list[str]:
    """The encoders of which an artifact is missing or stale, but for the index, which no archive has."""
    stores = [collection.store(name) for name in collection.encoder_ids()]
    return [
        store.encoder_id
        for store in stores
        if not store.is_current(*(artifact for artifact in store.expected if artifact != INDEX))
    ]


class _Writing:
    """The members written so far."""

    def __init__(self, archive: zipfile.ZipFile, total: int, progress: Progress) -> None:
        self._archive = archive
        self._members: list[Member] = []
        self._done = 0
        self._total = total
        self._progress = progress
        self._now = datetime.now(UTC)

    def write(self, collection: Collection, folder: Path, own: list[str], *, images: bool) -> int:
        """Write all members; the number of image files."""
        self._told(0)
        record = read_json(folder / RECORD) | {"image_root": IMAGES}
        self._text(RECORD, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        for name in own:
            if name != RECORD:
                self._file(name, folder / name)
        count = 0
        if images:
            for name, file, _ in _image_files(collection):
                self._file(name, file)
                count += 1
        text = io.StringIO()
        write_list(self._members, text)
        digest = self._text(LIST, text.getvalue())
        label = {
            "format": FORMAT,
            "version": VERSION,
            "name": collection.name,
            "made": self._now.isoformat(timespec="seconds"),
            "radcbir": _own_version(),
            "images": count,
            "members": len(self._members),
            "members_sha256": digest,
        }
        self._archive.writestr(self._info(LABEL), json.dumps(label, indent=2) + "\n")
        self._told(self._total)
        return count

    def _file(self, name: str, path: Path) -> None:
        info = self._info(name)
        digest, length = hashlib.sha256(), 0
        with path.open("rb") as source:
            info.file_size = os.fstat(source.fileno()).st_size  # decides whether ZIP64 is needed
            with self._archive.open(info, "w") as target:
                while piece := source.read(_CHUNK):
                    digest.update(piece)
                    target.write(piece)
                    length += len(piece)
                    self._told(len(piece))
        self._members.append(Member(digest.hexdigest(), length, name))

    def _text(self, name: str, text: str) -> str:
        content = text.encode()
        self._archive.writestr(self._info(name), content)
        digest = hashlib.sha256(content).hexdigest()
        if name != LIST:
            self._members.append(Member(digest, len(content), name))
        return digest

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, date_time=self._now.timetuple()[:6])
        info.external_attr = 0o644 << 16
        return info

    def _told(self, done: int) -> None:
        self._done = min(self._done + done, self._total)
        total = max(1, self._total // _MEGABYTE)
        self._progress(STEP, min(self._done // _MEGABYTE, total) if self._done < self._total else total, total)


@contextmanager
def _snapshot(collection: Collection) -> Iterator[Path]:
    """A folder with what a collection has now, as further names of the same files.

    Everything in a collection is replaced and never changed where it is, so that these names keep what they name. The
    manifest of a corrected collection has its first name there, as in all archives.
    """
    snapshot = unfinished_folder()
    try:
        with at_rest(collection.name) as folder:
            snapshot.mkdir()
            now = Collection(folder)
            link_or_copy(now.manifest_path, Layout(snapshot).manifest)
            write_record(snapshot, now.record | {"manifest": MANIFEST})
            for name in set(_files(folder)) - {MANIFEST, RECORD}:
                target = snapshot / name
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    link_or_copy(folder / name, target)
                except FileNotFoundError:
                    # Kept evaluations are replaced by whoever looks at one, and made again where a part is missing.
                    if f"/{EVALUATION.folder}/" not in name:
                        raise
            leave_out_damaged(snapshot)
        yield snapshot
    finally:
        shutil.rmtree(snapshot, ignore_errors=True)


def _files(folder: Path) -> Iterator[str]:
    """The files of a collection's folder that go into an archive; encoders that have nothing yet are left out."""
    for top, folders, files in os.walk(folder):
        below = Path(top).relative_to(folder)
        if below == Path():
            folders[:] = [name for name in folders if name in {THUMBNAILS, ENCODERS}]
        elif below.parts[0] == ENCODERS and len(below.parts) == 2 and ENCODER_RECORD not in files:
            folders.clear()
            continue
        for file in files:
            name = (below / file).as_posix()
            # An index is made again where the archive is opened: nobody's bytes are trusted there.
            if (belongs(name) and file not in INDEX.one_of) or name == RECORD:
                yield name


def _image_files(collection: Collection) -> Iterator[tuple[str, Path, int]]:
    """Each image file once: its name in the archive, where it is, and its size; in the manifest's order.

    Raises:
        CollectionError: One is missing, outside the image root, or cannot be named in an archive.
    """
    root = os.path.realpath(collection.image_root)
    seen: set[str] = set()
    for path in _paths(collection):
        if path in seen:
            continue
        seen.add(path)
        file = Path(os.path.realpath(Path(root) / path))
        if not file.is_relative_to(root) or not file.is_file():
            raise CollectionError(
                f"Expected all images of {collection.name} below {root}, but {path} is not there. "
                "Put it back, or export without images."
            )
        parts = path.split("/")
        odd = any(unicodedata.category(character) in {"Cc", "Cs"} for character in path)
        if odd or "\\" in path or "" in parts or "." in parts or ".." in parts:
            raise CollectionError(
                f"Expected image files with plain names, but {collection.name} has {path[:120]!r}, which an archive "
                "cannot hold. Rename it and import again, or export without images."
            )
        yield f"{IMAGES}/{path}", file, file.stat().st_size


def _paths(collection: Collection) -> Iterator[str]:
    path = collection.manifest_path
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS, columns=["path"]):
                yield from batch.column(0).to_pylist()
    except (OSError, ValueError) as error:  # an ArrowInvalid is a ValueError
        raise CollectionError(
            f"Expected a readable manifest, but {path} is missing or damaged. Import the collection again."
        ) from error


def _has_dicom(collection: Collection) -> bool:
    with pq.ParquetFile(collection.manifest_path) as file:
        if FRAME_COLUMN in file.schema_arrow.names:
            return True
    return any(path.lower().endswith((".dcm", ".dicom", ".ima")) or "." not in path for path in _paths(collection))


def _own_version() -> str:
    try:
        return version("radcbir")
    except PackageNotFoundError:
        return ""
