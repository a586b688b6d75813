"""What was found out of a large file is known to later processes, as long as it is that very file."""

from __future__ import annotations

import json
import os
import shutil
import time

import numpy as np
import pytest

from radcbir_core import storage
from radcbir_core.collections.artifacts import EMBEDDINGS, INDEX, NEIGHBORS
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.encoder_data import checked_arrays, known_files
from radcbir_core.collections.encoder_data.store import EncoderStore, content_digest
from radcbir_core.collections.layout import EncoderLayout
from radcbir_core.pipeline import build_indexes
from radcbir_core.search.opening import vectors_of


@pytest.fixture
def read(monkeypatch, copied) -> list[str]:
    """The names of files that are read for a digest, or whose values are looked at; every size is large."""
    found: list[str] = []
    digest, fault = storage.digest_file, checked_arrays._fault
    monkeypatch.setattr(known_files, "SMALLEST", 0)
    monkeypatch.setattr(storage, "digest_file", lambda path: found.append(path.name) or digest(path))
    monkeypatch.setattr(
        checked_arrays,
        "_fault",
        lambda array, name, *rest: found.append(f"values of {name}") or fault(array, name, *rest),
    )
    return found


def as_another_process() -> None:
    for known in (storage._digests, checked_arrays._seen, known_files._read, known_files._kept, known_files._recalled):
        known.clear()


@pytest.fixture
def store(copied: Collection, monkeypatch: pytest.MonkeyPatch) -> EncoderStore:
    """Its files are older than a step of the clock, which is short here."""
    monkeypatch.setattr(storage, "_STEP_OF_CLOCKS", 100_000_000)
    time.sleep(0.11)
    return copied.store("pixels")


def used(name: str) -> EncoderStore:
    """What an answer to a query and an evaluation read, in another process."""
    as_another_process()
    store = open_collection(name).store("pixels")
    vectors_of(store)
    assert len(store.neighbor_ids) == len(store.neighbor_similarities)
    return store


def test_the_first_process_reads_and_the_others_do_not(store, read) -> None:
    name = store.collection.name
    used(name)
    assert sorted(read) == [
        "embeddings.npy", "index.usearch", "neighbor_ids.npy", "neighbor_similarities.npy",
        "values of embeddings.npy", "values of neighbor_ids.npy", "values of neighbor_similarities.npy",
    ]  # fmt: skip
    read.clear()
    again = used(name)
    assert read == []
    assert again.states() == store.states()
    assert content_digest(EMBEDDINGS, again.layout) == again.made_digest(EMBEDDINGS)


@pytest.mark.parametrize("how", ["in place", "in place, with its time put back", "by another file", "touched"])
def test_what_has_changed_is_read_again(store, read, how) -> None:
    used(store.collection.name)
    path = store.embeddings_path
    content, before = bytearray(path.read_bytes()), path.stat()
    if how != "touched":
        content[-1] ^= 1
    if how == "by another file":
        path.with_name("other").write_bytes(content)
        path.with_name("other").replace(path)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif how == "touched":
        path.touch()
    else:
        with path.open("r+b") as file:
            file.write(content)
        if "put back" in how:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    read.clear()
    as_another_process()
    again = open_collection(store.collection.name).store("pixels")
    damage = again.damage(EMBEDDINGS)
    assert "embeddings.npy" in read
    assert bool(damage) == (how != "touched")
    assert not again.damage(NEIGHBORS)
    assert "neighbor_ids.npy" not in read


@pytest.mark.parametrize("how", ["another digest", "no seal", "no list", "of another machine", "of another encoder"])
def test_a_list_that_this_machine_did_not_write_is_not_believed(store, read, how, tmp_path) -> None:
    used(store.collection.name)
    path = store.layout.known_files
    told = json.loads(path.read_text())
    changed = bytearray(store.index_path.read_bytes())
    changed[-1] ^= 1
    store.index_path.write_bytes(changed)
    if how == "of another machine":
        (store.collection.folder.parent.parent / "machine.key").write_bytes(os.urandom(32))
    elif how == "of another encoder":
        shutil.copytree(store.folder, store.folder.with_name("other"))
    elif how == "no list":
        path.write_text("{]")
    else:
        lines = [line for line in told["files"] if line[0] != store.index_path.name]
        _, size, inode, *times = storage.identity_of(store.index_path)
        digest = store.facts(INDEX)["sha256"]
        lines.append([store.index_path.name, size, inode, *times, digest, []])
        seal = {"another digest": told["seal"], "no seal": None}[how]
        path.write_text(json.dumps({"form": 1, "files": lines, "seal": seal}))
    as_another_process()
    read.clear()
    again = open_collection(store.collection.name).store("pixels")
    assert again.damage(INDEX) == "its bytes are not those that were built"
    assert "index.usearch" in read


def test_a_file_that_was_just_written_is_known_to_nobody_else(store, read) -> None:
    path = store.embeddings_path
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)
    used(store.collection.name)
    assert "embeddings.npy" not in {line[0] for line in json.loads(store.layout.known_files.read_text())["files"]}


def test_a_build_looks_itself_and_leaves_nothing_for_others_to_look_at(store, read) -> None:
    used(store.collection.name)
    as_another_process()
    read.clear()
    build_indexes(store.collection)
    vectors_of(open_collection(store.collection.name).store("pixels"))
    assert {"embeddings.npy", "index.usearch", "values of embeddings.npy"} <= set(read)
    store.layout.known_files.unlink()
    as_another_process()
    store.settle()
    read.clear()
    used(store.collection.name)
    assert read == []


def test_it_is_small_and_a_disk_that_refuses_it_is_let_be(store, read, monkeypatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(known_files, "write_json", refused)
        used(store.collection.name)
    assert not store.layout.known_files.exists()
    monkeypatch.setattr(known_files, "SMALLEST", 1 << 40)
    used(store.collection.name)
    assert not store.layout.known_files.exists()


def test_it_moves_with_the_folder_and_not_into_a_copy(store, read) -> None:
    used(store.collection.name)
    store.collection.folder.rename(store.collection.folder.with_name("moved"))
    read.clear()
    used("moved")
    assert read == []
    shutil.copytree(store.collection.folder.with_name("moved"), store.collection.folder)
    used(store.collection.name)
    assert "embeddings.npy" in read


def test_files_that_are_gone_are_forgotten(store, read) -> None:
    used(store.collection.name)
    store.layout.files(NEIGHBORS)[0].unlink()
    layout = EncoderLayout(store.folder)
    np.save(store.folder / "further.npy", np.zeros(3))
    time.sleep(0.11)
    storage.digest_once(store.folder / "further.npy")
    known_files.keep(layout, [store.folder / "further.npy"])
    names = {line[0] for line in json.loads(layout.known_files.read_text())["files"]}
    assert "neighbor_ids.npy" not in names
    assert "further.npy" in names
