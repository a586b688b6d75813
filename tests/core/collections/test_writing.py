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
from radcbir_core.collections.record import write_record
from radcbir_core.collections.writing import new_collection, revised_collection
from radcbir_core.errors import CollectionExistsError
from radcbir_core.importers import import_collection
from radcbir_core.storage import exchange


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


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_revision_that_fails_changes_nothing(copied, monkeypatch, can_exchange) -> None:
    if not can_exchange:
        monkeypatch.setattr("radcbir_core.collections.writing.exchange", lambda *_: False)

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
