"""Thumbnails on disk: small pictures, packed into a few files.

Owns the form of these files. What is in a thumbnail is the business of whoever makes it.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

from radcbir_core.checked_files import map_array
from radcbir_core.errors import CollectionError
from radcbir_core.storage import atomic_bytes, write_array

SHARD_ROWS = 2048
"""Rows in one shard of thumbnails and of unfinished embeddings."""


class ThumbnailShards:
    """Thumbnails packed into a few files, aligned with the manifest's rows.

    Shard *s* holds rows ``s * SHARD_ROWS`` to ``(s + 1) * SHARD_ROWS - 1`` as ``NNNNNN.bin`` (the picture files one
    after the other; each says of which format it is, and versions before made another), ``NNNNNN.crc`` (as ``.npy``,
    ``(rows,)`` uint32: a CRC-32 of each, so that one that was changed is told from its neighbors; versions before wrote
    none) and ``NNNNNN.npy`` (``(rows + 1,)`` int64 offsets; an empty stretch
    is an image without a thumbnail).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._offsets: dict[int, npt.NDArray[np.int64]] = {}
        self._sums: dict[int, npt.NDArray[np.uint32] | None] = {}

    def has(self, shard: int) -> bool:
        """Whether a shard is complete."""
        return self._path(shard, "npy").is_file() and self._path(shard, "bin").is_file()

    def write(self, shard: int, thumbnails: list[bytes]) -> None:
        """Write one shard; ``b""`` stands for an image without a thumbnail. Offsets last: they complete it."""
        offsets = np.cumsum([0, *map(len, thumbnails)], dtype=np.int64)
        sums = np.array([crc32(thumbnail) for thumbnail in thumbnails], dtype=np.uint32)
        self._forget(shard)
        atomic_bytes(self._path(shard, "bin"), b"".join(thumbnails))
        write_array(self._path(shard, "crc"), [sums], shape=sums.shape, dtype=sums.dtype)
        write_array(self._path(shard, "npy"), [offsets], shape=offsets.shape, dtype=offsets.dtype)

    def remove(self, shard: int) -> None:
        """Take one shard away; offsets first, so that it is never half there."""
        self._forget(shard)
        for suffix in ("npy", "crc", "bin"):
            self._path(shard, suffix).unlink(missing_ok=True)

    def is_whole(self, shard: int) -> bool:
        """Whether a shard is complete, and each of its thumbnails is the one that was made. All of it is read."""
        if not self.has(shard):
            return False
        self._forget(shard)
        try:
            offsets = self._offsets_of(shard).tolist()
            content = self._path(shard, "bin").read_bytes()
        except (CollectionError, OSError):
            return False
        sums = self._sums[shard]
        pieces = (crc32(content[start:end]) for start, end in pairwise(offsets))
        return sums is None or list(pieces) == sums.tolist()

    def damaged(self, rows: int) -> list[Path]:
        """The files of pictures, of those that should hold so many rows, that are there and not whole."""
        made = [shard for shard in range(-(-rows // SHARD_ROWS)) if self._path(shard, "npy").exists()]
        return [self._path(shard, "bin") for shard in made if not self.is_whole(shard)]

    def read(self, row: int) -> bytes | None:
        """The thumbnail of a row, or ``None``.

        Raises:
            CollectionError: It is damaged, or where all of its shard lie.
        """
        shard, place = divmod(row, SHARD_ROWS)
        if shard not in self._offsets and not self.has(shard):
            return None
        offsets = self._offsets_of(shard)
        if place + 1 >= len(offsets) or offsets[place] == offsets[place + 1]:
            return None
        start, end = int(offsets[place]), int(offsets[place + 1])
        try:
            with self._path(shard, "bin").open("rb") as handle:
                handle.seek(start)
                thumbnail = handle.read(end - start)
        except OSError as error:
            raise self._damaged(shard, "bin", str(error.strerror)) from error
        sums = self._sums[shard]
        if len(thumbnail) != end - start or (sums is not None and crc32(thumbnail) != int(sums[place])):
            raise self._damaged(shard, "bin", f"that of row {row} is another than was made")
        return thumbnail

    def _offsets_of(self, shard: int) -> npt.NDArray[np.int64]:
        if shard not in self._offsets:
            offsets = self._read_offsets(shard)
            self._sums[shard] = self._read_sums(shard, rows=len(offsets) - 1)
            self._offsets[shard] = offsets
        return self._offsets[shard]

    def _forget(self, shard: int) -> None:
        self._offsets.pop(shard, None)
        self._sums.pop(shard, None)

    def _read_sums(self, shard: int, *, rows: int) -> npt.NDArray[np.uint32] | None:
        """The sum of each thumbnail of a shard; ``None`` where a version before wrote none."""
        if not self._path(shard, "crc").exists():
            return None
        try:
            sums = np.array(map_array(self._path(shard, "crc")))
        except ValueError as error:
            raise self._damaged(shard, "crc", str(error)) from error
        if sums.shape != (rows,) or sums.dtype != np.uint32:
            raise self._damaged(shard, "crc", "these are no sums of its pictures")
        return sums

    def _read_offsets(self, shard: int) -> npt.NDArray[np.int64]:
        """Where each thumbnail of a shard begins, if these can be places in its file."""
        try:
            offsets = np.array(map_array(self._path(shard, "npy")))
            size = self._path(shard, "bin").stat().st_size
        except (ValueError, OSError) as error:
            raise self._damaged(shard, "npy", str(error)) from error
        plain = offsets.ndim == 1 and offsets.dtype == np.int64 and 0 < len(offsets) <= SHARD_ROWS + 1
        if not plain or int(offsets[0]) or int(offsets[-1]) != size or (np.diff(offsets) < 0).any():
            raise self._damaged(shard, "npy", "these are no places in its file of pictures")
        return offsets

    def _damaged(self, shard: int, suffix: str, reason: str) -> CollectionError:
        return CollectionError(
            f"Expected thumbnails, but {self._path(shard, suffix)} is damaged: {reason}. "
            "Build again, and it is made anew."
        )

    def _path(self, shard: int, suffix: str) -> Path:
        return self.folder / f"{shard:06d}.{suffix}"
