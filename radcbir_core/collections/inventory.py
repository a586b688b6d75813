"""What there is of each collection, told without opening more than is needed for it.

Owns the sizes of a collection's parts on disk, counts over its manifest from a few columns, and the list of all
collections with what is wrong with those that are damaged. Changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from radcbir_core.collections.artifacts import ARTIFACT_NAMES, ARTIFACTS
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.layout import (
    CORRECTIONS,
    ENCODERS,
    IMAGES,
    PROBLEMS,
    REVIEWS,
    THUMBNAILS,
    Layout,
    collections_folder,
    is_manifest_name,
)
from radcbir_core.collections.manifest import COLUMNS, Manifest, odd_column
from radcbir_core.errors import CollectionError, RadcbirError
from radcbir_core.storage import disk_errors
from radcbir_core.swapping import finish_swaps

PARTS = ("manifest", "thumbnails", "images", "problems", "reviews", *ARTIFACT_NAMES, "other")
"""The parts whose sizes are told, in this order."""

_TOP = {PROBLEMS: "problems", CORRECTIONS: "manifest", REVIEWS: "reviews", THUMBNAILS: "thumbnails", IMAGES: "images"}
_OF_ENCODER = {
    name: artifact.name
    for artifact in ARTIFACTS
    for name in (*artifact.files, *filter(None, (artifact.folder, artifact.unfinished)))
}
_COUNTED = ("dataset", "split", "modality", "anatomy", "pathologies", "patient_id")


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
class Counts:
    """Counts over a manifest; the mappings go from a value to its images, most frequent first.

    Attributes:
        images: Rows.
        patients: Distinct patients.
        with_patient: Images whose patient is known.
        unlabeled: Images without a pathology.
        labels: Distinct full labels, ``modality/anatomy/pathology``.
        pathologies: Images by pathology; an image with several counts for each.
        modalities: Images by modality.
        anatomies: Images by anatomy.
        datasets: Images by data set.
        splits: Images by split.
    """

    images: int
    patients: int
    with_patient: int
    unlabeled: int
    labels: int
    pathologies: dict[str, int]
    modalities: dict[str, int]
    anatomies: dict[str, int]
    datasets: dict[str, int]
    splits: dict[str, int]


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


def counts_of(collection: Collection) -> Counts:
    """Count what is in a collection; of 1.6 million rows only the columns counted over are read.

    Raises:
        CollectionError: The manifest is missing, damaged, or not the one that collection.json describes.
    """
    path = collection.manifest_path
    try:
        with pq.ParquetFile(path) as file:
            rows = file.metadata.num_rows
            table = file.read(columns=[name for name in _COUNTED if name in file.schema_arrow.names])
    except (OSError, ValueError) as error:  # an ArrowInvalid is a ValueError
        raise CollectionError(
            f"Expected a readable manifest, but {path} is missing or damaged. Import the collection again."
        ) from error
    missing = [name for name in _COUNTED if name not in table.column_names]
    if missing or rows != len(collection) or odd_column(table.schema):
        raise CollectionError(
            f"Expected the manifest that collection.json describes, but {path} is another. Import the collection again."
        )
    # A manifest of nothing but these: the other columns take no memory.
    padded = {name: table.column(name) if name in _COUNTED else pa.nulls(rows) for name in COLUMNS}
    manifest = Manifest(pa.table(padded), digest="")
    patients = manifest.codes("patient_id")
    labeled = pc.list_value_length(table.column("pathologies"))
    return Counts(
        images=rows,
        patients=len(patients.values),
        with_patient=int((patients.codes >= 0).sum()),
        unlabeled=int(pc.sum(pc.equal(labeled, 0)).as_py() or 0),
        labels=len(manifest.labels("label").values),
        pathologies=dict(manifest.pathology_counts),
        modalities=manifest.codes("modality").counts(),
        anatomies=manifest.codes("anatomy").counts(),
        datasets=manifest.codes("dataset").counts(),
        splits=manifest.codes("split").counts(),
    )


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
