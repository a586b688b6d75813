"""The format ``mimic-cxr``: MIMIC-CXR-JPG.

Owns the layout (``mimic-cxr-2.0.0-split.csv``, ``-chexpert.csv`` and, if it is there, ``-metadata.csv``, each plain or
gzipped; ``files/pNN/pNNNNNNNN/sNNNNNNNN/*.jpg``). The split is the official one.

Source of the layout: Johnson et al., MIMIC-CXR-JPG, PhysioNet, version 2.0.0 and later.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from radcbir_core.errors import ManifestError
from radcbir_core.importers.datasets.chexpert_labels import OBSERVATIONS, findings_of
from radcbir_core.importers.request import ImportRequest
from radcbir_core.importers.rows.sources import Cell, CsvTable, Row, Source, real
from radcbir_core.importers.rows.uncertain import Policy, policy_named, policy_note
from radcbir_core.vocabulary import normal_identifier

LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
SPLITS = {"train": "train", "validate": "val", "test": "test"}

_IDS = ("dicom_id", "study_id", "subject_id")
_PATTERN = "mimic-cxr-2*-{}.csv"


def recognizes(path: Path) -> bool:
    """Whether this is a folder with the table of splits."""
    return path.is_dir() and _table(path, "split") is not None


def read(paths: Sequence[Path], request: ImportRequest) -> list[Source]:
    """Open the distribution.

    Args:
        paths: The folder with the tables and ``files``.
        request: For the policy for ``uncertain`` labels.

    Raises:
        ManifestError: A table is missing, or is that of another data set.
    """
    policy = policy_named(request.uncertain)
    return [_read(real(path), policy) for path in paths]


def _table(folder: Path, what: str) -> Path | None:
    tables = sorted(folder.glob(_PATTERN.format(what))) + sorted(folder.glob(_PATTERN.format(what) + ".gz"))
    return tables[0] if tables else None


def _read(folder: Path, policy: Policy) -> Source:
    tables = {}
    for what, columns in (("split", [*_IDS, "split"]), ("chexpert", ["subject_id", "study_id", "No Finding", "Edema"])):
        path = _table(folder, what)
        if path is None:
            raise ManifestError(
                f"Expected mimic-cxr-2.0.0-{what}.csv or .csv.gz of MIMIC-CXR-JPG, but {folder} has neither. "
                "Give the folder with the tables."
            )
        tables[what] = CsvTable(path)
        tables[what].require(columns, what=f"{path.name} of MIMIC-CXR-JPG")
    notes = [policy_note(policy)]
    metadata = _table(folder, "metadata")
    views = {}
    if metadata is None:
        notes.append("Without mimic-cxr-2.0.0-metadata.csv: views are not known.")
    else:
        table = CsvTable(metadata)
        table.require(["dicom_id", "ViewPosition"], what=f"{metadata.name} of MIMIC-CXR-JPG")
        views = {
            str(row.cells["dicom_id"]): sys.intern(str(row.cells["ViewPosition"])) for row in table.rows() if row.cells
        }
    return Source(
        origin=tables["split"].path,
        root=folder,
        dataset="mimic-cxr",
        rows=_rows(tables["split"], tables["chexpert"], views, policy, notes),
        columns=[
            *("image_id", "path", "split", "modality", "anatomy", "pathologies", "patient_id", "study_id", "view"),
            *(name.lower() for name in OBSERVATIONS),
        ],
        expected=tables["split"].about(),
        licence=LICENCE,
        notes=notes,
    )


def _key(row: Row) -> tuple[str, str]:
    patient, study = (normal_identifier(str(row.cells[name])) for name in ("subject_id", "study_id"))
    return patient, study


def _rows(
    split: CsvTable, chexpert: CsvTable, views: dict[str, str], policy: Policy, notes: list[str]
) -> Iterator[Row]:
    labels: dict[tuple[str, str], tuple[str, ...]] = {}
    for row in chexpert.rows():
        if row.reason:
            yield Row(row.line, {}, row.reason, origin=chexpert.path)
        elif (key := _key(row)) in labels:
            reason = "Expected one row a study, but an earlier row has the same subject_id and study_id."
            yield Row(row.line, {}, reason, origin=chexpert.path)
        else:
            labels[key] = tuple(sys.intern(str(row.cells.get(name, ""))) for name in OBSERVATIONS)
    unlabeled = 0
    for row in split.rows():
        if row.reason:
            yield row
            continue
        image = str(row.cells["dicom_id"]).strip()
        study, patient = (normal_identifier(str(row.cells[name])) for name in _IDS[1:])
        path = f"files/p{patient[:2]}/p{patient}/s{study}/{image}.jpg"
        side = str(row.cells["split"]).strip()
        values = labels.get((patient, study))
        unlabeled += values is None
        observed: dict[str, Cell] = dict(zip(OBSERVATIONS, values or [""] * len(OBSERVATIONS), strict=True))
        cells: dict[str, Cell] = {"path": path}
        try:
            cells["pathologies"] = findings_of(observed, policy)
        except ManifestError as error:
            yield Row(row.line, cells, str(error))
            continue
        if side not in SPLITS or not (patient.isdecimal() and study.isdecimal()):
            known = ", ".join(SPLITS)
            reason = f"Expected numbers as subject_id and study_id, and a split of {known}, but split = {side!r}."
            yield Row(row.line, cells, reason)
            continue
        cells |= {
            "image_id": f"mimic-cxr/{image}",
            "split": SPLITS[side],
            "modality": "XR",
            "anatomy": "chest",
            "patient_id": f"mimic-cxr/{patient}",
            "study_id": f"mimic-cxr/{study}",
            "view": views.get(image, ""),
        }
        cells |= {name.lower(): value for name, value in observed.items()}
        yield Row(row.line, cells)
    if unlabeled:
        notes.append(f"Images of studies that {chexpert.path.name} has no row for, kept without a label: {unlabeled}.")
