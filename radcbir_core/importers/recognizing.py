"""Which images of a source a collection has already.

Owns the identity of an image in an import into a collection that is there. An image is what its table says, its
``image_id``. Where the table says none, or one that was made of the name of its folder, the image is its file and
frame: so a table that was copied elsewhere and edited, a folder that is named by another path, and a part of what was
imported before name the same images as they did. What such a source has besides belongs to the data set of those.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.collections.corrections import replaced
from radcbir_core.collections.manifests.manifest import FRAME_COLUMN
from radcbir_core.importers.rows.accepting import Origins

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recognized:
    """The rows of a source beside those of a collection.

    Attributes:
        table: The source's rows; images that the collection has go by its ``image_id``, and where the table said no
            data set, by its ``dataset``.
        position: ``(N,)``; the row of the collection that is the same image, -1 where there is none.
    """

    table: pa.Table
    position: Rows


def recognize(existing: pa.Table, new: pa.Table, origins: Origins) -> Recognized:
    """Find the images of a source in a collection.

    Args:
        existing: The collection's manifest.
        new: The source's, its paths from the same folder.
        origins: Where the source's rows come from, and what their tables did not say.
    """
    position = _places_of(new.column("image_id"), existing.column("image_id"))
    files, new_files = _files(existing), _files(new)
    by_file = np.where(position < 0, _places_of(new_files, files), -1)
    # A file that the collection has as several images, or that one of these rows is already, says nothing.
    by_file[~np.isin(by_file, np.setdiff1d(_single(files), position))] = -1
    ids: dict[int, str] = {}
    rows = np.flatnonzero(by_file >= 0)
    own = existing.select(["image_id", "dataset"]).take(pa.array(by_file[rows])).to_pylist()
    said = new.select(["image_id"]).take(pa.array(rows)).column(0).to_pylist()
    for row, image, image_id in zip(rows.tolist(), own, said, strict=True):
        # Ids that two sources share are put behind their data sets' names where both are imported at once.
        told_apart = image["image_id"] == f"{image['dataset']}/{image_id}"
        if told_apart or origins.is_made_of_folder(row, image_id):
            position[row], ids[row] = by_file[row], image["image_id"]
    known = np.flatnonzero(position >= 0)
    datasets = _datasets(existing, new, files, new_files, position=position, known=known, origins=origins)
    _name_as_the_known(existing, new, position, ids=ids, datasets=datasets, origins=origins)
    return Recognized(_with_cells(_with_cells(new, "image_id", ids), "dataset", datasets), position)


def _datasets(
    existing: pa.Table,
    new: pa.Table,
    files: pa.ChunkedArray,
    new_files: pa.ChunkedArray,
    *,
    position: Rows,
    known: Rows,
    origins: Origins,
) -> dict[int, str]:
    """The data set of each known image whose table says none.

    An image with a known id is that image if it is the same file, or has the same bytes: two data sets may number their
    images alike.
    """
    known = known[origins.without_dataset[known]]
    rows, places = pa.array(known), pa.array(position[known])
    alike = pc.equal(new_files.take(rows), files.take(places))
    bytes_of = new.column("sha256").take(rows)
    same_bytes = pc.and_(pc.not_equal(bytes_of, ""), pc.equal(bytes_of, existing.column("sha256").take(places)))
    same = np.asarray(pc.or_(alike, same_bytes), dtype=bool)
    names = existing.column("dataset").take(places).to_pylist()
    return {int(row): name for row, name, one in zip(known.tolist(), names, same.tolist(), strict=True) if one}


def _name_as_the_known(
    existing: pa.Table,
    new: pa.Table,
    position: Rows,
    *,
    ids: dict[int, str],
    datasets: dict[int, str],
    origins: Origins,
) -> None:
    """Let the new images of a source belong to the one data set of those that are known, where its table says none."""
    used: set[str] = set()
    for source, folder in enumerate(origins.names):
        mine = origins.without_dataset & (origins.sources == source)
        known = {datasets[row] for row in np.flatnonzero(mine & (position >= 0)).tolist() if row in datasets}
        fresh = np.flatnonzero(mine & (position < 0))
        if len(known) != 1 or folder in known or not len(fresh):
            continue
        (dataset,) = known
        said = new.column("image_id").take(pa.array(fresh)).to_pylist()
        named = [f"{dataset}/{image_id.removeprefix(f'{folder}/')}" for image_id in said]
        free = _places_of(pa.chunked_array([pa.array(named, pa.string())]), existing.column("image_id")) < 0
        used = used or set(new.column("image_id").to_pylist())
        for row, image_id, name, is_free in zip(fresh.tolist(), said, named, free.tolist(), strict=True):
            datasets[row] = dataset
            if is_free and name not in used and origins.is_made_of_folder(row, image_id):
                ids[row] = name
                used.add(name)


def _files(table: pa.Table) -> pa.ChunkedArray:
    """The file of each image, with the frame where it has several."""
    if FRAME_COLUMN not in table.column_names:
        return table.column("path")
    frames = pc.fill_null(table.column(FRAME_COLUMN), "")
    return pc.binary_join_element_wise(table.column("path"), frames, "\0")


def _places_of(words: pa.ChunkedArray, among: pa.ChunkedArray) -> Rows:
    """The first place of each word, -1 where it has none."""
    places = pc.index_in(words, value_set=among.combine_chunks())
    return np.asarray(pc.fill_null(places, -1)).astype(np.int64)


def _single(words: pa.ChunkedArray) -> Rows:
    """The places of words that stand there once."""
    codes = np.asarray(pc.dictionary_encode(words).combine_chunks().indices)
    return np.flatnonzero(np.bincount(codes)[codes] == 1) if len(codes) else codes.astype(np.int64)


def _with_cells(table: pa.Table, name: str, cells: dict[int, str]) -> pa.Table:
    if not cells:
        return table
    rows = np.fromiter(cells, dtype=np.int64)
    column = replaced(table.column(name), rows, pa.array(cells.values(), pa.string()))
    return table.set_column(table.column_names.index(name), name, column)
