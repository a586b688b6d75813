"""The handle of a job, and what is kept of it on disk, by this version and the one before."""

from __future__ import annotations

import json
import shutil

import pytest

from radcbir_core.errors import CollectionError
from radcbir_core.jobs import Status, at_work_on, job_called, list_jobs, start
from tests.core.jobs.counting import Count
from tests.quick_jobs import wait_for


def test_twenty_jobs_are_seen_at_work(folder):
    (folder / "rest").touch()
    jobs = [start(Count(f"c{number}", str(folder))) for number in range(20)]
    for _ in range(10):
        assert at_work_on("none") is None
        assert not any(job.status().ended for job in jobs)
    (folder / "rest").unlink()
    assert {job.wait(60).state for job in jobs} == {"done"}


def test_folders_are_for_their_owner_alone(folder):
    job = start(Count("mine", str(folder)))
    assert job.folder.stat().st_mode & 0o777 == job.folder.parent.stat().st_mode & 0o777 == 0o700
    job.wait(60)
    with pytest.raises(CollectionError, match="Expected the id of a job"):
        job_called("../../etc")
    assert job_called(job.id).status() == job.status()
    assert isinstance(job.status(), Status)


def old_job(folder, state, **facts):
    """What the version before left: a folder of another name, a request without a kind, a status with other words."""
    old = folder.parent / "data" / "work" / "20240101-120000-mine-abcdef"
    old.mkdir(parents=True)
    request = {"name": "mine", "format": None, "encoders": ["pixels"], "archive": None, "imports": None}
    (old / "request.json").write_text(json.dumps(request))
    status = {"state": state, "stage": "embed", "encoder": "pixels", "done": 5, "total": 61, "rate": 0.0}
    status |= {"started": 1.0, "updated": 2.0, "error": "", "images": 61, "problems": 2, "finished": ["import"]}
    (old / "status.json").write_text(json.dumps(status | facts))
    (old / "lock").write_text("12")
    return old


@pytest.mark.parametrize("state", ["running", "failed", "done"])
def test_jobs_of_the_version_before_are_seen_and_can_be_dismissed(folder, state):
    old = old_job(folder, state)
    (job,) = list_jobs()
    assert (job.id, job.kind, job.name, job.place) == (old.name, "collection", "mine", "collection/mine")
    status = job_called(job.id).status()
    assert status.state == {"running": "interrupted"}.get(state, state)
    assert (status.part, status.counts, status.finished) == ("pixels", {"images": 61, "problems": 2}, ("import",))
    assert job.request.encoders == ("pixels",)
    job.dismiss()
    assert list_jobs() == []


def test_a_job_of_the_version_before_goes_on_where_it_is(folder, small_data):
    shutil.copytree(small_data / "collections", folder.parent / "data" / "collections")
    (folder.parent / "data" / "collections" / "small").rename(folder.parent / "data" / "collections" / "mine")
    old_job(folder, "running")
    (job,) = list_jobs()
    job.resume()
    status = job.wait(60)
    assert (status.state, status.finished, status.counts["images"]) == ("done", ("pixels",), 61)


OF_ANOTHER_VERSION = {
    "kind": "evaluation",
    "request": {"name": "a", "encoder_id": "e", "evaluation": "ranking", "choices": {"rule": "other"}},
}


def test_damaged_records_are_said_and_can_be_dismissed(folder):
    job = start(Count("mine", str(folder)))
    job.wait(60)
    wait_for(lambda: not job.is_alive())
    damaged = ["{", "[]", "{}", '{"state": "dancing"}', '{"state": "done", "more": 1}', '{"state": []}']
    wrong = {"finished": None, "done": None, "total": "7", "rate": "x", "updated": None, "error": None, "counts": None}
    damaged += [json.dumps({"state": "running", name: value}) for name, value in wrong.items()]
    damaged += ['{"state": "done", "encoder": "pixels", "images": null}', '{"state": "done", "finished": [1]}']
    for content in damaged:
        job.status_path.write_text(content)
        status = job_called(job.id).status()
        assert status.state == "failed", content
        assert status.error
    for content, said in (
        ("{", "not valid JSON"),
        ('{"kind": "count"}', "complete record"),
        ('{"kind": "x"}', "kind = 'x'"),
        (json.dumps(OF_ANOTHER_VERSION), "relevance = 'other'"),
        ('{"kind": []}', "kind = '[]'"),
        ('{"kind": "demonstration", "request": {"name": null}}', "name = None"),
    ):
        (job.folder / "request.json").write_text(content)
        (seen,) = list_jobs()
        assert (seen.name, seen.kind, seen.place) == ("", "", "")
        assert said in seen.status().error
    seen.dismiss()
    assert list_jobs() == []


def test_what_was_dismissed_meanwhile_is_no_fault(folder):
    job = start(Count("mine", str(folder)))
    job.wait(60)
    wait_for(lambda: not job.is_alive())
    job_called(job.id).dismiss()
    job.dismiss()
    job.stop()
    assert list_jobs() == []


def test_an_unknown_runner_leaves_nobody_at_work(folder):
    job = start(Count("mine", str(folder)))
    job.wait(60)
    wait_for(lambda: not job.is_alive())
    with pytest.raises(CollectionError, match="Expected a runner among process, thread"):
        job.resume(runner="other")
    assert not job.is_alive()
    assert job.status().state == "done"
