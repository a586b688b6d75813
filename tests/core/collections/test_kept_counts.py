"""Counts are those of the manifest, whether they are made now or were kept; kept ones are this machine's alone."""

from __future__ import annotations

import json
import os

import pytest

from radcbir_core.collections import kept_counts
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.kept_counts import counts_of
from radcbir_core.collections.manifests.counting import counts_in
from radcbir_core.errors import CollectionError, StorageError


@pytest.fixture
def counted(copied, monkeypatch) -> list[int]:
    """How many images were counted over, each time; every collection is large."""
    found: list[int] = []
    monkeypatch.setattr(kept_counts, "SMALLEST", 1)
    monkeypatch.setattr(kept_counts, "counts_in", lambda manifest: found.append(len(manifest)) or counts_in(manifest))
    return found


def test_counts_are_those_of_the_manifest_and_are_made_once(copied, counted) -> None:
    expected = counts_in(copied.manifest)
    for _ in range(3):
        assert counts_of(open_collection(copied.name)) == expected
    assert counted == [61]
    manifest = copied.manifest
    assert expected.images == len(manifest) == 61
    assert expected.modalities == manifest.counts("modality")
    assert expected.labels == len(manifest.labels("label").values)


def test_of_a_small_collection_nothing_is_kept(copied) -> None:
    assert counts_of(copied) == counts_in(copied.manifest)
    assert not copied.layout.counts.exists()


@pytest.mark.parametrize("how", ["other numbers", "another key", "another form", "another manifest", "no counts", "{"])
def test_counts_that_this_machine_did_not_make_of_this_manifest_are_not_believed(copied, counted, how) -> None:
    counts_of(copied)
    path = copied.layout.counts
    told = json.loads(path.read_text())
    if how == "other numbers":
        told["counts"]["known_groups"] = []
    elif how == "another form":
        told["form"] += 1
    elif how == "no counts":
        del told["counts"]
    elif how == "another key":
        (copied.folder.parent.parent / "machine.key").write_bytes(os.urandom(32))
    elif how == "another manifest":
        record = json.loads(copied.layout.record.read_text())
        manifest = type(copied.manifest)(copied.manifest.table.slice(1), digest="")
        manifest.write(copied.layout.manifest)
        digest = type(manifest).read(copied.layout.manifest).digest
        copied.layout.record.write_text(json.dumps(record | {"images": 60, "manifest_digest": digest}))
    path.write_text("{" if how == "{" else json.dumps(told))
    counted.clear()
    again = open_collection(copied.name)
    assert counts_of(again) == counts_in(again.manifest)
    assert len(counted) == 1


def test_a_damaged_manifest_is_said_whatever_was_counted(copied, counted) -> None:
    counts_of(copied)
    copied.layout.manifest.write_bytes(b"no")
    with pytest.raises(CollectionError, match="damaged"):
        counts_of(open_collection(copied.name))


def test_a_disk_that_refuses_them_is_let_be(copied, counted, monkeypatch) -> None:
    def refused(*_: object) -> None:
        raise StorageError("Expected space left on the disk, but there is none.")

    monkeypatch.setattr(kept_counts, "write_json", refused)
    for _ in range(2):
        assert counts_of(open_collection(copied.name)).images == 61
    assert counted == [61, 61]
