"""The thumbnails of a collection with the text in its images painted black, and as they were before.

Owns that change, which is one: before it all thumbnails are as they were, after it none shows text that was found; and
that thumbnails follow where text is looked for again. The images themselves are never written. Thumbnails that are made
later are painted where they are made (``embed.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import numpy as np

from radcbir_core.burned_text.text_detector import Detector
from radcbir_core.burned_text.text_finding import TextReport, find_text
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.records.record import BLACKED_OUT, write_record
from radcbir_core.collections.text_boxes import BurnedText
from radcbir_core.collections.thumbnails import SHARD_ROWS
from radcbir_core.collections.writing import revised_collection
from radcbir_core.errors import CollectionError, ImageError
from radcbir_core.images.blackout import Boxes, blacked_out_thumbnail
from radcbir_core.images.thumbnailing import thumbnail_of
from radcbir_core.progress import Progress, silent

BLACK: Final = "blackout"
"""What progress counts the images as while text is painted black."""
WHOLE: Final = "thumbnails-whole"
"""Likewise, while it is shown again."""

Painting = Callable[[int, bytes], bytes]


def find_and_black_out(
    collection: Collection, detector: Detector, *, anew: bool = False, progress: Progress = silent
) -> TextReport:
    """Look for text as :func:`~radcbir_core.burned_text.text_finding.find_text` does, and let thumbnails follow.

    Where text is painted black in the collection's thumbnails, it is painted at the places that are known now; what was
    black and is not taken for text any more is shown again, if the image is at hand.

    Args:
        collection: Which.
        detector: What looks.
        anew: Whether images are looked at again that were looked at before.
        progress: Told the number of images, as the steps of looking and :data:`BLACK`.

    Raises:
        StorageError: No space left, or no permission.
        CollectionError: Somebody else is at the collection.
    """
    before: BurnedText | None = None
    with suppress(CollectionError):  # damaged: it is made anew
        before = collection.burned_text()
    report = find_text(collection, detector, anew=anew, progress=progress)
    if collection.blacks_out and report.looked_at:
        black_out_thumbnails(collection.name, before=before, progress=progress)
    return report


def black_out_thumbnails(name: str, *, before: BurnedText | None = None, progress: Progress = silent) -> int:
    """Paint the text black that was found in the images of a collection, in all of its thumbnails, in one step.

    Args:
        name: The collection.
        before: What was known when they were painted last; boxes of then that are none now are shown again.
        progress: Told the number of images, as step :data:`BLACK`.

    Returns:
        How many thumbnails have a black box now.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It is being built or changed, or what was found is damaged.
        StorageError: No space left, or no permission.
    """
    collection = open_collection(name)
    changed = 0
    with _revised(collection, is_on=True) as (folder, burned):
        earlier: dict[int, Boxes] = {}
        if before is not None and len(before.told) == len(collection):
            earlier = {row: before.hidden(row) for row in _hidden(before)}

        def painted(row: int, thumbnail: bytes) -> bytes:
            nonlocal changed
            boxes = burned.hidden(row)
            changed += bool(len(boxes))
            if row in earlier and not np.array_equal(earlier[row], boxes):
                thumbnail = _whole(collection, row) or thumbnail
            return _painted(thumbnail, boxes)

        rows = sorted({*earlier, *_hidden(burned)})
        _change(collection, folder, rows, painted, step=BLACK, progress=progress)
    return changed


def show_thumbnails_whole(name: str, *, progress: Progress = silent) -> int:
    """Make the thumbnails again that have black boxes, from the images; those whose image is not at hand stay.

    Args:
        name: The collection.
        progress: Told the number of images, as step :data:`WHOLE`.

    Returns:
        How many thumbnails stay black, because their image is not at hand.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It is being built or changed, or what was found is damaged.
        StorageError: No space left, or no permission.
    """
    collection = open_collection(name)
    kept = 0

    def whole(row: int, thumbnail: bytes) -> bytes:
        nonlocal kept
        made = _whole(collection, row)
        kept += not made
        return made or thumbnail

    with _revised(collection, is_on=False) as (folder, burned):
        _change(collection, folder, _hidden(burned), whole, step=WHOLE, progress=progress)
    return kept


@contextmanager
def _revised(collection: Collection, *, is_on: bool) -> Iterator[tuple[Path, BurnedText]]:
    """The folder to change, which says in the end whether text is black; and what is known of text by then.

    While it is held nobody looks for text, so that what is known stays true.
    """
    with revised_collection(collection.name, digest=collection.digest) as folder:
        yield folder, Collection(folder).burned_text()
        write_record(folder, collection.record | {BLACKED_OUT: is_on})


def _hidden(burned: BurnedText) -> list[int]:
    """The rows of the images that have something to hide."""
    return [row for row in np.flatnonzero(burned.flagged).tolist() if len(burned.hidden(row))]


def _change(
    collection: Collection, folder: Path, rows: Sequence[int], change: Painting, *, step: str, progress: Progress
) -> None:
    """Change the thumbnails of some rows, as far as there are any."""
    number, wanted = len(collection), set(rows)
    progress(step, 0, number)
    thumbnails = Collection(folder).thumbnails
    for shard in sorted({row // SHARD_ROWS for row in rows}):
        if not thumbnails.has(shard):
            continue  # none were made yet: they are painted when they are
        start = shard * SHARD_ROWS
        of_shard = range(start, min(start + SHARD_ROWS, number))
        made = []
        for row in of_shard:
            thumbnail = _intact(collection, row)
            made.append(change(row, thumbnail) if row in wanted and thumbnail else thumbnail)
        thumbnails.write(shard, made)
        progress(step, of_shard.stop, number)
    progress(step, number, number)


def _intact(collection: Collection, row: int) -> bytes:
    """The thumbnail of a row; nothing where it is missing or damaged, so that the next build makes it anew."""
    try:
        return collection.thumbnail(row) or b""
    except CollectionError:
        return b""


def _whole(collection: Collection, row: int) -> bytes:
    """The thumbnail of an image, made anew; nothing where the image is not at hand."""
    try:
        return thumbnail_of(collection.read_image(row).pixels)
    except (ImageError, OSError):
        return b""


def _painted(thumbnail: bytes, boxes: Boxes) -> bytes:
    try:
        return blacked_out_thumbnail(thumbnail, boxes)
    except (OSError, ValueError, SyntaxError):
        return b""  # what cannot be read cannot be painted, and is not shown either
