"""The thumbnails of a collection with the text in its images painted black, and as they were before.

Owns that change, which is one: before it all thumbnails are as they were, after it none shows text that was found. The
images themselves are never written. Thumbnails that are made later are painted where they are made (``embed.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.records.record import BLACKED_OUT, write_record
from radcbir_core.collections.text_boxes import BurnedText
from radcbir_core.collections.thumbnails import SHARD_ROWS
from radcbir_core.collections.writing import revised_collection
from radcbir_core.errors import CollectionError, ImageError
from radcbir_core.images.blackout import blacked_out_thumbnail
from radcbir_core.images.thumbnailing import thumbnail_of
from radcbir_core.progress import Progress, silent

STEP: Final = "blackout"

Painting = Callable[[int, bytes], bytes]


def black_out_thumbnails(name: str, *, progress: Progress = silent) -> int:
    """Paint the text black that was found in the images of a collection, in all of its thumbnails, in one step.

    Args:
        name: The collection.
        progress: Told the number of images, as step :data:`STEP`.

    Returns:
        How many thumbnails have a black box now.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It is being built or changed, or what was found is damaged.
        StorageError: No space left, or no permission.
    """
    collection = open_collection(name)
    burned = collection.burned_text()

    def painted(row: int, thumbnail: bytes) -> bytes:
        return _painted(burned, row, thumbnail)

    return _with_others(collection, burned, painted, is_on=True, progress=progress)


def show_thumbnails_whole(name: str, *, progress: Progress = silent) -> int:
    """Make the thumbnails again that have black boxes, from the images; those whose image is not at hand stay.

    Args:
        name: The collection.
        progress: As for :func:`black_out_thumbnails`.

    Returns:
        How many thumbnails stay black, because their image is not at hand.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It is being built or changed, or what was found is damaged.
        StorageError: No space left, or no permission.
    """
    collection = open_collection(name)
    burned = collection.burned_text()
    kept = 0

    def whole(row: int, thumbnail: bytes) -> bytes:
        nonlocal kept
        try:
            return thumbnail_of(collection.read_image(row).pixels)
        except (ImageError, OSError):
            kept += 1
            return thumbnail

    _with_others(collection, burned, whole, is_on=False, progress=progress)
    return kept


def _with_others(
    collection: Collection, burned: BurnedText, change: Painting, *, is_on: bool, progress: Progress
) -> int:
    """Change the thumbnails of the images that have something to hide; how many these are."""
    number = len(collection)
    hidden = np.flatnonzero(burned.flagged)
    hidden = hidden[[len(burned.hidden(int(row))) > 0 for row in hidden]] if len(hidden) else hidden
    progress(STEP, 0, number)
    changed = 0
    with revised_collection(collection.name, digest=collection.digest) as folder:
        thumbnails = Collection(folder).thumbnails
        for shard in np.unique(hidden // SHARD_ROWS).tolist():
            if not thumbnails.has(shard):
                continue  # none were made yet: they are painted when they are
            start = shard * SHARD_ROWS
            rows = range(start, min(start + SHARD_ROWS, number))
            wanted = set(hidden[hidden // SHARD_ROWS == shard].tolist())
            made = []
            for row in rows:
                thumbnail = _intact(collection, row)
                if row in wanted and thumbnail:
                    thumbnail = change(row, thumbnail)
                    changed += 1
                made.append(thumbnail)
            thumbnails.write(shard, made)
            progress(STEP, rows.stop, number)
        write_record(folder, collection.record | {BLACKED_OUT: is_on})
    progress(STEP, number, number)
    return changed


def _intact(collection: Collection, row: int) -> bytes:
    """The thumbnail of a row; nothing where it is missing or damaged, so that the next build makes it anew."""
    try:
        return collection.thumbnail(row) or b""
    except CollectionError:
        return b""


def _painted(burned: BurnedText, row: int, thumbnail: bytes) -> bytes:
    try:
        return blacked_out_thumbnail(thumbnail, burned.hidden(row))
    except (OSError, ValueError, SyntaxError):
        return b""  # what cannot be read cannot be painted, and is not shown either
