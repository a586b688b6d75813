"""Regions as jobs: refused before anything begins, stopped between two images, gone on with where they were."""

from __future__ import annotations

import json

import pytest

from radcbir_core.collections.artifacts import EMBEDDINGS
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import CollectionError, StaleError
from radcbir_core.jobs import list_jobs, run_here, start
from radcbir_core.jobs.kinds import record_of, request_in
from radcbir_core.jobs.kinds.embed_regions import EmbedRegions
from tests import quick_jobs
from tests.quick_jobs import ended
from tests.stale import outdate


def store():
    return open_collection("small").store("pixels")


def test_a_record_keeps_what_was_asked():
    request = EmbedRegions("small", "pixels")
    assert request_in(json.loads(json.dumps(record_of(request)))) == request


def test_it_stops_between_two_images_and_goes_on(controls):
    controls.rest_at("tiles")
    job = start(EmbedRegions("small", "pixels"))
    quick_jobs.wait_for(lambda: job.status().stage == "tiles")
    assert job.status().total == 61
    job.stop()
    assert ended(job).status().state == "stopped"
    assert "tiles" not in store().states()
    controls.go_on()
    job.resume()
    assert ended(job).status().state == "done", job.status().error
    assert store().states()["tiles"] == "current"


def test_what_is_there_is_not_made_again(data):
    first = run_here(EmbedRegions("small", "pixels"))
    assert (first.images, list(first.seconds)) == (61, ["tiles"])
    assert run_here(EmbedRegions("small", "pixels")).seconds == {}


def test_what_cannot_be_made_is_refused_before_anything_begins(data):
    with pytest.raises(CollectionError):
        start(EmbedRegions("small", "gone"))
    outdate(store(), EMBEDDINGS)
    with pytest.raises(StaleError, match="Expected embeddings of the images that small has now"):
        start(EmbedRegions("small", "pixels"))
    assert list_jobs() == []
