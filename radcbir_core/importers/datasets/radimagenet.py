"""The format ``radimagenet``: RadImageNet, 1.35 million CT, MR and ultrasound images.

Owns the layout (a folder ``radiology_ai`` with ``modality/anatomy/pathology/image``, and ``RadiologyAI_train.csv``,
``_val`` and ``_test`` with a column ``filename``) and what its folder names mean. A label comes from the path:
ultrasound folders without a pathology are normal, and ``US/thyroid_nodule`` is a nodule of the thyroid, as in Denner et
al. (their published preparation script).

Source of the layout: Mei et al., RadImageNet, Radiology: Artificial Intelligence 2022. Files whose same bytes lie
under two labels (its issue 17) are found by comparing the bytes, and left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from radcbir_core.errors import ManifestError
from radcbir_core.importers.request import ImportRequest
from radcbir_core.importers.rows.sources import Cell, CsvTable, Row, Source, real

TABLES = {"train": "RadiologyAI_train.csv", "val": "RadiologyAI_val.csv", "test": "RadiologyAI_test.csv"}
TREE = "radiology_ai"
MODALITIES = ("CT", "MR", "US")
LABELS = 165
"""How many labels RadImageNet documents."""

LICENCE = "RadImageNet: on request, under the terms agreed to then"
NO_PATIENTS = (
    "RadImageNet has no patient ids: a query's patient cannot be left out, sides cannot be checked to be "
    "patient-disjoint, and intervals are over images or exact copies; only exact duplicates can be excluded. Figures "
    "are higher than on data with known patients."
)
NO_BYTES = (
    "The files of RadImageNet were not read, so that images whose same bytes have two labels are still in the "
    "collection. Import it with the check bytes to leave them out."
)


def recognizes(path: Path) -> bool:
    """Whether one of the three tables lies in this folder or in one below."""
    return path.name in TABLES.values() if path.is_file() else bool(_tables(path))


def read(paths: Sequence[Path], request: ImportRequest) -> list[Source]:
    """Open the data set.

    Args:
        paths: The folder that holds the tables and ``radiology_ai``; or one of these.
        request: For its ``check``.

    Raises:
        ManifestError: The tables or the folder tree are not there, or belong to another data set.
    """
    return [_read(real(path), request) for path in paths]


def _tables(folder: Path) -> dict[str, Path]:
    """Split → its table, in the folder, in one below, or beside the folder tree."""
    tables: dict[str, Path] = {}
    for split, name in TABLES.items():
        places = [folder / name, *sorted(folder.glob(f"*/{name}"))]
        if folder.name == TREE:
            places += [folder.parent / name, *sorted(folder.parent.glob(f"*/{name}"))]
        there = next((place for place in places if place.is_file()), None)
        if there:
            tables[split] = there
    return tables


def _read(path: Path, request: ImportRequest) -> Source:
    folder = path.parent if path.is_file() else path
    tables = {split: CsvTable(place) for split, place in _tables(folder).items()}
    if not tables:
        raise ManifestError(
            f"Expected {', '.join(TABLES.values())} of RadImageNet, but {folder} has none of them. "
            "Give the folder that has them."
        )
    for table in tables.values():
        table.require(["filename"], what=f"{table.path.name} of RadImageNet")
    candidates = [folder, folder / TREE, folder.parent, folder.parent / TREE]
    tree = next((place for place in candidates if any((place / modality).is_dir() for modality in MODALITIES)), None)
    if tree is None:
        raise ManifestError(
            f"Expected the folder {TREE} with {', '.join(MODALITIES)} in it, but {folder} has none. "
            "Unpack the images beside the tables."
        )
    notes = [NO_PATIENTS] + ([NO_BYTES] if request.check == "exists" else [])
    missing = [name for split, name in TABLES.items() if split not in tables]
    if missing:
        notes.append(f"Without {', '.join(missing)}: its images are not in the collection.")
    further = dict.fromkeys(name.lower() for table in tables.values() for name in table.columns if name != "filename")
    return Source(
        origin=folder,
        root=real(tree),
        dataset="radimagenet",
        rows=_rows(tables, notes),
        columns=["path", "split", "modality", "anatomy", "pathology", *further],
        expected=sum(table.about() for table in tables.values()),
        licence=LICENCE,
        notes=notes,
        one_label_a_file=True,
    )


def _rows(tables: dict[str, CsvTable], notes: list[str]) -> Iterator[Row]:
    labels: set[tuple[str, str, str]] = set()
    for split, table in tables.items():
        for row in table.rows():
            if row.reason:
                yield Row(row.line, {}, row.reason, origin=table.path)
                continue
            path = str(row.cells["filename"]).strip().replace("\\", "/").removeprefix("./").removeprefix(f"{TREE}/")
            label = label_of(path)
            cells: dict[str, Cell] = {name.lower(): cell for name, cell in row.cells.items() if name != "filename"}
            cells |= {"path": path, "split": split}
            if label is None:
                reason = f"Expected {TREE}/modality/anatomy/pathology/image, but the path has other folders."
                yield Row(row.line, cells, reason, origin=table.path)
                continue
            labels.add(label)
            cells |= dict(zip(("modality", "anatomy", "pathology"), label, strict=True))
            yield Row(row.line, cells, origin=table.path)
    if len(labels) > LABELS:
        notes.append(
            f"Labels in the paths: {len(labels)}. RadImageNet documents {LABELS}; others are kept as they are."
        )


def label_of(path: str) -> tuple[str, str, str] | None:
    """Modality, anatomy and pathology of a path in ``radiology_ai``; ``None`` where it is no path of RadImageNet.

    Example:
        >>> [label_of(path) for path in ("CT/lung/Nodule/1.png", "US/gb/2.png", "US/thyroid_nodule/3.png", "x/4.png")]
        [('CT', 'lung', 'Nodule'), ('US', 'gb', 'normal'), ('US', 'thyroid', 'nodule'), None]
    """
    folders = path.split("/")[:-1]
    if folders == ["US", "thyroid_nodule"]:
        folders = ["US", "thyroid", "nodule"]
    if len(folders) == 2 and folders[0] == "US":
        folders.append("normal")
    if len(folders) < 3 or folders[0] not in MODALITIES or not all(folders) or ".." in folders:
        return None
    return folders[0], folders[1], "/".join(folders[2:])
