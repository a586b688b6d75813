"""`import`, as a person types it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from radcbir_core.cli import EXIT_ERROR, main
from radcbir_core.collections.collection import open_collection


@pytest.fixture(autouse=True)
def its_own(data) -> None:
    """Every test imports into a folder of its own."""


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(["import", *arguments])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_two_layouts_in_one_collection(tmp_path, picture, table, capsys) -> None:
    picture(tmp_path / "a" / "CT" / "head" / "mass" / "1.png", seed=1)
    picture(tmp_path / "b" / "2.png", seed=2)
    table(tmp_path / "b" / "manifest.csv", ["path", "modality", "pathology"], [["2.png", "MRI", "glioma"]])
    code, out, _ = run(capsys, str(tmp_path / "a"), str(tmp_path / "b"), "--name", "c", "--check", "bytes")
    assert code == 0
    assert "Note: The images were not decoded at import" in out
    assert out.splitlines()[-1] == "Imported 2 images into c; 0 problems; 0 exact duplicates in 0 groups."
    manifest = open_collection("c").manifest
    assert manifest.column("dataset").tolist() == ["a", "b"]
    assert manifest.column("modality").tolist() == ["CT", "MR"]
    assert manifest.column("path").tolist() == ["a/CT/head/mass/1.png", "b/2.png"]
    assert main(["info", "c", "--json"]) == 0
    assert "not decoded" in json.loads(capsys.readouterr().out)["notes"][0]


def test_mapped_columns(tmp_path, picture, table, capsys) -> None:
    picture(tmp_path / "1.png")
    path = table(tmp_path / "t.csv", ["File", "Mass", "Edema"], [["1.png", 0, 1]])
    code, _, _ = run(
        capsys, str(path), "--name", "c", "--map", "path=File", "--map", "pathologies=Mass,Edema", "--modality", "XR",
        "--anatomy", "chest",
    )  # fmt: skip
    assert code == 0
    assert open_collection("c").manifest.labels("label").values == ("XR/chest/Edema",)


def test_mistakes_are_one_line(tmp_path, picture, capsys) -> None:
    picture(tmp_path / "s" / "1.png")
    source = str(tmp_path / "s")
    np.savez(tmp_path / "pneumoniamnist.npz", x=np.zeros(1))
    for arguments, message in (
        ([source, "--format", "dycom"], "Expected a format of manifest,"),
        ([source, "--modality", "CT"], "but modality is given"),
        ([source, "--map", "path"], "Expected COLUMN=SOURCE"),
        ([source, "--check", "all"], "Expected a check of decode, bytes, exists"),
        ([source, "--uncertain", "positive"], "but uncertain is given"),
        ([source, str(tmp_path / "pneumoniamnist.npz")], "which makes a collection of its own. Import it alone"),
        ([str(tmp_path / "pneumoniamnist.npz")], "Expected the arrays"),
        ([], "no SOURCE is given"),
        (["--download", "cats"], "but download = 'cats'"),
    ):
        code, out, err = run(capsys, *arguments, "--name", "c")
        assert (code, out) == (2, "")
        assert err.strip().startswith("Error: Expected ")
        assert message in err
        assert len(err.strip().splitlines()) == 1


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


def test_a_table_without_a_header_is_recognized_and_read(tmp_path, picture, capsys) -> None:
    for name in ("a", "b"):
        picture(tmp_path / f"{name}.png", seed=ord(name))
    path = tmp_path / "t.csv"
    path.write_text("a.png,mass\nb.png,normal\n")
    for mapping in ([], ["--map", "path=a.png"]):
        code, _, err = run(capsys, str(path), "--name", "c", *mapping)
        assert code == EXIT_ERROR
        assert "is data like the lines below it: a.png, mass." in err
        assert err.strip().endswith("Add: --no-header")
    code, _, _ = run(capsys, str(path), "--name", "c", "--no-header", "--map", "path=1", "--map", "pathologies=2")
    assert code == 0
    assert [list(words) for words in open_collection("c").manifest.frame["pathologies"]] == [["mass"], ["normal"]]


def test_the_last_line_names_the_main_cause_and_what_to_do(tmp_path, picture, table, capsys) -> None:
    picture(tmp_path / "images" / "a.png")
    path = table(tmp_path / "manifest.csv", ["path"], [["a.png"], ["b.png"], ["c.png"]])
    for options in (["--dry-run"], ["--name", "c"]):
        code, _, err = run(capsys, str(path), *options)
        assert code == EXIT_ERROR
        assert "the most frequent reason (3): Expected an image file, but there is none at this path." in err
        assert err.strip().splitlines()[-1].endswith(f"Add: --image-root {tmp_path / 'images'}")
    for options in (["--dry-run"], ["--name", "c"]):
        code, out, _ = run(capsys, str(path), "--image-root", str(tmp_path / "images"), *options)
        assert code == 0
        last = out.splitlines()[-1]
        assert "the most frequent reason (2): Expected an image file, but there is none at this path." in last
        assert last.endswith("Add: --image-root FOLDER")


def test_damaged_files_are_one_reason(tmp_path, capsys) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    for options in (["--dry-run"], ["--name", "c"]):
        code, _, err = run(capsys, str(tmp_path), *options)
        assert code == EXIT_ERROR
        assert "the most frequent reason (3): Expected a whole, readable PNG file" in err
