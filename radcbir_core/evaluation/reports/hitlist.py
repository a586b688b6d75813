"""Each query's hits as a table, in the form in which the paper's scripts exchange them.

Owns the form: one line a query, its path and then the paths of its hits, best first, in columns ``query, 1, 2, …``.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.evaluation.view import GalleryView
from radcbir_core.search.backend import Hits
from radcbir_core.storage import atomic_bytes


def hits_csv(path: Path, level: Level, view: GalleryView, hits: Hits) -> None:
    """Write the hits of all queries at the full label's level; hits at other levels are passed over.

    Args:
        path: Where to; a name that ends on ``.gz`` is compressed.
        level: What the hits are of.
        view: Whose queries.
        hits: Of these queries, in their order.

    Raises:
        StorageError: No space left, or no permission.
    """
    if level != "label":
        return
    text = hits_table_of(view, hits).to_csv(index=False).encode()
    atomic_bytes(path.absolute(), gzip.compress(text, compresslevel=6, mtime=0) if path.suffix == ".gz" else text)


def hits_table_of(view: GalleryView, hits: Hits) -> pd.DataFrame:
    """The same as a table: columns ``query``, ``1``, ``2``, …; "" where a query has fewer hits.

    Args:
        view: Whose queries.
        hits: Of these queries, in their order.
    """
    manifest = view.store.collection.manifest
    paths = pa.array([*manifest.column("path"), ""], pa.string())
    columns = {"query": paths.take(pa.array(view.queries)).to_pylist()}
    for rank in range(hits.rows.shape[1]):
        rows = hits.rows[:, rank]
        columns[str(rank + 1)] = paths.take(pa.array(np.where(rows < 0, len(manifest), rows))).to_pylist()
    return pd.DataFrame(columns)
