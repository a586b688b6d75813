"""Jobs in processes of their own: signals, and the number of the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from radcbir_core.jobs import liveness, start
from radcbir_core.jobs.__main__ import run
from tests.core.jobs.counting import Count, rests
from tests.quick_jobs import wait_for

REPOSITORY = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_is_interrupted_and_a_polite_signal_stops_it(folder, number):
    (folder / "rest").touch()
    job = start(Count("mine", str(folder)), runner="process")
    wait_for(lambda: rests(job))
    assert os.getsid(liveness.number_of(job.folder)) == liveness.number_of(job.folder)
    os.kill(liveness.number_of(job.folder), number)
    wait_for(lambda: not job.is_alive())
    assert job.status().state == ("interrupted" if number == signal.SIGKILL else "stopped")


def test_the_command_refuses_what_is_no_job_or_at_work(folder, capsys, monkeypatch):
    for words in ((), ("../../etc",), ("none",)):
        monkeypatch.setattr(sys, "argv", ["radcbir_core.jobs", *words])
        assert run() == 2
        assert "Error: Expected the id of a job" in capsys.readouterr().err
    (folder / "rest").touch()
    job = start(Count("mine", str(folder)), runner="process")
    command = [sys.executable, "-m", "radcbir_core.jobs", job.id]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 2
    assert f"Expected nobody at work on the job {job.id}, but somebody is." in done.stderr
