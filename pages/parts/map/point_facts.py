"""What a point is, for whoever points at it: the image's id, what is known of it, and its thumbnail.

Owns what is told, not who may hear it. Asked outside of a page's script, by the routes; so everything it needs is named
in the address, and looked up in what the pages keep in memory.
"""

from __future__ import annotations

from typing import Any, Final

from pages.parts.frame import loaders, route_guard
from pages.parts.images import pictures
from pages.parts.images.gallery import labels_of, said_of
from pages.parts.map import map_data
from pages.parts.map.coloring import SEEN_FILE, SEEN_NEAR
from pages.parts.map.opened_map import OpenedMap
from radcbir_core.errors import QueryError

_COLUMNS: Final = ("image_id", "modality", "anatomy", "pathologies", "dataset", "split")


def address(on: OpenedMap) -> str:
    """Where the facts of the points of a map are, without the position at the end."""
    digest = map_data.layout(on).digest
    return route_guard.address("map", on.collection.name, on.encoder_id, on.name, digest)


def facts_at(name: str, encoder_id: str, map_name: str, layout_digest: str, position: int) -> dict[str, Any]:
    """What a point is.

    Args:
        name: Of the collection.
        encoder_id: Whose map it is on.
        map_name: Which of these.
        layout_digest: Of the points that the browser has.
        position: Of the point among them.

    Returns:
        ``row``, ``image_id``, ``lines`` (what is known, in words) and ``thumbnail`` (an address, relative to a page).

    Raises:
        QueryError: The map is another one by now, or has no such point.
        RadcbirError: There is no such collection, encoder or map.
    """
    collection = loaders.collection(name)
    layout = map_data.layout(OpenedMap(collection, encoder_id, map_name))
    if layout.digest != layout_digest or not 0 <= position < len(layout.rows):
        raise QueryError("Expected a point of the map that is shown, but the map is another by now. Reload the page.")
    row = int(layout.rows[position])
    found = collection.manifest.rows([row], _COLUMNS).iloc[0]
    seen = loaders.seen(collection, encoder_id)
    lines = [
        " · ".join(filter(None, (found["modality"], found["anatomy"]))) or "no modality, no anatomy",
        ", ".join(found["pathologies"]) or "not labeled",
        " · ".join(filter(None, (found["dataset"], found["split"]))),
        SEEN_FILE if seen.files[row] else SEEN_NEAR if seen.near[row] else "",
    ]
    return {
        "row": row,
        "image_id": str(found["image_id"]),
        "lines": [line for line in lines if line],
        "thumbnail": route_guard.address("thumbnail", name, collection.digest[:16], row),
    }


def thumbnail(name: str, version: str, row: int) -> tuple[bytes, str]:
    """The small picture of an image, and its kind; a placeholder that says what it is where there is none.

    Args:
        name: Of the collection.
        version: The beginning of the digest of its manifest.
        row: Of the image.

    Raises:
        QueryError: The collection is another one by now, or has no such image.
        RadcbirError: There is no such collection.
    """
    collection = loaders.collection(name)
    if not collection.digest.startswith(version) or not 0 <= row < len(collection):
        raise QueryError("Expected an image of the open collection, but it is another by now. Reload the page.")
    return pictures.small_bytes(collection, row, said_of(labels_of(collection, row)))
