"""MedMNIST, from small files with its names and arrays."""

from __future__ import annotations

import csv
import io
import sys
import types
import zipfile

import numpy as np
import pytest
from PIL import Image

from radcbir_core.collections.layout import collections_folder, list_collections
from radcbir_core.errors import ManifestError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.datasets import medmnist
from radcbir_core.importers.formats import detect

RNG = np.random.default_rng(0)


def arrays(*, shape=(28, 28), labels=2, width=1, rows=(5, 2, 3)) -> dict[str, np.ndarray]:
    made = {}
    for split, count in zip(("train", "val", "test"), rows, strict=True):
        made[f"{split}_images"] = RNG.integers(0, 256, (count, *shape), dtype=np.uint8)
        made[f"{split}_labels"] = RNG.integers(0, labels, (count, width)).astype(np.uint8)
    return made


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_gray_images_and_their_classes(tmp_path, column, save) -> None:
    made = arrays()
    save(tmp_path / "pneumoniamnist.npz", **made)
    path = tmp_path / "pneumoniamnist.npz"
    assert detect(path).name == "medmnist"
    report = import_as(ImportRequest([path], "c"))
    collection = report.collection
    assert (report.images, report.problems) == (10, 0)
    assert column(collection, "split") == ["train"] * 5 + ["val"] * 2 + ["test"] * 3
    every_label = np.concatenate([made[f"{split}_labels"] for split in ("train", "val", "test")]).ravel()
    assert column(collection, "pathologies") == [[["normal"], ["pneumonia"]][label] for label in every_label]
    pictures = np.concatenate([made[f"{split}_images"] for split in ("train", "val", "test")])
    for row, picture in enumerate(pictures):
        assert np.array_equal(collection.read_image(row).pixels, picture)
    assert collection.image_root.resolve().is_relative_to(collection.folder.resolve()), "it has its images in it"
    assert column(collection, "image_id")[:6:5] == ["pneumoniamnist/train/000000", "pneumoniamnist/val/000000"]
    assert report.notes[0] == medmnist.NO_PATIENTS
    assert "train has 5 images, documented are 4708" in report.notes[1]
    assert collection.record["licences"] == {"CC BY 4.0": 10}
    assert not list(collection.folder.glob(".parts*"))


def test_color_several_findings_organs_and_sizes_together(tmp_path, column) -> None:
    made = arrays(shape=(64, 64), labels=2, width=14)
    made["train_labels"][0] = 0
    made["train_labels"][1] = [1, 0, 1, *[0] * 11]
    np.savez(tmp_path / "chestmnist_64.npz", **made)
    np.savez(tmp_path / "organamnist.npz", **arrays(labels=11))
    np.savez(tmp_path / "dermamnist_128.npz", **arrays(shape=(128, 128, 3), labels=7))
    names = ("chestmnist_64", "organamnist", "dermamnist_128")
    collection = import_as(ImportRequest([tmp_path / f"{name}.npz" for name in names], "c")).collection
    assert len(collection) == 30
    assert column(collection, "pathologies")[:2] == [["normal"], ["atelectasis", "pleural effusion"]]
    assert column(collection, "pathologies")[10:20] == [[]] * 10, "the class of an organ is its anatomy"
    assert set(column(collection, "anatomy")[10:20]) <= set(medmnist.DATA_SETS["organamnist"].classes)
    assert collection.read_image(25).pixels.shape == (128, 128, 3)
    assert collection.record["licences"] == {"CC BY 4.0": 20, "CC BY-NC 4.0": 10}


def test_slices_of_volumes(tmp_path, column) -> None:
    made = arrays(shape=(28, 28, 28), rows=(2, 1, 1))
    np.savez_compressed(tmp_path / "nodulemnist3d.npz", **made)
    collection = import_as(ImportRequest([tmp_path / "nodulemnist3d.npz"], "c", every=10)).collection
    assert column(collection, "slice")[:4] == ["5", "15", "25", "5"]
    assert np.array_equal(collection.read_image(4).pixels, made["train_images"][1, 15])
    assert len(set(column(collection, "series_id"))) == len(set(column(collection, "study_id"))) == 4
    assert len(set(column(collection, "image_id"))) == 12


def test_stopped_and_run_again(tmp_path, column, monkeypatch) -> None:
    monkeypatch.setattr(medmnist, "_PART", 2)
    np.savez(tmp_path / "breastmnist.npz", **arrays())

    def stop(step: str, done: int, total: int) -> None:
        if step == "write" and done >= 4:
            raise KeyboardInterrupt

    request = ImportRequest([tmp_path / "breastmnist.npz"], "c")
    with pytest.raises(KeyboardInterrupt):
        import_as(request, progress=stop)
    unfinished = next(collections_folder().glob(".unfinished-c+*/"))
    written = {path.name: path.stat().st_mtime_ns for path in unfinished.rglob("*.png")}
    assert len(written) == 4
    collection = import_as(request).collection
    again = {path.name: path.stat().st_mtime_ns for path in collection.folder.rglob("train/*/*.png")}
    assert {name: again[name] for name in written} == written, "what was written is not written again"
    assert len(collection) == 10


def npz(path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def array_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_what_is_refused(tmp_path) -> None:
    path = tmp_path / "pneumoniamnist.npz"

    def refused(message: str, *, members: dict[str, bytes | None] | None = None) -> None:
        if members is not None:
            whole = {f"{name}.npy": array_bytes(array) for name, array in arrays().items()} | members
            npz(path, {name: content for name, content in whole.items() if content is not None})
        with pytest.raises(ManifestError, match=message):
            import_as(ImportRequest([path], "c"), format_name="medmnist")
        assert list_collections() == []

    refused("does not exist")
    path.write_bytes(b"PK no archive")
    refused(r"Expected a whole \.npz file")
    refused(r"also has '\.\./\.\./evil\.npy'", members={"../../evil.npy": b"x"})
    refused(r"lacks val_labels\.npy", members={"val_labels.npy": None})
    bomb = array_bytes(np.zeros((1, 1), np.uint8)).replace(b"(1, 1)", b"(9999999, 60000)") + b"\0" * 1000
    refused("Expected images of 8 bits|is none", members={"train_images.npy": bomb})
    many = array_bytes(np.zeros((9, 28, 28), np.uint8)).replace(b"(9, 28, 28), }    ", b"(999999, 28, 28), }")
    refused("announces 999,999", members={"train_images.npy": many + bytes(100_000_000)})
    refused("breaks off", members={"train_images.npy": array_bytes(arrays()["train_images"])[:-9]})
    refused("is uint16", members={"train_images.npy": array_bytes(arrays()["train_images"].astype(np.uint16))})
    refused("for each of 5 images", members={"train_labels.npy": array_bytes(np.zeros((4, 1), np.uint8))})
    refused("is another kind of array|is none", members={"train_labels.npy": object_array()})
    other = tmp_path / "imagenet.npz"
    np.savez(other, x=np.zeros(2))
    assert detect(other).name == "manifest"
    with pytest.raises(ManifestError, match=r"such as pneumoniamnist_64\.npz, but it is imagenet\.npz"):
        import_as(ImportRequest([other], "c"), format_name="medmnist")


def object_array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([[print]] * 5, dtype=object), allow_pickle=True)
    return buffer.getvalue()


def test_labels_that_are_not_documented_are_problems(tmp_path) -> None:
    made = arrays()
    made["val_labels"][0] = 9
    np.savez(tmp_path / "pneumoniamnist.npz", **made)
    report = import_as(ImportRequest([tmp_path / "pneumoniamnist.npz"], "c"))
    assert (report.images, report.problems) == (9, 1)
    assert report.collection.problems()["reason"][0] == "Expected a label from 0 to 1, but it is [9]."


def test_download(tmp_path, monkeypatch) -> None:
    with pytest.raises(ManifestError, match="but download = 'cats'"):
        import_as(ImportRequest([], "c", download="cats"))
    monkeypatch.setitem(sys.modules, "medmnist", None)
    with pytest.raises(ManifestError, match="pip install medmnist"):
        import_as(ImportRequest([], "c", download="pneumoniamnist"))

    class PneumoniaMNIST:
        def __init__(self, *, split: str, download: bool, root: str, size: int) -> None:
            assert download
            if size != 28:
                raise RuntimeError("Automatic download failed!")
            np.savez(f"{root}/pneumoniamnist.npz", **arrays())

    package = types.SimpleNamespace(
        INFO={"pneumoniamnist": {"python_class": "PneumoniaMNIST"}}, PneumoniaMNIST=PneumoniaMNIST
    )
    monkeypatch.setitem(sys.modules, "medmnist", package)
    assert import_as(ImportRequest([], "c", download="pneumoniamnist")).images == 10
    with pytest.raises(ManifestError, match="no network, or no such size"):
        import_as(ImportRequest([], "d", download="pneumoniamnist_64"))
    with pytest.raises(ManifestError, match="no SOURCE is given"):
        import_as(ImportRequest([], "d"))


def test_real_images_of_it(real_images, tmp_path) -> None:
    """Real images of PneumoniaMNIST, put back into the arrays they come from."""
    folder = real_images / "pneumoniamnist28"
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    made: dict[str, np.ndarray] = {}
    for split in ("train", "val", "test"):
        own = [row for row in rows if row["split_hint"] == split]
        made[f"{split}_images"] = np.array(
            [np.asarray(Image.open(folder / row["path"]).convert("L")) for row in own], np.uint8
        ).reshape(-1, 28, 28)
        made[f"{split}_labels"] = np.array([[row["pathology"] == "pneumonia"] for row in own], np.uint8).reshape(-1, 1)
    np.savez_compressed(tmp_path / "pneumoniamnist.npz", **made)
    report = import_as(ImportRequest([tmp_path / "pneumoniamnist.npz"], "c"))
    assert (report.images, report.problems) == (len(rows), 0)
    assert report.collection.manifest.pathology_counts == {"normal": 120, "pneumonia": 120}
