"""The format ``manifest``: tables named ``manifest.csv`` beside their images, or a folder of images without a table.

Owns finding the tables in folders and telling folders of the same name apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from radcbir_core.collections.manifests.manifest import FRAME_COLUMN
from radcbir_core.errors import ManifestError, Remedy
from radcbir_core.importers.request import ImportRequest
from radcbir_core.importers.rows.identifiers import recognized_columns, recognized_note
from radcbir_core.importers.rows.image_files import Walk, image_files
from radcbir_core.importers.rows.sources import CsvTable, Row, Source, real
from radcbir_core.importers.rows.table_paths import TablePaths

MANIFEST_NAME = "manifest.csv"


def read(paths: Sequence[Path], request: ImportRequest) -> list[Source]:
    """Find everything a user points at.

    A file is read as a table. A folder stands for its ``manifest.csv``; one without stands for the ``manifest.csv`` of
    each of its sub-folders (a sub-folder that has images and no table is reported as a problem); one with none of
    these for all image files in it, unlabeled.

    Args:
        paths: Tables or folders.
        request: For its ``image_root`` and ``suffix``, and what is to be left out of folders.

    Raises:
        ManifestError: Something there cannot be read as a table, or holds no images.
    """
    places: list[Path] = []
    for path in paths:
        places.extend(_expand(real(path), given=path))
    distinct = list(dict.fromkeys(places))
    names = dataset_names([path if path.is_dir() else path.parent for path in distinct])
    sources = [
        _read_folder(path, name, request) if path.is_dir() else read_table(path, dataset=name, request=request)
        for path, name in zip(distinct, names, strict=True)
    ]
    return sources + [source for path in paths for source in _passed_over(real(path))]


def has_manifest(path: Path) -> bool:
    """Whether a folder has a ``manifest.csv``, or one of its sub-folders has."""
    return path.is_dir() and ((path / MANIFEST_NAME).is_file() or any(path.glob(f"*/{MANIFEST_NAME}")))


def read_table(path: Path, *, dataset: str, request: ImportRequest) -> Source:
    """A CSV with a ``path`` column as a source.

    Args:
        path: The table.
        dataset: What to call the data set where the table does not say.
        request: For what its paths start from, the table's folder by default, and the suffix that they lack.

    Raises:
        ManifestError: Empty, not UTF-8 text, or without a ``path`` column.
    """
    table = CsvTable(path, lower=True)
    if "path" not in table.columns:
        raise ManifestError(
            f"Expected a column 'path' and no column twice, but {path} has the columns "
            f"{', '.join(table.columns)[:300]}. Name the column with the image files 'path', or say which one it is.",
            remedy=Remedy("again", options={"format": "csv", "mapping": "path=COLUMN"}),
        )
    recognized = recognized_columns(table.columns)
    rows = _with_frames(at_least_one(table)) if FRAME_COLUMN in table.columns else at_least_one(table)
    root = real(request.image_root or path.parent)
    notes = recognized_note(recognized, path.name)
    rows = TablePaths(root, suffix=request.suffix).rows(renamed(rows, recognized) if recognized else rows, notes)
    return Source(
        origin=path,
        root=root,
        dataset=dataset,
        rows=rows,
        columns=[*table.columns, *recognized],
        expected=table.about(),
        notes=notes,
        rooted=True,
    )


def renamed(rows: Iterable[Row], recognized: Mapping[str, str]) -> Iterator[Row]:
    """Rows that have some columns by the manifest's names too."""
    for row in rows:
        if not row.reason:
            row.cells.update({target: row.cells[column] for target, column in recognized.items()})
        yield row


def _with_frames(rows: Iterator[Row]) -> Iterator[Row]:
    """Rows that say which frame of a file they are, as an exported table of DICOM files does."""
    for row in rows:
        text = str(row.cells.get(FRAME_COLUMN, "")).strip()
        if not text:
            yield row
        elif text.isascii() and text.isdecimal():
            yield replace(row, frame=int(text))
        else:
            reason = f"Expected the number of a frame, counted from 0, but {FRAME_COLUMN} = {text[:40]!r}."
            yield replace(row, reason=row.reason or reason)


def at_least_one(table: CsvTable) -> Iterator[Row]:
    """The rows of a table.

    Raises:
        ManifestError: It has none.
    """
    row = None
    for row in table.rows():
        yield row
    if row is None:
        raise ManifestError(f"Expected at least one image, but {table.path} has a header and no rows. Check the file.")


def dataset_names(folders: Sequence[Path]) -> list[str]:
    """Each folder's name; where two share it, with as many parents as tell them apart."""
    depth = [1] * len(folders)
    while True:
        names = ["/".join(folder.parts[-d:]).lstrip("/") for folder, d in zip(folders, depth, strict=True)]
        again = [
            i
            for i, name in enumerate(names)
            if names.count(name) > 1 and depth[i] < len(folders[i].parts) and len(set(folders)) == len(folders)
        ]
        if not again:
            return names
        for i in again:
            depth[i] += 1


def _expand(path: Path, *, given: Path) -> list[Path]:
    if not path.exists():
        raise ManifestError(f"Expected a table or a folder to import, but {given} does not exist. Check the path.")
    if path.is_file():
        return [path]
    if (path / MANIFEST_NAME).is_file():
        return [path / MANIFEST_NAME]
    below = sorted(path.glob(f"*/{MANIFEST_NAME}"))
    return below or [path]


def _passed_over(path: Path) -> list[Source]:
    """Sub-folders with images and without a table, where their neighbors have one: they are not imported, but said."""
    if not path.is_dir() or (path / MANIFEST_NAME).is_file() or not any(path.glob(f"*/{MANIFEST_NAME}")):
        return []
    reason = f"Expected a {MANIFEST_NAME} as in the folders beside it, but there is none. Add one, or import it alone."
    return [
        Source(origin=folder, root=folder, dataset=folder.name, rows=[Row(0, {}, reason)], expected=1)
        for folder in sorted(path.iterdir())
        if folder.is_dir() and not (folder / MANIFEST_NAME).is_file() and next(image_files(folder), None)
    ]


def _read_folder(folder: Path, dataset: str, request: ImportRequest) -> Source:
    if next(image_files(folder), None) is None:
        raise ManifestError(
            f"Expected a {MANIFEST_NAME} or image files, but {folder} has neither. "
            "Give a folder with images, or a CSV with a column 'path'."
        )
    notes: list[str] = []
    return Source(
        origin=folder, root=folder, dataset=dataset, rows=_files(folder, request, notes), columns=["path"], notes=notes
    )


def _files(folder: Path, request: ImportRequest, notes: list[str]) -> Iterator[Row]:
    walk = Walk(masks=request.masks, leave_out=request.leave_out)
    for path in walk.files(folder):
        yield Row(0, {"path": path})
    notes += walk.notes()
