"""A collection as one ZIP file: that it opens on another machine as it was, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from radcbir_core.cli import main
from radcbir_core.collections.archive import is_archive, open_archive, write_archive
from radcbir_core.collections.archive.contents import LABEL, LIST, Member, write_list
from radcbir_core.collections.artifacts import NEIGHBORS
from radcbir_core.collections.changes import relocate_images
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.entry_log import lines_of
from radcbir_core.collections.layout import collections_folder, list_collections
from radcbir_core.collections.reviews.review_log import Entry, Log, read_log
from radcbir_core.collections.reviews.reviewing import write_tag
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError, CollectionExistsError, ImageError, RadcbirError
from radcbir_core.importers.relabeling import correct_labels
from radcbir_core.pipeline import build_collection, build_indexes
from radcbir_core.search.retriever import Retriever
from tests.core.collections.archive.collection_files import EMBEDDINGS, SHARD, contents
from tests.core.collections.records.test_migration import NOW, as_form_one
from tests.kept_embeddings import kept_embeddings
from tests.stale import outdate
from tests.stand_ins import project_quickly


def test_it_opens_elsewhere_byte_for_byte_and_is_usable_at_once(small, tmp_path, elsewhere, monkeypatch) -> None:
    hits = Retriever(small, "pixels").search(3, k=5).hits
    told: list[tuple[str, int, int]] = []
    written = write_archive(small, tmp_path / "small.zip", progress=lambda *now: told.append(now))
    assert written.paths == (tmp_path / "small.zip",)
    assert written.rows == 61
    assert told[0][:2] == ("archive", 0)
    assert told[-1][1] == told[-1][2]
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    before = contents(small.folder)
    assert before.pop("encoders/pixels/index.usearch")
    record = small.record
    elsewhere()
    assert is_archive(tmp_path / "small.zip")
    there = open_archive(tmp_path / "small.zip")
    assert (there.name, there.title, len(there), there.digest) == ("small", "Small & <made up>", 61, small.digest)
    assert contents(there.folder) == before
    told_of = there.record["archive"]
    assert there.record == record | {"image_root": "images", "archive": told_of}
    assert (told_of["name"], told_of["images"]) == ("small", 0)

    store = there.store("pixels")
    assert {name for name, state in store.states().items() if state != "current"} == {"index"}
    assert build_indexes(there) == ["pixels"]
    store = there.store("pixels")
    assert set(store.states().values()) == {"current"}
    assert build_indexes(there) == []
    np.testing.assert_array_equal(kept_embeddings(store), np.load(tmp_path / "here/collections/small" / EMBEDDINGS))
    assert store.projection() is not None
    again = Retriever(there, "pixels").search(3, k=5).hits
    np.testing.assert_array_equal(again.rows, hits.rows)
    np.testing.assert_array_equal(again.similarities, hits.similarities)
    assert there.thumbnail(0) is not None
    assert build_collection(there, load_encoder("pixels")).seconds == {}

    # The images are found later.
    with pytest.raises(ImageError, match=r"opened from an archive\. To see its images, say which folder they are in"):
        there.read_image(0)
    found = relocate_images("small", tmp_path / "moved")
    assert found.read_image(0).pixels.shape == (48, 48)
    monkeypatch.setattr("radcbir_core.pipeline.project_store", project_quickly)
    shutil.rmtree(found.encoder_folder("pixels"))
    assert build_collection(open_collection("small"), load_encoder("pixels")).failed == 0


def test_images_go_with_it_on_request(small, tmp_path, elsewhere) -> None:
    pixels = small.read_image(5).pixels
    assert write_archive(small, tmp_path / "s.zip", images=True).rows == 61
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.testzip() is None
    elsewhere()
    there = open_archive(tmp_path / "s.zip", "other")
    assert there.name == "other"
    assert there.image_root == there.folder / "images"
    np.testing.assert_array_equal(there.read_image(5).pixels, pixels)
    # And so it goes on to a third machine.
    write_archive(there, tmp_path / "t.zip", images=True)
    assert len(zipfile.ZipFile(tmp_path / "t.zip").namelist()) == len(zipfile.ZipFile(tmp_path / "s.zip").namelist())


def test_a_collection_that_has_grown_since_it_was_built_opens_too(small, tmp_path, elsewhere) -> None:
    """Its embeddings have fewer rows than its manifest, and are stale there as here."""
    store = small.store("pixels")
    for path in (store.embeddings_path, *store.layout.files(NEIGHBORS)):
        np.save(path, np.minimum(np.load(path)[:60], 59))
    outdate(store)
    notes = write_archive(small, tmp_path / "s.zip").notes
    assert notes[1] == "Not complete, and so in the archive too: pixels."
    elsewhere()
    there = open_archive(tmp_path / "s.zip")
    assert there.store("pixels").states()["embeddings"] == "stale"
    assert there.thumbnail(0) is not None


def test_names_for_archives(small, tmp_path, elsewhere) -> None:
    with pytest.raises(CollectionError, match=r"Expected a file of \.zip for the archive, but it is .*s\.tar"):
        write_archive(small, tmp_path / "s.tar")
    with pytest.raises(CollectionError, match="Expected a file outside the collection's own folder"):
        write_archive(small, small.folder / "s.zip")
    write_archive(small, tmp_path / "s.zip")
    with pytest.raises(CollectionExistsError, match="name = 'small' exists already"):
        open_archive(tmp_path / "s.zip")
    with pytest.raises(CollectionError, match="Expected a collection name of 1 to 64"):
        open_archive(tmp_path / "s.zip", "../x")
    elsewhere()
    with pytest.raises(CollectionError, match="of 61 paths looked for none is in"):
        open_archive(tmp_path / "s.zip", image_root=tmp_path / "here")
    assert list_collections() == []
    there = open_archive(tmp_path / "s.zip", image_root=tmp_path / "moved")
    assert there.read_image(0).pixels.shape == (48, 48)


def test_stopped_by_its_caller_it_leaves_nothing(small, tmp_path, elsewhere) -> None:
    def stop(_step: str, done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_archive(small, tmp_path / "s.zip", progress=stop)
    assert not list(tmp_path.glob("*.zip"))
    write_archive(small, tmp_path / "s.zip")
    elsewhere()
    with pytest.raises(KeyboardInterrupt):
        open_archive(tmp_path / "s.zip", progress=stop)
    assert [path for path in collections_folder().iterdir() if path.is_dir()] == []


# What is refused. Each attack changes a good archive; the list of members and its digest are made right again where the
# attack is on something behind them.

Members = dict[str, bytes]


def rewritten(path: Path, change: Callable[[Members], object], *, listed: bool = True) -> None:
    """Change the members of an archive; ``listed`` says whether its list is made to agree."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    if listed:
        text = io.StringIO()
        own = [name for name in members if name not in {LIST, LABEL}]
        write_list([Member(hashlib.sha256(members[n]).hexdigest(), len(members[n]), n) for n in own], text)
        members[LIST] = text.getvalue().encode()
        label = json.loads(members[LABEL]) | {"members_sha256": hashlib.sha256(members[LIST]).hexdigest()}
        members[LABEL] = json.dumps(label).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def record_with(**facts: object) -> Callable[[Members], object]:
    def change(members: Members) -> None:
        members["collection.json"] = json.dumps(json.loads(members["collection.json"]) | facts).encode()

    return change


def label_with(**facts: object) -> Callable[[Members], object]:
    def change(members: Members) -> None:
        members[LABEL] = json.dumps(json.loads(members[LABEL]) | facts).encode()

    return change


def array_with(name: str, change_array: Callable[[np.ndarray], np.ndarray]) -> Callable[[Members], object]:
    def change(members: Members) -> None:
        array = np.load(io.BytesIO(members[name]))
        content = io.BytesIO()
        np.save(content, change_array(array.copy()))
        members[name] = content.getvalue()

    return change


def far_neighbor(ids: np.ndarray) -> np.ndarray:
    ids[3, 0] = 61
    return ids


def pickled(members: Members) -> None:
    content = io.BytesIO()
    np.save(content, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    members[EMBEDDINGS] = content.getvalue()


def path_that_leads_out(members: Members) -> None:
    table = pa.parquet.read_table(io.BytesIO(members["manifest.parquet"]))
    paths = ["../../etc/passwd", *table.column("path").to_pylist()[1:]]
    content = io.BytesIO()
    pa.parquet.write_table(table.set_column(table.column_names.index("path"), "path", pa.array(paths)), content)
    members["manifest.parquet"] = content.getvalue()
    record_with(manifest_digest=hashlib.sha256(content.getvalue()).hexdigest())(members)


ATTACKS: dict[str, tuple[Callable[[Members], object], str]] = {
    "newer schema": (
        record_with(schema_version=3),
        r"Expected a schema version from 1 to 2, but .* has 3\. Open it with a newer",
    ),
    "older schema": (record_with(schema_version=0), r"has 0\. Export it again"),
    "newer form": (
        label_with(version=2),
        r"Expected version 1 of radcbir-archive, but .* has 2\. Open it with a newer",
    ),
    "another form": (label_with(format="x"), r"Expected format radcbir-archive, but archive\.json in .* says 'x'"),
    "no label": (lambda m: m.pop(LABEL), r"but .* has no archive\.json\. Export the collection as one ZIP file"),
    "no list": (lambda m: m.pop(LIST), r"Expected members\.csv in the archive, but .* has none"),
    "no manifest": (lambda m: m.pop("manifest.parquet"), r"Expected collection\.json and manifest\.parquet, but"),
    "no title": (record_with(title=None), r"Expected title, images, manifest_digest and digests in"),
    "no name": (record_with(name="../x"), r"Expected a collection name of 1 to 64"),
    "another manifest": (
        record_with(manifest_digest="0" * 64),
        r"Expected the manifest that collection\.json",
    ),
    "no digests": (record_with(digests={"images": "x"}), r"Expected title, images, manifest_digest and digests in"),
    "other images": (
        record_with(digests={"images": "x", "labels": {}}),
        r"Expected the images and labels that collection\.json describes, but manifest\.parquet in .* has others",
    ),
    "no history": (
        record_with(corrections=3),
        r"Expected the history of 3 corrections, but corrections\.csv in .* is missing or damaged",
    ),
    "other rows": (record_with(images=60), r"Expected a manifest of 60 rows with the columns"),
    "a foreign file": (
        lambda m: m.update({"evil.sh": b"#!"}),
        r"only parts of a collection, but .*'evil\.sh'",
    ),
    "a salt": (lambda m: m.update({"pseudonyms.salt": b"x"}), r"only parts of a collection, but .*'pseudonyms\.salt'"),
    "a hidden file": (
        lambda m: m.update({"encoders/pixels/.lock": b""}),
        r"only parts of a collection, but .*'encoders/pixels/\.lock'",
    ),
    "a way out": (path_that_leads_out, r"Expected paths that stay below the image root, but .*'\.\./\.\./etc/passwd'"),
    "fewer embeddings": (
        array_with(EMBEDDINGS, lambda a: a[1:]),
        r"Expected embeddings of 61 images, but encoders/pixels/embeddings\.npy in .* is not that: it has 60 rows",
    ),
    "pickled embeddings": (pickled, r"but encoders/pixels/embeddings\.npy in .* is not that: it is missing or damaged"),
    "foreign neighbors": (
        array_with("encoders/pixels/neighbor_ids.npy", far_neighbor),
        r"Expected neighbors of 61 images, but encoders/pixels/neighbor_ids\.npy in .*: it names others than its 61",
    ),
    "no encoder": (
        lambda m: m.update({"encoders/pixels/encoder.json": b'{"spec": 1}'}),
        r"Expected what made the embeddings, but encoders/pixels/encoder\.json",
    ),
    "notes that are none": (record_with(notes=None), r"but notes in collection\.json of .* is of another kind"),
    "text for a number": (record_with(problems="3"), r"but problems in collection\.json of .* is of another kind"),
    "no number": (record_with(duplicates=float("nan")), r"Expected a JSON object of words and finite numbers, but col"),
    "a huge number": (record_with(duplicates=10**40), r"Expected a JSON object of words and finite numbers, but coll"),
    "nested without end": (
        lambda m: m.update({"collection.json": b"[" * 100_000 + b"]" * 100_000}),
        r"Expected JSON, but collection\.json in .* is none: it is nested too deep",
    ),
    "a key twice": (
        lambda m: m.update({"collection.json": b'{"title": "a", "title": "b"}'}),
        r"Expected JSON, but collection\.json in .* is none: the key 'title' stands there twice",
    ),
    "Fortran's order": (
        array_with(EMBEDDINGS, np.asfortranarray),
        r"embeddings\.npy in .* is not that: its numbers are in Fortran's order",
    ),
    "numbers that are none": (
        array_with(EMBEDDINGS, lambda a: np.where(np.arange(a.size).reshape(a.shape) == 5, np.nan, a)),
        r"embeddings\.npy in .* is not that: it holds numbers that are not finite",
    ),
    "fewer numbers": (
        array_with(EMBEDDINGS, lambda a: a[:, :9].copy()),
        r"Expected vectors of 1024 numbers, but .* has 9",
    ),
    "an encoder nested without end": (
        lambda m: m.update({"encoders/pixels/encoder.json": b'{"spec":' + b"[" * 9999 + b"]" * 9999 + b"}"}),
        r"Expected what made the embeddings, but encoders/pixels/encoder\.json",
    ),
    "problems that are no table": (
        lambda m: m.update({"problems.csv": b"\xff\xfe\x00"}),
        r"Expected the list of what could not be imported, but problems\.csv in .* is damaged",
    ),
    "no json": (lambda m: m.update({"collection.json": b"{"}), r"Expected JSON, but collection\.json"),
    "a list for a record": (
        lambda m: m.update({"collection.json": b"[]"}),
        r"Expected a JSON object of words and",
    ),
}


@pytest.fixture
def good(small, tmp_path, elsewhere) -> Path:
    write_archive(small, tmp_path / "s.zip")
    elsewhere()
    return tmp_path / "s.zip"


def refused(path: Path, reason: str) -> None:
    """Opening raises, and leaves nothing at all."""
    with pytest.raises(RadcbirError, match=reason):
        open_archive(path)
    assert not collections_folder().exists() or not [p for p in collections_folder().iterdir() if p.is_dir()]


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_no_archive_may_hold_is_refused(good, attack) -> None:
    change, reason = ATTACKS[attack]
    rewritten(good, change, listed=attack not in {"no label", "no list"})
    refused(good, reason)


@pytest.mark.parametrize("name", ["index.cells", "index.usearch"])
def test_a_crafted_index_in_an_archive_is_not_even_unpacked(good, name) -> None:
    rewritten(good, lambda members: members.update({f"encoders/pixels/{name}": b"crafted"}))
    there = open_archive(good)
    assert not (there.store("pixels").folder / name).exists()
    assert Retriever(there, "pixels").search(3, k=2).hits.method == "exact"


def test_an_archive_of_the_version_before_opens(good) -> None:
    """Its records are of form 1; one label corrected there makes the evaluation stale, and nothing else.

    Near-duplicates were not looked for then, and are in no record of form 1.
    """

    def as_form_one_members(members: Members) -> None:
        folder = good.parent / "old"
        for name, content in members.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        as_form_one(folder)
        for name in ("collection.json", "encoders/pixels/encoder.json"):
            members[name] = (folder / name).read_bytes()

    rewritten(good, as_form_one_members)
    with zipfile.ZipFile(good) as archive:
        assert json.loads(archive.read("collection.json"))["schema_version"] == 1
        assert "made_of" in json.loads(archive.read("encoders/pixels/encoder.json"))
    there = open_archive(good)
    assert there.store("pixels").states() == NOW | {
        "index": "missing",
        "near-duplicates": "missing",
        "evaluation": "stale",
    }
    build_indexes(there)
    assert len(there.manifest) == 61
    corrected = good.parent / "t.csv"
    corrected.write_text(f"image_id,view\n{there.manifest.record(0)['image_id']},corrected\n")
    correct_labels("small", corrected)
    states = open_collection("small").store("pixels").states()
    assert {name for name, state in states.items() if state != "current"} == {"near-duplicates", "evaluation"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda m: m.update({EMBEDDINGS: m[EMBEDDINGS][:-1] + b"\x01"}),
            r"but encoders/pixels/embeddings\.npy in .*",
        ),
        (
            lambda m: m.update({SHARD: m[SHARD][:-1] + b"\x01"}),
            r"but thumbnails/000000\.bin in .*",
        ),
        (lambda m: m.update({"problems.csv": b""}), r"the archive's list of members describes, but problems\.csv"),
        (lambda m: m.update({LIST: m[LIST] + b"\n"}), r"but members\.csv in .* has others\. Copy or export it again"),
        (
            lambda m: m.pop("problems.csv"),
            r"all members that members\.csv names, but .* lacks 'problems\.csv'",
        ),
        (lambda m: m.update({"thumbnails/000009.bin": b"x"}), r"but .* has 'thumbnails/000009\.bin' as well"),
    ],
)
def test_other_members_than_the_list_names_are_refused(good, change, reason) -> None:
    rewritten(good, change, listed=False)
    refused(good, reason)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "C:/x", "images\\..\\x", "a/../../x", "images//x", "images/./x"])
def test_names_that_lead_out_are_refused(good, name) -> None:
    rewritten(good, lambda members: members.update({name: b"x"}))
    refused(good, "Expected (names that stay|forward slashes|plain paths)")


def test_links_encrypted_members_and_duplicates_are_refused(good, tmp_path) -> None:
    link = zipfile.ZipInfo("images/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for number, (info, reason) in enumerate([(link, "which is a link"), ("problems.csv", "Expected each name once")]):
        copy = Path(shutil.copy(good, tmp_path / f"{number}.zip"))
        with zipfile.ZipFile(copy, "a") as archive, pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_, **__: None)
            archive.writestr(info, "/etc/passwd")
        refused(copy, reason)
    content = bytearray(good.read_bytes())
    place = content.find(b"PK\x01\x02")
    content[place + 8] |= 1
    good.write_bytes(bytes(content))
    refused(good, "Expected an archive without a password")


def test_bombs_are_refused(good, tmp_path) -> None:
    bomb = tmp_path / "bomb.zip"
    shutil.copy(good, bomb)
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images/zeros.png", bytes(80_000_000))
    refused(bomb, "as a ZIP bomb does")
    # Members that share the same bytes: each one alone is harmless, and so is the ratio.
    with zipfile.ZipFile(good) as archive:
        infos = archive.infolist()
    content = good.read_bytes()
    directory = content.index(b"PK\x01\x02")
    largest = max(infos, key=lambda info: info.file_size)
    overlapping = zipfile.ZipFile(tmp_path / "overlap.zip", "w")
    overlapping.close()
    end = content.rindex(b"PK\x05\x06")
    entries = content[directory:end]
    marker = largest.filename.encode()
    start = entries.rindex(b"PK\x01\x02", 0, entries.index(marker))
    stop = entries.find(b"PK\x01\x02", start + 4)
    entry = entries[start : stop if stop > 0 else None]
    copies = b"".join(entry.replace(marker, marker[:-2] + f"{n:02d}".encode()) for n in range(10, 40))
    whole = entries + copies
    tail = bytearray(content[end:])
    count = len(infos) + 30
    tail[8:12] = count.to_bytes(2, "little") * 2
    tail[12:16] = len(whole).to_bytes(4, "little")
    (tmp_path / "overlap.zip").write_bytes(content[:directory] + whole + bytes(tail))
    refused(tmp_path / "overlap.zip", "overlap, as in a ZIP bomb")


def test_what_is_cut_off_or_no_archive_is_refused(good, tmp_path) -> None:
    content = good.read_bytes()
    for length in (0, 10, len(content) // 2, len(content) - 1):
        (tmp_path / "cut.zip").write_bytes(content[:length])
        refused(tmp_path / "cut.zip", "Expected a whole ZIP archive")
        assert not is_archive(tmp_path / "cut.zip")
    refused(tmp_path / "nowhere.zip", "does not exist")
    assert not is_archive(tmp_path / "nowhere.zip")
    # Bytes changed where nothing but the digest or the CRC tells.
    place = content.index(b"\x93NUMPY") + 400
    (tmp_path / "bad.zip").write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    refused(tmp_path / "bad.zip", "Expected (a whole ZIP archive|the bytes that)")


def test_a_full_disk_is_said_before_anything_is_written(good, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    refused(good, r"Expected 0\.5 GB of free space to open .*s\.zip")


def test_an_image_in_an_archive_is_never_looked_for_outside(good, tmp_path) -> None:
    """Not even through a link that somebody puts into the collection's folder."""
    there = open_archive(good)
    (there.folder / "images").mkdir()
    (there.folder / "images" / "chest_00.png").symlink_to(tmp_path / "moved" / "chest_00.png")
    with pytest.raises(ImageError, match="but it is not there"):
        there.read_image(there.manifest.column("path").tolist().index("chest_00.png"))


def test_the_commands(small, tmp_path, elsewhere, capsys) -> None:
    assert main(["export", "small"]) == 2
    assert "none of --manifest, --embeddings and --zip is given" in capsys.readouterr().err
    assert main(["export", "small", "--manifest", str(tmp_path / "m.csv"), "--images"]) == 2
    assert "Expected --zip where --images is given" in capsys.readouterr().err
    arguments = ["--zip", "s.zip", "--manifest", "m.csv", "--embeddings", "e.npy"]
    places = [word if word.startswith("--") else str(tmp_path / word) for word in arguments]
    assert main(["export", "small", *places]) == 0
    out = capsys.readouterr().out
    assert "import s.zip" in out
    assert f"import {tmp_path / 'm.csv'} --name NAME --image-root {tmp_path / 'images'}" in out
    assert "Exported small: " in out
    elsewhere()
    assert main(["import", str(tmp_path / "s.zip"), "--title", "There"]) == 0
    out = capsys.readouterr().out
    assert "relocate small --image-root FOLDER" in out
    assert "Opened" in out
    assert open_collection("small").title == "There"
    assert main(["import", str(tmp_path / "s.zip")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "s.zip"), "--name", "two", "--image-root", str(tmp_path / "moved")]) == 0
    assert main(["relocate", "small", "--image-root", str(tmp_path / "moved")]) == 0
    assert "61 of 61 looked for are there" in capsys.readouterr().out
    assert main(["rename", "small"]) == 2
    assert "Expected a new name or --title for small" in capsys.readouterr().err
    assert main(["rename", "small", "three", "--title", "Three"]) == 0
    assert capsys.readouterr().out == "small is now called three: Three\n"
    assert list_collections() == ["three", "two"]
    assert main(["import", str(tmp_path / "moved")]) == 2
    assert "Expected a name for the new collection, but --name is not given" in capsys.readouterr().err
    assert main(["remove", "three", "--yes"]) == 0
    assert capsys.readouterr().out == "Removed three. The source images are untouched.\n"


def test_what_was_said_of_images_goes_with_it(small, tmp_path, elsewhere) -> None:
    """Lines that cannot be read stay here: an archive with them would not open."""
    write_tag(small, (small.manifest.record(0)["image_id"], ""), "artifact", by="anna")
    entries = read_log(small.folder).entries
    with small.layout.reviews.open("ab") as log:
        log.write(b"{cut off")
    before = small.layout.reviews.read_bytes()
    write_archive(small, tmp_path / "s.zip")
    assert small.layout.reviews.read_bytes() == before
    elsewhere()
    assert read_log(open_archive(tmp_path / "s.zip").folder) == Log(entries)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}\n", "of line 1 of reviews.jsonl"),
        (
            lines_of([Entry("0" * 32, "2026-01-01T00:00:00+00:00", "me", "tag", "a", text="x" * 61)]),
            "a tag of 1 to 60",
        ),
        (b" " * 300, "is damaged or too large"),
    ],
)
def test_entries_that_can_be_none_are_refused(small, tmp_path, elsewhere, content, message, monkeypatch) -> None:
    monkeypatch.setattr("radcbir_core.collections.reviews.review_log.MOST_BYTES", 299)
    monkeypatch.setattr("radcbir_core.collections.archive.archive_writer.leave_out_damaged", lambda folder: None)
    small.layout.reviews.write_bytes(content)
    write_archive(small, tmp_path / "s.zip")
    elsewhere()
    with pytest.raises(RadcbirError, match=message):
        open_archive(tmp_path / "s.zip")
    assert list_collections() == []
