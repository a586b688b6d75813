"""``jobs`` on the command line; what it does to jobs of other processes is tested with the runners."""

from __future__ import annotations

import json

import pytest

from radcbir_core.cli import main
from radcbir_core.errors import Remedy, StaleError
from radcbir_core.jobs import start
from radcbir_core.jobs.kinds import KINDS
from tests.core.jobs.counting import Count


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(KINDS, "count", "tests.core.jobs.counting:Count")
    return tmp_path


def test_without_jobs_it_says_where_they_come_from(capsys):
    assert main(["jobs"]) == 0
    assert capsys.readouterr().out == "There is no job. Pages begin them: imports, builds, exports, evaluations.\n"
    assert main(["jobs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_job_that_failed_is_listed_with_its_reason_and_dismissed(folder, capsys):
    job = start(Count("mine", str(folder), fault="said"))
    job.wait(60)
    assert main(["jobs"]) == 0
    out = capsys.readouterr().out
    for word in (job.id, "count", "mine", "failed", "Expected no fault, but there is one. Mend it."):
        assert word in out
    assert main(["jobs", "stop", job.id]) == 0
    assert capsys.readouterr().out == f"{job.id} is not at work: failed.\n"
    assert main(["jobs", "dismiss", job.id]) == 0
    assert main(["jobs", "--json"]) == 0
    assert capsys.readouterr().out == f"Forgot {job.id}.\n[]\n"


def test_a_failure_has_the_command_that_mends_it(folder, capsys, monkeypatch):
    def stale(*_):
        raise StaleError("Expected a graph, but it is older.", remedy=Remedy("build", "mine", {"encoder": "pixels"}))

    monkeypatch.setattr(Count, "carry_out", stale)
    start(Count("mine", str(folder))).wait(60)
    assert main(["jobs"]) == 0
    said = "but it is older. Run: python -m radcbir_core build mine --encoder pixels"
    assert said in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("command", ["stop", "resume", "dismiss"])
@pytest.mark.parametrize("job_id", ["none", "../../etc"])
def test_an_id_that_there_is_not_is_one_line(capsys, command, job_id):
    assert main(["jobs", command, job_id]) == 2
    assert capsys.readouterr().err == f"Error: Expected the id of a job, but id = '{job_id}'. See the list of jobs.\n"
