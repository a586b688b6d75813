"""The table of one data set under the name of another's, each against each: the columns that are missing are named."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from radcbir_core.errors import ManifestError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.datasets.chexpert_labels import OBSERVATIONS

TABLES = {
    "nih14": ("Data_Entry_2017_v2020.csv", ["Image Index", "Finding Labels", "Patient ID", "View Position"]),
    "chexpert": ("train.csv", ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *OBSERVATIONS]),
    "mimic-cxr": ("mimic-cxr-2.0.0-split.csv", ["dicom_id", "study_id", "subject_id", "split"]),
    "radimagenet": ("RadiologyAI_train.csv", ["filename", "label"]),
    "embeddings": ("u.csv", ["filepath", "dataset", "split", "modality", "anatomic_region", "CT/lung/nodule"]),
}
NEEDED = {
    "nih14": ("Image Index", "Finding Labels", "Patient ID"),
    "chexpert": ("Path", "Frontal/Lateral", "AP/PA", "No Finding", "Edema"),
    "mimic-cxr": ("dicom_id", "study_id", "subject_id", "split"),
    "radimagenet": ("filename",),
    "embeddings": ("filepath", "dataset", "split", "modality", "anatomic_region"),
}


def write(folder: Path, wanted: str, given: str) -> Path:
    """What the format ``wanted`` looks for, with the columns of ``given``."""
    folder.mkdir()
    name, _ = TABLES[wanted]
    _, columns = TABLES[given]
    (folder / name).write_text(",".join(columns) + "\n" + ",".join("1" for _ in columns) + "\n")
    if wanted == "radimagenet":
        (folder / "radiology_ai" / "CT").mkdir(parents=True)
    if wanted == "embeddings":
        import h5py
        import numpy as np

        with h5py.File(folder / "u.h5", "w") as file:
            file.create_dataset("1", data=np.ones(4, np.float32))
    return folder


# Vectors may come with any table that has a column "path", and CheXpert's has one.
PAIRS = [pair for pair in itertools.permutations(TABLES, 2) if pair != ("embeddings", "chexpert")]


@pytest.mark.parametrize(("wanted", "given"), PAIRS)
def test_missing_columns_are_named(tmp_path, wanted, given) -> None:
    folder = write(tmp_path / "set", wanted, given)
    request = ImportRequest([folder], "c", encoder_id="e" if wanted == "embeddings" else "")
    with pytest.raises(ManifestError) as caught:
        import_as(request, format_name=wanted)
    missing = [name for name in NEEDED[wanted] if name not in TABLES[given][1]]
    message = str(caught.value)
    if wanted == "embeddings" and not set(TABLES[given][1]) & {"filepath", "anatomic_region"}:
        assert "path" in message, "it may be a table as for images, which has to have a path"
    else:
        assert missing
        assert all(name in message for name in missing)
    assert TABLES[wanted][0] in message
    assert not (tmp_path / "data" / "collections" / "c").exists()


@pytest.mark.parametrize("wanted", sorted(TABLES))
def test_one_missing_column_is_named(tmp_path, wanted) -> None:
    folder = write(tmp_path / "set", wanted, wanted)
    name, columns = TABLES[wanted]
    for column in NEEDED[wanted]:
        left = [other for other in columns if other != column]
        (folder / name).write_text(",".join(left) + "\n" + ",".join("1" for _ in left) + "\n")
        request = ImportRequest([folder], "c", encoder_id="e" if wanted == "embeddings" else "")
        with pytest.raises(ManifestError) as caught:
            import_as(request, format_name=wanted)
        assert column in str(caught.value)
        assert name in str(caught.value)
