"""Whether anybody is at work: a lock says it, and nothing else."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from radcbir_core.errors import StorageError
from radcbir_core.jobs import at_work_on, list_jobs, liveness, start
from tests.core.jobs.counting import Count, rests
from tests.quick_jobs import wait_for

REPOSITORY = Path(__file__).resolve().parents[3]


def test_a_number_that_another_program_has_by_now_is_not_mistaken(folder):
    job = start(Count("mine", str(folder)), runner="process")
    job.wait(60)
    wait_for(lambda: not job.is_alive())
    job.folder.joinpath("lock").write_text(str(os.getpid()))
    assert liveness.number_of(job.folder) is None
    job.end()
    assert not job.is_alive()


def test_the_mechanism_can_be_imported_where_there_are_no_posix_locks():
    program = (
        "import sys; sys.modules['fcntl'] = None; import radcbir_core.jobs as jobs; print(jobs.liveness.INHERITED)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert done.stdout == "False\n"


def test_a_disk_without_locks_is_said_and_nothing_counts_as_at_rest(folder, monkeypatch):
    (folder / "rest").touch()
    job = start(Count("mine", str(folder)))
    wait_for(lambda: rests(job))

    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refused)
        for asked in (liveness.take, liveness.is_held):
            with pytest.raises(StorageError, match="Expected a disk on which files can be locked"):
                asked(job.folder)
        assert "Expected a disk on which files can be locked" in job.status().error
    assert at_work_on("mine") is not None, "the job goes on"
    (folder / "rest").unlink()
    job.wait(60)


def test_what_may_not_be_looked_at_is_said(folder, monkeypatch):
    job = start(Count("mine", str(folder)))
    job.wait(60)
    wait_for(lambda: not job.is_alive())
    real = os.open

    def refused(path: object, *arguments: int, **options: int) -> int:
        if str(path).endswith("lock") and str(job.folder) in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        (seen,) = list_jobs()
        assert seen.status().state == "failed"
        assert "Expected permission to read and write here" in seen.status().error


def test_a_lock_is_let_go_of_once(folder, tmp_path):
    hold = liveness.take(tmp_path)
    hold.release()
    other = os.open(tmp_path / "other", os.O_CREAT | os.O_RDWR)  # has the number of the lock's file now
    hold.release()
    os.fstat(other)
    os.close(other)
    assert not liveness.is_held(tmp_path)
