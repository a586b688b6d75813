"""What a collection says of itself: ``collection.json`` and ``problems.csv``.

Owns the form of both, reading and writing them. The record is written last of all files, in one step: it names the
manifest that is the collection's, so that writing it is what makes a change happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from radcbir_core.collections.layout import Layout, is_manifest_name
from radcbir_core.collections.manifests.digests import Digests, digests_of
from radcbir_core.collections.records.migration import SCHEMA_VERSION, migrated_collection, version_of
from radcbir_core.collections.records.record_rules import COLLECTION, odd_field
from radcbir_core.errors import CollectionError
from radcbir_core.storage import atomic_bytes, digest_file, read_json, write_json

ARCHIVED: Final = "archive"
"""What collection.json tells of the archive that a collection was opened from."""

BLACKED_OUT: Final = "thumbnails_blacked_out"
"""Whether the text that was found in images is painted black in their thumbnails."""

RENAMED: Final = "renamed"
"""What a collection is under another name of its folder: ``name``, and ``title`` if that changes too."""

PROBLEM_COLUMNS: Final = ["source", "line", "path", "image_id", "reason"]


def read_record(folder: Path) -> dict[str, Any]:
    """What collection.json says, in the present form, whichever version wrote it.

    Raises:
        CollectionError: It is missing, damaged, or was written by a newer version.
    """
    path = Layout(folder).record
    record = read_json(path)
    version = version_of(record)
    if version is None or version < 1:
        raise CollectionError(
            f"Expected a schema version, but {path} has {record.get('schema_version')!r}. Copy it back from where the "
            "folder came from."
        )
    if version > SCHEMA_VERSION:
        raise CollectionError(
            f"Expected schema version {SCHEMA_VERSION} or lower, but {path} has {version}. "
            "Open it with a newer RadCBIR."
        )
    record = migrated_collection(record)
    if odd := odd_field(record, COLLECTION):
        raise CollectionError(
            f"Expected a complete collection.json, but {path} has another kind of value in {odd}. Copy it back from "
            "where the folder came from, or import it again."
        )
    return _as_called(folder.name, record)


def _as_called(name: str, record: dict[str, Any]) -> dict[str, Any]:
    """A record under the name that its folder has: whoever is killed while renaming leaves one that tells of both."""
    told = record.pop(RENAMED, None)
    if not isinstance(told, Mapping) or told.get("name") != name:
        return record
    return record | {key: told[key] for key in ("name", "title") if isinstance(told.get(key), str)}


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write collection.json in one step.

    Raises:
        StorageError: No space left, or no permission.
    """
    write_json(Layout(folder).record, record)


def new_record(*, name: str, title: str, image_root: Path) -> dict[str, Any]:
    """The record of a collection that is being made, without what its manifest tells (:func:`manifest_facts`)."""
    return {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "title": title,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "image_root": str(image_root),
    }


def manifest_facts(path: Path, table: pa.Table, *, digests: Digests | None = None) -> dict[str, Any]:
    """What collection.json tells of its manifest.

    Args:
        path: The manifest's file, in the collection's folder.
        table: What is in it.
        digests: Its own, if they are known.
    """
    known = digests or digests_of(table)
    return {
        "images": table.num_rows,
        "manifest": path.name,
        "manifest_digest": digest_file(path),
        "digests": {"images": known.images, "labels": dict(known.labels)},
    }


def digests_in(record: Mapping[str, Any]) -> Digests:
    """The digests of the manifest that a record describes.

    Raises:
        KeyError: It has none.
        TypeError: They have another form.
    """
    told = record["digests"]
    return Digests(str(told["images"]), {str(name): str(digest) for name, digest in dict(told["labels"]).items()})


def manifest_in(folder: Path, record: Mapping[str, Any]) -> Path:
    """The file of the manifest that a record describes.

    Raises:
        KeyError: The record names none.
        ValueError: What it names can be no manifest.
    """
    name = str(record["manifest"])
    if not is_manifest_name(name):
        raise ValueError(f"a manifest's name: it has {name[:80]!r}")
    return folder / name


def read_problems(folder: Path) -> pd.DataFrame:
    """What could not be imported or decoded: :data:`PROBLEM_COLUMNS`, all text.

    Raises:
        CollectionError: It is damaged.
    """
    path = Layout(folder).problems
    if not path.is_file():
        return pd.DataFrame(columns=PROBLEM_COLUMNS)
    try:
        problems = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:  # whatever pandas cannot read is a ValueError
        raise _damaged_problems(path) from error
    if list(problems.columns) != PROBLEM_COLUMNS or not isinstance(problems.index, pd.RangeIndex):
        raise _damaged_problems(path)
    return problems


def _damaged_problems(path: Path) -> CollectionError:
    return CollectionError(
        f"Expected the list of what could not be imported, but {path} is damaged. Copy it back from where the folder "
        "came from, or remove it: nothing else depends on it."
    )


def add_problems(folder: Path, further: pd.DataFrame, *, instead_of: Sequence[str] = ()) -> None:
    """Add rows to problems.csv of a folder that nobody else writes now, leaving out those that are there already.

    Args:
        folder: The collection's, or of one that is being made.
        further: The rows, with :data:`PROBLEM_COLUMNS`.
        instead_of: Sources whose rows go.

    Raises:
        CollectionError: The list is damaged.
        OSError: No space left, or no permission.
    """
    before = read_problems(folder)
    kept = before[~before["source"].isin(instead_of)]
    both = pd.concat([kept, further[PROBLEM_COLUMNS].astype(str)], ignore_index=True)
    write_problems(folder, both.drop_duplicates(ignore_index=True))


def write_problems(folder: Path, problems: pd.DataFrame) -> None:
    """Write problems.csv in one step."""
    atomic_bytes(Layout(folder).problems, problems[PROBLEM_COLUMNS].to_csv(index=False).encode())
