"""Collections that an earlier version made: they open, and nothing that was current becomes stale."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from radcbir_core.collections.archive import open_archive, write_archive
from radcbir_core.collections.artifacts import ARTIFACT_NAMES
from radcbir_core.collections.changes import rename_collection
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.collections.records.migration import SCHEMA_VERSION, migrated_collection, migrated_encoder
from radcbir_core.collections.records.record import manifest_facts, write_record
from radcbir_core.embed import embed
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError
from radcbir_core.pipeline import build_collection, build_imported
from radcbir_core.storage import digest_file, digest_of, write_json

ONE = {"embeddings": "embed"}
"""What form 1 called an artifact where it was something else."""


NOW = dict.fromkeys(ARTIFACT_NAMES, "current") | {
    "index": "stale",
    "near-duplicates": "missing",
    "evaluation": "stale",
}
"""How a complete collection of form 1 stands: as it stood, but for the index, of which it recorded no digest, and P@k,
which has another rule since."""


def as_form_one(folder: Path) -> None:
    """Give a collection the records that the version before this one would have written for it."""
    collection = Collection(folder)
    manifest = collection.digest
    record = {key: value for key, value in collection.record.items() if key not in {"digests", "manifest"}}
    for encoder_id in collection.encoder_ids():
        store = collection.store(encoder_id)
        told = {key: value for key, value in store.record.items() if key not in {"schema_version", "artifacts"}}
        digest = digest_of(digest_file(store.embeddings_path), manifest, told["fingerprint"])
        made = store.record["artifacts"]
        told |= {
            "manifest_digest": manifest,
            "embeddings_digest": digest,
            "made_of": {ONE.get(name, name): manifest if name == "embeddings" else digest for name in made},
        }
        write_json(store.layout.record, told)
    write_json(collection.layout.record, record | {"schema_version": 1})


def relabel(folder: Path) -> None:
    """Correct one label, as a correction writes it."""
    collection = Collection(folder)
    table = collection.manifest.table
    words = [["corrected"], *table.column("pathologies").to_pylist()[1:]]
    table = table.set_column(table.column_names.index("pathologies"), "pathologies", pa.array(words))
    digests = collection.digests_with(table)
    Manifest(table, digest="").write(collection.manifest_path)
    write_record(folder, collection.record | manifest_facts(collection.manifest_path, table, digests=digests))


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """The bytes of every file and when it was written, but for the records, the results, and locks."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in {".json", ".lock"} and "evaluation" not in path.parts
    }


@pytest.fixture
def old(small_data, tmp_path, monkeypatch) -> Path:
    """A complete collection of the version before this one."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    folder = open_collection("small").folder
    as_form_one(folder)
    assert "schema_version" not in json.loads((folder / "encoders/pixels/encoder.json").read_text())
    return folder


def test_it_opens_and_what_was_current_is_so_still(old) -> None:
    before = {path: path.read_bytes() for path in old.rglob("*.json")}
    collection = open_collection("small")
    assert collection.record["schema_version"] == SCHEMA_VERSION
    assert collection.store("pixels").states() == NOW
    standings = collection.store("pixels").standings()
    assert standings["index"].reason == "a version that recorded no digest of it has built it"
    reason = standings["evaluation"].reason
    assert reason == "made of near-duplicates that are not current: not made yet"
    assert collection.digests.images != collection.digests.all_labels
    assert len(collection.manifest) == 61
    assert {path: path.read_bytes() for path in old.rglob("*.json")} == before, "reading writes nothing"


def test_a_build_leaves_all_bytes_but_the_evaluations(old) -> None:
    before = contents(old)
    made = build_collection(open_collection("small"), load_encoder("pixels")).seconds
    assert set(made) == {"index", "near-duplicates", "evaluation"}
    anew = dict.fromkeys(["encoders/pixels/index.usearch", "encoders/pixels/near_duplicate_groups.npy"], ())
    assert contents(old) | anew == before | anew
    assert open_collection("small").store("pixels").is_current()
    assert build_collection(open_collection("small"), load_encoder("pixels")).seconds == {}


def test_one_label_corrected_makes_only_the_evaluation_stale(old) -> None:
    build_collection(open_collection("small"), load_encoder("pixels"))
    before = contents(old)
    relabel(old)
    store = open_collection("small").store("pixels")
    assert {name for name, state in store.states().items() if state != "current"} == {"evaluation"}
    assert store.standings()["evaluation"].reason == "labels have changed since"
    assert set(build_collection(open_collection("small"), load_encoder("pixels")).seconds) == {"evaluation"}
    after = contents(old)
    assert {name for name in before if before[name] != after[name]} == {"manifest.parquet"}
    assert set(open_collection("small").store("pixels").states().values()) == {"current"}


def test_what_was_stale_or_missing_then_is_so_now(old) -> None:
    path = old / "encoders/pixels/encoder.json"
    record = json.loads(path.read_text())

    def states(**made_of: str) -> dict[str, str]:
        write_json(path, record | {"made_of": made_of})
        return open_collection("small").store("pixels").states()

    embed_of, embeddings = record["made_of"]["embed"], record["embeddings_digest"]
    rest = dict.fromkeys(["index", "neighbors", "evaluation", "projection"], embeddings)
    assert states(embed=embed_of, **rest) == NOW
    others = states(embed="another manifest", **rest)
    assert others == dict.fromkeys(ARTIFACT_NAMES, "stale") | {"near-duplicates": "missing"}
    assert states(embed=embed_of, **rest | {"index": "older"})["index"] == "stale"
    found = states(embed=embed_of, **rest | {"neighbors": "older"})
    assert {name for name, state in found.items() if state == "stale"} == {
        "index",
        "neighbors",
        "evaluation",
        "projection",
    }
    assert states(embed=embed_of, **rest | {"projection": "older"})["projection"] == "stale"
    assert states(embed=embed_of) == dict.fromkeys(ARTIFACT_NAMES, "missing") | {"embeddings": "current"}
    assert set(states().values()) == {"missing"}


def test_embeddings_begun_then_are_gone_on_with(old, monkeypatch) -> None:
    """The finished part of a stopped build is of the same images; it need not be made again."""
    monkeypatch.setattr("radcbir_core.embed.SHARD_ROWS", 16)
    encoder = load_encoder("pixels")
    collection = open_collection("small")
    shutil.rmtree(old / "encoders")

    class Killed(Exception):
        pass

    def stop(step: str, done: int, total: int) -> None:
        if done > 20:
            raise Killed

    encoder.batch_size = 8
    with pytest.raises(Killed):
        embed(collection, encoder, progress=stop)
    note = collection.layout.encoder("pixels").folder / "shards/made_of.json"
    made_of: dict[str, Any] = json.loads(note.read_text())
    assert made_of.pop("images") == f"manifest {collection.digest}"
    write_json(note, made_of | {"manifest_digest": collection.digest})
    assert embed(open_collection("small"), encoder).resumed_rows == 16
    assert open_collection("small").store("pixels").states()["embeddings"] == "current"


def test_imported_embeddings_are_built_on(old) -> None:
    path = old / "encoders/pixels/encoder.json"
    record = json.loads(path.read_text())
    write_json(path, record | {"spec": "imported:pixels", "made_of": {"embed": record["made_of"]["embed"]}})
    report = build_imported(open_collection("small"), "pixels")
    assert set(report.seconds) == {"index", "neighbors", "near-duplicates", "evaluation", "projection"}
    assert set(open_collection("small").store("pixels").states().values()) == {"current"}


def test_the_record_is_written_in_the_new_form_when_it_is_written(old) -> None:
    rename_collection("small", "small", title="Another")
    assert json.loads((old / "collection.json").read_text())["schema_version"] == SCHEMA_VERSION
    collection = open_collection("small")
    assert collection.store("pixels").states() == NOW
    collection.store("pixels").update(note="any")
    assert "made_of" not in json.loads((old / "encoders/pixels/encoder.json").read_text())
    assert open_collection("small").store("pixels").states() == NOW


def test_an_archive_of_it_opens(old, tmp_path, monkeypatch) -> None:
    write_archive(open_collection("small"), tmp_path / "small.zip")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "elsewhere"))
    there = open_archive(tmp_path / "small.zip")
    assert there.store("pixels").states() == NOW | {"index": "missing"}
    relabel(there.folder)
    states = open_collection("small").store("pixels").states()
    assert {name for name, state in states.items() if state != "current"} == {
        "index",
        "near-duplicates",
        "evaluation",
    }


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (SCHEMA_VERSION + 1, r"Expected schema version 2 or lower, but .* has 3\. Open it with a newer RadCBIR"),
        (0, r"Expected a schema version, but .* has 0\. Copy it back"),
        ("1", r"Expected a schema version, but .* has '1'\. Copy it back"),
        (None, r"Expected a schema version, but .* has None\. Copy it back"),
    ],
)
def test_a_record_of_no_known_version_is_refused(old, version, message) -> None:
    record = json.loads((old / "collection.json").read_text())
    write_json(old / "collection.json", record | {"schema_version": version})
    with pytest.raises(CollectionError, match=message):
        open_collection("small")


def test_records_of_today_stay_as_they_are(small_data) -> None:
    collection = Collection(small_data / "collections/small")
    assert migrated_collection(collection.record) == collection.record
    record = collection.store("pixels").record
    assert migrated_encoder(record) == record


@pytest.mark.parametrize("made_of", [None, [], {"embed": 7, "neighbors": None}, "x"])
def test_odd_records_are_no_error(made_of) -> None:
    migrated = migrated_encoder({"made_of": made_of, "fingerprint": 3})
    assert migrated["schema_version"] == SCHEMA_VERSION
    assert set(migrated["artifacts"]) <= set(ARTIFACT_NAMES)
