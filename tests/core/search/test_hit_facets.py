"""Facets against plain Python: counts over the first hits, without a column's own filter."""

from __future__ import annotations

from collections import Counter

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.search.hit_facets import COLUMNS, count_facets, facets_said
from radcbir_core.search.retriever import Retriever


@pytest.fixture
def retriever(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return Retriever(open_collection("small"), "pixels")


@pytest.mark.parametrize("where", [{}, {"modality": ["CT"]}, {"modality": ["CT", "MR"], "split": ["test"]}])
def test_counts_are_those_of_the_first_hits_under_the_other_filters(retriever, where) -> None:
    asked = []

    def find(filters):
        asked.append(filters)
        return retriever.search(21, k=15, where=filters)

    manifest = retriever.collection.manifest
    facets = count_facets(find, manifest, where)
    assert [facet.column for facet in facets] == [name for name in COLUMNS if name in manifest.filterable()]
    frame = manifest.frame
    for facet in facets:
        others = {name: values for name, values in where.items() if name != facet.column}
        rows = retriever.search(21, k=15, where=others).rows()
        values = frame.iloc[rows][facet.column].tolist()
        lists = [set(value) if isinstance(value, list) else {value} - {""} for value in values]
        assert facet.counts == Counter(name for names in lists for name in names)
        assert list(facet.counts.values()) == sorted(facet.counts.values(), reverse=True)
        assert facet.without == sum(not names for names in lists)
        assert facet.hits == len(rows)
    assert len(asked) == 1 + len(where), "no more is searched than there are filters"


def test_only_what_there_is_is_counted(retriever) -> None:
    facets = count_facets(
        lambda _: retriever.search(21, k=5), retriever.collection.manifest, columns=["image_id", "split"]
    )
    assert [facet.column for facet in facets] == ["split"]
    assert facets_said(facets).startswith("Counted over the first 5 hits")
    assert count_facets(lambda _: retriever.search(21), retriever.collection.manifest, columns=[]) == []
