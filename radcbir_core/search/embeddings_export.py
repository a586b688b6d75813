"""An encoder's embeddings as files for other programs, and for an import.

Owns their two forms. As ``.npy`` they are the very array, row *i* that of row *i* of the table written beside it; as
parquet they carry their ``image_id`` with them. Everything streams: of 1.6 million rows a few thousand are in memory
at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from radcbir_core.collections.artifacts import EMBEDDINGS
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.export import (
    STEP,
    Exported,
    export_manifest,
    manifest_batches,
    other_suffix,
    refuse_own_file,
)
from radcbir_core.errors import CollectionError
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Floats, in_blocks
from radcbir_core.search.opening import vectors_of
from radcbir_core.storage import atomic_path, refuse_folder, write_array

EMBEDDINGS_SUFFIXES = (".npy", ".parquet")
_ROWS = 16_384


def export_embeddings(store: EncoderStore, path: Path, *, progress: Progress = silent) -> Exported:
    """Write an encoder's embeddings as ``.npy`` with a table beside it, or as parquet; each file in one step.

    A ``.npy`` is byte for byte the array of the collection, ``(N, D)``, unit norm, zeros where an image has no
    embedding; beside it, under the same name with ``.csv``, stands the manifest, row by row. Parquet has ``image_id``
    and ``embedding``, a list of D numbers of the array's type, null where an image has none. To import them again:
    the format ``embeddings`` with the file and the table.

    Args:
        store: The collection and the encoder.
        path: Where to; ``.npy`` or ``.parquet``. Files that are there are replaced.
        progress: Told the rows, as step "export".

    Raises:
        CollectionError: Another suffix, or embeddings that are missing, damaged or of another manifest.
        StorageError: No space left, or no permission.
    """
    suffix = path.suffix.lower()
    if suffix not in EMBEDDINGS_SUFFIXES:
        raise other_suffix("embeddings", path, EMBEDDINGS_SUFFIXES)
    collection = store.collection
    refuse_own_file(collection, path)
    if (state := store.states()[EMBEDDINGS.name]) != "current":
        raise CollectionError(
            f"Expected embeddings of all images of {collection.name}, but those of {store.encoder_id} are {state}. "
            f"Build it with {store.encoder_id} again.",
            remedy=store.rebuild,
        )
    source, rows = vectors_of(store), np.arange(len(collection))
    missing = int((~store.valid).sum())
    if suffix == ".npy":

        def vectors() -> Iterator[Floats]:
            progress(STEP, 0, len(rows))
            for part, block in in_blocks(source, rows, size=_ROWS):
                yield block
                progress(STEP, int(part[-1]) + 1, len(rows))

        # The two have their names one right after the other, once both are written: who stops it half-way, or is
        # killed, keeps the pair that was there.
        refuse_folder(path.with_suffix(".csv"))
        with atomic_path(path) as partial:
            write_array(partial, vectors(), shape=source.shape, dtype=source.dtype)
            table = export_manifest(collection, path.with_suffix(".csv"))
        notes = (f"{missing:,} images have no embedding: their rows are zeros.",) if missing else ()
        return Exported((path, *table.paths), table.rows, notes + table.notes)
    dimension = source.shape[1]
    number = pa.from_numpy_dtype(source.dtype)
    schema = pa.schema([("image_id", pa.string()), ("embedding", pa.list_(number, dimension))])
    done = 0
    progress(STEP, 0, len(collection))
    with atomic_path(path) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for batch in manifest_batches(collection, columns=["image_id"]):
            part = rows[done : done + batch.num_rows]
            flat = pa.array(np.ascontiguousarray(source.vectors(part)).ravel())
            mask = pa.array(~store.valid[part])
            vectors = pa.FixedSizeListArray.from_arrays(flat, dimension, mask=mask)
            writer.write_batch(pa.record_batch([batch.column("image_id").cast(pa.string()), vectors], schema=schema))
            done += len(part)
            progress(STEP, done, len(collection))
    notes = (f"{missing:,} images have no embedding: their vectors are null.",) if missing else ()
    return Exported((path,), done, notes)
