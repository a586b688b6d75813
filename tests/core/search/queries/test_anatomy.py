"""Searching within the query's anatomy, against the manifest read line by line."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import QueryError
from radcbir_core.search.queries.anatomy import anatomy_of, showing
from radcbir_core.search.queries.composed import ComposedQuery, Part
from radcbir_core.search.queries.query import ChangedQuery, ImageQuery, RowQuery, TextQuery, VectorQuery
from radcbir_core.search.retriever import Retriever

PIXELS = np.zeros((4, 4), dtype=np.uint8)


@pytest.fixture
def small(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small")


def places(collection):
    records = collection.manifest.frame.to_dict("records")
    return [(record["modality"], record["anatomy"]) for record in records]


def test_it_is_that_of_the_image_even_when_it_was_changed(small) -> None:
    for row, place in enumerate(places(small)):
        if all(place):
            assert anatomy_of(RowQuery((row,)), small) == place
            assert anatomy_of(ChangedQuery(PIXELS, RowQuery((row,))), small) == place
            assert np.flatnonzero(showing(place, small)).tolist() == [
                other for other, shown in enumerate(places(small)) if shown == place
            ]


@pytest.mark.parametrize(
    "query",
    [ImageQuery(PIXELS), ChangedQuery(PIXELS, ImageQuery(PIXELS)), TextQuery("a chest"), VectorQuery(np.ones(4))],
    ids=lambda query: type(query).__name__,
)
def test_of_what_is_not_of_the_collection_it_is_not_known(small, query) -> None:
    with pytest.raises(QueryError, match="Expected an image of the collection to search within its anatomy"):
        anatomy_of(query, small)


def test_of_a_composed_query_it_is_that_of_the_images_that_are_wanted(small) -> None:
    known = places(small)
    row = next(row for row, place in enumerate(known) if all(place))
    same = next(other for other, place in enumerate(known) if other != row and place == known[row])
    other = next(other for other, place in enumerate(known) if all(place) and place != known[row])

    def composed(*parts):
        return ComposedQuery(tuple(Part(query, weight) for query, weight in parts))

    wanted = [(RowQuery((row,)), 1), (ChangedQuery(PIXELS, RowQuery((same,))), 0.5)]
    assert anatomy_of(composed(*wanted, (RowQuery((other,)), -1), (TextQuery("a chest"), 1)), small) == known[row]
    with pytest.raises(QueryError, match="Expected images of one anatomy"):
        anatomy_of(composed(*wanted, (RowQuery((other,)), 0.1)), small)
    for parts in ([(TextQuery("a chest"), 1)], [(RowQuery((row,)), -1)], [*wanted, (ImageQuery(PIXELS), 1)]):
        with pytest.raises(QueryError, match="of this query modality and anatomy are not known"):
            anatomy_of(composed(*parts), small)


def test_it_has_to_be_known_and_one(small) -> None:
    lacking = {"image_id": "a.png", "modality": "XR", "anatomy": ""}
    stub = SimpleNamespace(manifest=SimpleNamespace(record=lambda _row, _columns: lacking))
    with pytest.raises(QueryError, match=r"but of image_id = 'a\.png' anatomy is not\. Search everywhere, or filter"):
        anatomy_of(RowQuery((3,)), stub)
    lacking["modality"] = ""
    with pytest.raises(QueryError, match=r"but of image_id = 'a\.png' modality and anatomy are not"):
        anatomy_of(RowQuery((3,)), stub)
    known = places(small)
    other = next(other for other, place in enumerate(known) if all(place) and place != known[0])
    with pytest.raises(QueryError, match=r"Expected images of one anatomy, but there are .*Ask for each by itself"):
        anatomy_of(RowQuery((0, other)), small)


def test_hits_are_the_first_of_that_anatomy_and_filters_hold(small) -> None:
    retriever, known = Retriever(small, "pixels"), places(small)
    everything = retriever.search(0, k=61, exclude=["patient"])
    within = retriever.search(0, k=5, exclude=["patient"], within_anatomy=True)
    same = [row for row in everything.rows().tolist() if known[row] == known[0]]
    assert within.rows().tolist() == same[:5]
    assert (everything.within, within.within) == (None, known[0])
    modality = next(place[0] for place in known if place[0] and place[0] != known[0][0])
    assert len(retriever.search(0, where={"modality": [modality]}, within_anatomy=True)) == 0


def test_no_encoder_is_loaded_for_what_is_refused(small) -> None:
    def refuse():
        raise AssertionError("loaded")

    with pytest.raises(QueryError, match="within its anatomy"):
        Retriever(small, "pixels", encoder=refuse).search(PIXELS, within_anatomy=True)
