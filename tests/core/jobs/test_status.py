"""How far a job is, as a record."""

from __future__ import annotations

import json

import pytest

from radcbir_core.errors import CollectionError, Remedy
from radcbir_core.jobs import Status


def test_a_record_keeps_all_it_says():
    told = ("failed", "embeddings", "pixels", 5, 61, 2.5, 1.0, 2.0, "No.")
    remedy = Remedy("build", "mine", {"encoder": "pixels", "rebuild": True})
    status = Status(*told, remedy=remedy, counts={"images": 61}, finished=("import",), runner="thread")
    assert Status.from_json(json.loads(json.dumps(status.to_json()))) == status


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({}, "state = 'None'"),
        ({"state": "dancing"}, "state = 'dancing'"),
        ({"state": "done", "tune": 1}, "it also has 'tune'"),
        ({"state": "failed", "remedy": {"action": "dance", "subject": "", "options": {}}}, "remedy = "),
        ({"state": "failed", "remedy": {"action": "build", "subject": "", "options": {"a": 1}}}, "remedy = "),
    ],
)
def test_what_is_no_record_is_said(record, said):
    with pytest.raises(CollectionError, match=f"Expected the status of a job, but {said}"):
        Status.from_json(record)


def test_the_share_stays_within_its_bounds():
    assert [Status(done=done, total=total).share for done, total in ((0, 0), (1, 4), (9, 4), (-1, 4))] == [
        0,
        0.25,
        1,
        0,
    ]
