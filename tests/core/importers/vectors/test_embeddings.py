"""Import of embeddings without images: who belongs to whom, what is refused, and going on with what is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from radcbir_core.cli import main
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.layout import list_collections
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import (
    CollectionError,
    CollectionExistsError,
    EncoderError,
    ImageError,
    ManifestError,
    StaleError,
)
from radcbir_core.importers.vectors.embeddings import import_embeddings, recognizes
from radcbir_core.pipeline import build_imported
from tests.kept_embeddings import kept_embeddings
from tests.stand_ins import project_quickly
from tests.unified_files import LABELS, write_h5, write_unified


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
    """A folder for source files; collections go elsewhere."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def imported(source: Path, *names: str, **options) -> Collection:
    paths = [source / name for name in names or ("u.h5", "u.csv")]
    return import_embeddings(paths, **{"name": "u", "encoder_id": "e", **options}).collection


def reasons(collection: Collection) -> dict[str, str]:
    return dict(collection.problems()[["path", "reason"]].itertuples(index=False))


def test_the_published_form(source) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    told: list[tuple[str, int, int]] = []
    collection = imported(source, title="U", progress=lambda *now: told.append(now))
    store = collection.store("e")
    assert (collection.name, collection.title, len(collection)) == ("u", "U", 60)
    assert kept_embeddings(store).dtype == np.float32
    np.testing.assert_array_equal(kept_embeddings(store), vectors)
    assert collection.manifest.column("image_id").tolist() == frame["filepath"].tolist()
    assert collection.manifest.column("split").tolist() == frame["split"].tolist()
    for row in range(60):
        marked = [label for label in LABELS if frame.loc[row, label] == 1]
        names = sorted(label.split("/")[2].replace("No Finding", "normal") for label in marked)
        assert sorted(collection.manifest.record(row)["pathologies"]) == names
    full = collection.manifest.labels("label")
    assert full.text([2])[0] in {label.replace("No Finding", "normal") for label in LABELS}
    assert full.text([5]) == [""]  # two labels stay, and make no single one
    assert store.states()["embeddings"] == "current"
    assert store.record["dimension"] == 8
    assert collection.record["changes"] == [
        {"column": "pathologies", "from": "CT/abd/No Finding", "to": "normal", "rows": int(frame[LABELS[1]].sum())}
    ]
    assert told[-1] == ("import", 60, 60)
    assert ("table", 60, 60) in told
    assert collection.without_images
    assert collection.thumbnail(0) is None


def test_any_order_of_the_rows(source) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    order = np.random.default_rng(0).permutation(60)
    frame.iloc[order].to_csv(source / "u.csv", index=False, sep=";")
    np.testing.assert_array_equal(kept_embeddings(imported(source).store("e")), vectors[order])


def test_several_files_of_each(source) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    for number, part in enumerate((slice(0, 25), slice(25, 60))):
        write_h5(source / f"{number}.h5", dict(zip(frame["filepath"][part], vectors[part], strict=True)))
    frame[:25].to_csv(source / "0.csv", index=False)
    frame[25:].to_csv(source / "1.csv", index=False)
    collection = imported(source, "1.h5", "0.csv", "0.h5", "1.csv")
    np.testing.assert_array_equal(kept_embeddings(collection.store("e")), vectors)


def test_what_cannot_be_used_is_listed(source) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    names = frame["filepath"].tolist()
    given = dict(zip(names, vectors, strict=True))
    del given[names[3]]
    given |= {
        names[7]: np.full(8, np.nan, dtype=np.float32),
        names[8]: np.zeros(8, dtype=np.float32),
        names[9]: np.ones(5, dtype=np.float32),
        names[10]: np.ones((1, 8), dtype=np.float32),
        names[11]: np.ones((2, 4), dtype=np.float32),
        names[12]: np.ones(8, dtype=np.int32),
        names[13]: vectors[13].astype(np.float64),
        "u/nobody.png": vectors[0],
    }
    write_h5(source / "u.h5", given)
    frame.loc[60] = frame.loc[0]
    frame.loc[61] = {**frame.loc[20].to_dict(), "filepath": ""}
    frame.to_csv(source / "u.csv", index=False)
    collection = imported(source)
    found = reasons(collection)
    assert len(collection) == 59
    assert names[3] not in collection.manifest.column("path").tolist()
    assert "Expected a vector for every row" in found[names[3]]
    assert "Expected one row an image" in found[names[0]]
    assert "NaN or infinity" in found[names[7]]
    assert "all its numbers are 0" in found[names[8]]
    assert "dimension 8, but its shape is (5,)" in found[names[9]]
    assert "dimension 8, but its shape is (2, 4)" in found[names[11]]
    assert "its type is int32" in found[names[12]]
    assert "Expected a row for every vector" in found["u/nobody.png"]
    assert "the cell filepath is empty" in found[""]
    assert len(found) == 9
    lines = collection.problems().set_index("path")["line"]
    assert lines[names[3]] == "5"
    assert lines[names[0]] == "62"
    store = collection.store("e")
    rows = collection.manifest.column("path").tolist()
    failed = [rows.index(names[i]) for i in (7, 8, 9, 11, 12)]
    assert store.record["failed_rows"] == failed
    assert not kept_embeddings(store)[failed].any()
    assert np.flatnonzero(~store.valid).tolist() == failed
    np.testing.assert_allclose(kept_embeddings(store)[rows.index(names[10])], 1 / np.sqrt(8), rtol=1e-6)
    np.testing.assert_array_equal(kept_embeddings(store)[rows.index(names[13])], vectors[13])
    assert {"column": "embeddings", "from": "length other than 1", "to": "length 1", "rows": 1} in collection.record[
        "changes"
    ]


def test_a_label_that_contradicts_the_image_is_listed(source) -> None:
    frame, _ = write_unified(source, rows=60, dimension=8, seed=0)
    frame.loc[2, ["modality", "anatomic_region"]] = ["MR", "brain"]
    frame.to_csv(source / "u.csv", index=False)
    collection = imported(source)
    assert len(collection) == 59
    assert "labels of the image's own modality and anatomic_region" in reasons(collection)[frame.loc[2, "filepath"]]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_vectors_keep_their_type(source, kind) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    write_h5(source / "u.h5", dict(zip(frame["filepath"], vectors.astype(kind), strict=True)))
    store = imported(source).store("e")
    assert kept_embeddings(store).dtype == kind
    np.testing.assert_array_equal(kept_embeddings(store), vectors.astype(kind))


def test_other_lengths_become_one(source) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    write_h5(source / "u.h5", dict(zip(frame["filepath"], 7 * vectors, strict=True)))
    np.testing.assert_allclose(kept_embeddings(imported(source).store("e")), vectors, rtol=1e-6)


@pytest.mark.parametrize("bytes_left", [0, 200, 5_000, -3_000])
def test_a_half_written_file(source, bytes_left) -> None:
    write_unified(source, rows=60, dimension=8, seed=0)
    content = (source / "u.h5").read_bytes()
    (source / "u.h5").write_bytes(content[:bytes_left])
    with pytest.raises(ManifestError, match=r"Expected a complete \.h5 file, but .*u\.h5 cannot be read.*Copy"):
        imported(source)
    assert list_collections() == []


def test_the_table_of_another_data_set(source) -> None:
    frame, _ = write_unified(source, rows=60, dimension=8, seed=0)
    frame.assign(filepath=frame["filepath"].str.replace("u/", "v/")).to_csv(source / "u.csv", index=False)
    with pytest.raises(
        ManifestError, match=r"none does: the first row is 'v/p0/0000\.png', the first vector 'u/p0/000"
    ):
        imported(source)
    assert list_collections() == []


def test_missing_columns_are_named(source) -> None:
    frame, _ = write_unified(source, rows=60, dimension=8, seed=0)
    frame.drop(columns=["split", "modality"]).to_csv(source / "u.csv", index=False)
    with pytest.raises(ManifestError, match=r"u\.csv lacks split, modality"):
        imported(source)
    frame.iloc[:, :5].to_csv(source / "u.csv", index=False)
    with pytest.raises(ManifestError, match="Expected one-hot label columns after anatomic_region"):
        imported(source)
    frame.rename(columns={"filepath": "file", "anatomic_region": "region"}).to_csv(source / "u.csv", index=False)
    with pytest.raises(ManifestError, match=r"or a column path, but .* has file, dataset"):
        imported(source)


def test_a_label_is_zero_or_one(source) -> None:
    frame, _ = write_unified(source, rows=1200, dimension=2, seed=0)
    frame.loc[1100, LABELS[2]] = 2
    frame.to_csv(source / "u.csv", index=False)
    with pytest.raises(ManifestError, match=r"XR/chest/mass = 2 in line 1102 of .*u\.csv"):
        imported(source)
    frame[LABELS[2]] = frame[LABELS[2]].astype(object)
    frame.loc[1100, LABELS[2]] = "yes"
    frame.to_csv(source / "u.csv", index=False)
    with pytest.raises(ManifestError, match=r"0 or 1 for each label, but .*yes"):
        imported(source)
    frame.loc[3, LABELS[2]] = "yes"
    frame.to_csv(source / "u.csv", index=False)
    with pytest.raises(ManifestError, match=r"the column 'XR/chest/mass' of .* has 'yes' in it"):
        imported(source)


def test_further_columns_and_empty_cells(source) -> None:
    frame, _ = write_unified(source, rows=60, dimension=8, seed=0)
    frame[LABELS[3]] = frame[LABELS[3]].where(frame[LABELS[3]] == 1)
    frame.insert(3, "patient_id", ["12.0", "12", *(f"p{row // 3}" for row in range(2, 60))])
    frame["age"] = range(60)
    frame.to_csv(source / "u.csv", index=False)
    collection = imported(source)
    assert collection.manifest.record(7)["age"] == "7"
    assert (collection.manifest.groups("patient")[3:6] == collection.manifest.groups("patient")[3]).all()
    assert collection.manifest.record(0)["patient_id"] == "12"
    assert any("patient_id: 1 row has a number written as 12.0" in note for note in collection.record["notes"])
    empty = int(frame[LABELS[3]].isna().sum())
    assert {"column": LABELS[3], "from": "(empty)", "to": "0", "rows": empty} in collection.record["changes"]


def test_two_columns_never_become_one_label(source) -> None:
    frame, _ = write_unified(source, rows=60, dimension=8, seed=0)
    frame = frame.rename(columns={LABELS[0]: "CT/abd/normal"})
    frame.to_csv(source / "u.csv", index=False)
    labels = imported(source).manifest.labels("label")
    first = frame.index[(frame["CT/abd/normal"] == 1) & (frame[LABELS[1]] == 0)][0]
    second = frame.index[(frame["CT/abd/normal"] == 0) & (frame[LABELS[1]] == 1)][0]
    assert labels.text([first]) != labels.text([second])
    assert "" not in labels.text([first, second])


def test_running_it_again_changes_nothing(source, monkeypatch) -> None:
    write_unified(source, rows=60, dimension=8, seed=0)
    monkeypatch.setattr("radcbir_core.pipeline.project_store", project_quickly)
    collection = imported(source)
    report = build_imported(collection, "e")
    assert (report.images, report.failed) == (60, 0)
    before = {path: path.read_bytes() for path in collection.folder.rglob("*") if path.is_file()}
    again = imported(source)
    after = {path: path.read_bytes() for path in again.folder.rglob("*") if path.is_file()}
    assert after == before
    assert set(again.store("e").states().values()) == {"current"}
    assert build_imported(again, "e").seconds == {}
    assert [path.name for path in again.folder.parent.iterdir() if path.is_dir()] == ["u"]


def test_new_rows_come_after_the_old(source) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    frame[20:40].to_csv(source / "first.csv", index=False)
    assert len(imported(source, "u.h5", "first.csv")) == 20
    collection = imported(source)
    order = [*range(20, 40), *range(20), *range(40, 60)]
    assert collection.manifest.column("path").tolist() == frame["filepath"].iloc[order].tolist()
    np.testing.assert_array_equal(kept_embeddings(collection.store("e")), vectors[order])
    assert collection.store("e").states()["embeddings"] == "current"
    # A part of it again: what it says nothing of stays.
    again = imported(source, "u.h5", "first.csv")
    np.testing.assert_array_equal(kept_embeddings(again.store("e")), vectors[order])
    assert again.digest == collection.digest


def test_a_second_encoder(source) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    imported(source)
    other = np.roll(vectors, 1, axis=1)[:50]
    write_h5(source / "other.h5", dict(zip(frame["filepath"], other, strict=False)))
    collection = imported(source, "other.h5", "u.csv", encoder_id="f")
    assert collection.encoder_ids() == ["e", "f"]
    np.testing.assert_array_equal(kept_embeddings(collection.store("e")), vectors)
    np.testing.assert_array_equal(kept_embeddings(collection.store("f"))[:50], other)
    assert collection.store("f").record["failed_rows"] == list(range(50, 60))
    assert collection.store("e").states()["embeddings"] == "current"


def test_an_encoder_that_has_not_grown_with_the_collection(source) -> None:
    frame, _ = write_unified(source, rows=60, dimension=8, seed=0)
    frame[:40].to_csv(source / "first.csv", index=False)
    imported(source, "u.h5", "first.csv")
    collection = imported(source, encoder_id="f")
    assert len(collection) == 60
    assert collection.store("e").states()["embeddings"] == "stale"
    with pytest.raises(StaleError, match=r"those of e were imported before. Import them again"):
        build_imported(collection, "e")
    assert imported(source).store("e").states()["embeddings"] == "current"


def test_what_is_there_is_not_changed(source) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    collection = imported(source)
    before = collection.digest
    other = vectors.copy()
    other[17] = other[18]
    write_h5(source / "other.h5", dict(zip(frame["filepath"], other, strict=True)))
    with pytest.raises(CollectionError, match=r"the same, but that of u/p5/0017\.png is another"):
        imported(source, "other.h5", "u.csv")
    frame.assign(split="train").to_csv(source / "other.csv", index=False)
    with pytest.raises(CollectionError, match=r"but split of u/p0/0000\.png is 'test' there and 'train' here"):
        imported(source, "u.h5", "other.csv")
    write_h5(source / "wide.h5", {name: np.ones(9, dtype=np.float32) for name in frame["filepath"]})
    with pytest.raises(CollectionError, match=r"but they are float32, dimension 9. Use another encoder_id"):
        imported(source, "wide.h5", "u.csv")
    assert open_collection("u").digest == before
    np.testing.assert_array_equal(kept_embeddings(open_collection("u").store("e")), vectors)
    assert [path.name for path in collection.folder.parent.iterdir() if path.is_dir()] == ["u"]


def test_a_collection_of_images_keeps_its_name(source, small_data, monkeypatch, tmp_path) -> None:
    write_unified(source, rows=60, dimension=8, seed=0)
    shutil.copytree(small_data, tmp_path / "small-data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "small-data"))
    with pytest.raises(CollectionExistsError, match="but name = 'small' is a collection of images"):
        imported(source, name="small")


def test_images_are_found_later(source) -> None:
    frame, _ = write_unified(source, rows=60, dimension=8, seed=0)
    collection = imported(source)
    with pytest.raises(ImageError, match="To see its images, import it again with the folder they are in"):
        collection.read_image(4)
    (source / "empty").mkdir()
    for root, words in (("nowhere", "image_root = .*nowhere is none"), ("empty", "looked for none is in .*empty")):
        with pytest.raises(ManifestError, match=words):
            imported(source, image_root=source / root)
    path = source / "images" / frame.loc[4, "filepath"]
    path.parent.mkdir(parents=True)
    Image.new("L", (3, 2), 9).save(path)
    assert imported(source, image_root=source / "images").read_image(4).pixels.tolist() == [[9, 9, 9], [9, 9, 9]]
    with pytest.raises(ImageError):
        open_collection("u").read_image(5)


def test_paths_do_not_leave_the_image_root(source) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    Image.new("L", (3, 2), 9).save(source / "secret.png")
    frame.loc[4, "filepath"] = "../secret.png"
    frame.to_csv(source / "u.csv", index=False)
    np.save(source / "u.npy", vectors)
    root = source / "images"
    (root / "u/p0").mkdir(parents=True)
    shutil.copy(source / "secret.png", root / "u/p0/0000.png")
    collection = imported(source, "u.npy", "u.csv", image_root=root)
    assert collection.read_image(0).pixels.shape == (2, 3)
    with pytest.raises(ImageError, match="below"):
        collection.read_image(4)


def test_vectors_by_order(source) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    frame.loc[3, "filepath"] = ""
    frame.to_csv(source / "u.csv", index=False)
    np.save(source / "u.npy", vectors)
    collection = imported(source, "u.npy", "u.csv")
    np.testing.assert_array_equal(kept_embeddings(collection.store("e")), np.delete(vectors, 3, axis=0))
    np.save(source / "u.npy", vectors[:59])
    with pytest.raises(ManifestError, match=r"u\.csv has 60 rows and .*u\.npy 59 vectors without names"):
        imported(source, "u.npy", "u.csv", name="v")
    with pytest.raises(ManifestError, match="those given are 1 file and 2 tables"):
        imported(source, "u.npy", "u.csv", "u.csv", name="v")


def table_as_for_images(source: Path, frame: pd.DataFrame) -> None:
    columns = {"path": frame["filepath"], "modality": "X-ray", "anatomy": "chest", "pathology": "mass", "split": "test"}
    pd.DataFrame(columns).to_csv(source / "t.csv", index=False)


def test_npz_with_names_and_a_table_as_for_images(source) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    order = np.random.default_rng(0).permutation(60)
    np.savez(source / "u.npz", embeddings=vectors[order], path=frame["filepath"].to_numpy(dtype=str)[order])
    table_as_for_images(source, frame)
    with (source / "t.csv").open("a") as handle:
        handle.write("too,few\n")
    collection = imported(source, "u.npz", "t.csv")
    np.testing.assert_array_equal(kept_embeddings(collection.store("e")), vectors)
    assert collection.manifest.labels("label").text([0]) == ["XR/chest/mass"]
    assert "Expected 5 cells, but the line has 2." in collection.problems()["reason"].tolist()


@pytest.mark.parametrize("fixed", [True, False])
def test_parquet_in_row_groups(source, fixed) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    kind = pa.list_(pa.float32(), 8) if fixed else pa.list_(pa.float32())
    lists = [vector.tolist() for vector in vectors]
    if not fixed:
        lists[11] = [1.0]
        lists[12] = None
    order = np.random.default_rng(0).permutation(60)
    table = pa.table({"filepath": frame["filepath"].tolist(), "embedding": pa.array(lists, kind)})
    pq.write_table(table.take(pa.array(order)), source / "u.parquet", row_group_size=17)
    collection = imported(source, "u.parquet", "u.csv")
    kept = np.ones(60, dtype=bool)
    if not fixed:
        kept[[11, 12]] = False
        assert collection.store("e").record["failed_rows"] == [11, 12]
        assert "but it has 1 numbers" in reasons(collection)[frame.loc[11, "filepath"]]
    np.testing.assert_array_equal(kept_embeddings(collection.store("e"))[kept], vectors[kept])


def test_other_mistakes(source, capsys) -> None:
    frame, vectors = write_unified(source, rows=60, dimension=8, seed=0)
    write_h5(source / "again.h5", {frame.loc[5, "filepath"]: vectors[5]})
    with pytest.raises(ManifestError, match=r"u/p1/0005\.png is in .*u\.h5 and again in .*again\.h5"):
        imported(source, "u.h5", "again.h5", "u.csv")
    write_h5(source / "wide.h5", {"w": np.ones(9, dtype=np.float32)})
    with pytest.raises(ManifestError, match=r"has dimension 8 and .*wide\.h5 9"):
        imported(source, "u.h5", "wide.h5", "u.csv")
    write_h5(source / "zeros.h5", {name: np.zeros(8, dtype=np.float32) for name in frame["filepath"]})
    with pytest.raises(ManifestError, match="all 60 have problems; the first: Expected a vector of non-zero"):
        imported(source, "zeros.h5", "u.csv")
    with pytest.raises(ManifestError, match="those given are 1 file of vectors and 0 tables"):
        imported(source, "u.h5")
    with pytest.raises(ManifestError, match=r"gone\.h5 does not exist"):
        imported(source, "gone.h5", "u.csv")
    with pytest.raises(EncoderError, match=r"encoder_id = 'Bio Med'. Write, for example, bio-med"):
        imported(source, encoder_id="Bio Med")
    assert main(["import", str(source / "u.h5"), str(source / "u.csv"), "--name", "u"]) == 2
    changes = ["--encoder-id", "e", "--add", "--take-changes"]
    assert main(["import", str(source / "u.h5"), str(source / "u.csv"), "--name", "u", *changes]) == 2
    errors = capsys.readouterr().err
    assert "Name it, for example biomedclip-paper. Add: --encoder-id NAME" in errors
    assert "but changes are to be taken. Leave that out" in errors
    assert list_collections() == []


def test_the_command(source, monkeypatch, capsys) -> None:
    monkeypatch.setattr("radcbir_core.pipeline.project_store", project_quickly)
    write_unified(source, rows=60, dimension=8, seed=0)
    assert recognizes(source / "u.h5")
    assert recognizes(source / "u.csv")
    assert not recognizes(source / "gone.csv")
    arguments = [str(source / "u.h5"), str(source / "u.csv"), "--format", "embeddings", "--name", "u"]
    assert main(["import", *arguments, "--encoder-id", "e"]) == 0
    out = capsys.readouterr().out
    assert "Next: python -m radcbir_core build u --encoder e" in out
    assert "Imported 60 images into u; 0 problems" in out
    assert main(["build", "u", "--encoder", "imported:e"]) == 0
    assert main(["build", "u", "--encoder", "e"]) == 0
    assert "Built u with e: 60 images, 0 failed." in capsys.readouterr().out
    assert main(["query", "u", "--id", "u/p0/0002.png"]) == 0
    assert main(["info", "u"]) == 0
    with pytest.raises(EncoderError, match="its embeddings were imported"):
        load_encoder("imported:e")
