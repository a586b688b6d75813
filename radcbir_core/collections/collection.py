"""A collection of images: what it says of itself, its manifest, its pictures, and what encoders have made of it.

Owns the reading of a collection. Where its files are is layout.py's business, writing one writing.py's, and what may be
changed of one that stands changes.py's.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa

from radcbir_core.collections import locks
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.layout import Layout, folder_of
from radcbir_core.collections.manifests.digests import Digests, digests_of
from radcbir_core.collections.manifests.manifest import FRAME_COLUMN, Manifest
from radcbir_core.collections.records.record import (
    ARCHIVED,
    BLACKED_OUT,
    add_problems,
    digests_in,
    manifest_in,
    read_problems,
    read_record,
)
from radcbir_core.collections.text_boxes import FILTER, BurnedText, burned_text_of
from radcbir_core.collections.thumbnails import ThumbnailShards
from radcbir_core.errors import FOLDER, CollectionError, ImageError, Remedy, StaleError
from radcbir_core.images import DecodedImage, decode_image
from radcbir_core.notebook_html import facts
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import disk_errors

_PATIENCE = 60.0
"""Seconds that whoever has worked for hours waits for who holds the gate, before what they list is refused."""


def open_collection(name: str) -> Collection:
    """Open a collection for reading; its manifest is read when it is first asked for.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It is damaged, or was made by a newer version.
    """
    return Collection(folder_of(name))


class Collection:
    """A collection of images and what has been computed for them. Made by :func:`open_collection`.

    Attributes:
        folder: Where it lies.
        layout: Where its files are.
        record: What collection.json says.
        name: Its name in commands and URLs.
        title: What people call it.
        digest: Identifies its manifest.
        digests: Identify its images, and their labels.
        manifest_path: The file of its manifest.
        image_root: The folder that the manifest's paths start from.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.layout = Layout(folder)
        self.record = read_record(folder)
        try:
            self.name: str = folder.name
            self.title: str = self.record["title"]
            self.digest: str = self.record["manifest_digest"]
            self.digests: Digests = digests_in(self.record)
            self.manifest_path: Path = manifest_in(folder, self.record)
            # A relative root lies in the collection's own folder, and moves with it.
            self.image_root = folder / str(self.record["image_root"])
            self._images: int = int(self.record["images"])
        except (KeyError, TypeError, ValueError) as error:
            raise CollectionError(
                f"Expected a complete collection.json, but {self.layout.record} lacks {error}. "
                "Copy it back from where the folder came from, or import it again."
            ) from error
        self._thumbnails = ThumbnailShards(self.layout.thumbnails)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._images

    def _repr_html_(self) -> str:
        """A few facts, as a notebook shows it."""
        encoders = ", ".join(self.encoder_ids()) or "none yet"
        rows = {"images": f"{len(self):,}", "encoders": encoders, "in": str(self.image_root)}
        return facts(rows, title=f"{self.title} ({self.name})")

    @cached_property
    def manifest(self) -> Manifest:
        """The table of images, read once.

        Raises:
            StaleError: The collection was changed, more than once, since it was opened.
            CollectionError: It is missing, damaged, or not the one that collection.json describes.
        """
        with self._lock:
            try:
                manifest = Manifest.read(self.manifest_path)
            except CollectionError as error:
                self._refuse_changed(error)
                raise
            if len(manifest) != self._images or manifest.digest != self.digest:
                self._refuse_changed(None)
                raise CollectionError(
                    f"Expected the manifest that collection.json describes, but {self.manifest_path} is another. "
                    "Import the collection again."
                )
            with suppress(CollectionError):  # a damaged table is said where somebody asks for what is in it
                burned = burned_text_of(manifest, self.layout.text_boxes, images=self.digests.images)
                manifest.attach(FILTER, burned.codes())
            return manifest

    def burned_text(self) -> BurnedText:
        """In which images text seems burned in, as it is on disk now.

        Raises:
            CollectionError: What was found is damaged on disk.
        """
        return burned_text_of(self.manifest, self.layout.text_boxes, images=self.digests.images)

    @property
    def blacks_out(self) -> bool:
        """Whether its thumbnails are shown without the text that was found in the images."""
        return self.record.get(BLACKED_OUT) is True

    def _refuse_changed(self, error: CollectionError | None) -> None:
        """Do nothing if the collection is the one that was opened."""
        if read_record(self.folder).get("manifest_digest") != self.digest:
            raise StaleError(
                f"Expected the manifest of {self.name} as it was when it was opened, but it has been changed since. "
                "Open it again."
            ) from error

    def digests_with(self, table: pa.Table) -> Digests:
        """What identifies the images and labels of a table that is to take the place of this collection's.

        Images that stay the same keep their identifier, also one of a record that an earlier version wrote.
        """
        before, after = digests_of(self.manifest.table), digests_of(table)
        images = self.digests.images if after.images == before.images else after.images
        labels = self.digests.labels if after.labels == before.labels else after.labels
        return Digests(images, labels)

    def image_path(self, row: int) -> Path:
        """The source file of an image."""
        return self.image_root / str(self.manifest.arrow("path")[row].as_py())

    def read_image(self, row: int) -> DecodedImage:
        """Decode an image from its source file.

        Raises:
            ImageError: The file is gone or cannot be decoded.
        """
        (found,) = self.image_files([row])
        if isinstance(found, Exception):
            raise found
        path, frame = found
        return decode_image(path, frame=frame)

    def image_files(self, rows: Iterable[int]) -> Iterator[tuple[Path, int | None] | ImageError | OSError]:
        """For each row the file of its image and which frame it is; the error where it is not there or not to be read.

        Args:
            rows: Of the manifest.
        """
        root = Path(os.path.realpath(self.image_root))
        for row in rows:
            try:
                yield self._image_file(row, root), self._frame(row)
            except (ImageError, OSError) as error:
                yield error

    def _image_file(self, row: int, root: Path) -> Path:
        path = self.image_path(row)
        real = Path(os.path.realpath(path))
        inside = real.is_relative_to(root)
        if self.without_images:
            # Nobody has looked at these paths before.
            path = real
            if not (inside and path.is_file()):
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
        elif not inside:
            # An import has looked at each path; a folder that was put beside the others brings its own manifest.
            raise ImageError(
                f"Expected images below {self.image_root}, but the path of row {row} leads out of it. Import the "
                "collection again, with the folder that holds all of its images."
            )
        if not path.is_file():
            raise ImageError(
                f"Expected the image file {path}, but it is not there. Put it back, or import the collection again."
            )
        return path

    def _frame(self, row: int) -> int | None:
        """Which frame of its file an image is; ``None`` where the file is one image."""
        if FRAME_COLUMN not in self.manifest.column_names:
            return None
        text = str(self.manifest.arrow(FRAME_COLUMN)[row].as_py() or "")
        return int(text) if text.isdecimal() else None

    @property
    def without_images(self) -> bool:
        """Whether it came without its images or from somewhere else, so that they may be anywhere or nowhere."""
        return self.record.get("format") == "embeddings" or ARCHIVED in self.record

    def thumbnail(self, row: int) -> bytes | None:
        """A small picture of an image, or ``None`` where none has been made (not built yet, or the image failed)."""
        return self._thumbnails.read(row)

    @property
    def thumbnails(self) -> ThumbnailShards:
        """The packed thumbnails."""
        return self._thumbnails

    def problems(self) -> pd.DataFrame:
        """What could not be imported or decoded, all text: the columns are those of ``records/record.py``."""
        return read_problems(self.folder)

    def add_problems(self, further: pd.DataFrame, *, instead_of: Sequence[str] = ()) -> None:
        """Add rows to problems.csv, leaving out those that are there already.

        Whoever builds with an encoder, embeds regions or looks for text does so beside the others, and none of them
        loses what another one has listed. Not to be called while the collection's gate is held.

        Args:
            further: The rows, with the columns of ``records/record.py``.
            instead_of: Sources whose rows go.

        Raises:
            CollectionError: Another process is changing the collection, or its list is damaged.
            StorageError: No space left, or no permission.
        """
        with disk_errors(self.folder), locks.gate(self.folder, doing="changing", patience=_PATIENCE):
            add_problems(self.folder, further, instead_of=instead_of)

    def encoder_ids(self) -> list[str]:
        """The encoders that this collection has embeddings of, or has begun to make them with; sorted."""
        return self.layout.encoder_ids()

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
        return self.layout.encoder(encoder_id).folder

    @contextmanager
    def building(self, encoder_id: str, *, doing: str = locks.BUILDING, progress: Progress = silent) -> Iterator[None]:
        """Hold the right to build with one encoder, so that two builds never mix; see ``locks.building``.

        Args:
            encoder_id: Of the encoder.
            doing: What; a build, which is by default, waits for whatever else somebody is doing.
            progress: Told that it waits, as step ``"wait"``; it may stop the waiting by raising.

        Raises:
            CollectionNotFoundError: The collection has been removed or renamed meanwhile.
            CollectionError: Another process is building it, or changing the collection.
        """
        with locks.building(self.folder, encoder_id, doing=doing, progress=progress):
            yield
