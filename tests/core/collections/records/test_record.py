"""What a collection says of itself: written, read, and refused where it is damaged."""

from __future__ import annotations

import json

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.records.record import digests_in, manifest_facts, write_record
from radcbir_core.errors import CollectionError
from radcbir_core.storage import digest_file


def test_a_record_that_is_damaged_or_of_another_version_is_refused(copied) -> None:
    path = copied.folder / "collection.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "schema_version": 99}))
    with pytest.raises(CollectionError, match=r"Expected schema version 2 or lower, but .*collection\.json has 99"):
        open_collection("small")
    path.write_text(json.dumps({k: v for k, v in record.items() if k != "title"}))
    with pytest.raises(CollectionError, match=r"Expected a complete collection\.json, but .* lacks 'title'"):
        open_collection("small")


def test_facts_of_a_manifest_are_those_of_the_file(copied) -> None:
    facts = manifest_facts(copied.manifest_path, copied.manifest.table)
    assert facts == {key: copied.record[key] for key in ("images", "manifest", "manifest_digest", "digests")}
    assert digests_in(facts) == copied.digests
    assert facts["manifest_digest"] == digest_file(copied.manifest_path)


@pytest.mark.parametrize("name", ["../manifest.parquet", "other.parquet", "", "manifest-../../x.parquet"])
def test_a_record_cannot_name_a_file_elsewhere(copied, name) -> None:
    write_record(copied.folder, copied.record | {"manifest": name})
    with pytest.raises(CollectionError, match=r"Expected a complete collection\.json, but .* lacks a manifest's name"):
        open_collection("small")


@pytest.mark.parametrize("digests", [None, {}, {"images": "x"}, {"images": "x", "labels": 3}, []])
def test_a_record_without_digests_is_refused(copied, digests) -> None:
    write_record(copied.folder, copied.record | {"digests": digests})
    with pytest.raises(CollectionError, match=r"Expected a complete collection\.json"):
        open_collection("small")
