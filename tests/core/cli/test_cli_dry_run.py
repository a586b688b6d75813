"""``import --dry-run`` prints what would be imported, and writes nothing."""

from __future__ import annotations

import pytest

from radcbir_core.cli import EXIT_ERROR, main


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_it_prints_what_was_recognized_and_writes_nothing(small_source, data, capsys):
    assert main(["import", str(small_source), "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert f"{small_source}: manifest.csv tables, or images without labels (--format manifest, rec" in printed
    assert "recognized by its manifest.csv)" in printed
    assert "chest_00.png" in printed
    assert "Words that would be changed" in printed
    assert "none at this path" in printed
    assert "Nothing was written. Of 63 rows, 0 cannot be used; of the files, 63 were looked at, and 2 of" in printed
    assert not data.exists()


def test_what_would_end_the_import_is_an_error(tmp_path, data, capsys):
    (tmp_path / "manifest.csv").write_text("path\nnone.png\n")
    assert main(["import", str(tmp_path), "--dry-run", "--name", "any"]) == EXIT_ERROR
    captured = capsys.readouterr()
    assert "Error: Expected at least one usable image" in captured.err
    assert "none at this path" in captured.out
    assert main(["import", str(tmp_path / "none"), "--dry-run"]) == EXIT_ERROR
    assert "does not exist. Check the path." in capsys.readouterr().err
    assert main(["import", str(tmp_path)]) == EXIT_ERROR
    assert "--name is not given" in capsys.readouterr().err
    assert not data.exists()
