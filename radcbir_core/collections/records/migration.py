"""Records that an earlier version wrote → records as they are written now.

Owns what the forms of ``collection.json``, ``encoder.json`` and the note beside unfinished embeddings were, and the
rules by which each becomes the present one. All of it happens in memory when a record is read, so that a collection on
a read-only disk opens too; the new form is on disk from the next time that the record is written. No rule reads another
file: whatever is translated of one record fits what is translated of another, in whichever order they are rewritten.

Form 1 knew one digest, that of the manifest's file, and everything was made of that: a changed label made all of it
stale. Here it goes on as the identifier of the images *and* of the labels, marked as what it is. So nothing becomes
stale that was current; and once labels are corrected, the images keep their identifier and the labels get another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from radcbir_core.collections.layout import MANIFEST
from radcbir_core.collections.manifests.digests import Digests

SCHEMA_VERSION: Final = 2
"""The version of the form of records, in each of them as ``schema_version``; the first left it out of encoder.json."""

_FILE_MARK: Final = "manifest "
_RECIPES: Final = {"evaluation": 2}
"""The recipes of what was made before recipes were recorded, where they were not the first."""


def version_of(record: Mapping[str, Any]) -> int | None:
    """The version of a collection's record; ``None`` where it says none.

    Example:
        >>> version_of({"schema_version": 1}), version_of({"schema_version": "two"}), version_of({})
        (1, None, None)
    """
    version = record.get("schema_version")
    return version if isinstance(version, int) and not isinstance(version, bool) else None


def migrated_collection(record: dict[str, Any]) -> dict[str, Any]:
    """A collection's record in the present form.

    Args:
        record: Of a version from 1 to :data:`SCHEMA_VERSION`; it is not changed.

    Example:
        >>> migrated = migrated_collection({"schema_version": 1, "title": "Chest", "manifest_digest": "0a1b"})
        >>> migrated["schema_version"], migrated["manifest"], migrated["digests"]["images"]
        (2, 'manifest.parquet', 'manifest 0a1b')
    """
    if version_of(record) != 1 or "manifest_digest" not in record:
        return record
    digests = _digests_of_one(record["manifest_digest"])
    return record | {
        "schema_version": SCHEMA_VERSION,
        "manifest": MANIFEST,
        "digests": {"images": digests.images, "labels": dict(digests.labels)},
    }


def migrated_encoder(record: dict[str, Any]) -> dict[str, Any]:
    """An encoder's record in the present form.

    Args:
        record: Of any version up to :data:`SCHEMA_VERSION`; it is not changed.

    Example:
        >>> one = {"fingerprint": "f", "embeddings_digest": "e", "made_of": {"embed": "0a1b", "index": "e"}}
        >>> migrated = migrated_encoder(one)["artifacts"]
        >>> migrated["embeddings"]["of"], migrated["index"]["of"]
        ({'images': 'manifest 0a1b', 'encoder': 'f'}, {'embeddings': 'e'})
    """
    if "schema_version" in record:
        return record
    made_of = record.get("made_of")
    made_of = {name: str(digest) for name, digest in made_of.items()} if isinstance(made_of, dict) else {}
    kept = {key: value for key, value in record.items() if key not in {"made_of", "manifest_digest"}}
    digest = str(kept.pop("embeddings_digest", ""))
    digests = _digests_of_one(made_of.get("embed", ""))
    of: dict[str, dict[str, str]] = {
        "embeddings": {"images": digests.images, "encoder": str(record.get("fingerprint", ""))},
        "index": {"embeddings": made_of.get("index", "")},
        "neighbors": {"embeddings": made_of.get("neighbors", "")},
        # Form 1 had map and evaluation made of embeddings, by way of a graph that was made of the same.
        "evaluation": {"neighbors": _made_of(made_of.get("evaluation", "")), "labels": digests.all_labels},
        "projection": {"neighbors": _made_of(made_of.get("projection", ""))},
    }
    was_made = {name for name in of if ("embed" if name == "embeddings" else name) in made_of}
    artifacts = {
        name: {"recipe": _RECIPES.get(name, 1), "of": of[name], "digest": _made_of(made_of.get(name, ""))}
        for name in of
        if name in was_made
    }
    if "embeddings" in artifacts:
        artifacts["embeddings"]["digest"] = digest
    return {"schema_version": SCHEMA_VERSION, **kept, "artifacts": artifacts}


def migrated_parts(note: dict[str, Any]) -> dict[str, Any]:
    """What unfinished embeddings are being made of, in the present form.

    Example:
        >>> migrated_parts({"manifest_digest": "0a1b", "fingerprint": "f"})
        {'fingerprint': 'f', 'images': 'manifest 0a1b'}
    """
    if "manifest_digest" not in note:
        return note
    kept = {key: value for key, value in note.items() if key != "manifest_digest"}
    return kept | {"images": _digests_of_one(note["manifest_digest"]).images}


def is_of_form_one(identifier: str) -> bool:
    """Whether images or labels are identified by their manifest's file, and not by what is in it.

    Example:
        >>> is_of_form_one("manifest 0a1b"), is_of_form_one("0a1b")
        (True, False)
    """
    return identifier.startswith(_FILE_MARK)


def _digests_of_one(manifest_digest: object) -> Digests:
    """The digest of a manifest's file, as the identifier of what it holds."""
    identifier = f"{_FILE_MARK}{manifest_digest}"
    return Digests(identifier, {"*": identifier})


def _made_of(digest: str) -> str:
    """What identifies an artifact of which it was recorded only what it was made of."""
    return f"made of {digest}"
