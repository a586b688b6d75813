"""The files of a collection on this disk, and a collection whose images are others now."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.collections.records.record import manifest_facts, write_record


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a collection but its record and locks."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name not in {"collection.json", ".lock"}]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def changed(collection: Collection, table: pa.Table) -> None:
    """Give a collection another manifest."""
    Manifest(table, digest="").write(collection.folder / "manifest.parquet")
    write_record(collection.folder, collection.record | manifest_facts(collection.manifest_path, table))


EMBEDDINGS = "encoders/pixels/embeddings.npy"
SHARD = "thumbnails/000000.bin"
