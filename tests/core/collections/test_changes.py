"""What may be changed of a collection: its name, its title, where its images are; and never while it is being built."""

from __future__ import annotations

import json
import shutil
import stat
import threading
from pathlib import Path

import filelock
import pytest

from radcbir_core.collections.changes import images_found, relocate_images, remove_collection, rename_collection
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.layout import Layout, collections_folder, list_collections
from radcbir_core.collections.writing import new_collection, resumable_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError, CollectionExistsError, CollectionNotFoundError, StorageError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.pipeline import build_collection


@pytest.fixture
def small(small_data, tmp_path, monkeypatch) -> Collection:
    """A copy of the small collection that a test may change."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small")


def names() -> list[str]:
    return sorted(path.name for path in collections_folder().iterdir())


def test_everything_comes_along(small) -> None:
    salt = small.folder / "pseudonyms.salt"
    salt.write_text("secret")
    salt.chmod(0o600)
    before = {path.relative_to(small.folder): path.read_bytes() for path in small.folder.rglob("*") if path.is_file()}
    renamed = rename_collection("small", "chest-2", title=" Chest & more ")
    assert (renamed.name, renamed.title, renamed.digest) == ("chest-2", "Chest & more", small.digest)
    assert renamed.record == small.record | {"name": "chest-2", "title": "Chest & more"}
    after = {
        path.relative_to(renamed.folder): path.read_bytes() for path in renamed.folder.rglob("*") if path.is_file()
    }
    assert {k: v for k, v in after.items() if k.name != "collection.json"} == {
        k: v for k, v in before.items() if k.name != "collection.json"
    }
    assert stat.S_IMODE((renamed.folder / "pseudonyms.salt").stat().st_mode) == 0o600
    assert set(renamed.store("pixels").states().values()) == {"current"}
    assert list_collections() == ["chest-2"]
    with pytest.raises(CollectionNotFoundError, match=r"name = 'small'\. There is chest-2\."):
        open_collection("small")
    # It goes on being one like any other.
    assert build_collection(renamed, load_encoder("pixels")).seconds == {}


def test_what_is_computed_meanwhile_leaves_nothing_at_the_old_place(small) -> None:
    store = small.store("pixels")

    def rename(step: str, done: int, total: int) -> None:
        if (step, done) == ("evaluation", 1):
            rename_collection("small", "other")

    with pytest.raises(CollectionNotFoundError, match="removed or renamed meanwhile"):
        Precision(Protocol.of(exclude=("study",))).run(store, progress=rename)
    assert list_collections() == ["other"]
    assert "small" not in names()
    assert len(Precision().run(open_collection("other").store("pixels")).table)


def test_the_title_alone_can_be_changed(small) -> None:
    assert rename_collection("small", "small", title="Other").title == "Other"
    assert open_collection("small").record["name"] == "small"


def test_a_title_that_was_the_name_goes_with_it(small) -> None:
    rename_collection("small", "small", title="small")
    assert rename_collection("small", "x").title == "x"
    assert rename_collection("x", "y", title="x").title == "x"


@pytest.mark.parametrize("title", ["", "  ", "two\nlines", "x" * 201])
def test_a_title_that_is_none_is_refused(small, title) -> None:
    with pytest.raises(CollectionError, match="Expected a title of 1 to 200 characters in one line"):
        rename_collection("small", "small", title=title)
    assert open_collection("small").record == small.record


def test_a_name_that_is_taken_or_none_is_refused(small) -> None:
    with new_collection("other") as folder:
        shutil.copytree(small.folder, folder, dirs_exist_ok=True)
    for taken, kind, reason in (
        ("other", CollectionExistsError, "name = 'other' exists already"),
        ("../x", CollectionError, "Expected a collection name of 1 to 64"),
    ):
        with pytest.raises(kind, match=reason):
            rename_collection("small", taken)
    with pytest.raises(CollectionNotFoundError, match="name = 'nope'"):
        rename_collection("nope", "x")
    assert list_collections() == ["other", "small"]
    assert open_collection("small").record == small.record


def test_a_name_that_is_being_made_is_taken(small) -> None:
    with resumable_collection("drawn", key="k"), pytest.raises(CollectionExistsError, match="is making name = 'drawn'"):
        rename_collection("small", "drawn")
    assert "small" in list_collections()


@pytest.mark.parametrize("change", [lambda: rename_collection("small", "x"), lambda: remove_collection("small")])
def test_nothing_changes_while_it_is_being_built(small, change) -> None:
    with (
        small.building("pixels"),
        pytest.raises(CollectionError, match=r"but small is being built with pixels since [0-9: -]* UTC\. Wait until"),
    ):
        change()
    with small.building("new-encoder"), pytest.raises(CollectionError, match="is being built with new-encoder"):
        change()
    with (
        filelock.FileLock(Layout(small.folder).gate),
        pytest.raises(CollectionError, match="nobody else to be changing"),
    ):
        change()
    assert open_collection("small").record == small.record
    change()
    assert "small" not in list_collections()


def test_a_build_that_begins_during_a_change_finds_the_collection_gone(small, monkeypatch) -> None:
    """It waits for the change, and makes no folder under the old name."""
    errors: list[Exception] = []

    def begin() -> None:
        try:
            with small.building("pixels"):
                pass
        except CollectionError as error:
            errors.append(error)

    with filelock.FileLock(Layout(small.folder).gate, thread_local=False):
        thread = threading.Thread(target=begin)
        thread.start()
        small.folder.rename(small.folder.with_name("renamed"))
    thread.join(20)
    assert [type(error) for error in errors] == [CollectionNotFoundError]
    assert list_collections() == ["renamed"]


def test_a_full_disk_changes_nothing(small, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise StorageError("Expected space left on the disk, but there is none.")

    with monkeypatch.context() as patch:
        patch.setattr("radcbir_core.collections.changes.write_record", full)
        with pytest.raises(StorageError):
            rename_collection("small", "x", title="y")
    assert list_collections() == ["small"]
    assert open_collection("small").record == small.record


def test_between_the_record_and_the_folder_it_is_what_it_was(small, monkeypatch) -> None:
    """The folder's name decides, at one instant, under which name and title the collection is."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            rename_collection("small", "x", title="y")
    assert (open_collection("small").title, open_collection("small").record) == (small.title, small.record)
    small.folder.rename(small.folder.with_name("x"))
    assert (open_collection("x").title, open_collection("x").record["name"]) == ("y", "x")
    (small.folder.with_name("x")).rename(small.folder)
    assert rename_collection("small", "z").title == small.title
    assert "renamed" not in json.loads((small.folder.with_name("z") / "collection.json").read_text())


def test_removing_leaves_nothing_behind(small) -> None:
    remove_collection("small")
    assert names() == []


def test_a_damaged_collection_can_be_removed(small) -> None:
    (small.folder / "collection.json").write_text("{")
    remove_collection("small")
    assert list_collections() == []


def test_images_are_found_where_they_were_moved_to(small, tmp_path) -> None:
    assert images_found(small) == (61, 61)
    shutil.copytree(small.image_root, tmp_path / "moved")
    record = json.loads((small.folder / "collection.json").read_text())
    (small.folder / "collection.json").write_text(json.dumps(record | {"image_root": str(tmp_path / "gone")}))
    assert images_found(open_collection("small")) == (0, 61)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CollectionError, match=r"of 61 paths looked for none is in .*empty; the first: chest_00\.png"):
        relocate_images("small", tmp_path / "empty")
    with pytest.raises(CollectionError, match=r"Expected the folder of the images, but image_root = .*nowhere is none"):
        relocate_images("small", tmp_path / "nowhere")
    found = relocate_images("small", tmp_path / "moved")
    assert found.image_root == tmp_path / "moved"
    assert found.read_image(0).pixels.shape == (48, 48)
