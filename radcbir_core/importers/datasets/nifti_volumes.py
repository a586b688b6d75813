"""The format ``nifti``: NIfTI files, alone or in folders.

Owns what names of files and folders say of patients and studies: BIDS (bids-specification.readthedocs.io, "file naming
conventions") writes ``sub-LABEL`` for a subject and ``ses-LABEL`` for a session, and nothing else is read out of names.
What becomes of a volume is ``rows/volume_slices.py``'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from radcbir_core.errors import ManifestError
from radcbir_core.images import is_volume_name
from radcbir_core.importers.datasets.manifest_tables import dataset_names
from radcbir_core.importers.request import ImportRequest
from radcbir_core.importers.rows.image_files import Walk, image_files
from radcbir_core.importers.rows.sources import Cell, Row, Source, real

_LOOKED_AT = 20
_SUBJECT = re.compile(r"(?:^|[/_])sub-([A-Za-z0-9]+)(?=[/_.])")
_SESSION = re.compile(r"(?:^|[/_])ses-([A-Za-z0-9]+)(?=[/_.])")
_COLUMNS = ("path", "modality", "anatomy", "patient_id", "study_id", "view")

BY_NAME = "Patients and studies were taken from names by BIDS (sub-, ses-)."
WITHOUT_PATIENTS = (
    "Nothing says which volumes are of one patient. Name them by BIDS (sub-LABEL), or import a table with patient_id."
)


def recognizes(path: Path) -> bool:
    """Whether this is a NIfTI file by its name, or a folder whose first images are all such."""
    if path.is_file():
        return is_volume_name(path.name)
    first = [name for name, _ in zip(image_files(path), range(_LOOKED_AT), strict=False)]
    return bool(first) and all(is_volume_name(name) for name in first)


def read(paths: Sequence[Path], request: ImportRequest) -> list[Source]:
    """Find volumes.

    Args:
        paths: Files or folders; a folder's name is the data set's.
        request: For ``modality``, ``anatomy``, and what is to be left out of folders.

    Raises:
        ManifestError: A path is neither, or a folder has no NIfTI files.
    """
    places = [real(path) for path in paths]
    for place, path in zip(places, paths, strict=True):
        if not (
            is_volume_name(place.name) if place.is_file() else place.is_dir() and any(_volumes(image_files(place)))
        ):
            raise ManifestError(f"Expected NIfTI files (.nii, .nii.gz), but {path} has none. Check the path.")
    folders = [place if place.is_dir() else place.parent for place in places]
    return [
        _read(place, folder, name, request)
        for place, folder, name in zip(places, folders, dataset_names(folders), strict=True)
    ]


def _read(place: Path, folder: Path, name: str, request: ImportRequest) -> Source:
    notes: list[str] = []
    rows = _rows(place, folder, name, request, notes)
    return Source(origin=place, root=folder, dataset=name, rows=rows, columns=_COLUMNS, notes=notes)


def _rows(place: Path, folder: Path, dataset: str, request: ImportRequest, notes: list[str]) -> Iterator[Row]:
    walk = Walk(masks=request.masks, leave_out=request.leave_out)
    named = unnamed = 0
    for path in _volumes(walk.files(folder)) if place.is_dir() else [place.name]:
        subject, session = (found[1] if (found := rule.search(path)) else "" for rule in (_SUBJECT, _SESSION))
        patient = f"{dataset}/sub-{subject}" if subject else ""
        named, unnamed = named + bool(patient), unnamed + (not patient)
        cells: dict[str, Cell] = {
            "path": path,
            "modality": request.modality,
            "anatomy": request.anatomy,
            "patient_id": patient,
            "study_id": f"{patient}/ses-{session}" if patient and session else "",
        }
        yield Row(0, cells)
    notes += walk.notes()
    notes += [BY_NAME] if named else []
    notes += [WITHOUT_PATIENTS] if unnamed else []


def _volumes(paths: Iterable[str]) -> Iterator[str]:
    return (path for path in paths if is_volume_name(path))
