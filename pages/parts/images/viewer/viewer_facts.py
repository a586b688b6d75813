"""What the viewer says of an image beside its picture: what a clinician asks first, and ids and digests last.

Owns what is told of one image. Asked outside of a page's script, by the routes; so everything it needs is named in the
address, and looked up in what the pages keep in memory.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from pages.parts.frame import loaders, palette, route_guard
from pages.parts.images import burned_marks, fact_order, gallery, seen_marks
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.manifests.manifest import FRAME_COLUMN
from radcbir_core.errors import QueryError, RadcbirError

MOST_SLICES: Final = 4000
"""Of longer series the viewer shows the one image alone."""

_ORDERS: Final = (FRAME_COLUMN, "instance_number", "instancenumber", "slice", "slice_number", "slice_location")
"""Columns that say where in its series an image is, the first that a manifest has."""


def told(collection: Collection, row: int, *, encoder_id: str = "", query: int | None = None) -> dict[str, Any]:
    """What is said of an image.

    Args:
        collection: Where it is.
        row: Its row.
        encoder_id: Whose training is spoken of; "" for none.
        query: The row of the query that it is a hit of.

    Returns:
        ``image_id``; ``head`` and ``lines`` (the few words above the picture); ``modality``; ``facts``, names and
        values in order; ``agreement`` with the query, each a name, a sign, words and a color; ``thumbnail``, an
        address; and ``series``, the rows of its series in order, where there is more than one.
    """
    labels = gallery.labels_of(collection, row)
    facts = [(name, value) for name, value in gallery.image_facts(collection, row) if value]
    seen = {}
    if encoder_id in collection.encoder_ids():
        try:
            seen = {encoder_id: loaders.seen(collection, encoder_id)}
        except RadcbirError:
            seen = {}  # its record is damaged, which the page says where it opens it
    burned = burned_marks.burned_here(collection)
    further = [*seen_marks.facts_of(seen, row), *burned_marks.facts_of(burned, row)]
    facts = fact_order.in_clinical_order([*facts, *((n, v) for n, v in further if v)])
    return {
        "image_id": collection.manifest.image_id(row),
        "modality": labels.modality,
        "head": " · ".join(filter(None, gallery.said_of(labels))) or "not labeled",
        "lines": [
            fact_order.in_short(facts),
            seen_marks.said_of(seen, row),
            burned_marks.said_of(burned, row),
        ],
        "facts": facts,
        "agreement": [] if query is None or query == row else agreement(collection, query, labels),
        "thumbnail": route_guard.address("thumbnail", collection.name, collection.digest[:16], row),
        "series": series_of(collection, row),
    }


def agreement(collection: Collection, query: int, labels: gallery.Labels) -> list[dict[str, str]]:
    """Whether a hit shows what the query shows, by anatomy and pathology."""
    said = []
    for name, kind, words in gallery.agreement_words(gallery.labels_of(collection, query), labels):
        said.append(
            {"name": name, "sign": palette.SIGNS[kind], "words": words, "color": palette.AGREEMENT_COLORS[kind]}
        )
    return said


def series_of(collection: Collection, row: int) -> list[int]:
    """The rows of an image's series in the order of its slices; empty where it is alone, or the series too long."""
    manifest = collection.manifest
    groups = manifest.groups("series")
    if groups[row] < 0:
        return []
    rows = np.flatnonzero(groups == groups[row])
    if not 1 < len(rows) <= MOST_SLICES:
        return []
    names = {name.lower().replace(" ", "_"): name for name in manifest.column_names}
    column = next((names[name] for name in _ORDERS if name in names), None)
    if column is None:
        return [int(each) for each in rows]
    texts = [str(text or "") for text in manifest.rows(rows, [column])[column].tolist()]
    return [int(rows[at]) for at in sorted(range(len(rows)), key=lambda at: (_number(texts[at]), at))]


def checked(name: str, version: str, row: int) -> Collection:
    """The collection that a page has named.

    Args:
        name: Of the collection.
        version: The beginning of the digest of its manifest.
        row: Of an image of it.

    Raises:
        QueryError: The collection is another one by now, or has no such image.
        RadcbirError: There is no such collection.
    """
    collection = loaders.collection(name)
    if len(version) < 16 or not collection.digest.startswith(version) or not 0 <= row < len(collection):
        raise QueryError("Expected an image of the open collection, but it is another by now. Reload the page.")
    return collection


def _number(text: str) -> float:
    """What is no number comes last."""
    try:
        value = float(text)
    except ValueError:
        return np.inf
    return value if np.isfinite(value) else np.inf
