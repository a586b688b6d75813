"""Vectors of known rows → embeddings.npy and encoder.json of a collection.

Owns what makes a vector usable, its length of 1, and going on with embeddings that are there already. Streams: only a
few thousand vectors are in memory at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from radcbir_core.collections.artifacts import EMBEDDINGS
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import IMPORTED, EncoderStore, write_encoder_record
from radcbir_core.collections.records.record import add_problems
from radcbir_core.encoders.base import fingerprint_of
from radcbir_core.errors import CollectionError, ManifestError
from radcbir_core.importers.vectors.matching import Matched
from radcbir_core.importers.vectors.vector_files import Floats, VectorFile
from radcbir_core.progress import Progress
from radcbir_core.search.backend import Vectors
from radcbir_core.search.opening import vectors_in
from radcbir_core.storage import digest_file, write_array

_CHUNK = 4096
_UNIT = {np.dtype(np.float16): 1e-3, np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-5}
"""How far from 1 the length of a vector may be to count as 1: what rounding to its type does, and no more."""


@dataclass(frozen=True, slots=True)
class _Before:
    """What a collection had of an encoder; of fewer rows than it has now, if it has grown by another encoder's."""

    name: str
    vectors: Vectors
    valid: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, store: EncoderStore) -> _Before:
        vectors = vectors_in(store)
        valid = np.ones(vectors.shape[0], dtype=bool)
        valid[np.asarray(store.record.get("failed_rows", []), dtype=np.int64)] = False
        return cls(store.collection.name, vectors, valid)


def write_encoder(
    collection: Collection,
    encoder_id: str,
    vectors: Sequence[VectorFile],
    matched: Matched,
    *,
    old: Collection | None,
    changes: Counter[tuple[str, str, str]],
    progress: Progress,
) -> None:
    """Write embeddings.npy and encoder.json; where nothing differs from before, what was built of them stays.

    Args:
        collection: Where to; its manifest has the rows of ``matched``.
        encoder_id: What made the vectors.
        vectors: The files.
        matched: Which vector each row has.
        old: The collection as it was, if it has embeddings of this encoder.
        changes: Told how many vectors were given length 1.
        progress: Told the number of rows, as step "import".

    Raises:
        ManifestError: Not one vector can be used.
        CollectionError: A vector differs from what the collection has.
        StorageError: No space left, or no permission.
    """
    store = old.store(encoder_id) if old is not None else None
    there = None if store is None else _Before.of(store)
    dimension, dtype = vectors[0].dimension, np.result_type(*[file.dtype for file in vectors])
    if there is not None and (there.vectors.shape[1], there.vectors.dtype) != (dimension, dtype):
        raise CollectionError(
            f"Expected vectors as those that {there.name} has of {encoder_id} ({there.vectors.dtype}, "
            f"dimension {there.vectors.shape[1]}), but they are {dtype}, dimension {dimension}. "
            "Use another encoder_id."
        )
    reasons: dict[int, str] = {}
    scaled = Counter[str]()
    ids = matched.table.column("image_id")
    total = len(matched.files)

    def chunks() -> Iterator[Floats]:
        progress("import", 0, total)
        for start in range(0, total, _CHUNK):
            part = slice(start, min(start + _CHUNK, total))
            read, faults = _read(vectors, matched.files[part], matched.places[part], dtype=dtype)
            scaled["rows"] += _make_usable(read, faults, matched.files[part] >= 0)
            if there is not None:
                _keep(there, read, faults, start=start, given=matched.files[part] >= 0, ids=ids)
            reasons.update({start + row: reason for row, reason in faults.items()})
            yield read
            progress("import", part.stop, total)

    layout = collection.layout.encoder(encoder_id)
    path = layout.files(EMBEDDINGS)[0]
    write_array(path, chunks(), shape=(total, dimension), dtype=dtype)
    if len(reasons) == total:
        raise ManifestError(
            f"Expected at least one usable vector, but all {total} have problems; the first: {reasons[0]} "
            "Check the file."
        )
    if scaled["rows"]:
        changes[("embeddings", "length other than 1", "length 1")] += scaled["rows"]
    if reasons:
        rows = sorted(reasons)
        unusable = collection.manifest.rows(rows, ["path", "image_id"])
        unusable["source"], unusable["line"] = f"import {encoder_id}", ""
        unusable["reason"] = [reasons[row] for row in rows]
        add_problems(collection.folder, unusable)
    fingerprint = fingerprint_of({"family": "imported", "encoder_id": encoder_id, "dimension": dimension})
    if store is not None and store.is_current(EMBEDDINGS) and digest_file(store.embeddings_path) == digest_file(path):
        return
    write_encoder_record(
        layout,
        {
            "encoder_id": encoder_id,
            "title": f"{encoder_id} (imported)",
            "spec": f"{IMPORTED}{encoder_id}",
            "fingerprint": fingerprint,
            "weights_digest": "",
            "dimension": dimension,
            "supports_text": False,
            "dtype": str(dtype),
            "sources": [str(file.path) for file in vectors],
            "failed_rows": sorted(reasons),
        },
        images=collection.digests.images,
    )


def _read(
    vectors: Sequence[VectorFile],
    files: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    *,
    dtype: np.dtype[np.floating],
) -> tuple[Floats, dict[int, str]]:
    """Some rows' vectors from wherever they are; each file is read in its own order, which is quickest."""
    if len(vectors) == 1 and vectors[0].dtype == dtype and not files.any() and (np.diff(places) > 0).all():
        return vectors[0].read(places)
    read: Floats = np.zeros((len(files), vectors[0].dimension), dtype=dtype)
    reasons: dict[int, str] = {
        int(row): "Expected a vector of this encoder, but none of the files has one of this name."
        for row in np.flatnonzero(files < 0)
    }
    for number, file in enumerate(vectors):
        rows = np.flatnonzero(files == number)
        if not len(rows):
            continue
        rows = rows[np.argsort(places[rows], kind="stable")]
        of_file, bad = file.read(places[rows])
        read[rows] = of_file
        reasons.update({int(rows[position]): reason for position, reason in bad.items()})
    return read, reasons


def _make_usable(read: Floats, reasons: dict[int, str], given: npt.NDArray[np.bool_]) -> int:
    """Make vectors that cannot be used zeros, with the reason, and others of length 1; how many had another."""
    lengths = _lengths(read)
    for row in np.flatnonzero(~np.isfinite(lengths)).tolist():
        reasons[row] = "Expected finite numbers, but the vector has NaN or infinity in it."
    for row in np.flatnonzero(lengths == 0).tolist():
        if given[row]:
            reasons.setdefault(row, "Expected a vector of non-zero length, but all its numbers are 0.")
    read[list(reasons)] = 0
    usable = np.isfinite(lengths) & (lengths > 0)
    usable[list(reasons)] = False
    other = np.flatnonzero(usable & (np.abs(lengths - 1) > _UNIT[read.dtype]))
    read[other] = (read[other].astype(np.float64) / lengths[other, None]).astype(read.dtype)
    return len(other)


def _lengths(read: Floats) -> npt.NDArray[np.float64]:
    """``(n,)`` lengths of vectors."""
    if read.dtype != np.float16:
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", read, read, dtype=np.float64)))
    import numkong

    # Twenty times as quick, and exact enough to see that a length is 1; the others are measured again.
    lengths = np.sqrt(np.asarray(numkong.dot(read, read), dtype=np.float64).reshape(-1))
    other = np.flatnonzero(~(np.abs(lengths - 1) < _UNIT[read.dtype] / 2))
    lengths[other] = np.sqrt(np.einsum("ij,ij->i", read[other], read[other], dtype=np.float64))
    return lengths


def _keep(
    before: _Before,
    read: Floats,
    reasons: dict[int, str],
    *,
    start: int,
    given: npt.NDArray[np.bool_],
    ids: pa.ChunkedArray,
) -> None:
    """Rows that these files say nothing of keep the vector that they have; others must say the same as before."""
    stop = min(start + len(read), before.vectors.shape[0])
    if stop <= start:
        return
    there, valid = before.vectors.vectors(np.arange(start, stop)), before.valid[start:stop]
    mine = given[: stop - start]
    differing = np.flatnonzero(mine & valid & (read[: stop - start] != there).any(axis=1))
    if len(differing):
        raise CollectionError(
            f"Expected the vectors that {before.name} has already to be the same, but that of "
            f"{ids[start + int(differing[0])].as_py()} is another. Use another encoder_id, or remove the collection."
        )
    for row in np.flatnonzero(~mine & valid).tolist():
        read[row] = there[row]
        reasons.pop(row, None)
