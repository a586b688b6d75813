"""How results are printed."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from radcbir_core.cli import printing
from radcbir_core.cli.printing import bars, check_folder, number, print_table, print_written, write_csv
from radcbir_core.errors import QueryError


def test_numbers() -> None:
    assert [number(value) for value in (0.5, -0.12345, float("nan"))] == ["0.500", "-0.123", ""]
    assert number(0.5, sign="+") == "+0.500"


def test_a_table_is_as_wide_as_it_needs_to_be_and_never_markup(capsys) -> None:
    print_table(["name", "n"], [["[red]" + "x" * 200, 3]], title="[b]Title[/b]")
    out = capsys.readouterr().out
    assert "[red]" + "x" * 200 in out
    assert "[b]Title[/b]" in out
    print_table(["name"], [])
    assert capsys.readouterr().out == "", "nothing where there are no rows"


def test_progress_goes_where_complaints_go(capsys, monkeypatch) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=120)
    monkeypatch.setattr(printing, "complaints", terminal)
    with bars() as progress:
        progress("embed", 1, 2)
        progress("embed", 2, 2)
        progress("index", 0, 5)
    said = terminal.file.getvalue()
    assert "embed" in said
    assert "2/2" in said
    assert "0/5" in said
    assert capsys.readouterr().out == ""


def test_files(tmp_path, capsys) -> None:
    write_csv(tmp_path / "t.csv", pd.DataFrame({"a": [1, 2]}))
    assert (tmp_path / "t.csv").read_text() == "a\n1\n2\n"
    check_folder(None)
    for ask in (check_folder, lambda path: write_csv(path, pd.DataFrame())):
        with pytest.raises(QueryError, match=r"Expected a folder that exists, but .*nowhere does not\. Make it first"):
            ask(tmp_path / "nowhere" / "t.csv")
        with pytest.raises(QueryError, match=r"Expected the name of a file to write, but .* is a folder\."):
            ask(tmp_path)
    print_written((Path("a.csv"), 2), (None, 3))
    assert capsys.readouterr().out == "Wrote 2 rows to a.csv.\n"
