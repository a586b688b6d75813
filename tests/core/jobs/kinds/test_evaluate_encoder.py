"""Evaluations as jobs: the record keeps every choice, and what they compute is what is read afterwards."""

from __future__ import annotations

import json
import shutil

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import CollectionError, EvaluationError
from radcbir_core.evaluation import EVALUATIONS, evaluation_of
from radcbir_core.evaluation.reports.comparison import Comparison
from radcbir_core.jobs import list_jobs, start
from radcbir_core.jobs.kinds import key_of, record_of, request_in
from radcbir_core.jobs.kinds.evaluate_encoder import EvaluateEncoder
from tests import quick_jobs
from tests.quick_jobs import Controls, ended


@pytest.fixture
def controls(tmp_path, small_data, monkeypatch) -> Controls:
    """What holds jobs up; the collection ``small`` is there."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    yield quick_jobs.prepare(monkeypatch, tmp_path, builds=False)
    quick_jobs.end()


@pytest.mark.parametrize("kind", list(EVALUATIONS))
def test_a_record_keeps_every_choice(kind):
    for evaluation in (evaluation_of(kind), EVALUATIONS[kind]()):
        request = EvaluateEncoder("small", "pixels", evaluation)
        again = request_in(json.loads(json.dumps(record_of(request))))
        assert again == request
        assert key_of(again) == key_of(request)


def test_other_choices_are_another_place():
    evaluations = [
        evaluation_of("precision"),
        evaluation_of("precision", exclude=["patient", "duplicate"]),
        evaluation_of("precision", protocol="split"),
        evaluation_of("ranking"),
        Comparison("second"),
        Comparison("third"),
    ]
    assert len({EvaluateEncoder("small", "pixels", evaluation).place for evaluation in evaluations}) == 6


def test_what_it_computes_is_kept(controls):
    evaluation = evaluation_of("precision", exclude=["duplicate"])
    store = open_collection("small").store("pixels")
    assert evaluation.kept(store) is None
    controls.rest_at("evaluation")
    job = start(EvaluateEncoder("small", "pixels", evaluation))
    other = start(EvaluateEncoder("small", "pixels", evaluation_of("precision", exclude=["study"])))
    assert other.id != job.id
    assert start(EvaluateEncoder("small", "pixels", evaluation)).id == job.id
    other.stop()
    controls.go_on()
    assert ended(job).status().state == "done", job.status().error
    kept = evaluation.kept(store)
    assert kept is not None
    assert kept.table.equals(evaluation.compute(store).table)


def test_what_cannot_be_evaluated_is_refused_before_anything_begins(controls):
    with pytest.raises(EvaluationError, match="two different encoders"):
        start(EvaluateEncoder("small", "pixels", Comparison("pixels")))
    with pytest.raises(CollectionError):
        start(EvaluateEncoder("small", "gone", evaluation_of("precision")))
    assert list_jobs() == []
    with pytest.raises(CollectionError, match=r"Expected an evaluation of precision, .*, but the job's is 'poetry'"):
        EvaluateEncoder.from_json({"name": "a", "encoder_id": "b", "evaluation": "poetry", "choices": {}})
