"""What an evaluation sees of a collection, against going through its images one by one."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError, QueryError
from radcbir_core.evaluation import PAPER, Protocol
from radcbir_core.evaluation.relevance import Relevance
from radcbir_core.evaluation.view import gallery_view, split_sides, view_notes
from tests.planted_training import plant_training


@pytest.fixture
def store(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small").store("pixels")


@pytest.mark.parametrize("protocol", [Protocol(), Protocol.of("split", exclude=("patient", "duplicate")), PAPER])
@pytest.mark.parametrize("level", ["anatomy", "label"])
def test_who_asks_and_what_there_is(store, protocol, level) -> None:
    view = gallery_view(store, protocol, level)
    manifest = store.collection.manifest
    labels, split = manifest.labels(level).codes, manifest.column("split")
    groups = [manifest.groups(name) for name in protocol.exclude]
    everyone = range(len(manifest))
    asking = [row for row in everyone if labels[row] >= 0 and (not protocol.split or split[row] == "test")]
    there = [row for row in everyone if labels[row] >= 0 and (not protocol.split or split[row] == "train")]
    assert view.queries.tolist() == asking
    assert np.flatnonzero(view.gallery).tolist() == there
    for query, allowed, relevant in zip(asking, view.allowed, view.available.relevant, strict=True):
        mine = [row for row in there if row != query and not any(group[row] == group[query] >= 0 for group in groups)]
        assert allowed == len(mine)
        assert relevant == sum(labels[row] == labels[query] for row in mine)
    hits = view.hits(5)
    assert set(hits.rows[hits.rows >= 0].tolist()) <= set(there)
    expected = [
        [row >= 0 and labels[row] == labels[query] for row in line]
        for query, line in zip(asking, hits.rows, strict=True)
    ]
    assert view.relevant(hits).tolist() == expected


def test_images_that_one_of_several_encoders_could_not_embed_are_on_no_side(store, monkeypatch) -> None:
    class Other:
        valid = np.arange(len(store.collection)) != 7
        collection, spec, record = store.collection, "pixels", store.record

    view = gallery_view(store, Protocol(), "anatomy", beside=[None, Other()])
    assert 7 not in view.queries
    assert not view.gallery[7]


@pytest.mark.parametrize("rule", ["skip", "count"])
def test_who_asks_with_and_without_what_was_seen(store, monkeypatch, rule) -> None:
    plant_training(monkeypatch, store.collection, [2, 5, 9])
    view = gallery_view(store, Protocol.of(seen=rule), "modality")
    seen = set(view.seen.tolist())
    assert seen >= {2, 5, 9}  # and their copies
    asked = set(view.queries.tolist())
    assert set(view.with_seen.queries.tolist()) == asked | seen
    assert set(view.without_seen.queries.tolist()) == asked - seen
    assert view.with_seen.asked_also_by(view).sum() == len(view.queries)
    assert view.with_seen.queries[~view.with_seen.asked_also_by(view.without_seen)].tolist() == sorted(seen)
    same = view.with_seen if rule == "count" else view.without_seen
    assert same is view


def test_views_that_ask_the_same_are_told_from_others(store) -> None:
    views = [gallery_view(store, Protocol(), level) for level in ("modality", "anatomy")]
    everything = np.ones(len(store.valid), dtype=bool)
    assert views[0].asks_the_same(gallery_view(store, Protocol(), "modality"))
    assert views[0].asks_the_same(views[1]) == np.array_equal(views[0].queries, views[1].queries)
    assert not views[0].asks_the_same(gallery_view(store, Protocol(exclude=()), "modality"))
    assert not views[0].asks_the_same(views[0].asked_by(views[0].queries[1:]))
    assert not views[0].asks_the_same(views[0].within(everything & (np.arange(len(everything)) > 0)))


def test_parts_of_a_view_keep_the_rest(store) -> None:
    view = gallery_view(store, Protocol(), Relevance.of_manifest(store.collection.manifest, "any-shared"))
    part = view.asked_by(view.queries[:3])
    np.testing.assert_array_equal(part.available.relevant, view.available.relevant[:3])
    smaller = view.within(view.gallery & (np.arange(len(view.gallery)) % 2 == 0))
    assert (smaller.available.relevant <= view.available.relevant).all()


def test_what_is_missing_is_said(store, monkeypatch) -> None:
    with pytest.raises(QueryError, match="level = 'planet'"):
        gallery_view(store, Protocol(), "planet")
    split = store.collection.manifest.codes("split")
    without = type(split)(values=(), codes=split.codes * 0 - 1)
    monkeypatch.setitem(store.collection.manifest._codes, "split", without)
    with pytest.raises(
        EvaluationError, match="Expected images of split train and of split test, but small has no split"
    ):
        split_sides(store)


def test_notes_say_what_an_approximate_graph_misses(store, monkeypatch) -> None:
    graph = {"method": "approximate", "engine": "cells", "recall_at_10": 0.981}
    monkeypatch.setitem(store.record, "neighbors", graph)
    said = "The neighbor graph, whose hits these are, is approximate, "
    assert f"{said}which finds 98.1 % of the exact first 10." in view_notes(store, Protocol())
    monkeypatch.setitem(store.record, "neighbors", {**graph, "recall_at_10": None})
    assert f"{said}whose recall was not measured." in view_notes(store, Protocol())
    assert not any(said in note for note in view_notes(store, Protocol.of("paper")))


def test_notes_say_what_one_has_to_know(store) -> None:
    assert any("their patients could not be excluded" in note for note in view_notes(store, Protocol()))
    notes = [note for note in view_notes(store, Protocol.of(exclude=())) if "have no patient_id" in note]
    assert len(notes) == 1
    assert notes[0].endswith("each counts as a patient of its own, and intervals may be too narrow.")
    monkey = store.record
    store.record = {**monkey, "failed_rows": [1, 2]}
    del store.__dict__["valid"]
    try:
        assert "2 images could not be embedded and are left out; problems.csv says why." in view_notes(
            store, Protocol()
        )
    finally:
        store.record = monkey
        store.__dict__.pop("valid", None)
