"""The demonstration as a job in a process of its own."""

from __future__ import annotations

import pytest

from radcbir_core.collections.artifacts import BY_NAME
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import CollectionError
from radcbir_core.jobs import start
from radcbir_core.jobs.kinds import record_of, request_in
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
from radcbir_core.jobs.kinds.make_demonstration import MakeDemonstration
from radcbir_core.synthetic.demonstration import ENCODER, NAME, is_wanted
from tests import quick_jobs
from tests.quick_jobs import Controls, ended


@pytest.fixture
def controls(tmp_path, tiny_root, monkeypatch) -> Controls:
    """What holds the demonstration up, which is a quick one."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield quick_jobs.prepare(monkeypatch, tmp_path, demonstration=tiny_root)
    quick_jobs.end()


def test_it_goes_on_after_a_full_disk_and_a_kill_and_nothing_that_is_finished_is_drawn_again(controls, tmp_path):
    controls.fail_at("draw")
    job = ended(start(MakeDemonstration()))
    assert job.status().state == "failed"
    assert "Expected space left on the disk, but there is none" in job.status().error
    controls.go_on()
    drawn = (tmp_path / "data" / "drawn.txt").read_text()
    controls.rest_at("index")
    job.resume()
    quick_jobs.wait_for(lambda: job.status().stage == "index")
    with pytest.raises(CollectionError, match="Expected one job at a time on phantoms"):
        start(ImportAndBuild(NAME, encoders=("pixels",)))
    job.end()
    quick_jobs.wait_for(lambda: not job.is_alive())
    assert is_wanted()
    controls.go_on()
    job.resume()
    assert ended(job).status().state == "done", job.status().error
    assert open_collection(NAME).store(ENCODER).states() == dict.fromkeys(BY_NAME, "current")
    assert (tmp_path / "data" / "drawn.txt").read_text() == drawn + "phantoms 60\n"
    assert not is_wanted()


def test_a_record_keeps_what_was_asked_for():
    for request in (MakeDemonstration(), MakeDemonstration("more", 9)):
        assert request_in(record_of(request)) == request
