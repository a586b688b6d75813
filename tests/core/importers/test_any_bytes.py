"""Whatever stands in a source's files, an import ends with a collection or with an error of ours."""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radcbir_core.collections.changes import remove_collection
from radcbir_core.collections.layout import list_collections
from radcbir_core.errors import ManifestError, RadcbirError
from radcbir_core.importers import FORMATS, ImportRequest, import_as
from tests.core.images.dicom_files import dicom_bytes

# The files that each format looks for, and how each begins.
PLACES = {
    "manifest": {"manifest.csv": b"path,modality\n"},
    "csv": {"t.csv": b"path,Mass,Edema\n"},
    "parquet": {"t.parquet": b"PAR1"},
    "nih14": {
        "Data_Entry_2017.csv": b"Image Index,Finding Labels,Patient ID\n",
        "train_val_list.txt": b"",
        "test_list.txt": b"",
    },
    "radimagenet": {"RadiologyAI_train.csv": b"filename,label\n"},
    "chexpert": {"train.csv": b"Path,Frontal/Lateral,AP/PA,No Finding,Edema\n"},
    "mimic-cxr": {
        "mimic-cxr-2.0.0-split.csv": b"dicom_id,study_id,subject_id,split\n",
        "mimic-cxr-2.0.0-chexpert.csv.gz": b"\x1f\x8b",
    },
    "medmnist": {"pneumoniamnist.npz": b"PK\x03\x04"},
    "dicom": {"DICOMDIR": b"\0" * 128 + b"DICM", "a.dcm": b"\0" * 128 + b"DICM"},
    "nifti": {"a.nii": b"\x5c\x01\0\0" + bytes(340) + b"n+1\0"},
    "folder": {"CT/head/mass/1.png": b"\x89PNG\r\n\x1a\n"},
}
_LINES = st.lists(
    st.lists(
        st.sampled_from(
            ["a.png", "../a.png", "1", "-1", "", "x|y", "train", '"', "\0", "é", "radiology_ai/CT/a/b/1.png"]
        )
    ),
    max_size=6,
).map(lambda lines: "\n".join(",".join(cells) for cells in lines).encode())
_CONTENT = st.one_of(st.binary(max_size=300), _LINES)


def test_every_format_that_reads_images_is_tried() -> None:
    assert set(PLACES) == {known.name for known in FORMATS} - {"embeddings", "dicomweb"}


@pytest.mark.parametrize("name", PLACES)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes(tmp_path: Path, name: str, data) -> None:
    folder = tmp_path / "source"
    for place, start in PLACES[name].items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(data.draw(st.sampled_from([start, b""])) + data.draw(_CONTENT))
    (folder / "radiology_ai" / "CT").mkdir(parents=True, exist_ok=True)
    (folder / "a.png").write_bytes(b"")
    given_path = folder / next(iter(PLACES[name])) if name in {"csv", "parquet", "medmnist"} else folder
    with contextlib.suppress(RadcbirError):
        import_as(ImportRequest([given_path], "c", mapping={}), format_name=name)
        remove_collection("c")
    assert list_collections() == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 2000), value=st.integers(0, 255), length=st.integers(200, 2000))
def test_damaged_dicom_headers(tmp_path: Path, place: int, value: int, length: int) -> None:
    import numpy as np

    content = bytearray(dicom_bytes(np.zeros((20, 20), np.uint16), SliceThickness="2", PatientID="SECRET")[:length])
    content[place % len(content)] = value
    folder = tmp_path / "source"
    folder.mkdir(exist_ok=True)
    (folder / "a.dcm").write_bytes(content)
    with contextlib.suppress(RadcbirError):
        report = import_as(ImportRequest([folder], "c", check="exists"), format_name="dicom")
        assert "SECRET" not in report.collection.manifest.frame.to_csv()
        remove_collection("c")
    assert list_collections() == []


def test_an_archive_is_to_be_unpacked_first(tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "nih.zip", "w") as archive:
        archive.writestr("../../evil.png", b"x")
    with pytest.raises(ManifestError, match="is a ZIP archive"):
        import_as(ImportRequest([tmp_path / "nih.zip"], "c"))
    assert not (tmp_path.parent / "evil.png").exists()
