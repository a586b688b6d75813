"""Importing into a collection that is there: what is new is added, and nothing else moves."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from radcbir_core import embed as embed_module
from radcbir_core.cli import main
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import (
    CollectionError,
    CollectionExistsError,
    CollectionNotFoundError,
    ManifestError,
    StaleError,
)
from radcbir_core.importers import ImportRequest, adding, import_as
from radcbir_core.importers.adding import LEFT_OUT, NOTHING_NEW
from radcbir_core.importers.relabeling import correct_labels
from tests.core.importers.datasets.test_dicom_tree import instance
from tests.kept_embeddings import kept_embeddings

HEADER = ["path", "image_id", "modality", "anatomy", "pathologies", "patient_id"]


def rows(numbers, **other: str) -> list[list[str]]:
    """Row i: image i; ``other`` by number, as ``i5="..."``, its pathology instead."""
    return [
        [f"{i}.png", f"id{i}", "CT", "chest", other.get(f"i{i}", ("nodule", "normal")[i % 2]), f"p{i // 2}"]
        for i in numbers
    ]


@pytest.fixture
def source(tmp_path, picture, table):
    """Writes a manifest.csv of images with these numbers."""

    def write(numbers, folder: str = "set", **other: str) -> Path:
        for number in numbers:
            picture(tmp_path / folder / f"{number}.png", seed=number)
        table(tmp_path / folder / "manifest.csv", HEADER, rows(numbers, **other))
        return tmp_path / folder

    return write


def embed_all(name: str):
    """Embed a collection; what was made of it."""
    collection, encoder = open_collection(name), load_encoder("pixels")
    if not embed_module.is_current(collection, encoder):
        with collection.building(encoder.encoder_id):
            embed_module.embed(collection, encoder)
    return open_collection(name).store(encoder.encoder_id)


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def add(path: Path, name: str = "c", **options):
    return import_as(ImportRequest([path], name, add=True, **options))


def test_new_images_come_after_the_old(source, column) -> None:
    before = import_as(ImportRequest([source([3, 1, 2])], "c")).collection
    report = add(source([0, 1, 2, 3, 4]))
    assert column(report.collection, "image_id") == ["id3", "id1", "id2", "id0", "id4"]
    assert (report.images, report.problems) == (5, 0)
    assert "New, after the 3 images there before: 2." in report.notes
    assert report.collection.digest != before.digest
    assert len(open_collection("c").manifest) == 5
    record = report.collection.record
    assert [(s["rows"], s["images"]) for s in record["sources"]] == [(5, 5)]
    assert record["title"] == "c"


def test_nothing_new_changes_nothing(source, capsys) -> None:
    folder = source([0, 1, 2])
    (folder / "2.png").unlink()
    collection = import_as(ImportRequest([folder], "c")).collection
    before = contents(collection.folder)
    assert add(folder).notes[-1] == NOTHING_NEW
    assert contents(collection.folder) == before
    assert main(["import", str(folder), "--name", "c", "--add"]) == 0
    assert NOTHING_NEW in capsys.readouterr().out
    assert contents(collection.folder) == before


def test_without_the_option_it_is_refused_and_says_how(source) -> None:
    folder = source([0])
    import_as(ImportRequest([folder], "c"))
    with pytest.raises(CollectionExistsError, match=r"exists already\. Choose another, add what is new"):
        import_as(ImportRequest([folder], "c"))
    with pytest.raises(CollectionNotFoundError, match="Import it as a new one, without adding"):
        add(folder, "other")
    with pytest.raises(ManifestError, match="changes to be taken while adding"):
        import_as(ImportRequest([folder], "d", take_changes=True))


def test_what_the_source_says_otherwise_is_told_and_taken_on_request(source, column) -> None:
    import_as(ImportRequest([source([0, 1, 2])], "c"))
    folder = source([0, 1, 2, 3], i0="mass", i1="Nodule")
    report = add(folder)
    assert column(report.collection, "pathologies") == [["nodule"], ["normal"], ["nodule"], ["normal"]]
    kept = next(note for note in report.notes if note.startswith("Otherwise in the source, and kept"))
    assert "pathologies of 2 (id0, id1)" in kept
    report = add(folder, take_changes=True)
    assert column(report.collection, "pathologies") == [["mass"], ["nodule"], ["nodule"], ["normal"]]
    assert "Otherwise in the source than before, and taken: pathologies of 2 (id0, id1)." in report.notes
    assert add(folder, take_changes=True).notes[-1] == NOTHING_NEW


def test_images_that_are_gone_stay_and_are_listed(source, column) -> None:
    import_as(ImportRequest([source([0, 1, 2])], "c"))
    folder = source([1, 4])
    report = add(folder)
    assert column(report.collection, "image_id") == ["id0", "id1", "id2", "id4"]
    problems = report.collection.problems()
    assert problems["image_id"].tolist() == ["id0", "id2"]
    assert set(problems["reason"]) == {LEFT_OUT}, "the table has no line for them, and their files are there"
    assert "Not in the source any more, kept and listed in problems.csv: 2." in report.notes
    before = contents(report.collection.folder)
    add(folder)
    assert contents(report.collection.folder) == before


def test_another_folder_beside_it(source, tmp_path, column) -> None:
    import_as(ImportRequest([source([0, 1])], "c"))
    second = tmp_path / "other" / "deep"
    source([7, 8], folder="other/deep")
    report = add(second)
    assert column(report.collection, "path") == ["set/0.png", "set/1.png", "other/deep/7.png", "other/deep/8.png"]
    assert column(report.collection, "dataset") == ["set", "set", "deep", "deep"]
    assert report.problems == 0, "images of another data set are not gone"
    assert all(report.collection.read_image(row).pixels.shape == (10, 12) for row in range(4))
    assert [s["images"] for s in report.collection.record["sources"]] == [2, 2]
    report = add(source([0], folder="third"))
    assert len(report.collection) == 4, "the same id and the same bytes: the same image, wherever it lies"


def test_a_file_that_has_changed_is_refused(source, picture) -> None:
    folder = source([0, 1])
    collection = import_as(ImportRequest([folder], "c")).collection
    before = contents(collection.folder)
    picture(folder / "1.png", seed=99)
    with pytest.raises(CollectionError, match="1 have other bytes now, the first that of id1"):
        add(folder)
    assert contents(collection.folder) == before


def test_copies_further_columns_and_a_closer_look(source, table, tmp_path, column, picture) -> None:
    import_as(ImportRequest([source([0, 1])], "c", check="exists"))
    assert open_collection("c").record["duplicates"] == 0
    picture(tmp_path / "set" / "5.png", seed=0)
    table(tmp_path / "set" / "manifest.csv", [*HEADER, "age"], [[*row, "50"] for row in rows([0, 1, 5])])
    report = add(tmp_path / "set", take_changes=True)
    assert column(report.collection, "duplicate_group") == [0, -1, 0]
    assert column(report.collection, "age") == ["50", "50", "50"]
    assert column(report.collection, "width") == [12, 12, 12]
    assert report.duplicates == 2
    assert report.collection.record["checked"] == "exists", "said of the import that looked least"


def test_embeddings_of_whole_shards_are_kept(source, monkeypatch) -> None:
    """Shards of four rows: of six images two are embedded again with the new ones; the end is that of one go."""
    for module in ("collections.thumbnails", "embed"):
        monkeypatch.setattr(f"radcbir_core.{module}.SHARD_ROWS", 4)
    import_as(ImportRequest([source(range(6))], "c"))
    encoder_id = embed_all("c").encoder_id
    folder = source(range(9))
    grown = add(folder).collection
    assert grown.store(encoder_id).states()["embeddings"] == "stale"
    assert grown.thumbnail(3)
    assert grown.thumbnail(5) is None
    read: list[int] = []
    original = embed_module._prepare
    monkeypatch.setattr(
        embed_module,
        "_prepare",
        lambda collection, fitting, rows, **more: read.extend(rows) or original(collection, fitting, rows, **more),
    )
    store = embed_all("c")
    assert sorted(read) == [4, 5, 6, 7, 8]
    assert store.states()["embeddings"] == "current"
    import_as(ImportRequest([folder], "whole"))
    other = embed_all("whole")
    assert np.array_equal(kept_embeddings(store), kept_embeddings(other))
    assert [open_collection("c").thumbnail(i) for i in range(9)] == [
        open_collection("whole").thumbnail(i) for i in range(9)
    ]


def test_changed_labels_embed_nothing_again(source, monkeypatch) -> None:
    import_as(ImportRequest([source(range(5))], "c"))
    embed_all("c")
    add(source(range(5), i3="mass"), take_changes=True)
    monkeypatch.setattr(embed_module, "_prepare", lambda *_, **__: pytest.fail("an image was read again"))
    assert embed_all("c").valid.all()


def test_a_correction_that_was_made_meanwhile_is_not_lost(source, table, tmp_path, monkeypatch, column) -> None:
    import_as(ImportRequest([source(range(3))], "c"))
    folder = source(range(4))
    gather = adding.gather

    def corrected_meanwhile(*given, **told):
        gathered = gather(*given, **told)
        table(tmp_path / "corrections.csv", ["image_id", "pathologies"], [["id0", "mass"]])
        correct_labels("c", tmp_path / "corrections.csv")
        return gathered

    with monkeypatch.context() as patch:
        patch.setattr(adding, "gather", corrected_meanwhile)
        with pytest.raises(StaleError, match=r"Expected c as it was when this began.*Begin again\."):
            add(folder)
    assert column(open_collection("c"), "pathologies")[0] == ["mass"]
    report = add(folder)
    assert column(report.collection, "pathologies") == [["mass"], ["normal"], ["nodule"], ["normal"]]


def test_pseudonyms_stay_the_same(tmp_path, column) -> None:
    for number in range(3):
        instance(tmp_path / "scans" / f"{number}.dcm", number, PatientID=f"SECRET {number // 2}")
    first = import_as(ImportRequest([tmp_path / "scans"], "c")).collection
    patients, ids = column(first, "patient_id"), column(first, "image_id")
    before = contents(first.folder)
    assert add(tmp_path / "scans").notes[-1] == NOTHING_NEW
    assert contents(first.folder) == before
    instance(tmp_path / "scans" / "0a.dcm", 7, PatientID="SECRET 1")
    grown = add(tmp_path / "scans").collection
    assert column(grown, "image_id")[:3] == ids
    assert column(grown, "patient_id") == [*patients, patients[2]]


def test_what_cannot_be_added_to(source) -> None:
    folder = source([0])
    with pytest.raises(ManifestError, match="to add from, but medmnist"):
        add(Path("pneumoniamnist.npz"), download="pneumoniamnist")
    record = import_as(ImportRequest([folder], "c")).collection
    with record.building("pixels"), pytest.raises(CollectionError, match="is being built with pixels"):
        add(source([0, 1]))
