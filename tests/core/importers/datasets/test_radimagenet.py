"""RadImageNet, from a small copy of its layout."""

from __future__ import annotations

import shutil

import pytest

from radcbir_core.collections.artifacts import NEIGHBORS
from radcbir_core.errors import ManifestError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.datasets.radimagenet import NO_BYTES, NO_PATIENTS
from radcbir_core.importers.formats import detect

FILES = {
    "train": [
        "CT/lung/nodule/lung1.png",
        "CT/lung/interstitial_lung_disease/lung1.png",
        "US/gb/usn1.png",
        "US/gb/usn2.png",
    ],
    "val": ["MR/af/Plantar_plate_tear/foot1.png", "US/thyroid_nodule/usn3.png"],
    "test": ["MR/knee/normal/knee1.png", "MR/af/hematoma/foot2.png", "MR/af/hematoma/ankle2.png"],
}


@pytest.fixture
def release(tmp_path, picture, table):
    folder = tmp_path / "rin"
    seed = 0
    for split, paths in FILES.items():
        for path in paths:
            picture(folder / "radiology_ai" / path, seed=(seed := seed + 1))
        table(folder / f"RadiologyAI_{split}.csv", ["filename", "label"], [[f"radiology_ai/{p}", "x"] for p in paths])
    # The same bytes under two labels, and under one: both are known of the real data set.
    tree = folder / "radiology_ai"
    shutil.copy(tree / FILES["train"][0], tree / FILES["train"][1])
    shutil.copy(tree / FILES["test"][1], tree / FILES["test"][2])
    return folder


@pytest.mark.parametrize("at", [".", "radiology_ai", "RadiologyAI_val.csv"])
def test_labels_from_paths_and_the_computed_ignore_list(release, column, at) -> None:
    assert detect(release / at).name == "radimagenet"
    report = import_as(ImportRequest([release / at], "c", check="bytes"))
    collection = report.collection
    assert collection.manifest.labels("label").values == (
        "MR/af/Plantar_plate_tear", "MR/af/hematoma", "MR/knee/normal", "US/gb/normal", "US/thyroid/nodule",
    )  # fmt: skip
    assert column(collection, "split") == ["train", "train", "val", "val", "test", "test", "test"]
    assert column(collection, "path")[:1] == ["US/gb/usn1.png"]
    assert (report.images, report.problems, report.duplicates) == (7, 2, 2)
    problems = collection.problems()
    assert problems["path"].tolist() == FILES["train"][:2], "whose bytes carry two labels"
    assert "CT/lung/nodule, CT/lung/interstitial_lung_disease" in problems["reason"][0]
    assert collection.record["sources"][0]["images"] == 7
    assert report.notes[0] == NO_PATIENTS == collection.record["notes"][0]
    assert sum(collection.record["licences"].values()) == 7
    assert column(collection, "label") == ["x"] * 7


def test_without_reading_the_files_the_contradictions_stay_and_it_is_said(release) -> None:
    report = import_as(ImportRequest([release], "c", check="exists"))
    assert (report.images, report.problems, report.duplicates) == (9, 0, 0)
    assert NO_BYTES in report.notes


def test_rows_that_are_no_images_of_it(release, table) -> None:
    paths = ["XR/chest/normal/1.png", "CT/../../../etc/passwd", "CT/lung/x/gone.png", FILES["train"][2]]
    table(release / "RadiologyAI_val.csv", ["filename", "label"], [[f"radiology_ai/{path}", ""] for path in paths])
    report = import_as(ImportRequest([release], "c"))
    problems = report.collection.problems()
    problems = problems[problems["source"].str.endswith("_val.csv")]
    assert problems["line"].tolist() == ["2", "3", "4", "5"]
    assert "the path has other folders" in problems["reason"].iloc[0]
    assert "the path has other folders" in problems["reason"].iloc[1]
    assert "there is none at this path" in problems["reason"].iloc[2]
    assert "Expected one split an image, but split of its rows on lines 4 and 5 differs" in problems["reason"].iloc[3]


def test_what_is_missing(release, tmp_path, table) -> None:
    (release / "RadiologyAI_test.csv").unlink()
    assert "Without RadiologyAI_test.csv" in import_as(ImportRequest([release], "c")).notes[-1]
    table(release / "RadiologyAI_val.csv", ["path"], [["x"]])
    with pytest.raises(ManifestError, match=r"RadiologyAI_val\.csv of RadImageNet with the columns filename, but"):
        import_as(ImportRequest([release], "d"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match="has none of them"):
        import_as(ImportRequest([tmp_path / "empty"], "d"), format_name="radimagenet")
    table(tmp_path / "bare" / "RadiologyAI_train.csv", ["filename"], [["radiology_ai/CT/a/b/1.png"]])
    with pytest.raises(ManifestError, match="Expected the folder radiology_ai with CT, MR, US"):
        import_as(ImportRequest([tmp_path / "bare"], "d"))


def test_with_other_data_sets_in_one_collection(release, tmp_path, picture, column) -> None:
    picture(tmp_path / "own" / "CT" / "lung" / "mass" / "1.png", seed=50)
    report = import_as(ImportRequest([release, tmp_path / "own"], "c"))
    assert set(column(report.collection, "dataset")) == {"radimagenet", "own"}
    assert report.collection.image_path(0).is_file()
    assert report.collection.image_root == tmp_path


def test_every_figure_says_that_patients_and_copies_are_not_known(release) -> None:
    from radcbir_core.embed import embed
    from radcbir_core.encoders import load_encoder
    from radcbir_core.evaluation import Protocol
    from radcbir_core.evaluation.reports.precision import Precision
    from radcbir_core.search.neighbors.graph import build_neighbors
    from radcbir_core.search.opening import build_index

    collection = import_as(ImportRequest([release], "c", check="exists")).collection
    with collection.building("pixels"):
        embed(collection, load_encoder("pixels"))
        store = collection.store("pixels")
        build_index(store)
        store.mark(NEIGHBORS, **build_neighbors(store))
    notes = " ".join(Precision(Protocol.of(exclude=("patient", "duplicate"))).run(store).notes)
    assert "9 of 9 images have no patient_id" in notes
    assert "exact copies are unknown" in notes
    split = " ".join(Precision(Protocol.of("split")).run(store).notes)
    assert "whether their patients are both in train and in test cannot be known" in split
