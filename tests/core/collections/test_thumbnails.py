"""Small pictures packed into shards."""

from __future__ import annotations

from radcbir_core.collections.thumbnails import ThumbnailShards


def test_thumbnails_are_packed_and_unpacked(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("radcbir_core.collections.thumbnails.SHARD_ROWS", 3)
    shards = ThumbnailShards(tmp_path / "thumbnails")
    shards.write(0, [b"one", b"", b"three"])
    assert [shards.read(row) for row in range(4)] == [b"one", None, b"three", None]
    assert (shards.has(0), shards.has(1)) == (True, False)
    shards.write(1, [b"four"])
    assert shards.read(3) == b"four"
