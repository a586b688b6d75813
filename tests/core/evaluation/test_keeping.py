"""Results on disk: written whole, read back, or not there."""

from __future__ import annotations

import json
import os
import time

import pandas as pd
import pytest

from radcbir_core.errors import CollectionError, CollectionNotFoundError
from radcbir_core.evaluation import keeping
from radcbir_core.evaluation.keeping import Kept, read_result, write_result


@pytest.fixture
def place(tmp_path):
    """Where results of one encoder are kept."""
    (tmp_path / "pixels").mkdir()
    return tmp_path / "pixels" / "evaluation" / "precision-1"


KEPT = Kept({"means": pd.DataFrame({"k": [1], "p": [0.5]}), "empty": pd.DataFrame()}, ("One note.",), {"n": 3})


def test_what_is_written_is_read(place) -> None:
    write_result(place, KEPT, kind="precision", recipe=1)
    found = read_result(place)
    assert list(found.tables) == ["means", "empty"]
    pd.testing.assert_frame_equal(found.tables["means"], KEPT.tables["means"])
    assert (found.notes, found.facts) == (KEPT.notes, KEPT.facts)
    assert json.loads((place / "result.json").read_text())["kind"] == "precision"
    assert [path.name for path in place.parent.iterdir()] == [place.name], "nothing unfinished is left"


@pytest.mark.parametrize("large", [0, 1 << 40])
def test_a_large_table_is_read_when_it_is_asked_for_and_is_what_was_there(place, monkeypatch, large) -> None:
    monkeypatch.setattr(keeping, "_LARGE", large)
    read = pd.read_parquet
    asked: list[object] = []
    monkeypatch.setattr(keeping.pd, "read_parquet", lambda file: asked.append(file) or read(file))
    write_result(place, KEPT)
    found = read_result(place)
    assert len(asked) == (2 if large else 0)
    assert (list(found.tables), len(found.tables), "empty" in found.tables) == (["means", "empty"], 2, True)
    before = found.tables.memory
    assert before > 0
    write_result(place, KEPT._replace(tables={"means": pd.DataFrame({"k": [9]})}))
    for _ in range(2):
        pd.testing.assert_frame_equal(found.tables["means"], KEPT.tables["means"])
        assert found.tables["empty"].empty
    assert len(asked) == 2
    with pytest.raises(KeyError):
        found.tables["none"]
    assert list(read_result(place).tables) == ["means"]


def test_a_large_table_that_is_none_is_not_there_and_a_damaged_one_is_an_error(place, monkeypatch) -> None:
    """Whoever hands over a folder has written its digests, too."""
    monkeypatch.setattr(keeping, "_LARGE", 0)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", lambda table, path: path.write_bytes(b"no table"))
    write_result(place, KEPT)
    assert read_result(place) is None
    monkeypatch.undo()
    monkeypatch.setattr(keeping, "_LARGE", 0)
    write_result(place, KEPT)
    found = read_result(place)
    monkeypatch.setattr(keeping.pd, "read_parquet", lambda _: (_ for _ in ()).throw(OSError("a page of it")))
    with pytest.raises(CollectionError, match="the table means cannot be read"):
        found.tables["means"]


def test_what_cannot_be_read_is_not_there(place) -> None:
    assert read_result(place) is None
    for broken in ("not JSON", "{}", '{"tables": ["means"], "notes": 5, "facts": {}}', '{"tables": ["gone"]}'):
        write_result(place, KEPT)
        (place / "result.json").write_text(broken)
        assert read_result(place) is None


def test_a_second_result_takes_the_place_of_the_first(place) -> None:
    write_result(place, KEPT)
    write_result(place, KEPT._replace(notes=("Another.",)))
    assert read_result(place).notes == ("Another.",)


def test_nothing_is_left_where_the_collection_has_gone(tmp_path) -> None:
    with pytest.raises(CollectionNotFoundError, match="it was removed or renamed meanwhile"):
        write_result(tmp_path / "gone" / "evaluation" / "precision-1", KEPT)
    assert not (tmp_path / "gone").exists()


def test_what_an_older_version_kept_goes(place) -> None:
    older = place.with_name("0123456789abcdef-0123456789abcdef")
    older.mkdir(parents=True)
    (older / "table.parquet").write_bytes(b"")
    write_result(place, KEPT)
    assert [path.name for path in place.parent.iterdir()] == [place.name]


@pytest.mark.parametrize("exchanges", [True, False])
def test_what_is_damaged_is_replaced(place, monkeypatch, exchanges) -> None:
    if not exchanges:  # as on a disk that cannot
        monkeypatch.setattr(keeping, "exchange", lambda *_: False)
    write_result(place, KEPT)
    (place / "result.json").write_text("{}")
    write_result(place, KEPT._replace(notes=("Again.",)))
    assert read_result(place).notes == ("Again.",)
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_only_what_was_abandoned_goes(place) -> None:
    for name, age in ((".unfinished-old", 2 * 86_400), (".unfinished-new", 0)):
        (place.parent / name).mkdir(parents=True)
        os.utime(place.parent / name, (time.time() - age,) * 2)
    write_result(place, KEPT)
    assert sorted(path.name for path in place.parent.iterdir()) == [".unfinished-new", place.name]
