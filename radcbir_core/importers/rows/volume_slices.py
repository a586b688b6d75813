"""A row that names a volume → a row for each of its slices.

Owns how a table or a folder of NIfTI files becomes images: the numbers of the slices, which of them are taken, what
their rows say beside what the volume's row says, and what is refused as no picture. Slices of a volume share its
series, so that exclusions, splits by patient and queries by series keep them together. Files are read by ``images``, in
its process with limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from radcbir_core.collections.manifests.manifest import FRAME_COLUMN
from radcbir_core.errors import ImageError
from radcbir_core.images import VolumeFacts, is_volume_name, read_volume
from radcbir_core.importers.request import ImportRequest
from radcbir_core.importers.rows.checking import file_below
from radcbir_core.importers.rows.sources import Cell, Row, Source
from radcbir_core.vocabulary import is_known
from radcbir_core.wording import counted

COLUMNS: Final = ("series_id", FRAME_COLUMN, "slice_spacing_mm", "pixel_height_mm", "pixel_width_mm")
"""What rows of slices have beside what their volume's row says."""

OF_LABELS: Final = (
    "Expected a volume of images, but its values are those of a map of labels: a few small whole numbers. If they are "
    "an image, import with \u201cMasks beside images are images too\u201d (masks)."
)


def with_slices(source: Source, request: ImportRequest) -> None:
    """Let each row of a source that names a volume become rows of its slices.

    Rows that say which slice they are stay as they are.

    Args:
        source: Its rows and columns are changed.
        request: For ``every``, ``masks`` and the limits.
    """
    added = [name for name in COLUMNS if name not in source.columns]
    source.columns = [*source.columns, *added]
    source.only_with_volumes = frozenset(added)
    source.rows = _rows(source.rows, source, request)


def _rows(rows: Iterable[Row], source: Source, request: ImportRequest) -> Iterator[Row]:
    slices = taken = guessed = unplaced = series = volumes = 0
    for row in rows:
        path = str(row.cells.get("path", "")).strip()
        if row.reason or not is_volume_name(path):
            yield row
            continue
        if row.frame is not None:  # one of its slices, as a table says
            source.volumes += 1
            own = {**_named(row, path, source), FRAME_COLUMN: str(row.frame)}
            own["image_id"] = str(row.cells.get("image_id", "")).strip() or f"{own['image_id']}-{row.frame}"
            yield replace(row, cells=own)
            continue
        try:
            facts = read_volume(Path(file_below(str(source.root), path)), limits=request.limits)
        except ImageError as error:
            yield Row(row.line, row.cells, str(error), row.origin)
            continue
        # A table's rows were chosen by somebody; what lies in a folder was not.
        if facts.is_labels and not row.line and not request.masks:
            yield Row(row.line, row.cells, OF_LABELS, row.origin)
            continue
        cells = _cells(row, path, facts, source)
        guessed += facts.unit == "HU" and not is_known(str(row.cells.get("modality", "")))
        unplaced += not facts.is_plane_known
        series += not is_known(str(row.cells.get("series_id", "")))
        source.volumes, volumes = source.volumes + 1, volumes + 1
        chosen = range(min(request.every // 2, facts.slices // 2), facts.slices, request.every)
        slices, taken = slices + facts.slices, taken + len(chosen)
        for number in chosen:
            own = {**cells, "image_id": f"{cells['image_id']}-{number}", FRAME_COLUMN: str(number)}
            yield Row(row.line, own, origin=row.origin, frame=number, again=row.again)
    source.notes += _notes(volumes, slices, taken, request.every)
    if guessed:
        source.notes.append(
            f"Taken for CT, because their values look like Hounsfield units and nothing says a modality: "
            f"{counted(guessed, 'volume')}. That is a guess; say the modality if it is wrong."
        )
    if unplaced:
        source.notes.append(
            f"Which plane it is, and what is left, is a guess, because the file does not say how it lies in the "
            f"patient: {counted(unplaced, 'volume')}."
        )
    if series:
        source.notes.append(
            f"Each volume is a series of its own where nothing else is said: {counted(series, 'volume')}."
        )


def _named(row: Row, path: str, source: Source) -> dict[str, Cell]:
    """What a row says, with an image_id and a series; by default both are those of the file."""
    cells = dict(row.cells)
    dataset = str(cells.get("dataset", "")).strip()
    name = f"{dataset if is_known(dataset) else source.dataset}/{path}"
    cells["image_id"] = str(cells.get("image_id", "")).strip() or name
    if not is_known(str(cells.get("series_id", ""))):
        cells["series_id"] = name
    return cells


def _cells(row: Row, path: str, facts: VolumeFacts, source: Source) -> dict[str, Cell]:
    """What the rows of all slices say."""
    cells = _named(row, path, source)
    if not is_known(str(cells.get("view", ""))):
        cells["view"] = facts.plane
    if facts.unit == "HU" and not is_known(str(cells.get("modality", ""))):
        cells["modality"] = "CT"
    spacing = zip(COLUMNS[2:], facts.spacing, strict=True)
    cells.update({column: f"{step:.6g}" if step > 0 else "" for column, step in spacing})
    return cells


def _notes(volumes: int, slices: int, taken: int, every: int) -> list[str]:
    if not volumes:
        return [f"There is no volume, so that one of {every} slices was not taken of any."] if every > 1 else []
    said = f"{counted(volumes, 'volume')} of {counted(slices, 'slice')}; they are looked at as radiologists do"
    if every == 1:
        return [f"NIfTI: {said}, and counted from the feet, the back, or the patient's left."]
    return [f"NIfTI: {said}. {taken:,} were taken: one of {every} in each volume."]
