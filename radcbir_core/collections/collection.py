"""A collection on disk; the only module that knows the folder layout.

Owns where things lie, the reading of what lies there, and whether each part is current: made from this manifest and
by this version of its encoder. Computes nothing; the modules that make a part (embed, index, neighbors, projection,
evaluation) ask here for its path.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import filelock
import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.manifest import FRAME_COLUMN, Manifest
from radcbir_core.errors import (
    FOLDER,
    CollectionError,
    CollectionExistsError,
    CollectionNotFoundError,
    ImageError,
    Remedy,
)
from radcbir_core.images import DecodedImage, decode_image
from radcbir_core.installation import default_data_folder
from radcbir_core.storage import atomic_bytes, disk_errors, read_json, remove_partials, write_array, write_json

SCHEMA_VERSION = 1
SHARD_ROWS = 2048
"""Rows in one shard of thumbnails and of unfinished embeddings."""

STEPS = ("embed", "index", "neighbors", "evaluation", "projection")
StepState = Literal["current", "missing", "stale"]

ARCHIVED = "archive"
"""What collection.json tells of the archive that a collection was opened from."""

IMPORTED = "imported:"
"""How the spec of an encoder begins whose embeddings were imported."""

PROBLEM_COLUMNS = ["source", "line", "path", "image_id", "reason"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_UNFINISHED = ".unfinished-"
_ABANDONED_AFTER = 24 * 3600.0
_GATE_SECONDS = 10.0


def data_folder() -> Path:
    """Where RadCBIR keeps its data: ``$RADCBIR_DATA``, or ``data/`` of the repository, or the user's own folder."""
    chosen = os.environ.get("RADCBIR_DATA")
    return Path(chosen).expanduser() if chosen else default_data_folder()


def collections_folder() -> Path:
    """The folder that holds the collections, one folder each."""
    return data_folder() / "collections"


def check_name(name: str) -> str:
    """``name`` if it can be a collection's.

    Raises:
        CollectionError: It is not 1 to 64 letters, digits, ".", "_", "-", beginning with a letter or digit.
    """
    if not _NAME.fullmatch(name):
        raise CollectionError(
            "Expected a collection name of 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or a "
            f"digit, but name = {name[:80]!r}. Choose another name; a title may be any text."
        )
    return name


def list_collections() -> list[str]:
    """The names of all collections, sorted; a folder without a collection.json is none."""
    folder = collections_folder()
    if not folder.is_dir():
        return []
    return sorted(
        entry.name for entry in folder.iterdir() if _NAME.fullmatch(entry.name) and _record_path(entry).is_file()
    )


def open_collection(name: str) -> Collection:
    """Open a collection for reading; its manifest is read when it is first asked for.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It is damaged, or of another schema version.
    """
    folder = collections_folder() / check_name(name)
    if not _record_path(folder).is_file():
        known = list_collections()
        has = f"There is {', '.join(known)}." if known else "There is none yet: import one first."
        raise CollectionNotFoundError(f"Expected the name of a collection, but name = {name!r}. {has}")
    return Collection(folder)


def remove_collection(name: str) -> None:
    """Remove a collection and everything computed for it; the source images stay where they are.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It is being built or changed.
        StorageError: It may not be removed.
    """
    with at_rest(name) as folder:
        doomed = folder.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}")
        folder.rename(doomed)
        shutil.rmtree(doomed)
        gate_path(folder).unlink(missing_ok=True)


@contextmanager
def at_rest(name: str) -> Iterator[Path]:
    """Give the folder of a collection that nobody is building or changing, and let nobody begin to.

    A damaged collection is given too, so that it can be removed.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It is being built or changed.
        StorageError: No permission.
    """
    folder = collections_folder() / check_name(name)
    if not _record_path(folder).is_file():
        open_collection(name)
    with disk_errors(folder), ExitStack() as held:
        try:
            held.enter_context(filelock.FileLock(gate_path(folder), blocking=False))
        except filelock.Timeout as error:
            raise CollectionError(
                f"Expected nobody else to be changing {name}, but another process is. Wait until it has finished."
            ) from error
        if not _record_path(folder).is_file():
            open_collection(name)
        _hold_builds(folder, held)
        yield folder


def _hold_builds(folder: Path, held: ExitStack) -> None:
    """Let nobody build, while the gate is held: who is to begin waits there, so that these locks are all there are."""
    for lock in sorted(folder.glob("encoders/*/.lock")):
        try:
            held.enter_context(filelock.FileLock(lock, blocking=False))
        except filelock.Timeout as error:
            raise CollectionError(
                f"Expected a collection that nobody is building, but {folder.name} is being built with "
                f"{lock.parent.name}. Wait until that has finished, or stop it."
            ) from error


def gate_path(folder: Path) -> Path:
    """The lock that whoever fills, changes or begins to build the collection in ``folder`` holds."""
    return folder.with_name(f"{_UNFINISHED}{folder.name}.lock")


def _record_path(folder: Path) -> Path:
    return folder / "collection.json"


@contextmanager
def new_collection(name: str) -> Iterator[Path]:
    """Give an empty folder to fill; on leaving without error it becomes the collection ``name`` in one step.

    Raises:
        CollectionExistsError: The name is taken.
        StorageError: No space left, or no permission.
    """
    final = collections_folder() / check_name(name)
    refuse_existing(name)
    unfinished = final.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}")
    try:
        with disk_errors(final):
            unfinished.mkdir(parents=True)
            _remove_abandoned(final.parent)
            yield unfinished
            refuse_existing(name)
            unfinished.rename(final)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def resumable_collection(name: str, *, key: str) -> Iterator[Path]:
    """As :func:`new_collection`, but on an error the folder stays, and who asks next with the same key gets it again.

    Args:
        name: The collection's name.
        key: What the folder's content is made from; letters, digits and hyphens. Content made from something else is
            removed first.

    Raises:
        CollectionExistsError: The name is taken.
        CollectionError: Another process is filling the folder.
        StorageError: No space left, or no permission.
    """
    final = collections_folder() / check_name(name)
    refuse_existing(name)
    unfinished = final.with_name(f"{_UNFINISHED}{name}-{key}")
    with disk_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(gate_path(final), blocking=False)
        try:
            with lock:
                refuse_existing(name)
                for other in final.parent.glob(f"{_UNFINISHED}{glob.escape(name)}-*"):
                    if other != unfinished:
                        shutil.rmtree(other, ignore_errors=True)
                unfinished.mkdir(exist_ok=True)
                remove_partials(unfinished)
                yield unfinished
                unfinished.rename(final)
        except filelock.Timeout as error:
            raise CollectionError(
                f"Expected nobody else to be making {name}, but another process is. Wait until it has finished."
            ) from error


@contextmanager
def revised_collection(name: str) -> Iterator[Path]:
    """Give a copy of a collection's folder to change; on leaving without error it takes the collection's place.

    The copy's files are links to the same bytes: they may be replaced, as everything here is written, but not changed
    where they are.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: Another process is revising or building it.
        StorageError: No space left, or no permission.
    """
    final = open_collection(name).folder
    revised = final.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}")
    doomed = final.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}")
    lock = filelock.FileLock(gate_path(final), blocking=False)
    with disk_errors(final):
        try:
            with lock, ExitStack() as held:
                _hold_builds(final, held)
                shutil.copytree(final, revised, copy_function=link_or_copy)
                yield revised
                final.rename(doomed)
                try:
                    revised.rename(final)
                except OSError:
                    doomed.rename(final)
                    raise
        except filelock.Timeout as error:
            raise CollectionError(
                f"Expected nobody else to be changing {name}, but another process is. Wait until it has finished."
            ) from error
        finally:
            for folder in (revised, doomed):
                shutil.rmtree(folder, ignore_errors=True)


def link_or_copy(source: str, target: str) -> str:
    """Make ``target`` another name of the file ``source``, or a copy of it where the disk knows no such names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed imports and removals left behind; a day old, so that none that is still at work is met."""
    for abandoned in folder.glob(f"{_UNFINISHED}*/"):
        if time.time() - abandoned.stat().st_mtime > _ABANDONED_AFTER:
            shutil.rmtree(abandoned, ignore_errors=True)


def refuse_existing(name: str) -> None:
    """Do nothing if the name is free.

    Raises:
        CollectionExistsError: There is something of that name.
    """
    if (collections_folder() / check_name(name)).exists():
        raise CollectionExistsError(
            f"Expected a new collection name, but name = {name!r} exists already. Choose another, or remove it first.",
            remedy=Remedy("remove", name),
        )


def write_collection(
    folder: Path,
    *,
    name: str,
    title: str,
    image_root: Path,
    manifest: Manifest,
    problems: pd.DataFrame,
    facts: dict[str, Any],
) -> None:
    """Write the parts of a new collection into ``folder`` (see :func:`new_collection`).

    Args:
        folder: Where to.
        name: The collection's name.
        title: What people call it.
        image_root: The folder that the manifest's paths start from; a relative one lies in the collection's folder.
        manifest: Its images.
        problems: What could not be imported, with :data:`PROBLEM_COLUMNS`.
        facts: What else collection.json should tell: sources, licences, what normalization changed.
    """
    manifest.write(folder / "manifest.parquet")
    write_problems(folder, problems)
    record = {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "title": title,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "image_root": str(image_root),
        "images": len(manifest),
        "manifest_digest": Manifest.read(folder / "manifest.parquet").digest,
        **facts,
    }
    write_json(_record_path(folder), record)


def write_problems(folder: Path, problems: pd.DataFrame) -> None:
    """Write problems.csv in one step."""
    atomic_bytes(folder / "problems.csv", problems[PROBLEM_COLUMNS].to_csv(index=False).encode())


class Collection:
    """A collection of images and what has been computed for them. Made by :func:`open_collection`.

    Attributes:
        folder: Where it lies.
        record: What collection.json says.
        name: Its name in commands and URLs.
        title: What people call it.
        digest: Identifies its manifest.
        image_root: The folder that the manifest's paths start from.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = read_json(_record_path(folder))
        version = self.record.get("schema_version")
        if version != SCHEMA_VERSION:
            raise CollectionError(
                f"Expected schema version {SCHEMA_VERSION}, but {_record_path(folder)} has {version!r}. "
                "Import it again with this version of RadCBIR."
            )
        try:
            self.name: str = folder.name
            self.title: str = self.record["title"]
            self.digest: str = self.record["manifest_digest"]
            # A relative root lies in the collection's own folder, and moves with it.
            self.image_root = folder / str(self.record["image_root"])
            self._images: int = int(self.record["images"])
        except (KeyError, TypeError, ValueError) as error:
            raise CollectionError(
                f"Expected a complete collection.json, but {_record_path(folder)} lacks {error}. Import it again."
            ) from error
        self._thumbnails = ThumbnailShards(folder / "thumbnails")
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._images

    @cached_property
    def manifest(self) -> Manifest:
        """The table of images, read once.

        Raises:
            CollectionError: It is missing, damaged, or not the one that collection.json describes.
        """
        with self._lock:
            path = self.folder / "manifest.parquet"
            manifest = Manifest.read(path)
            if len(manifest) != self._images or manifest.digest != self.digest:
                raise CollectionError(
                    f"Expected the manifest that collection.json describes, but {path} is another. "
                    "Import the collection again."
                )
            return manifest

    def image_path(self, row: int) -> Path:
        """The source file of an image."""
        return self.image_root / str(self.manifest.table.column("path")[row].as_py())

    def read_image(self, row: int) -> DecodedImage:
        """Decode an image from its source file.

        Raises:
            ImageError: The file is gone or cannot be decoded.
        """
        path = self.image_path(row)
        if self.without_images:
            # Nobody has looked at these paths before.
            root = Path(os.path.realpath(self.image_root))
            path = Path(os.path.realpath(path))
            if not (path.is_relative_to(root) and path.is_file()):
                how = "imported as embeddings. To see its images, import it again with the folder they are in."
                remedy = Remedy("import", options={"name": self.name, "image_root": FOLDER})
                if ARCHIVED in self.record:
                    how = "opened from an archive. To see its images, say which folder they are in."
                    remedy = Remedy("relocate", self.name, {"image_root": FOLDER})
                raise ImageError(
                    f"Expected the image file of row {row} below {root}, but it is not there: this collection was "
                    f"{how}",
                    remedy=remedy,
                )
        if not path.is_file():
            raise ImageError(
                f"Expected the image file {path}, but it is not there. Put it back, or import the collection again."
            )
        return decode_image(path, frame=self._frame(row))

    def _frame(self, row: int) -> int | None:
        """Which frame of its file an image is; ``None`` where the file is one image."""
        if FRAME_COLUMN not in self.manifest.column_names:
            return None
        text = str(self.manifest.table.column(FRAME_COLUMN)[row].as_py() or "")
        return int(text) if text.isdecimal() else None

    @property
    def without_images(self) -> bool:
        """Whether it came without its images or from somewhere else, so that they may be anywhere or nowhere."""
        return self.record.get("format") == "embeddings" or ARCHIVED in self.record

    def thumbnail(self, row: int) -> bytes | None:
        """A small WebP of an image, or ``None`` where none has been made (not built yet, or the image failed)."""
        return self._thumbnails.read(row)

    @property
    def thumbnails(self) -> ThumbnailShards:
        """The packed thumbnails."""
        return self._thumbnails

    def problems(self) -> pd.DataFrame:
        """What could not be imported or decoded: :data:`PROBLEM_COLUMNS`, all text."""
        path = self.folder / "problems.csv"
        if not path.is_file():
            return pd.DataFrame(columns=PROBLEM_COLUMNS)
        return pd.read_csv(path, dtype=str, keep_default_na=False)

    def add_problems(self, found: pd.DataFrame) -> None:
        """Add rows to problems.csv, leaving out those that are there already."""
        both = pd.concat([self.problems(), found[PROBLEM_COLUMNS].astype(str)], ignore_index=True)
        write_problems(self.folder, both.drop_duplicates(ignore_index=True))

    def encoder_ids(self) -> list[str]:
        """The encoders that this collection has embeddings of, or has begun to make them with; sorted."""
        folder = self.folder / "encoders"
        if not folder.is_dir():
            return []
        return sorted(entry.name for entry in folder.iterdir() if (entry / "encoder.json").is_file())

    def store(self, encoder_id: str) -> EncoderStore:
        """What has been computed with one encoder.

        Raises:
            CollectionError: Nothing has.
        """
        if encoder_id not in self.encoder_ids():
            built = self.encoder_ids()
            has = f"It has {', '.join(built)}." if built else "It has none yet."
            raise CollectionError(
                f"Expected an encoder that {self.name} was built with, but encoder = {encoder_id!r}. {has} "
                f"Build it with {encoder_id}.",
                remedy=Remedy("build", self.name, {"encoder": encoder_id}),
            )
        return EncoderStore(self, encoder_id)

    def encoder_folder(self, encoder_id: str) -> Path:
        """Where an encoder's results lie, present or not."""
        return self.folder / "encoders" / encoder_id

    @contextmanager
    def building(self, encoder_id: str) -> Iterator[None]:
        """Hold the right to build with one encoder, so that two builds never mix.

        Raises:
            CollectionNotFoundError: The collection has been removed or renamed meanwhile.
            CollectionError: Another process is building it, or changing the collection.
        """
        folder = self.encoder_folder(encoder_id)
        with disk_errors(folder), ExitStack() as held:
            try:
                # Only while the lock is taken: what is at rest stays so, and encoders can be built side by side.
                with filelock.FileLock(gate_path(self.folder), timeout=_GATE_SECONDS):
                    if not _record_path(self.folder).is_file():
                        open_collection(self.name)
                    folder.mkdir(parents=True, exist_ok=True)
                    held.enter_context(filelock.FileLock(folder / ".lock", blocking=False))
            except filelock.Timeout as error:
                raise CollectionError(
                    f"Expected nobody else to be building {self.name} with {encoder_id}, but another process is. "
                    "Wait until it has finished."
                ) from error
            yield


class EncoderStore:
    """What one encoder has made of one collection. Made by :meth:`Collection.store`.

    Arrays are opened by memory map when first asked for, and are read-only.
    """

    def __init__(self, collection: Collection, encoder_id: str) -> None:
        self.collection = collection
        self.encoder_id = encoder_id
        self.folder = collection.encoder_folder(encoder_id)
        self.record = read_json(self.folder / "encoder.json")
        self._lock = threading.Lock()

    @property
    def embeddings_path(self) -> Path:
        """``(N, D)`` float16 (imported ones keep their type), unit norm; a row of zeros where the image failed."""
        return self.folder / "embeddings.npy"

    @property
    def index_path(self) -> Path:
        """The USearch index over the valid rows."""
        return self.folder / "index.usearch"

    @property
    def neighbor_ids_path(self) -> Path:
        """``(N, W)`` int32, -1 padded."""
        return self.folder / "neighbor_ids.npy"

    @property
    def neighbor_similarities_path(self) -> Path:
        """``(N, W)`` float16."""
        return self.folder / "neighbor_similarities.npy"

    @property
    def projection_path(self) -> Path:
        """Columns x, y, preservation; float32."""
        return self.folder / "projection.parquet"

    @property
    def evaluation_folder(self) -> Path:
        """Cached evaluation tables, keyed by protocol digest."""
        return self.folder / "evaluation"

    @property
    def title(self) -> str:
        """What people call the encoder."""
        return str(self.record.get("title", self.encoder_id))

    @property
    def spec(self) -> str:
        """What loads the encoder again."""
        return str(self.record["spec"])

    @property
    def rebuild(self) -> Remedy:
        """What mends a part that is missing, damaged or stale."""
        return Remedy("build", self.collection.name, {"encoder": str(self.record.get("spec", self.encoder_id))})

    @property
    def imported(self) -> bool:
        """Whether the embeddings were imported, so that there is no encoder that could make others like them."""
        return self.spec.startswith(IMPORTED)

    @property
    def digest(self) -> str:
        """Identifies these very embeddings: changes whenever they are made again."""
        return str(self.record["embeddings_digest"])

    @cached_property
    def embeddings(self) -> npt.NDArray[np.floating[Any]]:
        """``(N, D)``, memory-mapped."""
        return self._open(self.embeddings_path)

    @cached_property
    def valid(self) -> npt.NDArray[np.bool_]:
        """``(N,)``; false where the image could not be embedded."""
        valid = np.ones(len(self.collection), dtype=bool)
        valid[np.asarray(self.record.get("failed_rows", []), dtype=np.int64)] = False
        return valid

    @cached_property
    def neighbor_ids(self) -> npt.NDArray[np.int32]:
        """``(N, W)`` int32, best first, -1 padded, memory-mapped; an image is never its own neighbor."""
        return self._open(self.neighbor_ids_path)

    @cached_property
    def neighbor_similarities(self) -> npt.NDArray[np.float16]:
        """``(N, W)`` float16 cosine similarities, memory-mapped."""
        return self._open(self.neighbor_similarities_path)

    def projection(self) -> pd.DataFrame | None:
        """x, y and preservation of each row (NaN where it has no place), or ``None`` while there is no map."""
        if not self.projection_path.is_file():
            return None
        try:
            return pd.read_parquet(self.projection_path)
        except (OSError, ValueError) as error:
            raise CollectionError(
                f"Expected a readable map, but {self.projection_path} is damaged. Build again."
            ) from error

    def steps(self) -> dict[str, StepState]:
        """How each of :data:`STEPS` stands.

        "stale" means that it is there but was made from another manifest or other embeddings than are there now.
        """
        made_of = self.record.get("made_of", {})
        current = {"embed": self.collection.digest} | dict.fromkeys(STEPS[1:], self.record.get("embeddings_digest"))
        states: dict[str, StepState] = {}
        for step in STEPS:
            if not self._files_of(step) or step not in made_of:
                states[step] = "missing"
            elif made_of[step] == current[step] and states.get("embed", "current") == "current":
                states[step] = "current"
            else:
                states[step] = "stale"
        return states

    def _files_of(self, step: str) -> bool:
        paths = {
            "embed": [self.embeddings_path],
            "index": [self.index_path],
            "neighbors": [self.neighbor_ids_path, self.neighbor_similarities_path],
            "projection": [self.projection_path],
            "evaluation": [self.evaluation_folder],
        }[step]
        return all(path.exists() for path in paths)

    def mark(self, step: str, **facts: Any) -> None:
        """Record that ``step`` was made from what is there now, and what else is to be told of it."""
        made_of = {**self.record.get("made_of", {}), step: self.digest}
        self.update(made_of=made_of, **({step: facts} if facts else {}))

    def update(self, **facts: Any) -> None:
        """Add to encoder.json, in one step."""
        self.record = {**self.record, **facts}
        write_json(self.folder / "encoder.json", self.record)

    def _open(self, path: Path) -> npt.NDArray[Any]:
        with self._lock:
            try:
                array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise CollectionError(
                    f"Expected a readable array, but {path} is missing or damaged. "
                    f"Build {self.collection.name} with {self.encoder_id} again.",
                    remedy=self.rebuild,
                ) from error
            if len(array) != len(self.collection):
                raise CollectionError(
                    f"Expected {len(self.collection)} rows, but {path} has {len(array)}. "
                    f"Build {self.collection.name} with {self.encoder_id} again.",
                    remedy=self.rebuild,
                )
            return array


class ThumbnailShards:
    """Thumbnails packed into a few files, aligned with the manifest's rows.

    Shard *s* holds rows ``s * SHARD_ROWS`` to ``(s + 1) * SHARD_ROWS - 1`` as ``NNNNNN.bin`` (the WebP files one after
    the other) and ``NNNNNN.npy`` (``(rows + 1,)`` int64 offsets; an empty stretch is an image without a thumbnail).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._offsets: dict[int, npt.NDArray[np.int64]] = {}

    def has(self, shard: int) -> bool:
        """Whether a shard is complete."""
        return self._path(shard, "npy").is_file() and self._path(shard, "bin").is_file()

    def write(self, shard: int, thumbnails: list[bytes]) -> None:
        """Write one shard; ``b""`` stands for an image without a thumbnail. Offsets last: they complete it."""
        offsets = np.cumsum([0, *map(len, thumbnails)], dtype=np.int64)
        atomic_bytes(self._path(shard, "bin"), b"".join(thumbnails))
        write_array(self._path(shard, "npy"), [offsets], shape=offsets.shape, dtype=offsets.dtype)

    def remove(self, shard: int) -> None:
        """Take one shard away; offsets first, so that it is never half there."""
        self._offsets.pop(shard, None)
        self._path(shard, "npy").unlink(missing_ok=True)
        self._path(shard, "bin").unlink(missing_ok=True)

    def read(self, row: int) -> bytes | None:
        """The WebP of a row, or ``None``."""
        shard, place = divmod(row, SHARD_ROWS)
        if shard not in self._offsets:
            if not self.has(shard):
                return None
            self._offsets[shard] = np.load(self._path(shard, "npy"), allow_pickle=False)
        start, end = self._offsets[shard][place : place + 2]
        if start == end:
            return None
        with self._path(shard, "bin").open("rb") as handle:
            handle.seek(int(start))
            return handle.read(int(end - start))

    def _path(self, shard: int, suffix: str) -> Path:
        return self.folder / f"{shard:06d}.{suffix}"
