"""Collections come to be, and take another's place, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import collections_folder, list_collections
from radcbir_core.collections.records.record import write_record
from radcbir_core.collections.writing import (
    new_collection,
    refuse_existing,
    resumable_collection,
    revised_collection,
)
from radcbir_core.errors import CollectionExistsError
from radcbir_core.importers import import_collection
from radcbir_core.importers.importing import write_private
from radcbir_core.storage import exchange, write_json


def test_a_name_taken_meanwhile_is_not_overwritten(copied) -> None:

    def overtaken() -> None:
        with new_collection("late") as folder:
            (folder / "mark").touch()
            shutil.copytree(copied.folder, copied.folder.with_name("late"))

    with pytest.raises(CollectionExistsError):
        overtaken()
    assert not (copied.folder.with_name("late") / "mark").exists()
    assert list_collections() == ["late", "small"]


def test_what_a_killed_import_left_is_removed_after_a_day(copied, small_source) -> None:
    old, new = (collections_folder() / f".unfinished-{age}" for age in ("old", "new"))
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (time.time() - 2 * 86_400,) * 2)
    import_collection([small_source], name="another")
    assert (old.exists(), new.exists()) == (False, True)


def test_a_revised_collection_takes_the_others_place_at_once(copied, monkeypatch) -> None:
    """While one folder after the other takes its place, whoever looks finds a whole collection."""
    if not exchange(*(Path(tempfile.mkdtemp(dir=copied.folder.parent)) for _ in range(2))):
        pytest.skip("this disk cannot exchange two names")
    missed, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            if not (copied.folder / "collection.json").is_file():
                missed.append(1)

    watcher = threading.Thread(target=look)
    watcher.start()
    for number in range(30):
        with revised_collection("small", digest=open_collection("small").digest) as folder:
            write_record(folder, copied.record | {"title": f"Revised {number}"})
    done.set()
    watcher.join()
    assert not missed
    assert open_collection("small").title == "Revised 29"
    assert not list(copied.folder.parent.glob(".unfinished-*/")), "the one before is gone"


@pytest.mark.parametrize("step", [1, 2, 3])
def test_ctrl_c_between_two_renames_loses_nothing(copied, monkeypatch, step) -> None:
    """Where names cannot be exchanged, there is a moment between them."""
    real, done = Path.rename, []

    def rename(self: Path, target: Path) -> Path:
        if self.parent == copied.folder.parent:
            done.append(target)
            if len(done) == step:
                raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr("radcbir_core.swapping.exchange", lambda *_: False)
        patch.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt), revised_collection("small", digest=copied.digest) as folder:
            write_record(folder, copied.record | {"title": "Revised"})
    assert open_collection("small").title == ("Revised" if step == 3 else copied.title)
    assert len(open_collection("small").manifest) == 61
    assert not list(copied.folder.parent.glob(".unfinished-*/"))


def test_who_was_killed_between_two_renames_has_lost_nothing(copied) -> None:
    """The folders as they lie then, and a journal that names them."""
    folder = copied.folder
    write_json(folder.with_name(".swap-small.json"), {"fresh": ".unfinished-a", "before": ".unfinished-a-before"})
    shutil.copytree(folder, folder.with_name(".unfinished-a"))
    write_record(folder.with_name(".unfinished-a"), copied.record | {"title": "Revised"})
    folder.rename(folder.with_name(".unfinished-a-before"))
    for old in folder.parent.glob(".unfinished-*/"):
        os.utime(old, (0, 0))
    with pytest.raises(CollectionExistsError, match="name = 'small' exists already"):
        refuse_existing("small")
    assert open_collection("small").title == "Revised"
    assert list_collections() == ["small"]


def test_a_copy_to_be_revised_is_as_private_as_the_collection(copied) -> None:
    copied.folder.chmod(0o700)
    with revised_collection("small", digest=copied.digest) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
    assert copied.folder.stat().st_mode & 0o777 == 0o700


def test_folders_are_on_the_disk_before_they_have_the_name(copied, monkeypatch) -> None:
    """A power cut after the last rename finds all names in the folder that has the name then."""
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("the system does not tell what a descriptor is of")
    monkeypatch.setattr(os, "fsync", fsync)
    with new_collection("late") as folder:
        (folder / "deep").mkdir()
        write_private(folder / "salt", b"salt")
    parent = str(copied.folder.parent)
    assert synced == [f"{folder}/salt", str(folder), f"{folder}/deep", parent]


def test_what_others_are_making_is_left_alone(copied) -> None:
    """Names that begin alike are others' names."""

    def begun(name: str, key: str) -> list[str]:
        """What was there of it; it does not come to its end."""
        there: list[str] = []
        with pytest.raises(ZeroDivisionError), resumable_collection(name, key=key) as folder:
            there += [path.name for path in folder.iterdir()] + [str((folder / f"of {key}").touch() or 1 / 0)]
        return there

    assert [begun(name, key) for name, key in (("a", "1"), ("a-b", "1"), ("a", "2"))] == [[], [], []]
    assert (collections_folder() / ".unfinished-a-b+1" / "of 1").exists()
    assert not (collections_folder() / ".unfinished-a+1").exists()


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_revision_that_fails_changes_nothing(copied, monkeypatch, can_exchange) -> None:
    if not can_exchange:
        monkeypatch.setattr("radcbir_core.swapping.exchange", lambda *_: False)

    class Failed(Exception):
        pass

    def fail() -> None:
        with revised_collection("small", digest=open_collection("small").digest) as folder:
            write_record(folder, copied.record | {"title": "Revised"})
            raise Failed

    with pytest.raises(Failed):
        fail()
    assert open_collection("small").title == copied.title
    with revised_collection("small", digest=open_collection("small").digest) as folder:
        write_record(folder, copied.record | {"title": "Revised"})
    assert open_collection("small").title == "Revised"
    assert len(open_collection("small").manifest) == 61
    assert not list(copied.folder.parent.glob(".unfinished-*/"))
