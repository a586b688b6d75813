"""Maps as jobs: the record keeps every choice, and what is laid out is kept by its name."""

from __future__ import annotations

import json

import pytest

from radcbir_core.collections.artifacts import NEIGHBORS
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import CollectionError, StaleError
from radcbir_core.jobs import list_jobs, run_here, start
from radcbir_core.jobs.kinds import record_of, request_in
from radcbir_core.jobs.kinds.lay_out_map import LayOutMap
from radcbir_core.projection.map_options import MapOptions
from tests import quick_jobs
from tests.quick_jobs import ended
from tests.stale import outdate


def store():
    return open_collection("small").store("pixels")


def test_a_record_keeps_every_choice():
    options = MapOptions(n_neighbors=7, min_dist=0.5, dimensions=3, seed=2**32 - 1, most_drawn=100, parallel=True)
    request = LayOutMap("small", "pixels", "deep", options)
    assert request_in(json.loads(json.dumps(record_of(request)))) == request
    record = request.to_json()
    record["options"]["dimensions"] = 4
    with pytest.raises(CollectionError, match="Expected 2 or 3, but dimensions = 4"):
        LayOutMap.from_json(record)


def test_it_stops_between_two_epochs_and_goes_on_anew(controls):
    controls.rest_at("projection")
    job = start(LayOutMap("small", "pixels", "wide", MapOptions(n_neighbors=20)))
    quick_jobs.wait_for(lambda: job.status().stage == "projection")
    assert job.status().total == 500
    other = LayOutMap("small", "pixels", "another")
    with pytest.raises(CollectionError, match="Expected one job at a time"):
        start(other)
    job.stop()
    assert ended(job).status().state == "stopped"
    assert list(store().maps()) == ["standard"]
    assert not store().layout.map("wide").exists()
    controls.go_on()
    job.resume()
    assert ended(job).status().state == "done", job.status().error
    assert {name: standing.state for name, standing in store().maps().items()} == {
        "standard": "current",
        "wide": "current",
    }
    assert store().map_facts("wide")["n_neighbors"] == 20
    assert len(store().projection("wide")) == 61


def test_what_is_there_is_not_made_again(data):
    request = LayOutMap("small", "pixels", "wide")
    run_here(request)
    before = store().layout.map("wide").stat().st_ino
    run_here(request)
    assert store().layout.map("wide").stat().st_ino == before
    run_here(LayOutMap("small", "pixels", "wide", MapOptions(seed=1)))
    assert store().layout.map("wide").stat().st_ino != before
    assert store().map_facts("wide")["seed"] == 1


def test_what_is_damaged_is_made_again(data):
    request = LayOutMap("small", "pixels", "wide", MapOptions(n_neighbors=20))
    run_here(request)
    path = store().layout.map("wide")
    first = path.read_bytes()
    path.write_bytes(store().layout.map("standard").read_bytes())
    run_here(request)
    assert path.read_bytes() == first


def test_what_cannot_be_laid_out_is_refused_before_anything_begins(data):
    with pytest.raises(CollectionError, match="Expected the name of a map"):
        start(LayOutMap("small", "pixels", "Too wide"))
    with pytest.raises(CollectionError):
        start(LayOutMap("small", "gone", "wide"))
    outdate(store(), NEIGHBORS)
    with pytest.raises(StaleError, match="Expected the neighbors of the images that small has now"):
        start(LayOutMap("small", "pixels", "wide"))
    assert list_jobs() == []
