"""`map`, as a person types it."""

from __future__ import annotations

import shutil

import pytest

from radcbir_core.audit import audit_path
from radcbir_core.collections.archive.archive_reader import open_archive
from radcbir_core.collections.archive.archive_writer import write_archive
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.inventory import sizes_of
from tests.core.cli.running import run


@pytest.fixture
def copied(small_data, tmp_path, monkeypatch) -> None:
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))


def test_a_map_is_laid_out_listed_changed_archived_and_deleted(copied, tmp_path, capsys) -> None:
    before = sizes_of(open_collection("small").folder).parts["projection"]
    code, out, _ = run(capsys, "map", "small", "--map", "wide", "--n-neighbors", "30", "--seed", "4")
    assert code == 0
    assert "Kept the map wide of small with pixels. Neighborhood preservation, mean: 0." in out
    assert sizes_of(open_collection("small").folder).parts["projection"] > before

    code, out, _ = run(capsys, "map", "small", "--map", "wide", "--min-dist", "0.5", "--all-cores")
    assert code == 0
    facts = open_collection("small").store("pixels").map_facts("wide")
    assert (facts["n_neighbors"], facts["min_dist"], facts["seed"]) == (30, 0.5, 4)
    assert facts["parallel"] is True

    code, out, _ = run(capsys, "map", "small")
    assert code == 0
    lines = [line.replace("│", " ").replace("|", " ").split() for line in out.splitlines()]
    listed = {line[0]: line[1:5] for line in lines if line[-1:] == ["current"]}
    assert listed == {"standard": ["15", "0.1", "2", "0"], "wide": ["30", "0.5", "2", "4"]}

    write_archive(open_collection("small"), tmp_path / "small.zip")
    open_archive(tmp_path / "small.zip", name="other")
    store = open_collection("other").store("pixels")
    assert store.maps()["wide"].state == "current"
    assert store.projection("wide").equals(open_collection("small").store("pixels").projection("wide"))

    code, out, _ = run(capsys, "map", "small", "--map", "wide", "--delete")
    assert code == 0
    assert "Deleted the map wide of small with pixels." in out
    assert list(open_collection("small").store("pixels").maps()) == ["standard"]
    told = audit_path().read_text(encoding="utf-8")
    assert '"lay out map wide"' in told
    assert '"delete map wide"' in told


def test_what_is_wrong_is_said(copied, capsys) -> None:
    for arguments, complaint in (
        (("--map", "Wide"), "Expected the name of a map"),
        (("--map", "standard", "--delete"), "but name = 'standard'. There is none."),
        (("--n-neighbors", "30"), "Expected the name of a map, but --map is not given. Add --map MAP."),
        (("--delete",), "Expected the name of a map, but --map is not given."),
        (("--map", "wide", "--delete", "--seed", "3"), "but both are asked for. Leave --delete away."),
        (("--map", "wide", "--dimensions", "4"), "'--dimensions': Input should be less than or equal to 3"),
        (("--map", "wide", "--min-dist", "2"), "'--min-dist': Input should be less than or equal to 1"),
    ):
        code, _, err = run(capsys, "map", "small", *arguments)
        assert code == 2
        assert complaint in " ".join(err.split())


@pytest.mark.parametrize("rows", [1, 3, 150])
def test_all_that_have_neighbors_come_first(rows, tmp_path, monkeypatch, capsys) -> None:
    """An image without neighbors has no place, and joins nothing."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path))
    run(capsys, "synthesize", "many", "--rows", str(rows), "--dimension", "16")
    run(capsys, "build", "many", "--encoder", "synthetic")
    assert "Laid out at first" not in run(capsys, "map", "many", "--map", "wide")[1]
    out = run(capsys, "map", "many", "--map", "wide", "--most-drawn", "100")[1]
    assert ("Laid out at first: 100 images" in out) == (rows > 100)
    assert "None" not in run(capsys, "map", "many")[1]
