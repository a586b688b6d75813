"""`studies` and `study-make`, as a person types them."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.reader_studies.study_definition import read_study
from radcbir_core.reader_study.reading_course import Answered, write_answer, write_joined, write_shown
from tests.core.cli.running import run

MAKE = (
    "study-make",
    "small",
    "chest",
    "--answer",
    "pneumonia",
    "--answer",
    "normal",
    "--cases",
    "4",
    "--practice",
    "1",
)


@pytest.fixture
def collection(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small")


def test_a_study_is_made_listed_and_its_answers_written(collection, capsys, tmp_path) -> None:
    code, out, _ = run(capsys, "studies", "small")
    assert code == 0
    assert "There is no reader study. Make one:" in out
    code, out, err = run(capsys, *MAKE, "--exclude", "patient", "--seed", "3", "--title", "Chest")
    assert (code, err.startswith("Error")) == (0, False)
    assert "Made chest with 4 cases and 1 for practice." in out
    assert "/reading?collection=small&study=chest" in out
    study = read_study(collection.folder, "chest")
    assert (study.seed, study.exclude, study.title, study.answers) == (
        3,
        ("patient",),
        "Chest",
        ("pneumonia", "normal"),
    )
    course = write_joined(collection, study, "R1", by="me")
    for step in course.steps[:4]:
        write_shown(collection, study, "R1", step, by="me")
        write_answer(collection, study, "R1", step, Answered("normal", 2, 1.5), by="me")
    _, out, _ = run(capsys, "studies", "small", "--json")
    assert json.loads(out)[0] | {"readers": 1, "answers": 3} == json.loads(out)[0]
    file = tmp_path / "answers.csv"
    code, out, _ = run(capsys, "studies", "small", "chest", "--output", str(file))
    assert code == 0
    assert "Wrote 3 rows" in out
    assert "3 answers. This is a look" in out
    with file.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["reader"], row["answer"], row["confidence"]) for row in rows] == [("R1", "normal", "2")] * 3
    _, out, _ = run(capsys, "studies", "small", "chest", "--json")
    assert [row["image_id"] for row in json.loads(out)] == [row["image_id"] for row in rows]


def test_what_cannot_be_made_is_one_line(collection, capsys, tmp_path) -> None:
    code, _, err = run(capsys, *MAKE, "--design", "parallel")
    assert code == 2
    assert "Error: Expected a design of crossover, split" in err
    code, _, err = run(capsys, "studies", "small", "--output", str(tmp_path / "a.csv"))
    assert (code, "Name it behind NAME" in err) == (2, True)
    code, _, err = run(capsys, "studies", "small", "other")
    assert (code, "Expected the name of a reader study of small" in err) == (2, True)
