"""What the words dataset, patient, study, series, near-duplicate and duplicate leave out, on one collection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import NEAR_DUPLICATE, check_exclusions, groups_of
from radcbir_core.search.backend import Exclusion, Rows
from radcbir_core.storage import digest_of


def exclusions_of(store: EncoderStore, rows: Rows, exclude: Sequence[str]) -> list[Exclusion]:
    """What images of the collection may not return when they are queries: themselves, and what ``exclude`` names.

    Args:
        store: What an encoder made of the collection.
        rows: ``(Q,)``; the queries.
        exclude: Of :data:`~radcbir_core.collections.groups.EXCLUSIONS`.

    Raises:
        QueryError: An unknown exclusion.
    """
    itself = Exclusion.of_itself(rows, among=len(store.collection.manifest))
    return [itself, *(Exclusion(groups, groups[rows]) for groups in groups_of(store, exclude))]


@dataclass(frozen=True, slots=True)
class FileOfImage:
    """Where an image from outside comes from, by which it is known if a collection has it after all.

    Attributes:
        sha256: Of the file; "" where there is none.
        frame: Which of its frames or slices the image is, from 0; None of a file with one.
        frames: How many it has.
    """

    sha256: str = ""
    frame: int | None = None
    frames: int = 1

    def images(self, collection: Collection) -> Rows:
        """The rows of the very image: of its file, or of that frame of it."""
        of_frame = [] if self.frame is None else [self.frame]
        return self._rows(collection, of_frame)

    def all_images(self, collection: Collection) -> Rows:
        """The rows of its file, of whichever of its frames."""
        return self._rows(collection, range(self.frames) if self.frames > 1 else ())

    def _rows(self, collection: Collection, frames: Iterable[int]) -> Rows:
        if not self.sha256:
            return np.empty(0, dtype=np.intp)
        digests = [self.sha256, *(digest_of(self.sha256, str(frame)) for frame in frames)]
        if len(digests) == 1:
            return collection.manifest.rows_with("sha256", digests[0])
        there = pc.is_in(collection.manifest.arrow("sha256"), value_set=pa.array(digests))
        return np.flatnonzero(there.to_numpy(zero_copy_only=False))


def exclusions_of_file(
    store: EncoderStore, file: FileOfImage, exclude: Sequence[str], *, queries: int
) -> list[Exclusion]:
    """What an image from outside may not return: known only where its very file is in the collection.

    Near-duplicates too are those of that file; whether an image from outside is one itself is not looked at.

    Args:
        store: What an encoder made of the collection.
        file: The file that it comes from.
        exclude: As in :func:`exclusions_of`. "duplicate" are the images with the same bytes; patient, study, series
            and data set are those of such a file, of whichever of its frames.
        queries: How many there are.

    Raises:
        QueryError: An unknown exclusion.
    """
    manifest, names = store.collection.manifest, check_exclusions(exclude)
    copies = of_file = np.empty(0, dtype=np.intp)
    if names:
        copies, of_file = file.images(store.collection), file.all_images(store.collection)
    everything = []
    for name, of_name in zip(names, groups_of(store, names), strict=True):
        groups = of_name
        if name == "duplicate":
            same_bytes = np.full(len(manifest), -1, dtype=np.int32)
            same_bytes[copies] = 0
            everything.append(Exclusion(same_bytes, np.zeros(queries, dtype=np.int32)))
            continue
        alike = copies if name == NEAR_DUPLICATE else of_file
        known = groups[alike][groups[alike] >= 0]
        mine = int(known[0]) if len(known) else -1
        if name == NEAR_DUPLICATE and mine < 0 and len(copies):
            # The file is there once and has no near-duplicates: it alone is left out.
            groups, mine = np.full(len(manifest), -1, dtype=np.int32), 0
            groups[copies] = 0
        everything.append(Exclusion(groups, np.full(queries, mine, dtype=np.int32)))
    return everything
