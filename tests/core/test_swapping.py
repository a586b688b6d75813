"""One folder takes another's place; whoever is killed on the way leaves the one or the other."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from radcbir_core import swapping
from radcbir_core.swapping import being_swapped, finish_swaps, take_place

STEPS = 3
"""Renames of a swap without an exchange."""


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The folder to come, ``.fresh``, and the one that is there, ``mine``."""
    for name, content in ((".fresh", "new"), ("mine", "old")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_text(content)
    return tmp_path / ".fresh", tmp_path / "mine"


@pytest.fixture
def without_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swapping, "exchange", lambda *_: False)


def content(folder: Path) -> str:
    return (folder / "content").read_text()


def failing_at(step: int, error: BaseException) -> Callable[[Path, Path], Path]:
    """Path.rename, but for the one of that number."""
    real, done = Path.rename, []

    def rename(self: Path, target: Path) -> Path:
        done.append(target)
        if len(done) == step:
            raise error
        return real(self, target)

    return rename


def test_the_two_have_each_others_place(folders, without_exchange):
    fresh, folder = folders
    take_place(fresh, folder)
    assert (content(folder), content(fresh)) == ("new", "old")
    take_place(fresh, folder)
    assert (content(folder), content(fresh)) == ("old", "new")
    assert being_swapped(folder.parent) == set()
    assert sorted(path.name for path in folder.parent.iterdir() if path.is_dir()) == [".fresh", "mine"]


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_whatever_is_raised_one_of_them_has_the_place(folders, without_exchange, monkeypatch, step, error):
    fresh, folder = folders
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing_at(step, error))
        with pytest.raises(type(error)):
            take_place(fresh, folder)
    assert content(folder) == ("new" if step == STEPS else "old")
    assert being_swapped(folder.parent) == set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_who_looks_next_finishes_what_was_begun(folders, without_exchange, monkeypatch, step):
    fresh, folder = folders
    child = os.fork()
    if not child:
        real, done = Path.rename, []

        def rename(self: Path, target: Path) -> Path:
            done.append(target)
            if len(done) == step:
                os._exit(9)
            return real(self, target)

        monkeypatch.setattr(Path, "rename", rename)
        take_place(fresh, folder)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert {fresh.name} <= being_swapped(folder.parent), "and nobody removes them meanwhile"
    finish_swaps(folder.parent)
    assert content(folder) == ("old" if step == 1 else "new")
    assert being_swapped(folder.parent) == set()
    assert sorted(path.name for path in folder.parent.iterdir()) == [".fresh", "mine"]


def test_where_both_ways_fail_the_journal_stays_for_the_next(folders, without_exchange, monkeypatch):
    fresh, folder = folders
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if target == folder:
            raise PermissionError(13, "Permission denied")
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(PermissionError):
            take_place(fresh, folder)
        finish_swaps(folder.parent)  # still refused, and no error of whoever only looks
    assert not folder.exists()
    assert being_swapped(folder.parent) == {".fresh", ".fresh-before"}
    finish_swaps(folder.parent)
    assert content(folder) == "new"


@pytest.mark.parametrize(
    "record", ["{", "[]", json.dumps({"fresh": "../mine", "before": ".b"}), json.dumps({"fresh": 1, "before": ".b"})]
)
def test_a_journal_that_is_none_of_ours_moves_nothing(folders, record):
    fresh, folder = folders
    journal = folder.with_name(".swap-other.json")
    journal.write_text(record)
    assert being_swapped(folder.parent) == set()
    finish_swaps(folder.parent)
    assert not journal.exists()
    assert (content(folder), content(fresh)) == ("old", "new")
    assert not (folder.parent / "other").exists()


def test_nothing_is_left_but_the_two(folders, without_exchange):
    fresh, folder = folders
    take_place(fresh, folder)
    finish_swaps(folder.parent)
    assert sorted(path.name for path in folder.parent.iterdir()) == [".fresh", "mine"]
