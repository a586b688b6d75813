"""Jobs in threads of this process: held like any other, and not to be ended from outside."""

from __future__ import annotations

from radcbir_core.jobs import liveness, start
from tests.core.jobs.counting import Count, rests
from tests.quick_jobs import wait_for


def test_a_thread_has_no_number_by_which_its_server_could_be_killed(folder):
    (folder / "rest").touch()
    job = start(Count("mine", str(folder)), runner="thread")
    wait_for(lambda: rests(job))
    assert job.is_alive()
    assert liveness.number_of(job.folder) is None
    job.end()
    assert job.wait(60).state == "stopped"


def test_two_threads_hold_two_jobs_and_let_go_of_each(folder):
    jobs = [start(Count(name, str(folder)), runner="thread") for name in ("one", "two")]
    assert [job.wait(60).state for job in jobs] == ["done", "done"]
    wait_for(lambda: not any(job.is_alive() for job in jobs))
