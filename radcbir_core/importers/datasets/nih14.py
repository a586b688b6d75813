"""The format ``nih14``: NIH ChestX-ray14, as the NIH Clinical Center distributes it.

Owns the layout (``Data_Entry_2017.csv`` or ``Data_Entry_2017_v2020.csv``, ``train_val_list.txt``, ``test_list.txt``,
``images*/``), the names of its columns and findings, and its splits: the official test list, and nine of ten patients
of the rest for training, as in Denner et al. (arXiv 2403.06567, section 2.1).

Source of the layout and names: Wang et al., ChestX-ray8, CVPR 2017, and the README of the distribution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from radcbir_core.errors import ManifestError
from radcbir_core.importers.datasets.patient_splits import patient_split
from radcbir_core.importers.request import ImportRequest
from radcbir_core.importers.rows.image_files import image_files
from radcbir_core.importers.rows.sources import Cell, CsvTable, Row, Source, real
from radcbir_core.vocabulary import normal_identifier
from radcbir_core.wording import counted

TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
LISTS = {"train_val_list.txt": "train", "test_list.txt": "test"}
LICENCE = "NIH Clinical Center: no restriction on use; attribution (Wang et al., CVPR 2017)"

FINDINGS = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Consolidation": "Consolidation",
    "Edema": "Edema",
    # Named as CheXpert names them, so that the same finding is the same label across data sets, as in the paper.
    "Effusion": "Pleural Effusion",
    "Emphysema": "Emphysema",
    "Fibrosis": "Fibrosis",
    "Hernia": "Hernia",
    "Infiltration": "Infiltration",
    "Mass": "Mass",
    "No Finding": "normal",
    "Nodule": "Nodule",
    "Pleural_Thickening": "Pleural Thickening",
    "Pneumonia": "Pneumonia",
    "Pneumothorax": "Pneumothorax",
}
"""The 14 findings and "No Finding" → their names here."""

_IMAGE, _LABELS, _PATIENT = "Image Index", "Finding Labels", "Patient ID"
# The header's brackets hold a comma without quotes, so that its last two columns are four.
_FURTHER = {
    "Follow-up #": "follow_up",
    "Patient Age": "patient_age",
    "Patient Gender": "patient_sex",
    "Patient Sex": "patient_sex",
    "OriginalImage[Width": "original_width",
    "Height]": "original_height",
    "OriginalImagePixelSpacing[x": "pixel_spacing_x",
    "y]": "pixel_spacing_y",
}


def recognizes(path: Path) -> bool:
    """Whether this is the folder of the distribution, or its table."""
    return path.name in TABLES if path.is_file() else any((path / name).is_file() for name in TABLES)


def read(paths: Sequence[Path], request: ImportRequest) -> list[Source]:  # noqa: ARG001 - it has no option
    """Open the distribution; several folders are several copies of it.

    Args:
        paths: Folders, or the tables in them.
        request: Of no meaning here.

    Raises:
        ManifestError: A file of the distribution is missing, or is that of another data set.
    """
    return [_read(real(path)) for path in paths]


def _read(path: Path) -> Source:
    folder = path.parent if path.is_file() else path
    tables = [path] if path.is_file() else [folder / name for name in TABLES if (folder / name).is_file()]
    if not tables:
        raise ManifestError(
            f"Expected {' or '.join(TABLES)} of NIH ChestX-ray14, but {folder} has neither. Give the folder with it."
        )
    table = CsvTable(tables[0])
    table.require([_IMAGE, _LABELS, _PATIENT], what=f"{tables[0].name} of NIH ChestX-ray14")
    listed = _lists(folder)
    notes: list[str] = []
    return Source(
        origin=tables[0],
        root=folder,
        dataset="nih14",
        rows=_rows(table, folder, listed, notes),
        columns=["path", "split", "modality", "anatomy", "pathologies", "patient_id", "view", *_names(table).values()],
        expected=table.about(),
        licence=LICENCE,
        notes=notes,
    )


def _lists(folder: Path) -> dict[str, str]:
    """File name → "train" or "test"."""
    sides: dict[str, str] = {}
    for name, side in LISTS.items():
        try:
            words = (folder / name).read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise ManifestError(
                f"Expected the official list {name} beside the table, but {folder / name} cannot be read. "
                "Download it with the data set."
            ) from error
        both = next((word for word in words if sides.get(word, side) != side), None)
        if both:
            raise ManifestError(
                f"Expected each image in one list, but {both} is in both of {folder}. Download the lists again."
            )
        sides.update(dict.fromkeys(words, side))
    return sides


def _rows(table: CsvTable, folder: Path, listed: dict[str, str], notes: list[str]) -> Iterator[Row]:
    # Twice through the table: which patients there are decides the side of each.
    training = (
        normal_identifier(str(row.cells[_PATIENT]))
        for row in table.rows()
        if listed.get(str(row.cells.get(_IMAGE))) == "train"
    )
    sides = patient_split(training)
    places = _places(folder)
    further = _names(table)
    unknown: dict[str, int] = {}
    left = dict(listed)
    unlisted = 0
    for row in table.rows():
        if row.reason:
            yield row
            continue
        name, patient = str(row.cells[_IMAGE]).strip(), normal_identifier(str(row.cells[_PATIENT]))
        side = listed.get(name, "")
        left.pop(name, None)
        unlisted += not side
        words = [word.strip() for word in str(row.cells[_LABELS]).split("|")]
        for word in words:
            if word and word not in FINDINGS:
                unknown[word] = unknown.get(word, 0) + 1
        cells: dict[str, Cell] = {
            "image_id": f"nih14/{name}",
            "path": places.get(name, f"images/{name}"),
            "split": sides.get(patient, "") if side == "train" else side,
            "modality": "XR",
            "anatomy": "chest",
            "pathologies": [FINDINGS.get(word, word) for word in words],
            "patient_id": f"nih14/{patient}" if patient else "",
            "view": row.cells.get("View Position", ""),
        }
        for source, target in further.items():
            cells[target] = row.cells[source]
        yield Row(row.line, cells)
    for name, side in left.items():
        listing = next(listing for listing, of in LISTS.items() if of == side)
        reason = f"Expected a row for each image of {listing}, but {table.path.name} has none for it."
        yield Row(0, {"path": name, "image_id": f"nih14/{name}"}, reason)
    if unlisted:
        notes.append(f"In neither list of NIH ChestX-ray14, so without a split: {counted(unlisted, 'row')}.")
    if unknown:
        words_found = ", ".join(f"{word} ({count})" for word, count in unknown.items())
        notes.append(f"Findings that NIH ChestX-ray14 does not document, kept as they are: {words_found[:300]}.")


def _names(table: CsvTable) -> dict[str, str]:
    """The further columns that the table has → their names here, those that are not known in lower case."""
    own = {_IMAGE, _LABELS, _PATIENT, "View Position"}
    return {name: _FURTHER.get(name, name.lower()) for name in table.columns if name not in own}


def _places(folder: Path) -> dict[str, str]:
    """File name → path, for all images in the folders ``images*``; the first where a name comes twice."""
    places: dict[str, str] = {}
    for below in sorted(entry for entry in folder.iterdir() if entry.is_dir() and entry.name.startswith("images")):
        for path in image_files(below):
            places.setdefault(path.rpartition("/")[2], f"{below.name}/{path}")
    return places
