"""The format ``chexpert``: CheXpert, in its full and its small version.

Owns the layouts and the splits. In all of them the paths of ``train.csv`` and ``valid.csv`` begin with the release's
folder, ``CheXpert-v1.0/train/patient…``. The small version has its images there; the full one is handed out as ZIP
archives that unpack to ``CheXpert-v1.0 batch 1 (validate & csv)`` with the tables and ``valid/patient…``, and
``CheXpert-v1.0 batch 2 (train 1)`` to ``batch 4 (train 3)`` with ``patient…``. As in Denner
et al. (arXiv 2403.06567, section 2.1, and their published preparation script), ``valid.csv`` is the test set, and nine
of ten patients of ``train.csv`` are for training: of the patients whose images with one label they kept, the very same.

Source of the layout: Irvin et al., CheXpert, AAAI 2019, and the README of the distribution.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from radcbir_core.errors import ManifestError
from radcbir_core.importers.datasets.chexpert_labels import OBSERVATIONS, findings_of
from radcbir_core.importers.datasets.patient_splits import patient_split
from radcbir_core.importers.request import ImportRequest
from radcbir_core.importers.rows.sources import Cell, CsvTable, Row, Source, real
from radcbir_core.importers.rows.uncertain import Policy, policy_named, policy_note

TABLES = {"train.csv": "train", "valid.csv": "test"}
LICENCE = "Stanford University Dataset Research Use Agreement"
TESTED_ON_VALID = (
    "CheXpert: valid.csv is the test set and one of ten patients of train.csv validates, as in Denner et al.; the "
    "column release_split says which table an image is of."
)

_REQUIRED = ("Path", "Frontal/Lateral", "AP/PA", "No Finding", "Edema")
_OWN = frozenset({"Path", "Frontal/Lateral", "AP/PA"})
_BATCH = re.compile(r"CheXpert-v1\.0[ _]batch[ _]\d+.*", re.IGNORECASE)


def recognizes(path: Path) -> bool:
    """Whether this is a folder whose ``train.csv`` has CheXpert's columns, or one with the release's batches."""
    if not path.is_dir():
        return False
    try:
        table, _ = _layout(path)
        return (table / "train.csv").is_file() and set(_REQUIRED) <= set(CsvTable(table / "train.csv").columns)
    except ManifestError:
        return False  # some other train.csv


def read(paths: Sequence[Path], request: ImportRequest) -> list[Source]:
    """Open the distribution.

    Args:
        paths: The folder with the two tables; for the full version, that or the folder with its batches.
        request: For the policy for ``uncertain`` labels.

    Raises:
        ManifestError: ``train.csv`` is missing, or a table is that of another data set.
    """
    policy = policy_named(request.uncertain)
    return [_read(real(path), policy) for path in paths]


def _read(given: Path, policy: Policy) -> Source:
    folder, root = _layout(given)
    tables = {name: CsvTable(folder / name) for name in TABLES if (folder / name).is_file()}
    if "train.csv" not in tables:
        raise ManifestError(f"Expected train.csv of CheXpert, but {folder} has none. Give the folder that has it.")
    for name, table in tables.items():
        table.require(_REQUIRED, what=f"{name} of CheXpert")
    notes = [policy_note(policy), TESTED_ON_VALID]
    if "valid.csv" not in tables:
        notes.append("Without valid.csv: there is no test set.")
    further = dict.fromkeys(name.lower() for table in tables.values() for name in table.columns if name not in _OWN)
    return Source(
        origin=folder,
        root=root,
        dataset="chexpert",
        rows=_rows(root, tables, policy),
        columns=[
            *("path", "split", "modality", "anatomy", "pathologies", "patient_id", "study_id", "view"),
            *("release_split", *further),
        ],
        expected=sum(table.about() for table in tables.values()),
        licence=LICENCE,
        notes=notes,
    )


def _layout(given: Path) -> tuple[Path, Path]:
    """The folder with the tables, and the one that the images' paths start from."""
    if (given / "train.csv").is_file():
        return given, given.parent if _BATCH.fullmatch(given.name) and _batches(given.parent) else given
    with_table = (folder for folder in _batches(given) if (folder / "train.csv").is_file())
    return next(with_table, given), given


def _batches(folder: Path) -> list[Path]:
    """The batches in a folder; one that was unpacked into a folder of its own name is that folder's only content."""
    folders = []
    if folder.is_dir():
        for batch in sorted(entry for entry in folder.iterdir() if _BATCH.fullmatch(entry.name) and entry.is_dir()):
            within = batch / batch.name
            folders.append(within if within.is_dir() else batch)
    return folders


def _places(root: Path) -> dict[tuple[str, str], str]:
    """For the patients in batches: (train or valid, ``patient00001``) → the folder of this patient, below the root."""
    places: dict[tuple[str, str], str] = {}
    for batch in _batches(root):
        own = "train" if "train" in batch.name.lower() else "valid"
        for side, folder in (("train", batch / "train"), ("valid", batch / "valid"), (own, batch)):
            if not folder.is_dir():
                continue
            below = folder.relative_to(root).as_posix()
            with os.scandir(folder) as entries:
                for name in sorted(entry.name for entry in entries if entry.name.startswith("patient")):
                    places.setdefault((side, name), f"{below}/{name}")
    return places


def _rows(folder: Path, tables: dict[str, CsvTable], policy: Policy) -> Iterator[Row]:
    sides = _sides(tables["train.csv"])
    places = _places(folder)
    there: dict[str, bool] = {}
    for name, table in tables.items():
        for row in table.rows():
            if row.reason:
                yield Row(row.line, {}, row.reason, origin=table.path)
                continue
            path = str(row.cells["Path"]).strip().replace("\\", "/")
            first, _, rest = path.partition("/")
            if first not in there:
                there[first] = (folder / first).exists()
            # The path begins with the release's folder, which is this one unless it lies in it.
            cells: dict[str, Cell] = {"path": path if there[first] or not rest else rest}
            patient, study = _patient_and_study(path)
            side, _, below = rest.partition("/")
            if (side, patient) in places and below.startswith(f"{patient}/"):
                cells["path"] = places[side, patient] + below.removeprefix(patient)
            try:
                cells["pathologies"] = findings_of(row.cells, policy)
            except ManifestError as error:
                yield Row(row.line, cells, str(error), origin=table.path)
                continue
            cells |= {
                "split": sides.get(patient, "") if TABLES[name] == "train" else TABLES[name],
                "modality": "XR",
                "anatomy": "chest",
                "patient_id": f"chexpert/{patient}" if patient else "",
                "study_id": f"chexpert/{patient}/{study}" if study else "",
                "view": row.cells["AP/PA"] or row.cells["Frontal/Lateral"],
                "release_split": name.removesuffix(".csv"),
            }
            cells |= {column.lower(): cell for column, cell in row.cells.items() if column not in _OWN}
            yield Row(row.line, cells, origin=table.path)


def _patient_and_study(path: str) -> tuple[str, str]:
    """``patient00001`` and ``study1`` of a path; "" where it has none.

    Example:
        >>> _patient_and_study("CheXpert-v1.0/train/patient00001/study2/view1_frontal.jpg")
        ('patient00001', 'study2')
    """
    parts = path.split("/")
    patient = next((part for part in parts if part.startswith("patient")), "")
    return patient, next((part for part in parts if patient and part.startswith("study")), "")


def _sides(table: CsvTable) -> dict[str, str]:
    """Patient → "train" or "val"; over those with an image of one label by itself, as the paper split them."""
    kept: dict[str, None] = {}
    all_patients: dict[str, None] = {}
    for row in table.rows():
        if not row.reason:
            patient, _ = _patient_and_study(str(row.cells["Path"]))
            all_patients[patient] = None
            if _counts_as_one(row):
                kept[patient] = None
    return patient_split(patient for patient in all_patients if patient not in kept) | patient_split(kept)


def _counts_as_one(row: Row) -> bool:
    """Whether the paper's script kept the row before it split: its labels but support devices add up to 1."""
    total = 0.0
    for name in OBSERVATIONS[:-1]:
        try:
            total += float(str(row.cells.get(name, "")) or 0)
        except ValueError:
            return False  # reported when the row is read
    return total == 1
