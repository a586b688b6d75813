"""What a job promises wherever it runs: in a thread, in a process, born with its lock or taking it itself."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from radcbir_core.cli import main
from radcbir_core.errors import CollectionError
from radcbir_core.jobs import at_work_at, at_work_on, job_at, list_jobs, start
from radcbir_core.jobs.liveness import is_held
from radcbir_core.jobs.runners import RUNNERS, runner_of
from tests.core.jobs.counting import Count, rests
from tests.quick_jobs import wait_for

REPOSITORY = Path(__file__).resolve().parents[4]


def test_from_start_to_end(folder, runner):
    (folder / "rest").touch()
    job = start(Count("mine", str(folder)), runner=runner)
    assert job.is_alive(), "from the first moment on"
    assert (job.kind, job.name, job.place) == ("count", "mine", "count/mine")
    assert [at.id for at in (at_work_on("mine"), at_work_at("count/mine"), job_at("count/mine"))] == [job.id] * 3
    wait_for(lambda: rests(job))
    (folder / "rest").unlink()
    status = job.wait(60)
    assert (status.state, status.counts, status.finished) == ("done", {"lines": 10}, ("count",))
    assert (status.runner, status.error) == (runner, "")
    wait_for(lambda: not job.is_alive())
    assert at_work_on("mine") is None
    assert job_at("count/mine").id == job.id
    workers = set(job.request.lines)
    assert len(job.request.lines) == 10
    assert (workers == {str(os.getpid())}) == (runner == "thread")
    job.dismiss()
    assert list_jobs() == []


def test_stopped_it_keeps_what_is_finished_and_goes_on(folder, runner):
    (folder / "rest").touch()
    job = start(Count("mine", str(folder)), runner=runner)
    wait_for(lambda: rests(job))
    began = job.status().started
    job.stop()
    assert job.wait(60).state == "stopped"
    assert len(job.request.lines) == 5
    (folder / "rest").unlink()
    job.resume(runner=runner)
    assert not job.stop_path.exists()
    status = job.wait(60)
    assert (status.state, status.started) == ("done", began)
    assert len(job.request.lines) == 10


def ask_a_stranger(*words: str) -> str:
    """What the command line answers in a process of its own, which knows nothing of this one."""
    command = [sys.executable, "-m", "radcbir_core", "jobs", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout


def test_everybody_sees_the_same_job_and_can_stop_it(folder, runner, capsys):
    def ask(*words: str) -> str:
        capsys.readouterr()
        assert main(["jobs", *words]) == 0
        return capsys.readouterr().out

    (folder / "rest").touch()
    job = start(Count("mine", str(folder)), runner=runner)
    wait_for(lambda: rests(job))
    (seen,) = json.loads(ask("--json"))
    assert (seen["id"], seen["kind"], seen["collection"]) == (job.id, "count", "mine")
    assert (seen["state"], seen["done"], seen["total"]) == ("running", 5, 10)
    assert "Asked" in ask_a_stranger("stop", job.id)
    assert job.wait(60).state == "stopped"
    assert ask("stop", job.id) == f"{job.id} is not at work: stopped.\n"
    (folder / "rest").unlink()
    assert "goes on by itself" in ask("resume", job.id)
    assert job.wait(60).state == "done"
    assert len(job.request.lines) == 10
    assert job.id in ask()
    wait_for(lambda: not job.is_alive())
    ask("dismiss", job.id)
    assert "There is no job." in ask()


def test_of_many_who_ask_for_the_same_at_once_all_get_one_job(folder, runner):
    (folder / "rest").touch()
    with ThreadPoolExecutor(6) as pool:
        jobs = list(pool.map(lambda _: start(Count("mine", str(folder)), runner=runner), range(6)))
    assert len({job.id for job in jobs}) == len(list_jobs()) == 1
    with pytest.raises(CollectionError, match="Expected one job at a time on mine, but another is at it"):
        start(Count("mine", str(folder), total=99), runner=runner)
    with pytest.raises(CollectionError, match="one job at a time on mine"):
        jobs[0].resume()
    with pytest.raises(CollectionError, match=r"but that on mine is at work\. Stop it first\."):
        jobs[0].dismiss()
    other = start(Count("other", str(folder)), runner=runner)
    wait_for(lambda: rests(other))
    (folder / "rest").unlink()
    assert [job.wait(60).state for job in (jobs[0], other)] == ["done", "done"]
    again = start(Count("mine", str(folder), total=12), runner=runner)
    assert again.wait(60).state == "done"
    assert {job.id for job in list_jobs()} == {again.id, other.id}, "a new one takes the place of one that has ended"


@pytest.mark.parametrize("fault", ["said", "nobody thought of it"])
def test_what_goes_wrong_is_told_and_then_it_goes_on(folder, runner, fault, monkeypatch):
    printed = []
    monkeypatch.setattr(threading, "excepthook", lambda told: printed.append(f"Traceback {told.exc_value}"))
    job = start(Count("mine", str(folder), fault=fault), runner=runner)
    status = job.wait(60)
    wait_for(lambda: not job.is_alive())
    assert (status.state, status.can_resume) == ("failed", True)
    if fault == "said":
        assert status.error == "Expected no fault, but there is one. Mend it."
    else:
        where = "the server's log" if runner == "thread" else str(job.log_path)
        assert status.error == f"ZeroDivisionError: nobody thought of it (more in {where})"
        log = " ".join(printed) if runner == "thread" else job.log_path.read_text()
        assert "Traceback" in log
    (folder / "mended").touch()
    job.resume(runner=runner)
    assert job.wait(60).state == "done"
    assert len(job.request.lines) == 10


def test_whoever_began_it_is_killed(folder, runner, tmp_path):
    (folder / "rest").touch()
    program = (
        "import time\nfrom radcbir_core.jobs import start\nfrom radcbir_core.jobs.kinds import KINDS\n"
        "from tests.core.jobs.counting import Count\nKINDS['count'] = 'tests.core.jobs.counting:Count'\n"
        f"start(Count('mine', {str(folder)!r}), runner={runner!r})\ntime.sleep(600)"
    )
    server = subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY)
    wait_for(lambda: list_jobs() and rests(list_jobs()[0]))
    (job,) = list_jobs()
    server.kill()
    server.wait()
    if runner == "thread":
        wait_for(lambda: not job.is_alive())
        assert (job.status().state, job.status().can_resume) == ("interrupted", True)
        (folder / "rest").unlink()
        job.resume()
    else:
        assert job.is_alive()
        (folder / "rest").unlink()
    assert job.wait(60).state == "done"
    assert len(job.request.lines) == 10


def test_one_that_hears_nothing_can_be_ended_at_once_where_it_has_a_process(folder, runner):
    (folder / "rest").touch()
    job = start(Count("mine", str(folder)), runner=runner)
    wait_for(lambda: rests(job))
    job.end()
    wait_for(lambda: not job.is_alive())
    assert job.status().state == "stopped", "and this process, in which a thread of it ran, is still there"


def test_what_cannot_begin_leaves_nothing(folder, runner, monkeypatch):
    with pytest.raises(CollectionError, match="Expected a folder"):
        start(Count("mine", str(folder / "none")), runner=runner)
    with pytest.raises(CollectionError, match="letters, digits"):
        start(Count("../mine", str(folder)), runner=runner)
    with pytest.raises(CollectionError, match="a runner among process, thread, but runner = 'ray'"):
        start(Count("mine", str(folder)), runner="ray")

    held = []

    def broken(job, hold):
        held.append(job.folder)
        raise OSError("no more of them")

    with monkeypatch.context() as patch:
        patch.setattr(runner_of(runner), "begin", broken)
        with pytest.raises(OSError, match="no more of them"):
            start(Count("mine", str(folder)), runner=runner)
    assert list_jobs() == []
    held[0].mkdir()
    assert not is_held(held[0])


def test_what_cannot_go_on_is_what_it_was(folder, runner, monkeypatch):
    job = start(Count("mine", str(folder), fault="said"), runner=runner)
    before = job.wait(60)
    wait_for(lambda: not job.is_alive())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", raising(RuntimeError("can't start new thread")))
        patch.setattr(subprocess, "Popen", raising(BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")))
        with pytest.raises(CollectionError, match="but the system refuses another one"):
            job.resume(runner=runner)
    assert job.status() == before
    (folder / "mended").touch()
    job.resume(runner=runner)
    assert job.wait(60).state == "done"


def raising(error):
    def refused(*_, **__):
        raise error

    return refused


def test_an_engine_of_ones_own_is_one_module(folder, monkeypatch):
    monkeypatch.setitem(RUNNERS, "immediate", "tests.core.jobs.immediate_runner")
    job = start(Count("mine", str(folder)), runner="immediate")
    assert (job.status().state, job.status().runner) == ("done", "immediate")
