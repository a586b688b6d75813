"""The pictures of the slides: large, and without text that was found in their pixels, because it may name somebody.

Owns what is hidden before a room: boxes where text was found, and the whole image where its header says that there is
such text, and nobody has looked where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pages.parts.frame import loaders
from pages.parts.images import pictures
from radcbir_core.collections.collection import Collection
from radcbir_core.errors import ImageError
from radcbir_core.images.blackout import blacked_out_thumbnail

_SVG: Final = "image/svg+xml"


def address(collection: Collection, row: int, lines: Sequence[str]) -> str:
    """The address of a large picture; of the small one where the file is gone, else of a placeholder.

    Args:
        collection: Where the image is.
        row: Its row in the manifest.
        lines: What the placeholder says.

    Raises:
        CollectionError: What was found of text in the images is damaged, so that it cannot be hidden.
    """
    burned = loaders.burned_text(collection)
    boxes = burned.hidden(row)
    if burned.is_flagged(row) and not len(boxes):
        return pictures.inline(pictures.placeholder(lines, why="text in it may name somebody"), _SVG)
    try:
        return pictures.inline(loaders.preview(collection, row, hidden=boxes), "image/png")
    except ImageError:
        data, kind = pictures.small_bytes(collection, row, lines)
        if kind != _SVG and len(boxes):
            data, kind = blacked_out_thumbnail(data, boxes), "image/jpeg"
        return pictures.inline(data, kind)
