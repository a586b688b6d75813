"""A collection of any size without images, for measuring, and for whoever sizes a machine before an import.

Owns the writing of a plan (embedding_plan.py) as a collection: a manifest, and the vectors of an encoder called
``synthetic``, as if they had been imported. Vectors stream: some blocks are in memory at once, beside the manifest.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.collections.artifacts import EMBEDDINGS
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.encoder_data.store import IMPORTED, write_encoder_record
from radcbir_core.collections.layout import check_name, collections_folder
from radcbir_core.collections.manifests.manifest import COLUMNS, Manifest
from radcbir_core.collections.records.record import PROBLEM_COLUMNS
from radcbir_core.collections.writing import new_collection, refuse_existing, write_collection
from radcbir_core.encoders.base import fingerprint_of
from radcbir_core.errors import CollectionError
from radcbir_core.importers.vectors.embeddings import FORMAT
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import disk_errors, make_private_folder, refuse_full_disk, write_array
from radcbir_core.synthetic.embedding_plan import BLOCK, EmbeddingPlan

ENCODER_ID: Final = "synthetic"
LICENCE: Final = "Apache-2.0"
NOTE: Final = (
    "Synthetic: labels, patients and vectors were drawn at random, to measure with; there are no images, and nothing "
    "here says anything of an encoder or of patients."
)
VERSION: Final = 1
"""Counts up whenever the same seed gives other vectors."""
_BYTES_A_ROW: Final = 200
"""Of a manifest, at most."""
_MEMORY_A_ROW: Final = 250
"""Bytes, while it is drawn: 210 were measured at a million rows."""


def refuse_too_large(name: str, rows: int, *, dimension: int) -> None:
    """Refuse what has no name, no memory or no disk here, before anything of it is drawn.

    Args:
        name: The new collection's name.
        rows: How many.
        dimension: Of the vectors.

    Raises:
        CollectionError: It cannot be a name, or so many rows do not fit into this machine's memory.
        CollectionExistsError: The name is taken.
        StorageError: The disk has no room for it, or no permission.
    """
    check_name(name)
    refuse_existing(name)
    needed, there = rows * _MEMORY_A_ROW, _memory()
    if there is not None and needed > there:
        raise CollectionError(
            f"Expected {needed / 1e9:,.1f} GB of memory to draw {rows:,} synthetic rows, but this machine has "
            f"{there / 1e9:,.1f} GB. Draw fewer, or use another machine."
        )
    folder = collections_folder()
    with disk_errors(folder):
        make_private_folder(folder)
    total = rows * (2 * dimension + _BYTES_A_ROW)
    refuse_full_disk(folder, total, purpose=f"write {rows:,} synthetic rows")


def _memory() -> int | None:
    """Bytes of memory that this machine has; None where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no such call, and not every system knows the names
        return None


def make_synthetic(
    name: str, plan: EmbeddingPlan, *, title: str | None = None, progress: Progress = silent
) -> Collection:
    """Write a plan as a collection; the same plan gives the same manifest and the same embeddings. Nothing is built.

    Args:
        name: The new collection's name.
        plan: What is in it.
        title: What people call it.
        progress: Told the number of rows, as step "draw".

    Raises:
        CollectionError: It cannot be a name, or there is not enough memory.
        CollectionExistsError: The name is taken.
        StorageError: No space left, or no permission.
    """
    rows = len(plan)
    refuse_too_large(name, rows, dimension=plan.dimension)
    progress("draw", 0, rows)
    with new_collection(name) as folder:
        write_collection(
            folder,
            name=name,
            title=title or f"Synthetic embeddings: {rows:,} rows, no images",
            image_root=Path("images"),
            manifest=Manifest(_manifest(plan.table()), digest=""),
            problems=pd.DataFrame([], columns=PROBLEM_COLUMNS),
            facts={
                "format": FORMAT,
                "problems": 0,
                "duplicates": 0,
                "duplicate_groups": 0,
                "sources": [{"origin": f"drawn from seed {plan.seed}", "dataset": name, "rows": rows, "images": rows}],
                "changes": [],
                "licences": {LICENCE: rows},
                "notes": [NOTE],
            },
        )
        _write_vectors(Collection(folder), plan, progress)
    return open_collection(name)


def _manifest(table: pa.Table) -> pa.Table:
    """A plan's table with all columns of a manifest."""
    rows = table.num_rows
    empty = pa.repeat(pa.scalar("", pa.string()), rows)
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32))
    columns: dict[str, pa.Array | pa.ChunkedArray] = dict.fromkeys(COLUMNS, empty)
    columns |= dict(zip(table.column_names, table.columns, strict=True))
    columns["image_id"] = pc.binary_join_element_wise(table.column("dataset"), table.column("path"), "/")
    columns["pathologies"] = pa.ListArray.from_arrays(offsets, table.column("pathologies").combine_chunks())
    columns |= {name: pa.nulls(rows, pa.int32()) for name in ("width", "height")}
    columns["duplicate_group"] = pa.repeat(pa.scalar(-1, pa.int32()), rows)
    return pa.table(columns)


def _write_vectors(collection: Collection, plan: EmbeddingPlan, progress: Progress) -> None:
    layout = collection.layout.encoder(ENCODER_ID)
    shape = (len(plan), plan.dimension)
    write_array(layout.files(EMBEDDINGS)[0], _drawn(plan, progress), shape=shape, dtype=np.float16)
    described = {"family": "synthetic", "version": VERSION, "seed": plan.seed, "dimension": plan.dimension}
    write_encoder_record(
        layout,
        {
            "encoder_id": ENCODER_ID,
            "title": "synthetic vectors",
            "spec": f"{IMPORTED}{ENCODER_ID}",
            "fingerprint": fingerprint_of({**described, "rows": len(plan), "labels": len(plan.place)}),
            "weights_digest": "",
            "dimension": plan.dimension,
            "supports_text": False,
            "dtype": "float16",
            "sources": [f"drawn from seed {plan.seed}"],
            "failed_rows": [],
        },
        images=collection.digests.images,
    )


def _drawn(plan: EmbeddingPlan, progress: Progress) -> Iterator[npt.NDArray[np.float16]]:
    """The vectors, block after block; some blocks ahead are drawn by all cores."""
    rows, threads = len(plan), os.cpu_count() or 1
    pool = ThreadPoolExecutor(threads, thread_name_prefix="draw")
    try:
        submitted: Iterator[Future[Any]] = (
            pool.submit(plan.vectors, start, min(start + BLOCK, rows)) for start in range(0, rows, BLOCK)
        )
        waiting = deque(islice(submitted, 2 * threads))
        done = 0
        while waiting:
            drawn = waiting.popleft().result()
            waiting.extend(islice(submitted, 1))
            yield drawn
            done += len(drawn)
            progress("draw", done, rows)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
