"""`query --images`, as a person types it."""

from __future__ import annotations

import csv
import json
import zipfile

import pytest

from radcbir_core.collections.collection import open_collection
from tests.core.cli.running import run
from tests.small_images import draw


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    (folder / "b").mkdir(parents=True)
    for kind in range(3):
        draw(kind, 40 + kind).save(folder / f"{kind}.png")
    draw(0, 50).save(folder / "b" / "one.png")
    (folder / "bad.png").write_text("none")
    (folder / "notes.txt").write_text("none")
    return folder


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_and_its_archive_have_the_same_table(small, images, tmp_path, capsys) -> None:
    table = tmp_path / "hits.csv"
    options = ["-k", "3", "--where", "split=train", "--exclude", "patient", "--hubness", "csls", "--perturb", "invert"]
    code, out, err = run(capsys, "query", "small", "--images", str(images), "--output", str(table), *options)
    assert code == 0
    assert f"Wrote 12 hits of 4 queries to {table}; 1 file without hits." in " ".join(out.split())
    assert "bad.png" in out
    assert "Passed over, because they are no images that can be read: .txt 1." in " ".join(err.split())
    rows = rows_of(table)
    assert [row["query"] for row in rows] == ["0.png"] * 3 + ["1.png"] * 3 + ["2.png"] * 3 + ["b/one.png"] * 3 + [
        "bad.png"
    ]
    one = json.loads(run(capsys, "query", "small", "--image", str(images / "1.png"), "--json", *options)[1])
    assert [row["image_id"] for row in rows if row["query"] == "1.png"] == [hit["image_id"] for hit in one]
    assert {row["cosine_rank"] for row in rows[:-1]} > {"1"}

    archive, again = tmp_path / "images.zip", tmp_path / "again.csv"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(images.rglob("*.png")):
            packed.write(path, path.relative_to(images).as_posix())
    assert run(capsys, "query", "small", "--images", str(archive), "--output", str(again), *options)[0] == 0
    assert rows_of(again) == rows


def test_several_files_of_the_collection_leave_their_copies_out(small, tmp_path, capsys) -> None:
    collection, table = open_collection("small"), tmp_path / "hits.csv"
    paths = [str(collection.image_path(row)) for row in (0, 30)]
    named = [word for path in paths for word in ("--images", path)]
    code, _, _ = run(capsys, "query", "small", *named, "--output", str(table), "--exclude", "duplicate", "-k", "2")
    assert code == 0
    rows = rows_of(table)
    assert [row["query"] for row in rows] == [paths[0]] * 2 + [paths[1]] * 2
    assert not {collection.manifest.image_id(0), collection.manifest.image_id(30)} & {row["image_id"] for row in rows}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--images", "."], "--output is not given"),
        (["--output", "t.csv", "--id", "x"], "Expected --images with --output"),
        (["--images", ".", "--output", "t.csv", "--json"], "--json is given"),
        (["--images", ".", "--output", "nowhere/t.csv"], "nowhere does not"),
        (["--images", ".", "--id", "x"], "--images and --id are given"),
        (["--images", "nowhere", "--output", "t.csv"], "nowhere does not exist"),
        (["--images", "t.png", "--output", "t.png"], "Expected another file"),
    ],
)
def test_what_cannot_be_asked_is_said_and_nothing_is_written(small, tmp_path, capsys, monkeypatch, words, said) -> None:
    monkeypatch.chdir(tmp_path)
    draw(0, 1).save(tmp_path / "t.png")
    before = (tmp_path / "t.png").read_bytes()
    code, _, err = run(capsys, "query", "small", *words)
    assert code == 2
    assert said in " ".join(err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["t.png"]
    assert (tmp_path / "t.png").read_bytes() == before
