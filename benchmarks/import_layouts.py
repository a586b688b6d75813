"""Made-up data sets of any size in the layouts of real ones, for ``benchmarks.imports``.

Pictures are not decoded there, so that the files of most layouts are empty. Those of RadImageNet have bytes, every
tenth those of another, in another folder; those of DICOM have the header of a CT slice and no picture.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet as pq

from radcbir_core.storage import write_array
from radcbir_core.synthetic.embedding_plan import BLOCK, EmbeddingPlan

LABELS = [f"{('CT', 'MR', 'US')[number % 3]}/anatomy{number // 15}/finding{number % 15}" for number in range(165)]
FILE_BYTES = 3000
COPY_EVERY = 10
DIMENSION = 512
SLICES = 200


@contextmanager
def _table(path: Path, header: list[str]) -> Iterator[Any]:
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        yield writer


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))


def radimagenet(folder: Path, rows: int) -> int:
    """How many rows have to be left out because their bytes have two labels."""
    noise = os.urandom(FILE_BYTES)
    for label in LABELS:
        (folder / "radiology_ai" / label).mkdir(parents=True)
    contradicting = 0
    handles = {split: (folder / f"RadiologyAI_{split}.csv").open("w", newline="") for split in ("train", "val", "test")}
    tables = {split: csv.writer(handle) for split, handle in handles.items()}
    for table in tables.values():
        table.writerow(["filename", "label"])
    for number in range(rows):
        label = LABELS[number % len(LABELS)]
        copied = number % COPY_EVERY == COPY_EVERY - 1
        # The file before it, of the same bytes then, lies under another label.
        contradicting += 2 * copied
        path = f"radiology_ai/{label}/image{number:07d}.png"
        with open(folder / path, "wb") as handle:  # noqa: PTH123 - a Path costs as much as the rest
            handle.write((number - copied).to_bytes(8, "big") + noise)
        tables[("train", "val", "test")[number % 3]].writerow([path, label])
    for handle in handles.values():
        handle.close()
    return contradicting


def nih14(folder: Path, rows: int) -> int:
    """Four images a patient, twelve folders."""
    header = [
        *("Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Sex"),
        *("View Position", "OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]"),
    ]
    findings = ["No Finding", "Mass|Nodule", "Hernia", "Effusion|Pneumonia|Edema", "Fibrosis"]
    for number in range(1, 13):
        (folder / f"images_{number:03d}" / "images").mkdir(parents=True)
    with (
        _table(folder / "Data_Entry_2017_v2020.csv", header) as table,
        (folder / "train_val_list.txt").open("w") as train,
        (folder / "test_list.txt").open("w") as test,
    ):
        for number in range(rows):
            name = f"{number // 4:08d}_{number % 4:03d}.png"
            labels = findings[number % 5]
            table.writerow([name, labels, number % 4, number // 4, 50, "M", "PA", 2500, 2048, 0.168, 0.168])
            (test if number // 4 % 5 == 0 else train).write(f"{name}\n")
            _touch(f"{folder}/images_{number * 12 // rows + 1:03d}/images/{name}")
    return 0


_OBSERVATIONS = [
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema"),
    *("Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other"),
    *("Fracture", "Support Devices"),
]


def _observed(number: int) -> list[str]:
    """One certain finding, an uncertain one now and then, and support devices."""
    cells = [""] * 14
    cells[number % 13] = "1.0"
    cells[(number // 7) % 13] = cells[(number // 7) % 13] or ("-1.0" if number % 3 == 0 else "0.0")
    cells[13] = "1.0" if number % 2 else ""
    return cells


def chexpert(folder: Path, rows: int) -> int:
    """Three studies a patient, one image each; all of ``valid.csv`` in one."""
    header = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *_OBSERVATIONS]
    folder.mkdir(parents=True)
    with _table(folder / "train.csv", header) as train, _table(folder / "valid.csv", header) as valid:
        for number in range(rows):
            side = "valid" if number % 1000 == 999 else "train"
            below = f"{side}/patient{number // 3:06d}/study{number % 3 + 1}"
            os.makedirs(f"{folder}/{below}", exist_ok=True)  # noqa: PTH103
            _touch(f"{folder}/{below}/view1_frontal.jpg")
            row = [f"CheXpert-v1.0/{below}/view1_frontal.jpg", "Male", 60, "Frontal", "AP", *_observed(number)]
            (valid if side == "valid" else train).writerow(row)
    return 0


def mimic_cxr(folder: Path, rows: int) -> int:
    """Two studies a patient, two images each; tables as the release has them, not gzipped."""
    folder.mkdir(parents=True)
    with (
        _table(folder / "mimic-cxr-2.0.0-split.csv", ["dicom_id", "study_id", "subject_id", "split"]) as split,
        _table(folder / "mimic-cxr-2.0.0-chexpert.csv", ["subject_id", "study_id", *_OBSERVATIONS]) as labels,
        _table(folder / "mimic-cxr-2.0.0-metadata.csv", ["dicom_id", "subject_id", "ViewPosition"]) as metadata,
    ):
        for number in range(rows):
            subject, study = 10_000_000 + number // 4 * 13, 50_000_000 + number // 2
            below = f"{folder}/files/p{str(subject)[:2]}/p{subject}/s{study}"
            image = f"{number:08x}-" + "-".join(f"{number * k & 0xFFFFFFFF:08x}" for k in (7, 11, 13, 17))
            if number % 2 == 0:
                os.makedirs(below)  # noqa: PTH103
                labels.writerow([subject, study, *_observed(number)])
            _touch(f"{below}/{image}.jpg")
            side = ("train", "train", "train", "validate", "test")[number // 4 % 5]
            split.writerow([image, study, subject, side])
            metadata.writerow([image, subject, ("PA", "LATERAL")[number % 2]])
    return 0


def dicom(folder: Path, rows: int) -> int:
    """Series of 200 slices, one a study and a patient; each file the header that it has in a CT scanner's archive."""
    first = _header_of_a_slice()
    for series in range(-(-rows // SLICES)):
        (folder / f"study{series:05d}").mkdir(parents=True)
    for number in range(rows):
        series, place = divmod(number, SLICES)
        content = first
        for old, new in (
            (b"9999999.1", f"{number:07d}.1"), (b"8888888.1", f"{series:07d}.1"), (b"P7777777", f"P{series:07d}"),
            (b"00006666", f"{place:08d}"), (b"0005555.5", f"{place * 2:07d}.0"),
        ):  # fmt: skip
            content = content.replace(old, new.encode())
        with open(f"{folder}/study{series:05d}/IM{place:04d}.dcm", "wb") as handle:  # noqa: PTH123
            handle.write(content)
    return 0


def _header_of_a_slice() -> bytes:
    from io import BytesIO

    from pydicom import uid
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.filewriter import dcmwrite

    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = uid.CTImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = "1.2.826.0.1.9999999.1"
    header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.826.0.2.8888888.1", "1.2.826.0.3.8888888.1"
    header.PatientID, header.PatientName, header.InstanceNumber = "P7777777", "A^B", "00006666"
    header.Modality, header.BodyPartExamined, header.SliceThickness = "CT", "CHEST", "2.0"
    header.ImagePositionPatient = ["-180.5", "-170.5", "0005555.5"]
    header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    texts = (
        *("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"),
        *("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"),
        *("Manufacturer", "InstitutionName", "StationName", "StudyDescription", "SeriesDescription"),
        *("ManufacturerModelName", "ProtocolName", "SoftwareVersions", "ConvolutionKernel", "PatientPosition"),
        *("KVP", "DataCollectionDiameter", "ReconstructionDiameter", "GantryDetectorTilt", "TableHeight"),
        *("ExposureTime", "XRayTubeCurrent", "Exposure", "GeneratorPower", "FocalSpots", "FilterType"),
    )
    for keyword in texts:
        value = "20200101" if "Date" in keyword else "120000" if "Time" in keyword else "1"
        setattr(header, keyword, value)
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = uid.CTImageStorage, "1.2.3"
    header.ReferencedImageSequence = [reference, reference]
    header.Rows = header.Columns = 512
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 1
    header.PixelSpacing, header.RescaleIntercept, header.RescaleSlope = [0.7, 0.7], -1024, 1
    header.WindowCenter, header.WindowWidth = 40, 400
    content = BytesIO()
    dcmwrite(content, header, enforce_file_format=True)
    return content.getvalue()


def _unified(path: Path, rows: int) -> Iterator[tuple[int, list[str]]]:
    """Write the paper's unified CSV, of ten thousand rows at a time their number and paths."""
    step = 10_000
    with path.open("w") as handle:
        names = [label.replace("anatomy", "a").replace("finding", "f") for label in LABELS]
        handle.write(",".join(["filepath", "dataset", "split", "modality", "anatomic_region", *names]) + "\n")
        for start in range(0, rows, step):
            paths = [f"b/p{row // 4:06d}/{row:07d}.png" for row in range(start, min(start + step, rows))]
            for row, name in enumerate(paths, start):
                modality, anatomy, _ = names[row % len(names)].split("/")
                marks = ["0"] * len(names)
                marks[row % len(names)] = "1"
                handle.write(f"{name},b,{('train', 'test')[row % 10 == 0]},{modality},{anatomy},{','.join(marks)}\n")
            yield start, paths


def embeddings_hdf5(folder: Path, rows: int) -> int:
    """The paper's form: one data set an image, of 512 single-precision numbers, and the unified CSV."""
    import h5py

    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    with h5py.File(folder / "b.h5", "w") as file:
        for _, paths in _unified(folder / "b.csv", rows):
            vectors = random.normal(size=(len(paths), DIMENSION)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            for name, vector in zip(paths, vectors, strict=True):
                file.create_dataset(name, data=vector)
    return 0


def embeddings_npy(folder: Path, rows: int) -> int:
    """One array of half-precision vectors in the order of the table."""
    folder.mkdir(parents=True)
    array = np.lib.format.open_memmap(folder / "b.npy", "w+", np.float16, (rows, DIMENSION))
    random = np.random.default_rng(0)
    for start, paths in _unified(folder / "b.csv", rows):
        vectors = random.normal(size=(len(paths), DIMENSION)).astype(np.float32)
        array[start : start + len(paths)] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    array.flush()
    return 0


def _with_table(folder: Path, rows: int) -> EmbeddingPlan:
    """A table as for images beside the vectors that a plan has."""
    folder.mkdir(parents=True)
    plan = EmbeddingPlan.of(rows, dimension=DIMENSION)
    arrow_csv.write_csv(plan.table(), folder / "t.csv", arrow_csv.WriteOptions(quoting_style="none"))
    return plan


def _blocks(plan: EmbeddingPlan) -> Iterator[np.ndarray]:
    for start in range(0, len(plan), BLOCK):
        yield plan.vectors(start, min(start + BLOCK, len(plan)))


def embeddings_table(folder: Path, rows: int) -> int:
    """One array of half-precision vectors, and a table as for images, of what ``synthesize`` draws."""
    plan = _with_table(folder, rows)
    write_array(folder / "t.npy", _blocks(plan), shape=(rows, DIMENSION), dtype=np.float16)
    return 0


def embeddings_npz(folder: Path, rows: int) -> int:
    """The same in an ``.npz``, which NumPy writes without packing."""
    plan = _with_table(folder, rows)
    np.savez(folder / "t.npz", embeddings=np.concatenate(list(_blocks(plan))))
    return 0


def embeddings_parquet(folder: Path, rows: int) -> int:
    """The same as a column of lists, without names, in groups of some thousand rows."""
    plan = _with_table(folder, rows)
    schema = pa.schema([("embedding", pa.list_(pa.float32()))])
    with pq.ParquetWriter(folder / "t.parquet", schema, compression="none") as writer:
        for block in _blocks(plan):
            values = pa.array(block.astype(np.float32).ravel())
            offsets = pa.array(np.arange(len(block) + 1, dtype=np.int32) * DIMENSION)
            writer.write_table(pa.table([pa.ListArray.from_arrays(offsets, values)], schema=schema))
    return 0


LAYOUTS: dict[str, Callable[[Path, int], int]] = {
    "radimagenet": radimagenet,
    "nih14": nih14,
    "chexpert": chexpert,
    "mimic-cxr": mimic_cxr,
    "dicom": dicom,
    "embeddings-hdf5": embeddings_hdf5,
    "embeddings-npy": embeddings_npy,
    "embeddings-table": embeddings_table,
    "embeddings-npz": embeddings_npz,
    "embeddings-parquet": embeddings_parquet,
}
"""Name → writes the layout into a new folder; returns how many rows have to be left out where bytes are read."""
