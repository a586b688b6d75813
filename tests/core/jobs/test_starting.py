"""Starting jobs: here in the terminal too, and what becomes of those that are done."""

from __future__ import annotations

import json
import time

import pytest

from radcbir_core.errors import CollectionError, StorageError
from radcbir_core.jobs import list_jobs, run_here, start
from tests.core.jobs.counting import Count, rests
from tests.quick_jobs import wait_for


def test_a_folder_that_cannot_be_written_is_said(folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with monkeypatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(tmp_path / "file" / "data"))
        with pytest.raises(StorageError, match="a part of its path is a file"):
            start(Count("mine", str(folder)))


def test_a_command_in_a_terminal_is_a_job_that_others_see(folder):
    seen = []

    def progress(step: str, done: int, total: int) -> None:
        (job,) = list_jobs()
        seen.append((job.status().state, job.status().runner))
        with pytest.raises(CollectionError, match="one job at a time"):
            start(Count("mine", str(folder), total=99))

    assert run_here(Count("mine", str(folder)), progress=progress) == 10
    assert set(seen) == {("running", "terminal")}
    assert list_jobs() == [], "its end was told in the terminal"

    def stop(step: str, done: int, total: int) -> None:
        list_jobs()[0].stop()
        time.sleep(0.3)

    with pytest.raises(KeyboardInterrupt):
        run_here(Count("other", str(folder)), progress=stop)
    with pytest.raises(CollectionError, match="Mend it"):
        run_here(Count("third", str(folder), fault="said"))
    assert list_jobs() == []


def test_a_command_waits_for_the_same_job_and_tells_its_progress(folder):
    (folder / "rest").touch()
    job = start(Count("mine", str(folder)), runner="process")
    wait_for(lambda: rests(job))
    seen = []

    def progress(step: str, done: int, total: int) -> None:
        seen.append((step, done, total))
        (folder / "rest").unlink(missing_ok=True)

    assert run_here(Count("mine", str(folder)), progress=progress) == 10
    assert ("count", 5, 10) in seen
    assert len(Count("mine", str(folder)).lines) == 10, "and has made nothing twice"


def test_done_ones_that_are_seen_elsewhere_are_forgotten_after_a_while(folder, monkeypatch):
    monkeypatch.setattr(Count, "is_listed", False)
    job = start(Count("mine", str(folder)))
    job.wait(60)
    wait_for(lambda: not job.is_alive())
    start(Count("other", str(folder))).wait(60)
    assert len(list_jobs()) == 2
    record = job.status()
    job.status_path.write_text(json.dumps(record.to_json() | {"updated": record.updated - 4000}))
    start(Count("third", str(folder))).wait(60)
    assert [found.name for found in list_jobs()] == ["third", "other"]
