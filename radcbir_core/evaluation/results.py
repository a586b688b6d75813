"""Results of an evaluation on disk: a table, its queries and its notes, written in one step.

Owns the files of one result's folder, and the names of those that are kept by their kind and choices. What the numbers
mean is the evaluation's.
"""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from radcbir_core.collections.store import EncoderStore
from radcbir_core.errors import CollectionNotFoundError
from radcbir_core.storage import digest_of, disk_errors


class Results(NamedTuple):
    """What is kept of an evaluation.

    Attributes:
        table: The means.
        queries: One row a level and query.
        notes: What one has to know to read the numbers, one sentence each.
    """

    table: pd.DataFrame
    queries: pd.DataFrame
    notes: tuple[str, ...]


def results_folder(store: EncoderStore, kind: str, **choices: Any) -> Path:
    """Where the results of one kind, under certain choices, of these very embeddings and labels are kept.

    Args:
        store: What an encoder made of a collection.
        kind: Of evaluation, with the version of its recipe: to be changed when the numbers change.
        **choices: Everything else that the numbers depend on, as JSON can hold it.
    """
    asked = json.dumps(choices, sort_keys=True)
    return store.evaluation_folder / f"{kind}-{digest_of(asked, store.evaluated)[:32]}"


def read_results(folder: Path) -> Results | None:
    """The results in a folder; ``None``, so that they are computed again, where none can be read."""
    try:
        return Results(
            table=pd.read_parquet(folder / "table.parquet"),
            queries=pd.read_parquet(folder / "queries.parquet"),
            notes=tuple(json.loads((folder / "notes.json").read_text(encoding="utf-8"))),
        )
    except (OSError, ValueError, pa.ArrowException):
        return None


def write_results(folder: Path, results: Results) -> None:
    """Write all files of one result, in one step.

    Raises:
        CollectionNotFoundError: The collection has been removed or renamed meanwhile; nothing is left at its old place.
        StorageError: No space left, or no permission.
    """
    unfinished = folder.with_name(f".unfinished-{uuid.uuid4().hex}")
    with disk_errors(folder):
        try:
            if not folder.parent.parent.is_dir():
                raise CollectionNotFoundError(
                    f"Expected the collection to be there still, but {folder.parent.parent} is gone: it was removed or "
                    "renamed meanwhile, and these results are not kept. Ask again under its new name."
                )
            unfinished.mkdir(parents=True)
            results.table.to_parquet(unfinished / "table.parquet")
            results.queries.to_parquet(unfinished / "queries.parquet")
            (unfinished / "notes.json").write_text(json.dumps(results.notes), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            try:
                unfinished.rename(folder)
            except OSError:
                # Another process has just written the same results: the same numbers, so either will do.
                if read_results(folder) is None:
                    raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
