"""Atomic writes and what the disk can say."""

from __future__ import annotations

import errno
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core import storage
from radcbir_core.errors import CollectionError, StorageError
from radcbir_core.storage import (
    atomic_bytes,
    atomic_path,
    digest_file,
    digest_of,
    digest_once,
    disk_errors,
    known_digest,
    make_private_folder,
    read_json,
    refuse_full_disk,
    remove_partials,
    sync_folder,
    write_array,
    write_json,
)


def test_a_failed_write_leaves_what_was_there(tmp_path) -> None:
    target = tmp_path / "deep" / "note.txt"
    atomic_bytes(target, b"before")

    def fail_half_way() -> None:
        with atomic_path(target) as partial:
            partial.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert target.read_bytes() == b"before"
    assert [path.name for path in target.parent.iterdir()] == ["note.txt"]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "Expected space left on the disk, but there is none. Free some space, and do the same again"),
        (errno.EDQUOT, "Expected room within the disk quota"),
        (errno.EROFS, "it is read-only. Make it writable, or use another folder"),
        (errno.EACCES, "Expected permission to read and write here, but it was refused"),
        (errno.ENOTDIR, "Expected a folder, but a part of its path is a file. Move that file away"),
        (errno.ENOLCK, "Expected a disk on which files can be locked"),
    ],
)
def test_disk_errors_say_what_to_do(tmp_path, number, message) -> None:
    with pytest.raises(StorageError, match=message) as caught, disk_errors(tmp_path / "x.npy"):
        raise OSError(number, "of the system")
    assert "x.npy" in str(caught.value)


def test_other_errors_of_the_system_pass(tmp_path) -> None:
    with pytest.raises(IsADirectoryError), disk_errors(tmp_path):
        raise IsADirectoryError(errno.EISDIR, "no")


def test_what_a_killed_process_left_is_removed(tmp_path) -> None:
    context = atomic_path(tmp_path / "sub" / "big.npy")
    partial = context.__enter__()
    partial.write_bytes(b"half")
    assert partial.is_file()
    (tmp_path / "kept.npy").write_bytes(b"whole")
    remove_partials(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["kept.npy"]


def test_an_array_written_in_chunks_is_the_whole_or_nothing(tmp_path) -> None:
    whole = np.random.default_rng(0).normal(size=(7, 3))
    path = tmp_path / "a.npy"
    write_array(path, [whole[:4], whole[4:]], shape=(7, 3), dtype=np.float16)
    np.testing.assert_array_equal(np.load(path), whole.astype(np.float16))
    with pytest.raises(ValueError, match=r"Expected 7 rows, but the chunks of a\.npy have 4"):
        write_array(path, [whole[:4]], shape=(7, 3), dtype=np.float16)
    np.testing.assert_array_equal(np.load(path), whole.astype(np.float16))
    write_array(path, [], shape=(0, 3), dtype=np.int32)
    assert np.load(path).shape == (0, 3)


def test_what_is_large_is_digested_as_it_is_written(tmp_path, monkeypatch) -> None:
    """Also where whoever gives the chunks uses one buffer for all of them."""
    monkeypatch.setattr(storage, "_LARGE", 1000)
    path = tmp_path / "a.npy"

    def chunks():
        buffer = np.zeros((100, 8), dtype=np.float32)
        for number in range(20):
            buffer[:] = number
            yield buffer

    write_array(path, chunks(), shape=(2000, 8), dtype=np.float32)
    assert known_digest(path) == digest_file(path)
    assert np.load(path)[::100, 0].tolist() == list(range(20))
    write_array(tmp_path / "small.npy", [np.zeros(3)], shape=(3,), dtype=np.float16)
    assert known_digest(tmp_path / "small.npy") is None


def test_a_fault_that_the_disk_tells_late_is_told_and_others_are_not(tmp_path, monkeypatch) -> None:
    for number, told in ((errno.EIO, True), (errno.ENOSPC, True), (errno.EINVAL, False)):

        def refused(_: int, number: int = number) -> None:
            raise OSError(number, "of the system")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refused)
            if told:
                with pytest.raises(StorageError):
                    sync_folder(tmp_path)
            else:
                sync_folder(tmp_path)
    sync_folder(tmp_path / "gone")


def test_a_folder_is_refused_before_anything_is_written(tmp_path) -> None:
    (tmp_path / "table.csv").mkdir()
    with (
        pytest.raises(StorageError, match=r"Expected the name of a file to write, but .*table\.csv is a folder\. Name"),
        atomic_path(tmp_path / "table.csv"),
    ):
        pytest.fail("it was begun")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_two_threads_that_write_one_file_do_not_meet(tmp_path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: atomic_bytes(tmp_path / "a", b"%d" % number * 10_000), range(200)))
    assert len(set((tmp_path / "a").read_bytes().decode())) <= 3
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
def test_a_full_disk_is_a_storage_error(tmp_path, monkeypatch) -> None:
    """/dev/full stands for the disk: the write itself fails, as on a real one."""
    real = Path.open

    def open_full(self, mode="r", **options):
        return real(Path("/dev/full") if "w" in mode and ".partial-" in self.name else self, mode, **options)

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(StorageError, match="space left on the disk, but there is none"):
        write_array(tmp_path / "a.npy", [np.zeros((4096, 64))], shape=(4096, 64), dtype=np.float32)
    assert list(tmp_path.iterdir()) == []


def test_json_is_read_back_or_named(tmp_path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"title": "肺 <b>"})
    assert read_json(path) == {"title": "肺 <b>"}
    path.write_text("{", encoding="utf-8")
    with pytest.raises(CollectionError, match=r"a\.json: it is not valid JSON"):
        read_json(path)
    path.write_text(json.dumps([1]), encoding="utf-8")
    with pytest.raises(CollectionError, match="holds a list"):
        read_json(path)
    with pytest.raises(CollectionError, match="No such file"):
        read_json(tmp_path / "b.json")


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_digests_are_equal_for_equal_parts_only(one, other) -> None:
    assert (digest_of(*one) == digest_of(*other)) == (one == other)


def test_digest_of_a_file(tmp_path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert digest_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_what_leaves_no_room_is_refused_before(tmp_path, monkeypatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=2_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    refuse_full_disk(tmp_path, 1_500_000_000, purpose="open a.zip")
    refuse_full_disk(tmp_path, 2_000_000_000, purpose="write a.zip", kept_free=0)
    with pytest.raises(StorageError) as caught:
        refuse_full_disk(tmp_path, 1_600_000_000, purpose="open a.zip")
    assert str(caught.value) == (
        f"Expected 2.1 GB of free space to open a.zip, but {tmp_path} has 2.0 GB. Free some space, or use another disk."
    )


def test_a_private_folder_leaves_what_is_there_as_it_is(tmp_path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    make_private_folder(tmp_path / "there" / "data" / "collections")
    make_private_folder(tmp_path / "there" / "data" / "collections")
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "there", *(tmp_path / "there").rglob("*"))]
    assert modes == [0o755, 0o700, 0o700]
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="exists"):
        make_private_folder(tmp_path / "file")


def test_a_digest_is_computed_once_as_long_as_a_file_stays(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"a")
    assert known_digest(path) is None
    assert digest_once(path) == digest_file(path) == known_digest(path)
    with monkeypatch.context() as patch:
        patch.setattr("radcbir_core.storage.digest_file", lambda _: "read again")
        assert digest_once(path) == digest_file(path)
        os.utime(path, ns=(1, 1))
        assert known_digest(path) is None
        assert digest_once(path) == "read again"
    path.unlink()
    assert known_digest(path) is None
    with pytest.raises(FileNotFoundError):
        digest_once(path)
