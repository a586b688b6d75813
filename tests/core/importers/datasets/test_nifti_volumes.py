"""NIfTI files and folders of them; patients by BIDS names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radcbir_core.errors import ManifestError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.datasets.nifti_volumes import BY_NAME, WITHOUT_PATIENTS, recognizes
from radcbir_core.importers.formats import detect
from tests.core.images.nifti_files import nifti_bytes

VALUES = np.random.default_rng(0).normal(500, 80, (9, 8, 3)).astype(np.float32)


def written(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(nifti_bytes(VALUES, packed=path.suffix == ".gz"))
    return path


def test_a_bids_tree(tmp_path, column) -> None:
    study = tmp_path / "ds"
    for name in (
        "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz",
        "sub-01/ses-b/anat/x.nii.gz",
        "sub-02/anat/sub-02_T1w.nii",
    ):
        written(study / name)
    (study / "participants.tsv").write_text("participant_id\tage\nsub-01\t50\n")
    assert detect(study).name == "nifti"
    report = import_as(ImportRequest([study], "c", modality="MRI", anatomy="brain"))
    assert column(report.collection, "patient_id") == ["ds/sub-01"] * 6 + ["ds/sub-02"] * 3
    assert column(report.collection, "study_id")[::3] == ["ds/sub-01/ses-a", "ds/sub-01/ses-b", ""]
    assert set(column(report.collection, "anatomy")) == {"brain"}
    assert BY_NAME in report.notes
    assert WITHOUT_PATIENTS not in report.notes


def test_names_that_say_nothing_of_patients(tmp_path, column) -> None:
    written(tmp_path / "s" / "subject_1.nii")
    report = import_as(ImportRequest([tmp_path / "s"], "c"))
    assert column(report.collection, "patient_id") == [""] * 3
    assert WITHOUT_PATIENTS in report.notes
    assert BY_NAME not in report.notes


def test_one_file(tmp_path, column) -> None:
    file = written(tmp_path / "scan.nii.gz")
    assert detect(file).name == "nifti"
    collection = import_as(ImportRequest([file], "c", every=2)).collection
    assert column(collection, "dicom_frame") == ["1"]


def test_labeled_folders_of_volumes(tmp_path, column) -> None:
    written(tmp_path / "s" / "MR" / "knee" / "tear" / "1.nii.gz")
    assert detect(tmp_path / "s").name == "folder"
    collection = import_as(ImportRequest([tmp_path / "s"], "c")).collection
    assert column(collection, "pathologies") == [["tear"]] * 3
    assert column(collection, "series_id") == ["s/MR/knee/tear/1.nii.gz"] * 3


def test_what_is_none(tmp_path, picture) -> None:
    picture(tmp_path / "p" / "1.png")
    written(tmp_path / "p" / "2.nii")
    assert not recognizes(tmp_path / "p")
    (tmp_path / "empty").mkdir()
    assert not recognizes(tmp_path / "empty")
    for path in (tmp_path / "empty", tmp_path / "p" / "1.png", tmp_path / "nowhere"):
        with pytest.raises(ManifestError, match=r"Expected NIfTI files|does not exist"):
            import_as(ImportRequest([path], "c"), format_name="nifti")
