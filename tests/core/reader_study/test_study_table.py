"""The table for a mixed model: one row a reader, case and condition, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import pytest

from radcbir_core.collections.entry_log import Entries
from radcbir_core.collections.reader_studies.reading_log import Reading, new_reading
from radcbir_core.collections.reviews.review_table import csv_of
from radcbir_core.errors import StudyError
from radcbir_core.reader_study.study_design import course_of
from radcbir_core.reader_study.study_table import TABLE_COLUMNS, table_of
from tests.core.reader_study.made_studies import made, made_case


def at(entry: Reading, seconds: float) -> Reading:
    minutes, rest = divmod(seconds, 60)
    return replace(entry, when=f"2026-11-30T10:{int(minutes):02d}:{rest:06.3f}+00:00")


def readings(study, reader: str = "R1", number: int = 0, *, steps: int = 99) -> list[Reading]:
    """All steps: shown at 10 s a step, answered 4 s later, "mass" with confidence 4."""
    entries = [new_reading("joined", reader=reader, number=str(number), study=study.digest)]
    for step in course_of(study, number)[:steps]:
        case = (study.practice if step.is_practice else study.cases)[step.case]
        said = {
            "step": str(step.number),
            "image_id": case.image_id,
            "condition": step.condition,
            "period": str(step.period),
        }
        entries.append(at(new_reading("shown", reader=reader, **said), 10 * step.number))
        told = {"answer": "mass", "confidence": "4", "seconds": "4.000", "looked": "3.500"}
        told |= {"hidden": "0.200", "longest_hidden": "0.200"}
        entries.append(at(new_reading("answer", reader=reader, **said, **told), 10 * step.number + 4))
    return entries


def test_answers_to_a_study_that_was_changed_since_are_not_taken_for_answers_to_this_one() -> None:
    log = Entries((*readings(made()),))
    with pytest.raises(StudyError, match="as it was when R1 began, but it has been changed since"):
        table_of(made(seed=8), log, collection="small")


def test_one_row_a_reader_case_and_condition() -> None:
    study = made()
    log = Entries((*readings(study), *readings(study, "R2", 1, steps=3)))
    table = table_of(study, log, collection="small")
    assert tuple(table.columns) == TABLE_COLUMNS
    assert len(table) == 8 + 2  # practice is left out
    mine = table[table["reader"] == "R1"]
    assert mine["position"].tolist() == list(range(1, 9))
    assert not mine.duplicated(["case", "condition"]).any()
    for row in mine.to_dict("records"):
        case = study.cases[row["case"] - 1]
        assert (row["image_id"], row["truth"], row["patient_group"]) == (case.image_id, case.truth, case.group + 1)
        assert row["correct"] == int(case.truth == "mass")
        assert (row["confidence"], row["seconds"], row["seconds_looked"]) == (4, 4.0, 3.5)
        assert (row["seconds_since_first"], row["visits"], row["longest_gap"]) == (4.0, 1, 0.2)
        assert (row["hits"], row["hits_agreement"], row["top_similarity"]) == (2, 0.5, 0.9)
        assert (row["study"], row["collection"], row["encoder"]) == ("one", "small", "pixels")
        assert (row["embeddings_digest"], row["study_digest"]) == ("e", study.digest)
    steps = [step for step in course_of(study, 0) if step.period]
    assert list(zip(mine["case"], mine["condition"], mine["period"], strict=True)) == [
        (step.case + 1, step.condition, step.period) for step in steps
    ]
    assert table[table["reader"] == "R2"]["reader_number"].tolist() == [2, 2]


def test_a_page_that_was_loaded_again_is_told() -> None:
    study = made(practice=())
    joined, shown, answer = readings(study, steps=1)
    log = Entries((joined, at(shown, 1), at(replace(shown, id="0" * 32), 61), at(answer, 66)))
    (row,) = table_of(study, log, collection="small").to_dict("records")
    assert (row["visits"], row["longest_gap"], row["seconds"], row["seconds_since_first"]) == (2, 60.0, 4.0, 65.0)


def test_what_a_browser_did_not_tell_is_no_number() -> None:
    study = made(practice=())
    joined, shown, answer = readings(study, steps=1)
    silent = replace(answer, looked="", hidden="", longest_hidden="")
    (row,) = table_of(study, Entries((joined, shown, silent)), collection="small").to_dict("records")
    assert math.isnan(row["seconds_looked"])
    assert row["longest_gap"] == 0.0


def test_the_first_of_two_answers_counts() -> None:
    study = made(practice=())
    joined, shown, answer = readings(study, steps=1)
    later = replace(answer, id="1" * 32, answer="normal")
    (row,) = table_of(study, Entries((joined, shown, answer, later)), collection="small").to_dict("records")
    assert row["answer"] == "mass"


@pytest.mark.parametrize("name", ["=1+1", "@x", "+1", "-1"])
def test_no_cell_is_a_formula(name) -> None:
    study = made(answers=("=cmd", "normal"), cases=(made_case(0, "=cmd"), made_case(1, "normal")), practice=())
    entries = [replace(one, answer="=cmd" if one.answer else "") for one in readings(study, name)]
    rows = list(csv.reader(io.StringIO(csv_of(table_of(study, Entries(tuple(entries)), collection="small")).decode())))
    assert len(rows) == 5
    assert not [cell for row in rows for cell in row if cell[:1] in "=+-@" and cell]
    assert rows[1][TABLE_COLUMNS.index("reader")] == f"'{name}"


def test_nobody_has_answered() -> None:
    table = table_of(made(), Entries(), collection="small")
    assert tuple(table.columns) == TABLE_COLUMNS
    assert table.empty
