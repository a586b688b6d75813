"""Searching only within the query's anatomy: which one that is, and which images show it.

Owns the question whose anatomy is known: that of images of the collection, which is its manifest's to say.
"""

from __future__ import annotations

from radcbir_core.collections.collection import Collection
from radcbir_core.errors import QueryError
from radcbir_core.search.backend import Mask
from radcbir_core.search.queries.composed import ComposedQuery
from radcbir_core.search.queries.query import ChangedQuery, Query, RowQuery


def anatomy_of(query: Query, collection: Collection) -> tuple[str, str]:
    """The modality and the anatomy that a query shows.

    Args:
        query: One or several images of the collection, or one of them that was changed; or a composed query of such
            images, of which those count whose weight is above 0, and sentences do not.
        collection: Which.

    Raises:
        QueryError: The query is not of the collection; one of the two is not known of it; or several images differ.
    """
    parts = _wanted(query)
    rows: list[int] = []
    for part in parts:
        original = part.original if isinstance(part, ChangedQuery) else part
        rows += original.rows if isinstance(original, RowQuery) else [-1]
    if not rows or -1 in rows:
        raise QueryError(
            "Expected an image of the collection to search within its anatomy, but of this query modality and anatomy "
            "are not known. Filter by modality and anatomy instead."
        )
    manifest = collection.manifest
    shown = set()
    for row in rows:
        record = manifest.record(row, ["image_id", "modality", "anatomy"])
        missing = [name for name in ("modality", "anatomy") if not record[name]]
        if missing:
            raise QueryError(
                f"Expected an image whose modality and anatomy are known, but of image_id = {record['image_id']!r} "
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not. Search everywhere, or filter."
            )
        shown.add((str(record["modality"]), str(record["anatomy"])))
    if len(shown) > 1:
        there = ", ".join(sorted(" ".join(place) for place in shown))
        raise QueryError(f"Expected images of one anatomy, but there are {there}. Ask for each by itself.")
    return shown.pop()


def _wanted(query: Query) -> list[Query]:
    """The images that a query asks for: of a composed one those of its parts whose weight is above 0."""
    if not isinstance(query, ComposedQuery):
        return [query]
    found = [one for part in query.parts if part.weight > 0 for one in _wanted(part.query)]
    return [one for one in found if one.measure != "text_similarity"]


def showing(place: tuple[str, str], collection: Collection) -> Mask:
    """``(N,)``; which images show a modality and an anatomy.

    Raises:
        QueryError: No image does.
    """
    modality, anatomy = place
    return collection.manifest.mask({"modality": [modality], "anatomy": [anatomy]})
