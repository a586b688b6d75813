"""`reviews` and `review-import`, as a person types them."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.reviews.reviewing import read_reviews, write_correction_of, write_note, write_tag
from tests.core.cli.running import run


@pytest.fixture
def collection(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "here")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "here"))
    return open_collection("small")


def test_nothing_was_said(collection, capsys) -> None:
    code, out, _ = run(capsys, "reviews", "small")
    assert (code, out) == (0, "0 entries on 0 images or pairs; 0 images with a correction to apply.\n")


def test_from_the_list_to_relabel_and_back_again(collection, tmp_path, capsys) -> None:
    one, other = collection.manifest.column("image_id")[:2]
    write_tag(collection, (one, ""), "artifact", by="anna")
    write_note(collection, (one, other), "alike", by="ben", encoder="pixels")
    write_correction_of(collection, one, {"anatomy": "elbow"}, by="ben", review=read_reviews(collection.folder).of(one))
    with collection.layout.reviews.open("a") as log:
        log.write("{cut")
    written = [str(tmp_path / name) for name in ("all.csv", "corrections.csv")]
    code, out, _ = run(
        capsys, "reviews", "small", "--output", written[0], "--corrections", written[1], "--server", "http://h:1"
    )
    assert code == 0
    assert "Wrote 3 rows to" in out
    assert "Note: line 4 of" in out
    assert f"relabel small {written[1]} --dry-run" in out
    assert out.endswith("3 entries on 2 images or pairs; 1 image with a correction to apply.\n")
    with (tmp_path / "all.csv").open() as file:
        addresses = [row["address"] for row in csv.DictReader(file)]
    assert all(address.startswith("http://h:1/review?collection=small&") for address in addresses)

    code, out, _ = run(capsys, "relabel", "small", written[1], "--by", "chief")
    assert "1 cell of 1 image (anatomy 1)" in out
    code, out, _ = run(capsys, "reviews", "small", "--json")
    assert [entry["kind"] for entry in json.loads(out)] == ["tag", "note", "correction"]
    code, out, _ = run(capsys, "reviews", "small")
    assert "applied" in out

    code, out, _ = run(capsys, "info", "small")
    assert "Said in reviews: 3 tags, notes and corrections on 2 images and pairs, 0 with a correction to apply" in out

    collection.layout.reviews.unlink()
    with (tmp_path / "all.csv").open("a") as file:
        file.write("like,x,nobody" + "," * 12 + "\n")
    code, out, _ = run(capsys, "review-import", "small", written[0])
    assert code == 0
    assert "a kind of tag, note or correction, but kind = 'like'" in out
    assert "3 entries added to small; 0 were there already; 1 row left out." in out
    code, out, _ = run(capsys, "review-import", "small", written[0])
    assert "0 entries added to small; 3 were there already; 1 row left out." in out


def test_a_table_that_is_not_there_is_one_line(collection, tmp_path, capsys) -> None:
    code, out, err = run(capsys, "review-import", "small", str(tmp_path / "none.csv"))
    assert (code, out) == (2, "")
    assert err.startswith("Error: Expected a table of reviews")
