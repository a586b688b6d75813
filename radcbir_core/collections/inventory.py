"""What there is of each collection, told without opening more than is needed for it.

Owns the sizes of a collection's parts on disk, and the list of all collections with what is wrong with those that are
damaged. Changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from radcbir_core.collections.artifacts import ARTIFACTS
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.layout import (
    CORRECTIONS,
    COUNTS,
    ENCODERS,
    IMAGES,
    PROBLEMS,
    READER_STUDIES,
    REVIEWS,
    TEXT_BOXES,
    TEXT_BOXES_WORK,
    THUMBNAILS,
    Layout,
    collections_folder,
    is_manifest_name,
)
from radcbir_core.errors import RadcbirError
from radcbir_core.storage import disk_errors
from radcbir_core.swapping import finish_swaps

PARTS = (
    *("manifest", "thumbnails", "images", "problems", "reviews", "reader studies", "text boxes"),
    *(artifact.name for artifact in ARTIFACTS),
    "other",
)
"""The parts whose sizes are told, in this order."""

_TOP = {
    PROBLEMS: "problems",
    CORRECTIONS: "manifest",
    COUNTS: "manifest",
    REVIEWS: "reviews",
    TEXT_BOXES: "text boxes",
    TEXT_BOXES_WORK: "text boxes",
    READER_STUDIES: "reader studies",
    THUMBNAILS: "thumbnails",
    IMAGES: "images",
}
_OF_ENCODER = {
    name: artifact.name
    for artifact in ARTIFACTS
    for name in (
        *artifact.files,
        *artifact.one_of,
        *filter(None, (artifact.folder, artifact.unfinished, artifact.further)),
    )
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One folder among the collections.

    Attributes:
        name: The folder's.
        collection: The collection, opened without its manifest; ``None`` where that is not possible.
        error: Why not; empty where it is.
    """

    name: str
    collection: Collection | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes on disk, as the files' lengths.

    Attributes:
        parts: Each of :data:`PARTS` → bytes, over all encoders.
        encoders: Encoder → bytes of its folder.
    """

    parts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    encoders: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Of the whole folder."""
        return sum(self.parts.values())


def listed() -> list[Listed]:
    """All folders among the collections, by name; those that cannot be opened with the reason.

    Raises:
        StorageError: The folder of collections may not be read.
    """
    folder = collections_folder()
    with disk_errors(folder):
        if not folder.is_dir():
            return []
        finish_swaps(folder)
        entries = [entry for entry in sorted(folder.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]
    return [_listed(entry) for entry in entries]


def _listed(folder: Path) -> Listed:
    """One of them, or why it cannot be opened."""
    try:
        with disk_errors(folder):
            has_record = Layout(folder).record.is_file()
        if has_record:
            return Listed(folder.name, open_collection(folder.name))
    except RadcbirError as error:
        return Listed(folder.name, None, str(error))
    reason = (
        f"Expected a collection.json, but {folder} has none. Copy it back from where the folder came from, or delete "
        "the folder."
    )
    return Listed(folder.name, None, reason)


def sizes_of(folder: Path) -> Sizes:
    """How much room a collection's folder takes, part by part; a file that goes meanwhile counts 0.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "manifest.parquet").write_bytes(b"12345")
        >>> sizes = sizes_of(folder)
        >>> sizes.parts["manifest"], sizes.total
        (5, 5)
    """
    sizes = Sizes()
    for path, length in _files(folder):
        parts = path.parts
        if parts[0] == ENCODERS and len(parts) > 2:
            sizes.encoders[parts[1]] = sizes.encoders.get(parts[1], 0) + length
            part = _OF_ENCODER.get(parts[2], "other")
        else:
            part = "manifest" if is_manifest_name(parts[0]) else _TOP.get(parts[0], "other")
        sizes.parts[part] += length
    return sizes


def _files(folder: Path, below: Path = Path()) -> Iterator[tuple[Path, int]]:
    """All files below a folder, relative to it, with their lengths; links are not followed."""
    try:
        with os.scandir(folder / below) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(folder, below / entry.name)
                else:
                    yield below / entry.name, entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return
