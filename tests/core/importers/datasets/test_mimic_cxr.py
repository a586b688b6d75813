"""MIMIC-CXR-JPG, from a small copy of its layout."""

from __future__ import annotations

import gzip

import pytest

from radcbir_core.errors import ManifestError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.datasets.chexpert_labels import OBSERVATIONS
from radcbir_core.importers.formats import detect

IMAGES = [
    # dicom_id, study_id, subject_id, split
    ["aa-1", "50000001", "10000032", "train"],
    ["aa-2", "50000001", "10000032", "train"],
    ["bb-1", "50000002", "10000764", "validate"],
    ["cc-1", "50000003", "11000011", "test"],
]


def labels(study: str, subject: str, **values: str) -> list[str]:
    named = {name.replace("_", " "): value for name, value in values.items()}
    return [subject, study, *(named.get(name, "") for name in OBSERVATIONS)]


@pytest.fixture(params=["plain", "gz"])
def release(request, tmp_path, picture, table):
    folder = tmp_path / "mimic"
    for seed, (image, study, subject, _) in enumerate(IMAGES):
        picture(folder / "files" / f"p{subject[:2]}" / f"p{subject}" / f"s{study}" / f"{image}.jpg", seed=seed)
    header = ["subject_id", "study_id", *OBSERVATIONS]
    findings = [
        labels("50000001", "10000032", No_Finding="1.0"),
        labels("50000002", "10000764", Edema="-1.0", Pleural_Effusion="1.0", Pneumonia="1.0", Fracture="0.0"),
    ]
    tables = [
        table(folder / "mimic-cxr-2.0.0-split.csv", ["dicom_id", "study_id", "subject_id", "split"], IMAGES),
        table(folder / "mimic-cxr-2.0.0-chexpert.csv", header, findings),
        table(folder / "mimic-cxr-2.0.0-metadata.csv", ["dicom_id", "ViewPosition"], [["aa-1", "PA"], ["cc-1", "LL"]]),
    ]
    if request.param == "gz":
        for path in tables:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    return folder


def test_labels_splits_and_ids(release, column) -> None:
    assert detect(release).name == "mimic-cxr"
    report = import_as(ImportRequest([release], "c"))
    collection = report.collection
    assert (report.images, report.problems) == (4, 0)
    assert column(collection, "pathologies") == [["normal"], ["normal"], ["Pneumonia", "Pleural Effusion"], []]
    assert column(collection, "split") == ["train", "train", "val", "test"]
    assert column(collection, "patient_id")[0] == "mimic-cxr/10000032"
    assert column(collection, "study_id")[:2] == ["mimic-cxr/50000001"] * 2
    assert column(collection, "view") == ["PA", "", "", "LL"]
    assert column(collection, "edema") == ["", "", "-1.0", ""]
    assert column(collection, "image_id")[2] == "mimic-cxr/bb-1"
    assert "kept without a label: 1." in report.notes[-1]
    assert (
        import_as(ImportRequest([release], "d", uncertain="positive")).collection.manifest.pathology_counts["Edema"]
        == 1
    )


def test_bad_input(release, table) -> None:
    for path in release.glob("*split*"):
        path.unlink()
    again, outside, odd = (
        ["aa-1", "50000001", "10000032", "train"],
        ["dd", "../x", "10000032", "train"],
        ["e", "1", "2", "?"],
    )
    rows = [*IMAGES, again, outside, odd, ["gone", "50000003", "11000011", "test"]]
    table(release / "mimic-cxr-2.1.0-split.csv", ["dicom_id", "study_id", "subject_id", "split"], rows)
    report = import_as(ImportRequest([release], "c"))
    reasons = report.collection.problems()["reason"].tolist()
    assert (report.images, report.problems) == (4, 3)
    assert "Images with several rows: 1, in 2 rows. The findings of all rows are united." in report.notes
    assert sum("Expected numbers as subject_id and study_id" in reason for reason in reasons) == 2
    assert "there is none at this path" in " ".join(reasons)
    table(release / "mimic-cxr-2.1.0-split.csv", ["dicom_id", "split"], [["aa-1", "train"]])
    with pytest.raises(ManifestError, match="lacks study_id, subject_id; it has dicom_id, split"):
        import_as(ImportRequest([release], "d"))
    for path in release.glob("*chexpert*"):
        path.unlink()
    table(release / "mimic-cxr-2.1.0-split.csv", ["dicom_id", "study_id", "subject_id", "split"], IMAGES)
    with pytest.raises(ManifestError, match=r"Expected mimic-cxr-2\.0\.0-chexpert\.csv"):
        import_as(ImportRequest([release], "d"))


def test_without_metadata_and_with_a_study_twice(release, table) -> None:
    for path in [*release.glob("*metadata*"), *release.glob("*chexpert*")]:
        path.unlink()
    findings = [labels("50000001", "10000032", Edema="1.0"), labels("50000001", "10000032", Fracture="1.0")]
    table(release / "mimic-cxr-2.0.0-chexpert.csv", ["subject_id", "study_id", *OBSERVATIONS], findings)
    report = import_as(ImportRequest([release], "c"))
    assert (report.images, report.problems) == (4, 1)
    assert report.collection.problems()["source"][0].endswith("chexpert.csv")
    assert any("views are not known" in note for note in report.notes)
