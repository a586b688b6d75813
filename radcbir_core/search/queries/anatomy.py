"""Searching only within the query's anatomy: which one that is, and which images show it.

Owns the question whose anatomy is known: that of images of the collection, which is its manifest's to say.
"""

from __future__ import annotations

from radcbir_core.collections.collection import Collection
from radcbir_core.errors import QueryError
from radcbir_core.search.backend import Mask
from radcbir_core.search.queries.query import ChangedQuery, Query, RowQuery


def anatomy_of(query: Query, collection: Collection) -> tuple[str, str]:
    """The modality and the anatomy that a query shows.

    Args:
        query: One or several images of the collection, or one of them that was changed.
        collection: Which.

    Raises:
        QueryError: The query is not of the collection; one of the two is not known of it; or several images differ.
    """
    original = query.original if isinstance(query, ChangedQuery) else query
    if not isinstance(original, RowQuery):
        raise QueryError(
            "Expected an image of the collection to search within its anatomy, but of this query modality and anatomy "
            "are not known. Filter by modality and anatomy instead."
        )
    manifest = collection.manifest
    shown = set()
    for row in original.rows:
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
        raise QueryError(f"Expected queries of one anatomy, but there are {there}. Ask for each by itself.")
    return shown.pop()


def showing(place: tuple[str, str], collection: Collection) -> Mask:
    """``(N,)``; which images show a modality and an anatomy.

    Raises:
        QueryError: No image does.
    """
    modality, anatomy = place
    return collection.manifest.mask({"modality": [modality], "anatomy": [anatomy]})
