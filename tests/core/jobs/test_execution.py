"""Telling on disk how far a job is."""

from __future__ import annotations

import pytest

from radcbir_core.errors import Remedy, StaleError
from radcbir_core.jobs import Status, execution, start
from tests.core.jobs.counting import Count
from tests.quick_jobs import wait_for


def test_what_mends_an_error_is_kept_with_it(folder, monkeypatch):
    remedy = Remedy("build", "mine", {"encoder": "pixels"})

    def stale(*_):
        raise StaleError("Expected a graph, but it is older. Build mine.", remedy=remedy)

    monkeypatch.setattr(Count, "carry_out", stale)
    job = start(Count("mine", str(folder)))
    status = job.wait(60)
    assert (status.error, status.remedy) == ("Expected a graph, but it is older. Build mine.", remedy)
    assert job.status().to_json()["remedy"]["options"] == {"encoder": "pixels"}


def test_the_status_is_written_seldom_and_the_rate_is_of_this_run(folder, monkeypatch):
    job = start(Count("mine", str(folder)))
    job.wait(60)
    wait_for(lambda: not job.is_alive())
    clock = [100.0]
    monkeypatch.setattr(execution.time, "monotonic", lambda: clock[0])
    written, told = [], []
    monkeypatch.setattr(execution, "write_json", lambda path, record: written.append(record))
    teller = execution.Teller(job, Status(), lambda *words: told.append(words))
    for step in range(101):
        clock[0] += 0.02
        teller("embeddings", 1000 + step, 2000)
    assert 4 <= len(written) <= 6, "in two seconds"
    assert told[-1] == ("embeddings", 1100, 2000)
    assert len(told) == 101
    assert teller.status.rate == pytest.approx(50)
    assert teller.status.seconds_left == pytest.approx((2000 - 1100) / 50)
    teller("index", 0, 2000)
    assert written[-1]["stage"] == "index"
    assert teller.status.rate == 0
    job.stop()
    clock[0] += 1
    with pytest.raises(execution.Stopped):
        teller("index", 1, 2000)
