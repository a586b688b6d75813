"""Looking for text in all images of a collection: the table of where it is, and the list of problems.

Owns the pass over the images, which goes on where it was stopped. Images are decoded where all are decoded, in a
process with limits, and come here as they are displayed. What is said of a picture is ``text_rule``'s.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.burned_text.text_detector import Detector
from radcbir_core.burned_text.text_rule import judged
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.locks import looking
from radcbir_core.collections.text_boxes import (
    DETECTOR_SOURCE,
    FAILED,
    HEADER_SOURCE,
    MARK,
    TEXT,
    UNSEEN,
    TextBoxes,
    burned_text_of,
    detector_problems,
    header_problems,
    keys_of,
    read_text_boxes,
    write_text_boxes,
)
from radcbir_core.errors import CollectionError, ImageError
from radcbir_core.images.blackout import Boxes, no_boxes
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import disk_errors, remove_partials

STEP: Final = "text-boxes"
"""What progress counts the images as."""

_PART: Final = 256
"""Images whose result is kept together: less than a minute's work is lost where somebody stops."""


@dataclass(frozen=True, slots=True)
class TextReport:
    """What looking has found.

    Attributes:
        images: Of the collection.
        looked_at: Those that were looked at now; of the others it was known.
        text: Images in which text seems burned in.
        marks: Images with nothing but a letter or mark.
        failed: Images that could not be read.
        told: Images whose header says that text is burned in.
        detector: What looked.
    """

    images: int
    looked_at: int
    text: int
    marks: int
    failed: int
    told: int
    detector: str


def find_text(
    collection: Collection,
    detector: Detector,
    *,
    anew: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
) -> TextReport:
    """Look for text in the images of a collection that were not looked at yet, and keep what was found.

    Can be stopped: what was looked at by then is kept, and the next call goes on from there. What a text says is
    neither kept nor known.

    Args:
        collection: Which.
        detector: What looks.
        anew: Whether images are looked at again that were looked at before.
        workers: How many images are decoded at once; one a processor core by default.
        progress: Told the number of images, as step :data:`STEP`.

    Raises:
        StorageError: No space left, or no permission.
        CollectionError: Somebody else is looking for text in it, or changing it.
    """
    with looking(collection.folder):
        work = collection.layout.text_boxes_work.folder
        remove_partials(work)  # of a process that was killed
        keys = keys_of(collection.manifest)
        found = _known(collection, detector, anew=anew)
        # Parts that a stopped pass has left count in any case: they were begun for the same wish.
        parts = sorted(work.glob("[0-9]*.parquet"))
        found = _with_parts(found, keys, parts, detector)
        left = np.flatnonzero(np.isin(found.states, [UNSEEN, FAILED]))
        done = len(keys) - len(left)
        progress(STEP, done, len(keys))
        number = max((int(path.stem) for path in parts), default=-1) + 1
        with ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="decode") as pool:
            looked = _look_ahead(pool, collection, left.tolist(), detector)
            for start in range(0, len(left), _PART):
                rows = left[start : start + _PART]
                states: list[int] = []
                boxes: list[Boxes] = []
                for state, where in islice(looked, len(rows)):
                    states.append(state)
                    boxes.append(where)
                    done += 1
                    progress(STEP, done, len(keys))
                part = TextBoxes.of(states, boxes, detector=detector.name)
                write_text_boxes(work / f"{number:06d}.parquet", keys[rows], part)
                number += 1
        parts = sorted(work.glob("[0-9]*.parquet"))
        found = _with_parts(found, keys, parts, detector)
        write_text_boxes(collection.layout.text_boxes, keys, found, images=collection.digests.images)
        for path in parts:
            path.unlink(missing_ok=True)
        told = _list(collection, found)
    return TextReport(
        images=len(keys),
        looked_at=len(left),
        text=int((found.states == TEXT).sum()),
        marks=int((found.states == MARK).sum()),
        failed=int((found.states == FAILED).sum()),
        told=told,
        detector=detector.name,
    )


def _known(collection: Collection, detector: Detector, *, anew: bool) -> TextBoxes:
    """What the table says that is there, where the same detector has made it."""
    nothing = TextBoxes.none(len(collection))
    if anew:
        return nothing
    try:
        found = collection.burned_text().found
    except CollectionError:
        return nothing  # damaged: it is made again
    return found if found.detector == detector.name else nothing


def _with_parts(found: TextBoxes, keys: npt.NDArray[np.uint64], parts: list[Path], detector: Detector) -> TextBoxes:
    """What is known, and what the parts say beside that, the latest counting."""
    if not parts:
        return replace(found, detector=detector.name)
    position = {key: row for row, key in enumerate(keys.tolist())}
    states = found.states.copy()
    changed: dict[int, Boxes] = {}
    for path in parts:
        try:
            of_part, part, _ = read_text_boxes(path)
        except CollectionError:
            part = None
        if part is None or part.detector != detector.name:
            with disk_errors(path):
                path.unlink(missing_ok=True)  # of another version, or cut off
            continue
        for place, key in enumerate(of_part.tolist()):
            if (row := position.get(key)) is not None:
                states[row], changed[row] = part.states[place], part.boxes(place)
    boxes = [changed[row] if row in changed else found.boxes(row) for row in range(len(keys))]
    return TextBoxes.of(states, boxes, detector=detector.name)


def _look_ahead(
    pool: ThreadPoolExecutor, collection: Collection, rows: list[int], detector: Detector
) -> Iterator[tuple[int, Boxes]]:
    """State and boxes of each row in order; some are decoded while one is looked at."""
    submitted: Iterator[Future[npt.NDArray[np.uint8] | None]] = (pool.submit(_pixels, collection, row) for row in rows)
    waiting = deque(islice(submitted, 2 * (os.cpu_count() or 1)))
    try:
        while waiting:
            pixels = waiting.popleft().result()
            waiting.extend(islice(submitted, 1))
            yield (FAILED, no_boxes()) if pixels is None else judged(detector(pixels))
    finally:
        for future in waiting:
            future.cancel()


def _pixels(collection: Collection, row: int) -> npt.NDArray[np.uint8] | None:
    try:
        return collection.read_image(row).pixels
    except (ImageError, OSError):
        return None


def _list(collection: Collection, found: TextBoxes) -> int:
    """List the images of which text is known among the problems, instead of those that were listed for it before.

    Returns:
        Of how many of them the header says it.
    """
    manifest = collection.manifest
    told = burned_text_of(manifest).told
    listed = pd.concat([header_problems(manifest, told), detector_problems(manifest, found)], ignore_index=True)
    collection.add_problems(listed, instead_of=[DETECTOR_SOURCE, HEADER_SOURCE])
    return int(told.sum())
