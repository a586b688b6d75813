"""Whether anybody is at work: a lock says it, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from radcbir_core.jobs import liveness, start
from tests.core.jobs.counting import Count
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
