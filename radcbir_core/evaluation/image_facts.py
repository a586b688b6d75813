"""What pictures are like, whatever they show: how bright, how rich in contrast, how sharp, and of which form.

Owns these numbers and where they are kept. They are read from thumbnails, all in one pass, and kept beside results of
evaluations, so that a pass is made once for the images that there are; where a collection has no thumbnails, there are
none.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.evaluation.keeping import Kept, read_result, write_result
from radcbir_core.images.thumbnailing import gray_of
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import digest_of

FACTS: Final = ("brightness", "contrast", "sharpness", "aspect")
_RECIPE: Final = 1


def image_facts(store: EncoderStore, *, progress: Progress = silent) -> pd.DataFrame | None:
    """The facts of every image, computed now or as they are kept; None where there is no thumbnail.

    Args:
        store: What an encoder made of the collection; its folder is where they are kept.
        progress: Told the images, as step "thumbnails".

    Returns:
        N rows of :data:`FACTS`, NaN where an image has no thumbnail: ``brightness``, the mean gray level from 0 to 1;
        ``contrast``, its standard deviation; ``sharpness``, the mean difference of neighboring pixels, by the contrast;
        ``aspect``, width by height, of the image itself.

    Raises:
        CollectionError: Thumbnails are damaged.
        StorageError: They cannot be written.
    """
    collection = store.collection
    identity = digest_of(f"image facts {_RECIPE}", collection.digests.images)
    folder = store.evaluation_folder / f"image-facts-{identity[:32]}"
    kept = read_result(folder)
    if kept is not None and len(kept.tables["facts"]) == len(collection):
        return kept.tables["facts"] if kept.tables["facts"]["brightness"].notna().any() else None
    number = len(collection)
    table = np.full((number, 3), np.nan)
    progress("thumbnails", 0, number)
    for row in range(number):
        thumbnail = collection.thumbnail(row)
        if thumbnail is not None:
            table[row] = facts_of(thumbnail)
        if row % 256 == 255 or row + 1 == number:
            progress("thumbnails", row + 1, number)
    facts = pd.DataFrame(table, columns=list(FACTS[:3]))
    sides = [collection.manifest.numbers(name, np.arange(number)) for name in ("width", "height")]
    facts["aspect"] = np.divide(sides[0], sides[1], out=np.full(number, np.nan), where=sides[1] > 0).round(2)
    write_result(folder, Kept({"facts": facts}, (), {}), kind="image-facts", recipe=_RECIPE)
    return facts if facts["brightness"].notna().any() else None


def facts_of(thumbnail: bytes) -> tuple[float, float, float]:
    """Brightness, contrast and sharpness of a thumbnail; NaN for what is no picture.

    Example:
        >>> from radcbir_core.images.thumbnailing import thumbnail_of
        >>> facts_of(thumbnail_of(np.full((8, 8), 255, np.uint8)))
        (1.0, 0.0, 0.0)
    """
    try:
        gray = np.asarray(gray_of(thumbnail), dtype=np.float64) / 255
    except (OSError, ValueError, SyntaxError):
        return np.nan, np.nan, np.nan
    contrast = float(gray.std())
    steps = [np.abs(np.diff(gray, axis=axis)) for axis in (0, 1)]
    step = float(np.mean([one.mean() for one in steps if one.size] or [0.0]))
    return float(gray.mean()), contrast, step / contrast if contrast > 1e-6 else 0.0
