"""The hand-over between readers of tables and importers of vectors."""

from __future__ import annotations

from pathlib import Path

from radcbir_core.collections.records.record import PROBLEM_COLUMNS
from radcbir_core.importers.vectors.table_rows import problems_table


def test_problems_of_a_table() -> None:
    table = problems_table(Path("t.csv"), lines=[2, 0], paths=["a", "b"], reasons=["Why.", "Other."])
    assert list(table.columns) == PROBLEM_COLUMNS
    assert table.to_dict("records") == [
        {"source": "t.csv", "line": "2", "path": "a", "image_id": "a", "reason": "Why."},
        {"source": "t.csv", "line": "", "path": "b", "image_id": "b", "reason": "Other."},
    ]


def test_one_reason_for_all_and_no_problem_at_all() -> None:
    assert problems_table(Path("t"), lines=[1, 2], paths=["a", "b"], reasons="Why.")["reason"].tolist() == ["Why."] * 2
    empty = problems_table(Path("t"), lines=[], paths=[], reasons="Why.")
    assert (list(empty.columns), len(empty)) == (PROBLEM_COLUMNS, 0)
