"""Counts of a large collection, counted once a machine.

Owns one small file beside the manifest that they are of. Half a second of counting is what Home and the list of
collections would wait for in every process. They are believed under this machine's seal only, and only for the very
manifest that they were counted in: whoever hands over a folder could have written anything, and what counts say of
patients decides which exclusions are offered.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from typing import Any, Final

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.manifests.counting import Counts, counts_in
from radcbir_core.collections.seal import is_sealed, sealed
from radcbir_core.errors import RadcbirError
from radcbir_core.storage import digest_of, read_json, write_json

SMALLEST: Final = 100_000
"""Images. Smaller collections are counted sooner than one looks up what was counted."""
_FORM: Final = 1
"""To be raised with what is counted, or how."""


def counts_of(collection: Collection) -> Counts:
    """What is in a collection, as it was counted before, or counted now; of its manifest few columns are read.

    Raises:
        CollectionError: The manifest is missing, damaged, or not the one that collection.json describes.
    """
    manifest = collection.manifest  # also where counts are kept: one that is damaged is never passed over
    if len(collection) < SMALLEST:
        return counts_in(manifest)
    counts = _kept(collection)
    if counts is None:
        counts = counts_in(manifest)
        with contextlib.suppress(OSError, RadcbirError):  # a disk that refuses it is let be
            told = asdict(counts)
            seal = sealed(_digest(collection, told))
            write_json(collection.layout.counts, {"form": _FORM, "counts": told, "seal": seal})
    return counts


def _kept(collection: Collection) -> Counts | None:
    """Those on disk; None where there are none that can be believed."""
    try:
        record = read_json(collection.layout.counts)
        told = record["counts"]
        if record.get("form") != _FORM or not is_sealed(_digest(collection, told), record.get("seal")):
            return None
        return Counts(**{**told, "known_groups": tuple(told["known_groups"])})
    except (OSError, RadcbirError, KeyError, TypeError):
        return None


def _digest(collection: Collection, told: dict[str, Any]) -> str:
    return digest_of("counts", str(_FORM), collection.digest, json.dumps(told))
