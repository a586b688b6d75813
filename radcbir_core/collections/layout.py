"""Where everything lies: the data folder, the collections in it, and each file of a collection.

Owns every path. What the files hold, who writes them and which of them are current is the business of the modules
beside this one; which files an encoder's artifacts have is in ``artifacts.py``, and is asked for here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from radcbir_core.collections.artifacts import PROJECTION, Artifact
from radcbir_core.errors import CollectionError, CollectionNotFoundError
from radcbir_core.installation import default_data_folder
from radcbir_core.storage import disk_errors
from radcbir_core.swapping import finish_swaps

RECORD: Final = "collection.json"
MANIFEST: Final = "manifest.parquet"
PROBLEMS: Final = "problems.csv"
CORRECTIONS: Final = "corrections.csv"
COUNTS: Final = "counts.json"
REVIEWS: Final = "reviews.jsonl"
TEXT_BOXES: Final = "text-boxes.parquet"
TEXT_BOXES_WORK: Final = "text-boxes-work"
READER_STUDIES: Final = "reader-studies"
THUMBNAILS: Final = "thumbnails"
IMAGES: Final = "images"
ENCODERS: Final = "encoders"
ENCODER_RECORD: Final = "encoder.json"
KNOWN_FILES: Final = "known-files.json"

UNFINISHED: Final = ".unfinished-"
"""How the names of folders begin that are being filled, or removed; no collection can be called so."""

STANDARD_MAP: Final = "standard"
"""The name of the map that every build makes."""

_MAP_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MANIFEST_NAME = re.compile(r"manifest(?:-[0-9a-f]{8,64})?\.parquet")


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


def check_map_name(name: str) -> str:
    """``name`` if it can be a map's.

    Raises:
        CollectionError: It is not 1 to 40 lower-case letters, digits, "_", "-", beginning with a letter or digit.

    Example:
        >>> check_map_name("wide")
        'wide'
    """
    if not _MAP_NAME.fullmatch(name):
        raise CollectionError(
            "Expected the name of a map of 1 to 40 lower-case letters, digits, '_' or '-', beginning with a letter or "
            f"a digit, but name = {name[:80]!r}. Choose another name."
        )
    return name


def list_collections() -> list[str]:
    """The names of all collections, sorted; a folder without a collection.json is none.

    Raises:
        StorageError: The folder of collections may not be read.
    """
    folder = collections_folder()
    with disk_errors(folder):
        if not folder.is_dir():
            return []
        finish_swaps(folder)
        return sorted(
            entry.name for entry in folder.iterdir() if _NAME.fullmatch(entry.name) and Layout(entry).record.is_file()
        )


def folder_of(name: str) -> Path:
    """The folder of a collection that is there, damaged or not.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It cannot be a name.
        StorageError: The folder of collections, or its own, may not be read.
    """
    folder = collections_folder() / check_name(name)
    with disk_errors(folder):
        is_there = Layout(folder).record.is_file()
    if not is_there:
        known = list_collections()
        if name in known:
            return folder  # somebody was killed while it was being replaced; it stands again
        has = f"There is {', '.join(known)}." if known else "There is none yet: import one first."
        raise CollectionNotFoundError(f"Expected the name of a collection, but name = {name!r}. {has}")
    return folder


def is_manifest_name(name: str) -> bool:
    """Whether a file of a collection's folder holds its manifest, or held it before it was corrected.

    Example:
        >>> [is_manifest_name(name) for name in ("manifest.parquet", "manifest-0a1b2c3d.parquet", "manifest-x.parquet")]
        [True, True, False]
    """
    return _MANIFEST_NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one collection.

    Attributes:
        folder: The collection's.
    """

    folder: Path

    @property
    def record(self) -> Path:
        """What the collection says of itself, and which manifest is its own; where it stands, there is a collection."""
        return self.folder / RECORD

    @property
    def manifest(self) -> Path:
        """One row an image, as an import writes it; a corrected one has another name, which the record tells."""
        return self.folder / MANIFEST

    @property
    def problems(self) -> Path:
        """What could not be imported or decoded, row by row, with the reason."""
        return self.folder / PROBLEMS

    @property
    def corrections(self) -> Path:
        """Which labels were changed since the import, cell by cell; there once one was."""
        return self.folder / CORRECTIONS

    @property
    def counts(self) -> Path:
        """What is in the manifest, as this machine has counted it; it may go at any time."""
        return self.folder / COUNTS

    @property
    def reviews(self) -> Path:
        """What people said of the images, entry by entry; there once somebody said something."""
        return self.folder / REVIEWS

    @property
    def text_boxes(self) -> Path:
        """In which images text seems burned in, and where; there once somebody has let them be looked at."""
        return self.folder / TEXT_BOXES

    @property
    def text_boxes_work(self) -> EncoderLayout:
        """Where the parts of that table lie while images are being looked at, and the lock of whoever looks."""
        return EncoderLayout(self.folder / TEXT_BOXES_WORK)

    @property
    def reader_studies(self) -> Path:
        """Reader studies: of each what it is, and what readers have answered; there once one was made."""
        return self.folder / READER_STUDIES

    @property
    def thumbnails(self) -> Path:
        """Small pictures, packed in shards, row-aligned."""
        return self.folder / THUMBNAILS

    @property
    def images(self) -> Path:
        """The images themselves, where the collection holds its own."""
        return self.folder / IMAGES

    @property
    def encoders(self) -> Path:
        """A folder an encoder."""
        return self.folder / ENCODERS

    @property
    def gate(self) -> Path:
        """The lock that whoever fills, changes or begins to build the collection holds; beside the folder."""
        return self.folder.with_name(f"{UNFINISHED}{self.folder.name}.lock")

    def encoder(self, encoder_id: str) -> EncoderLayout:
        """The files of one encoder, present or not."""
        return EncoderLayout(self.encoders / encoder_id)

    def encoder_ids(self) -> list[str]:
        """The encoders that have a record, sorted."""
        if not self.encoders.is_dir():
            return []
        return sorted(entry.name for entry in self.encoders.iterdir() if EncoderLayout(entry).record.is_file())

    def build_locks(self) -> list[Path]:
        """The locks of all encoders that were ever built, and of who looks for text."""
        looks = self.text_boxes_work.lock
        return [*sorted(self.encoders.glob("*/.lock")), *([looks] if looks.exists() else [])]


@dataclass(frozen=True, slots=True)
class EncoderLayout:
    """The files of one encoder of one collection.

    Attributes:
        folder: The encoder's.
    """

    folder: Path

    @property
    def record(self) -> Path:
        """What made the embeddings, and what each artifact was made of."""
        return self.folder / ENCODER_RECORD

    @property
    def lock(self) -> Path:
        """The lock that whoever builds with this encoder holds."""
        return self.folder / ".lock"

    @property
    def holder(self) -> Path:
        """What whoever holds the lock does; gone with them, unless they were killed."""
        return self.folder / ".holder.json"

    @property
    def known_files(self) -> Path:
        """What this machine has found out of the encoder's large files; it may go at any time."""
        return self.folder / KNOWN_FILES

    def files(self, artifact: Artifact, told: Mapping[str, Any] | None = None) -> list[Path]:
        """Where an artifact lies: its files, or its folder.

        Args:
            artifact: Which.
            told: What is recorded of it, which decides where it may be one of several files.
        """
        return [self.folder / name for name in (*artifact.files_told(told or {}), *filter(None, [artifact.folder]))]

    def unfinished(self, artifact: Artifact) -> Path:
        """Where the parts of an artifact lie that is not finished."""
        return self.folder / artifact.unfinished

    def map(self, name: str) -> Path:
        """Where the map of this name lies, present or not.

        Raises:
            CollectionError: It cannot be a map's name.
        """
        if check_map_name(name) == STANDARD_MAP:
            return self.files(PROJECTION)[0]
        return self.folder / PROJECTION.further / f"{name}.parquet"
