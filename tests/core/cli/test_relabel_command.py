"""`relabel`, as a person types it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from radcbir_core.collections.collection import open_collection
from tests.core.cli.running import run


@pytest.fixture
def collection(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "here")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "here"))
    return open_collection("small")


def corrections(folder: Path, collection, **cells: str) -> Path:
    image_id = collection.manifest.record(0)["image_id"]
    pd.DataFrame([{"image_id": image_id, **cells}]).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def test_a_dry_run_lists_and_writes_nothing(collection, tmp_path, capsys) -> None:
    table = corrections(tmp_path, collection, anatomy="abdomen")
    before = collection.manifest_path.read_bytes()
    code, out, _ = run(capsys, "relabel", "small", str(table), "--dry-run", "--cells", str(tmp_path / "cells.csv"))
    assert code == 0
    assert "Cells that would change" in out
    assert "Nothing was written. Of 1 line, 1 cell of 1 image (anatomy 1) would change." in out
    assert pd.read_csv(tmp_path / "cells.csv")["to"].tolist() == ["abdomen"]
    assert collection.manifest_path.read_bytes() == before


def test_corrected_in_place_and_then_nothing_is_left_to_correct(collection, tmp_path, capsys) -> None:
    table = corrections(tmp_path, collection, anatomy="abdomen")
    code, out, _ = run(capsys, "relabel", "small", str(table), "--by", "me")
    assert code == 0
    assert "Corrected small: 1 cell of 1 image (anatomy 1)." in out
    assert open_collection("small").manifest.record(0)["anatomy"] == "abdomen"
    code, out, _ = run(capsys, "relabel", "small", str(table))
    assert (code, out) == (0, "Nothing to correct: small says of these 1 images what the table says.\n")


def test_a_table_that_names_no_image_is_one_line(collection, tmp_path, capsys) -> None:
    (tmp_path / "t.csv").write_text("image_id,anatomy\nnobody,chest\n")
    code, out, err = run(capsys, "relabel", "small", str(tmp_path / "t.csv"))
    assert (code, out) == (2, "")
    assert err.startswith("Error: Expected ")
    assert len(err.strip().splitlines()) == 1
