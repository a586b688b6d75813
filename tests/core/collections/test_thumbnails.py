"""Small pictures packed into shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radcbir_core.collections.thumbnails import ThumbnailShards
from radcbir_core.errors import CollectionError

THUMBNAILS = [b"one", b"", b"three", b"four"]


@pytest.fixture
def folder(tmp_path) -> Path:
    ThumbnailShards(tmp_path).write(0, THUMBNAILS)
    return tmp_path


def test_thumbnails_are_packed_and_unpacked(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("radcbir_core.collections.thumbnails.SHARD_ROWS", 3)
    shards = ThumbnailShards(tmp_path / "thumbnails")
    shards.write(0, [b"one", b"", b"three"])
    assert [shards.read(row) for row in range(4)] == [b"one", None, b"three", None]
    assert (shards.has(0), shards.has(1)) == (True, False)
    shards.write(1, [b"four"])
    assert shards.read(3) == b"four"


def test_a_thumbnail_that_was_changed_is_told_from_its_neighbors(folder) -> None:
    content = (folder / "000000.bin").read_bytes()
    (folder / "000000.bin").write_bytes(content.replace(b"three", b"thrEe"))
    shards = ThumbnailShards(folder)
    assert [shards.read(row) for row in (0, 1, 3)] == [b"one", None, b"four"]
    with pytest.raises(CollectionError, match=r"000000\.bin is damaged: that of row 2 is another"):
        shards.read(2)
    assert not shards.is_whole(0)
    shards.write(0, THUMBNAILS)
    assert shards.is_whole(0)
    assert shards.read(2) == b"three"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("000000.npy", np.array([0, 3, 2, 8, 12])),
        ("000000.npy", np.array([0, 3, 3, 8])),
        ("000000.crc", np.array([1, 2], np.uint32)),
        ("000000.crc", np.array([1, 2, 3, 4])),
    ],
)
def test_places_and_sums_that_cannot_be_are_damage(folder, name, content) -> None:
    with (folder / name).open("wb") as handle:
        np.save(handle, content)
    shards = ThumbnailShards(folder)
    assert not shards.is_whole(0)
    with pytest.raises(CollectionError, match="is damaged: these are no"):
        shards.read(0)


def test_thumbnails_of_versions_before_have_no_sums(folder) -> None:
    (folder / "000000.crc").unlink()
    shards = ThumbnailShards(folder)
    assert shards.is_whole(0)
    assert [shards.read(row) for row in range(4)] == [b"one", None, b"three", b"four"]
    shards.remove(0)
    assert not list(folder.iterdir())
    assert not shards.is_whole(0)
