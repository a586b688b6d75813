"""What a user points at → tables of text, one row an image.

Owns finding the tables in folders and reading them line by line. Knows nothing of labels: it hands on what the
source says, with the line it stood on.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radcbir_core.errors import ManifestError
from radcbir_core.images import is_image_name

MANIFEST_NAME = "manifest.csv"
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Row:
    """One image as its source describes it.

    Attributes:
        line: The line of the table it ends on, 1-based; 0 where the source is a folder without a table.
        cells: Column → text; columns are in lower case.
    """

    line: int
    cells: dict[str, str]


@dataclass(slots=True)
class Source:
    """One table, or one folder of images without a table.

    Attributes:
        origin: The table or folder itself.
        root: The folder that its paths start from and must not leave.
        dataset: What to call the data set where the table does not say.
        rows: Its images.
        bad_lines: Lines that are no rows: (line, reason).
        columns: The columns it has, in lower case.
    """

    origin: Path
    root: Path
    dataset: str
    rows: list[Row]
    bad_lines: list[tuple[int, str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)


def read_sources(paths: Sequence[Path], *, image_root: Path | None = None) -> list[Source]:
    """Read everything a user points at.

    A file is read as a table. A folder stands for its ``manifest.csv``; one without stands for the ``manifest.csv`` of
    each of its sub-folders (a sub-folder that has images and no table is reported as a bad line); one with none of
    these for all image files in it, unlabeled.

    Args:
        paths: Tables or folders.
        image_root: What the paths in the tables start from; each table's own folder by default.

    Raises:
        ManifestError: Something there cannot be read as a table, or holds no images.
    """
    found: list[Path] = []
    for path in paths:
        resolved = Path(os.path.realpath(path.expanduser()))
        found.extend(_expand(resolved, given=path))
    distinct = list(dict.fromkeys(found))
    names = _dataset_names([path if path.is_dir() else path.parent for path in distinct])
    sources = [
        _read_folder(path, name) if path.is_dir() else read_table(path, dataset=name, root=image_root)
        for path, name in zip(distinct, names, strict=True)
    ]
    return sources + [source for path in paths for source in _passed_over(Path(os.path.realpath(path.expanduser())))]


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
        Source(origin=folder, root=folder, dataset=folder.name, rows=[], bad_lines=[(0, reason)])
        for folder in sorted(path.iterdir())
        if folder.is_dir() and not (folder / MANIFEST_NAME).is_file() and next(_images_in(folder), None)
    ]


def _dataset_names(folders: Sequence[Path]) -> list[str]:
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


def read_table(path: Path, *, dataset: str, root: Path | None = None) -> Source:
    """Read a CSV with a header and a ``path`` column; comma, semicolon or tab between cells; UTF-8.

    A line with too many or too few cells is put into ``bad_lines`` and the rest goes on.

    Args:
        path: The table.
        dataset: What to call the data set where the table does not say.
        root: What its paths start from; the table's folder by default.

    Raises:
        ManifestError: Empty, not UTF-8 text, or without a ``path`` column.
    """
    source = Source(origin=path, root=_real(root or path.parent), dataset=dataset, rows=[])
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            first = handle.readline()
            if not first.strip():
                raise ManifestError(
                    f"Expected a table with a header line, but {path} is empty. Give a CSV with a column 'path'."
                )
            handle.seek(0)
            delimiter = max(_DELIMITERS, key=first.count)
            _read_lines(source, csv.reader(handle, delimiter=delimiter))
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"Expected text in UTF-8, but {path} has other bytes at position {error.start}. Save it as UTF-8 CSV."
        ) from error
    except csv.Error as error:
        raise ManifestError(f"Expected a CSV table, but {path}: {error}. Save it as UTF-8 CSV.") from error
    except OSError as error:
        raise ManifestError(f"Expected a readable table, but {path}: {error.strerror}. Check the file.") from error
    if not source.rows and not source.bad_lines:
        raise ManifestError(f"Expected at least one image, but {path} has a header and no rows. Check the file.")
    return source


def _read_lines(source: Source, reader: Iterator[list[str]]) -> None:
    header = [name.strip().lower() for name in next(reader)]
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if "path" not in header or repeated:
        fault = f"has the column {repeated[0]!r} twice" if repeated else f"has the columns {', '.join(header)[:300]}"
        raise ManifestError(
            f"Expected a column 'path' and no column twice, but {source.origin} {fault}. "
            "Name the column with the image files 'path'."
        )
    source.columns = [name for name in header if name]
    for cells in reader:
        line = reader.line_num  # type: ignore[attr-defined]  # csv.reader objects have it, iterators do not
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            source.bad_lines.append((line, f"Expected {len(header)} cells, but the line has {len(cells)}."))
            continue
        source.rows.append(Row(line=line, cells={k: v for k, v in zip(header, cells, strict=True) if k}))


def _read_folder(folder: Path, dataset: str) -> Source:
    files = sorted(_images_in(folder))
    if not files:
        raise ManifestError(
            f"Expected a {MANIFEST_NAME} or image files, but {folder} has neither. "
            "Give a folder with images, or a CSV with a column 'path'."
        )
    rows = [Row(line=0, cells={"path": file.relative_to(folder).as_posix()}) for file in files]
    return Source(origin=folder, root=folder, dataset=dataset, rows=rows, columns=["path"])


def _images_in(folder: Path) -> Iterator[Path]:
    """The image files in a folder and below, in no order."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in names if is_image_name(Path(parent) / name))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path.expanduser()))
