"""``evaluate --versus``, as a person runs it."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from radcbir_core.cli import main
from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation.reports.comparison import COMPARISON_COLUMNS, Comparison
from tests.planted_training import plant_training
from tests.second_encoder import add_encoder


@pytest.fixture
def collection(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    add_encoder(open_collection("small"))
    return open_collection("small")


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(["evaluate", "small", *arguments])
    out = capsys.readouterr()
    return code, out.out, out.err


def printed(out: str) -> list[list[str]]:
    """The cells of the table."""
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]


@pytest.mark.parametrize("versus", ["second", "chance"])
def test_the_table_is_that_of_the_comparison(collection, capsys, tmp_path, versus) -> None:
    path = tmp_path / "versus.csv"
    code, out, _ = run(capsys, "--encoder", "pixels", "--versus", versus, "--output", str(path))
    assert code == 0
    found = Comparison(versus).suited(collection.store("pixels")).run(collection.store("pixels"))
    means = found.table[found.table["averaging"] != "label"].to_dict("records")
    assert f"small: A = pixels, B = {versus}; leave-one-out, near-duplicate and patient excluded, divided by k" in out
    cells = printed(out)
    assert len(cells) == len(means) == 24
    for line, row in zip(cells, means, strict=True):
        assert line[:5] == [row["level"], row["averaging"], *(str(row[name]) for name in ("k", "n_queries", "n_empty"))]
        assert line[5:7] == [f"{row['a']:.3f}", f"{row['b']:.3f}"]
        assert line[7:10] == [f"{row[name]:+.3f}" for name in ("difference", "low", "high")]
        assert line[10] == ("B is better" if row["low"] > 0 else "A is better" if row["high"] < 0 else "not clear")
    assert all(note in out for note in found.notes)
    assert "label, P@10 of 8 labels: Of " in out
    written = pd.read_csv(path, keep_default_na=False)
    assert tuple(written.columns) == COMPARISON_COLUMNS
    assert len(written) == len(found.table)


@pytest.mark.parametrize(
    ("versus", "said"),
    [
        ("pixels", "Expected two different encoders, but both are pixels"),
        ("radcbir-mini", "Run: python -m radcbir_core build small --encoder radcbir-mini"),
    ],
)
def test_what_cannot_be_compared_is_one_line(collection, capsys, versus, said) -> None:
    code, out, err = run(capsys, "--encoder", "pixels", "--versus", versus)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert said in " ".join(err.split())


def test_what_was_seen_in_training_is_left_out_or_counts(collection, capsys, tmp_path, monkeypatch) -> None:
    plant_training(monkeypatch, collection, range(30))
    files = {rule: tmp_path / f"{rule}.csv" for rule in ("skip", "count")}
    for rule, path in files.items():
        code, out, _ = run(capsys, "--encoder", "pixels", "--seen", rule, "--output", str(path))
        assert code == 0
        assert "pixels has seen 31 of the 61 images in training" in out  # and a copy of the first
    skip, count = (pd.read_csv(path, keep_default_na=False) for path in files.values())
    assert list(skip["n_seen"]) == list(count["n_seen"])
    assert list(skip["with_seen"]) == list(count["precision"])
    assert list(count["without_seen"]) == list(skip["precision"])
    code, out, err = run(capsys, "--encoder", "pixels", "--seen", "never")
    assert code == 2
    assert 'Expected "skip" (queries that the encoder has seen in training are left out) or "count"' in out + err
    code, out, err = run(capsys, "--encoder", "pixels", "--protocol", "paper", "--seen", "skip")
    assert code == 2
    assert "but seen = skip" in out + err


def test_a_comparison_leaves_out_what_either_has_seen(collection, capsys, monkeypatch) -> None:
    plant_training(monkeypatch, collection, range(40), spec="second")
    code, out, _ = run(capsys, "--encoder", "pixels", "--versus", "second")
    assert code == 0
    assert "What one of the two has seen in training is a query of neither." in out
    other = Comparison("second").run(collection.store("pixels"))
    table, queries = other.table, other.tables["queries"]
    assert queries["row"].min() >= 40
    micro = table[(table["level"] == "anatomy") & (table["averaging"] == "micro")].iloc[0]
    assert (micro["n_seen"], micro["n_queries"]) == (41, 20)
    own = Comparison("second").run(collection.store("pixels"))
    assert own.table.equals(table)
