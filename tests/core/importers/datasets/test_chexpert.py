"""CheXpert, from a small copy of its layout."""

from __future__ import annotations

import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from radcbir_core.errors import ManifestError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.datasets.chexpert_labels import OBSERVATIONS
from radcbir_core.importers.formats import detect

HEADER = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *OBSERVATIONS]


def row(patient: int, *, split="train", view="Frontal", release="CheXpert-v1.0-small", **values: str) -> list[str]:
    labels = {name.replace("_", " "): value for name, value in values.items()}
    path = f"{release}/{split}/patient{patient:05d}/study1/view1_{view.lower()}.jpg"
    projection = "AP" if view == "Frontal" else ""
    return [path, "Female", "68", view, projection, *(labels.get(name, "") for name in OBSERVATIONS)]


@pytest.fixture
def release(tmp_path, picture, table):
    """40 patients; every third has an uncertain label, every fifth two labels."""
    folder = tmp_path / "CheXpert-v1.0-small"
    train = [
        row(
            patient,
            view="Lateral" if patient % 7 == 0 else "Frontal",
            Edema="-1.0" if patient % 3 == 0 else "",
            Fracture="1.0" if patient % 5 == 0 else "0.0",
            No_Finding="" if patient % 5 == 0 else "1.0",
            Lung_Lesion="1.0" if patient % 5 == 0 and patient % 2 else "",
            Support_Devices="1.0",
        )
        for patient in range(40)
    ]
    valid = [row(90 + n, split="valid", Pleural_Effusion="1.0") for n in range(3)]
    table(folder / "train.csv", HEADER, train)
    table(folder / "valid.csv", HEADER, valid)
    for seed, cells in enumerate([*train, *valid]):
        picture(tmp_path / cells[0], seed=seed)
    return folder


def test_labels_views_and_raw_values(release, column) -> None:
    assert detect(release).name == "chexpert"
    report = import_as(ImportRequest([release], "c"))
    collection = report.collection
    assert (report.images, report.problems) == (43, 0)
    assert column(collection, "pathologies")[:6] == [
        ["Fracture"], ["normal"], ["normal"], ["normal"], ["normal"], ["Lung Lesion", "Fracture"],
    ]  # fmt: skip
    assert column(collection, "edema")[:4] == ["-1.0", "", "", "-1.0"], "raw values are kept as they are"
    assert column(collection, "support devices")[0] == "1.0"
    assert column(collection, "fracture")[:2] == ["1.0", "0.0"]
    assert column(collection, "view")[:2] == ["Lateral", "AP"]
    assert column(collection, "path")[0] == "train/patient00000/study1/view1_lateral.jpg"
    assert column(collection, "patient_id")[1] == "chexpert/patient00001"
    assert column(collection, "study_id")[1] == "chexpert/patient00001/study1"
    assert column(collection, "split")[40:] == ["test"] * 3
    assert column(collection, "release_split")[39:41] == ["train", "valid"]
    assert "became no label (uncertain = not-positive)" in report.notes[0]


@pytest.mark.parametrize(
    ("policy", "first"), [("positive", ["Edema", "Fracture"]), ("own-label", ["uncertain Edema", "Fracture"])]
)
def test_policies_for_uncertain_labels(release, column, policy, first) -> None:
    collection = import_as(ImportRequest([release], "c", uncertain=policy)).collection
    assert column(collection, "pathologies")[0] == first
    assert column(collection, "edema")[0] == "-1.0"


def test_the_split_is_that_of_the_paper(release, column) -> None:
    """The paper's rule, told again with pandas and scikit-learn, over the rows that it keeps."""
    frame = pd.read_csv(release / "train.csv")
    labels = [name for name in OBSERVATIONS if name != "Support Devices"]
    frame[labels] = frame[labels].astype(float).fillna(0.0)
    frame = frame[frame[labels].sum(axis=1) == 1]
    patients = frame["Path"].str.split("/").str[2].unique()
    assert 10 < len(patients) < 40
    train, held_out = train_test_split(patients, train_size=0.9, random_state=42)
    collection = import_as(ImportRequest([release], "c")).collection
    sides = dict(zip(column(collection, "patient_id"), column(collection, "split"), strict=True))
    assert {sides[f"chexpert/{patient}"] for patient in train} == {"train"}
    assert {sides[f"chexpert/{patient}"] for patient in held_out} == {"val"}
    assert set(sides.values()) == {"train", "val", "test"}, "the other patients have a side too"


def test_bad_input(release, tmp_path, table, picture) -> None:
    rows = [row(0, Edema="2"), row(1, Edema="1.0"), row(1, Edema="0.0"), row(77)]
    table(release / "train.csv", HEADER, rows)
    report = import_as(ImportRequest([release], "c"))
    reasons = report.collection.problems()["reason"].tolist()
    assert report.images == 4
    assert len(reasons) == 2
    assert "but Edema = '2'" in " ".join(reasons)
    assert "Images with several rows: 1, in 2 rows. The findings of all rows are united." in report.notes
    assert "there is none at this path" in " ".join(reasons)
    with pytest.raises(ManifestError, match="Expected a policy of not-positive, positive, own-label"):
        import_as(ImportRequest([release], "d", uncertain="maybe"))
    (release / "valid.csv").unlink()
    assert "Without valid.csv: there is no test set." in import_as(ImportRequest([release], "d")).notes
    table(release / "train.csv", ["Path", "label"], [["a", "b"]])
    assert detect(release).name == "manifest"
    with pytest.raises(ManifestError, match=r"train\.csv of CheXpert with the columns Path, .* lacks Frontal/Lateral"):
        import_as(ImportRequest([release], "e"), format_name="chexpert")
    with pytest.raises(ManifestError, match=r"Expected train\.csv of CheXpert"):
        import_as(ImportRequest([tmp_path], "e"), format_name="chexpert")


BATCH = "CheXpert-v1.0 batch {}"


def full_release(folder, picture, table) -> None:
    """The full version as its archives unpack: the tables' paths lead to none of these folders."""
    train = [row(patient, release="CheXpert-v1.0", Edema="1.0") for patient in range(1, 7)]
    valid = [row(64541, split="valid", release="CheXpert-v1.0", Fracture="1.0")]
    tables = folder / BATCH.format("1 (validate & csv)")
    table(tables / "train.csv", HEADER, train)
    table(tables / "valid.csv", HEADER, valid)
    picture(tables / "valid" / "patient64541/study1/view1_frontal.jpg", seed=99)
    for patient in range(1, 7):
        batch = BATCH.format(f"{2 + (patient - 1) // 2} (train {1 + (patient - 1) // 2})")
        picture(folder / batch / f"patient{patient:05d}/study1/view1_frontal.jpg", seed=patient)


@pytest.mark.parametrize("given", ["", BATCH.format("1 (validate & csv)")])
def test_the_full_version_in_its_batches(tmp_path, picture, table, column, given) -> None:
    folder = tmp_path / "chexpertchestxrays-u20210408"
    full_release(folder, picture, table)
    assert detect(folder / given).name == "chexpert"
    report = import_as(ImportRequest([folder / given], "c"))
    assert (report.images, report.problems) == (7, 0)
    assert column(report.collection, "path")[::3] == [
        f"{BATCH.format('2 (train 1)')}/patient00001/study1/view1_frontal.jpg",
        f"{BATCH.format('3 (train 2)')}/patient00004/study1/view1_frontal.jpg",
        f"{BATCH.format('1 (validate & csv)')}/valid/patient64541/study1/view1_frontal.jpg",
    ]
    assert column(report.collection, "split")[-1] == "test"
    assert column(report.collection, "patient_id")[0] == "chexpert/patient00001"
    assert report.collection.read_image(6).pixels.shape == (10, 12)


def test_batches_unpacked_into_folders_of_their_names(tmp_path, picture, table, column) -> None:
    folder = tmp_path / "full"
    full_release(folder, picture, table)
    for batch in list(folder.iterdir()):
        outer = tmp_path / "outer" / batch.name
        outer.mkdir(parents=True)
        batch.rename(outer / batch.name)
    report = import_as(ImportRequest([tmp_path / "outer"], "c"), format_name="chexpert")
    assert (report.images, report.problems) == (7, 0)
    name = BATCH.format("4 (train 3)")
    assert column(report.collection, "path")[5] == f"{name}/{name}/patient00006/study1/view1_frontal.jpg"


def test_a_batch_that_is_not_there_is_told_image_by_image(tmp_path, picture, table) -> None:
    full_release(tmp_path / "full", picture, table)
    (tmp_path / "full" / BATCH.format("3 (train 2)")).rename(tmp_path / "elsewhere")
    report = import_as(ImportRequest([tmp_path / "full"], "c"))
    assert (report.images, report.problems) == (5, 2)
    problems = report.collection.problems()
    assert problems["path"].str.contains("patient0000[34]").all()
    assert problems["reason"].str.contains("there is none at this path").all()


def test_the_tables_above_the_batches(tmp_path, picture, table) -> None:
    full_release(tmp_path / "full", picture, table)
    for name in ("train.csv", "valid.csv"):
        (tmp_path / "full" / BATCH.format("1 (validate & csv)") / name).rename(tmp_path / "full" / name)
    assert import_as(ImportRequest([tmp_path / "full"], "c")).images == 7
