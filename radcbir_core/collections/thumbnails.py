"""Thumbnails on disk: small pictures, packed into a few files.

Owns the form of these files. What is in a thumbnail is the business of whoever makes it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from radcbir_core.checked_files import map_array
from radcbir_core.errors import CollectionError
from radcbir_core.storage import atomic_bytes, write_array

SHARD_ROWS = 2048
"""Rows in one shard of thumbnails and of unfinished embeddings."""


class ThumbnailShards:
    """Thumbnails packed into a few files, aligned with the manifest's rows.

    Shard *s* holds rows ``s * SHARD_ROWS`` to ``(s + 1) * SHARD_ROWS - 1`` as ``NNNNNN.bin`` (the WebP files one after
    the other) and ``NNNNNN.npy`` (``(rows + 1,)`` int64 offsets; an empty stretch is an image without a thumbnail).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._offsets: dict[int, npt.NDArray[np.int64]] = {}

    def has(self, shard: int) -> bool:
        """Whether a shard is complete."""
        return self._path(shard, "npy").is_file() and self._path(shard, "bin").is_file()

    def write(self, shard: int, thumbnails: list[bytes]) -> None:
        """Write one shard; ``b""`` stands for an image without a thumbnail. Offsets last: they complete it."""
        offsets = np.cumsum([0, *map(len, thumbnails)], dtype=np.int64)
        atomic_bytes(self._path(shard, "bin"), b"".join(thumbnails))
        write_array(self._path(shard, "npy"), [offsets], shape=offsets.shape, dtype=offsets.dtype)

    def remove(self, shard: int) -> None:
        """Take one shard away; offsets first, so that it is never half there."""
        self._offsets.pop(shard, None)
        self._path(shard, "npy").unlink(missing_ok=True)
        self._path(shard, "bin").unlink(missing_ok=True)

    def read(self, row: int) -> bytes | None:
        """The WebP of a row, or ``None``.

        Raises:
            CollectionError: The shard is damaged.
        """
        shard, place = divmod(row, SHARD_ROWS)
        if shard not in self._offsets:
            if not self.has(shard):
                return None
            self._offsets[shard] = self._read_offsets(shard)
        offsets = self._offsets[shard]
        if place + 1 >= len(offsets) or offsets[place] == offsets[place + 1]:
            return None
        start, end = int(offsets[place]), int(offsets[place + 1])
        try:
            with self._path(shard, "bin").open("rb") as handle:
                handle.seek(start)
                return handle.read(end - start)
        except OSError as error:
            raise self._damaged(shard, "bin", str(error.strerror)) from error

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
            f"Expected thumbnails, but {self._path(shard, suffix)} is damaged: {reason}. Remove "
            "the folder of thumbnails, and build again."
        )

    def _path(self, shard: int, suffix: str) -> Path:
        return self.folder / f"{shard:06d}.{suffix}"
