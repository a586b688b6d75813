"""A sample of queries: the same each time, of those that can be answered, nested."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.sampling import check_sample, sample_said, sampled
from radcbir_core.evaluation.view import gallery_view


@pytest.fixture
def view(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    made = gallery_view(open_collection("small").store("pixels"), Protocol(), "label")
    return made.within(made.gallery & (made.relevance.kinds != made.relevance.kinds[made.queries[0]]))


def test_a_sample_is_of_those_that_have_something_to_find(view) -> None:
    able = view.queries[view.available.relevant > 0]
    assert len(able) < len(view.queries), "one label is not in the gallery"
    few, more, everyone = (sampled(view, number).queries for number in (5, 20, 10_000))
    assert (np.diff(few) > 0).all()
    assert len(few) == 5
    assert set(few) < set(more) < set(everyone)
    assert everyone.tolist() == able.tolist()
    assert few.tolist() == sampled(view, 5).queries.tolist()
    assert sample_said(sampled(view, 5), of=view) == (
        f"5 of {len(view.queries)} queries, drawn at random (seed 0) from those that have something to find."
    )
    assert sample_said(sampled(view, 10_000), of=view) == (
        f"{len(able)} of {len(view.queries)} queries: those that have something to find."
    ), "nobody was drawn"
    zero = replace(view, protocol=Protocol(empty="zero"))
    assert sampled(zero, 10_000).queries.tolist() == view.queries.tolist()
    assert "from all that ask" in sample_said(sampled(zero, 5), of=zero)
    assert sample_said(zero, of=zero).endswith(" queries: all that ask.")


def test_nobody_to_draw_from_is_said(view) -> None:
    alone = replace(view, gallery=np.zeros_like(view.gallery))
    with pytest.raises(EvaluationError, match="queries that have something to find, but small has none under these"):
        sampled(alone, 5)
    with pytest.raises(EvaluationError, match="Expected at least one query, but sample = 0"):
        check_sample(0)
