"""Fewer hits against plain Python: the first of each patient, and none below a similarity."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import QueryError
from radcbir_core.search import narrowing
from radcbir_core.search.narrowing import at_least, one_each, only
from radcbir_core.search.retriever import Retriever


@pytest.fixture
def retriever(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return Retriever(open_collection("small"), "pixels")


def slow_one_each(rows, groups, k):
    """The first row of each group, and the others of those, by plain Python."""
    first, others = [], {}
    for row in rows:
        group = groups[row] if groups[row] >= 0 else f"row {row}"
        if group in others:
            others[group].append(row)
        else:
            others[group] = []
            first.append((row, group))
    return [row for row, _ in first[:k]], [others[group] for _, group in first[:k]]


@pytest.mark.parametrize("row", [2, 25, 58])
@pytest.mark.parametrize("k", [1, 4, 15, 60])
@pytest.mark.parametrize("order", ["cosine", "csls"])
def test_of_each_patient_the_first_hit_is_left(retriever, row, k, order) -> None:
    groups = retriever.collection.manifest.groups("patient")
    found = one_each(lambda number: retriever.search(row, k=number, order=order), groups, k=k)
    everything = retriever.search(row, k=found.depth, order=order)
    rows, others = slow_one_each(everything.rows().tolist(), groups.tolist(), k)
    assert found.answer.rows().tolist() == rows
    assert [list(some) for some in found.others] == others
    similarities = dict(zip(everything.rows().tolist(), everything.similarities().tolist(), strict=True))
    assert found.answer.similarities().tolist() == [similarities[one] for one in rows]
    assert len(found.answer.table()) == len(rows)
    if order == "csls":
        ranks = dict(zip(everything.rows().tolist(), everything.ranks[0].tolist(), strict=True))
        assert found.answer.table()["cosine_rank"].tolist() == [ranks[one] for one in rows]
    if k < 30:
        assert len(rows) == k
    else:
        assert found.depth == 60, "all were looked through"


def test_no_more_is_looked_through_than_is_promised(retriever, monkeypatch) -> None:
    monkeypatch.setattr(narrowing, "FARTHEST", 9)
    asked = []

    def find(number):
        asked.append(number)
        return retriever.search(0, k=number)

    found = one_each(find, np.zeros(61, dtype=np.int32), k=2)
    assert asked == [4, 9]
    assert len(found.answer) == 1
    assert len(found.others[0]) == 8


@pytest.mark.parametrize("least", [-1.0, 0.9, 0.955, 1.0])
def test_no_hit_is_less_similar_than_is_asked_for(retriever, least) -> None:
    answer = retriever.search(21, k=40)
    kept = at_least(answer, least)
    shown = [round(float(one), 3) for one in answer.similarities()]
    expected = [row for row, one in zip(answer.rows().tolist(), shown, strict=True) if one >= least]
    assert kept.rows().tolist() == expected
    assert len(kept.table()) == len(expected)


def test_what_is_no_similarity_is_refused(retriever) -> None:
    with pytest.raises(QueryError, match=r"Expected a least similarity from -1 to 1, but least = 1\.5"):
        at_least(retriever.search(21), 1.5)


def test_nothing_can_be_left(retriever) -> None:
    none = only(retriever.search(21), [])
    assert (len(none), len(none.table()), none.rows().tolist()) == (0, 0, [])
