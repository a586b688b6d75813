"""The format ``folder``: labels are the names of the folders that an image lies in.

Owns the meaning of the folders: ``[split/]modality/anatomy/pathology/…/image``. A modality or an anatomy that the
request says of all images has no folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from radcbir_core.errors import ManifestError
from radcbir_core.importers.datasets.manifest_tables import dataset_names
from radcbir_core.importers.request import ImportRequest
from radcbir_core.importers.rows.image_files import Walk, image_files
from radcbir_core.importers.rows.sources import Cell, Row, Source, real
from radcbir_core.vocabulary import MODALITIES, normal_modality, normal_split

_OTHER = frozenset({"other", "ot"})


def recognizes(path: Path) -> bool:
    """Whether all folders in this one, below a split's if there are such, are named after modalities."""
    if not path.is_dir():
        return False
    inner = _folders(path)
    if inner and all(normal_split(folder.name) for folder in inner):
        inner = [below for folder in inner for below in _folders(folder)]
    return bool(inner) and all(_is_modality(folder.name) for folder in inner)


def read(paths: Sequence[Path], request: ImportRequest) -> list[Source]:
    """Find the images of folders.

    Args:
        paths: The folders; their names are the data sets'.
        request: For its ``modality`` and ``anatomy``.

    Raises:
        ManifestError: A path is no folder, holds no images, or the modality is not known.
    """
    if request.modality and not _is_modality(request.modality):
        raise ManifestError(
            f"Expected a modality of {', '.join(MODALITIES)}, but modality = {request.modality!r}. Choose one."
        )
    folders = [real(path) for path in paths]
    for folder, path in zip(folders, paths, strict=True):
        if not folder.is_dir():
            raise ManifestError(f"Expected a folder of labeled folders, but {path} is none. Check the path.")
        if next(image_files(folder), None) is None:
            raise ManifestError(f"Expected image files in folders, but {path} has none. Check the path.")
    levels = [level for level, given in (("modality", request.modality), ("anatomy", request.anatomy)) if not given] + [
        "pathology"
    ]
    columns = ["path", "split", "modality", "anatomy", "pathology"]
    sources = []
    for folder, name in zip(folders, dataset_names(folders), strict=True):
        notes: list[str] = []
        rows = _rows(folder, levels, request, notes)
        sources.append(Source(origin=folder, root=folder, dataset=name, rows=rows, columns=columns, notes=notes))
    return sources


def _rows(folder: Path, levels: Sequence[str], request: ImportRequest, notes: list[str]) -> Iterator[Row]:
    layout = "/".join(levels)
    given = {"modality": request.modality, "anatomy": request.anatomy}
    walk = Walk(masks=request.masks, leave_out=request.leave_out)
    for path in walk.files(folder):
        names = path.split("/")[:-1]
        split = names.pop(0) if len(names) > len(levels) and normal_split(names[0]) else ""
        cells: dict[str, Cell] = {"path": path, "split": split, **given, **dict(zip(levels, names, strict=False))}
        reason = ""
        if len(names) < len(levels):
            reason = f"Expected the folders {layout}, but the image lies in {'/'.join(names) or 'none of them'}."
        elif "modality" in levels and not _is_modality(names[0]):
            reason = (
                f"Expected the folders {layout}, but {names[0]!r} is no modality. Name it, or say that of all images."
            )
        yield Row(0, cells, reason)
    notes += walk.notes()


def _is_modality(word: str) -> bool:
    return normal_modality(word) not in {"", "other"} or word.casefold() in _OTHER


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
