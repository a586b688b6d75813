"""Which regions of an image are embedded by themselves: the tiles.

Owns the grid: the same boxes for every image, in thousandths of its sides, so that as many vectors belong to each row
and no table has to say which. What was made records its boxes, and is read by these.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from radcbir_core.errors import CollectionError, QueryError
from radcbir_core.search.queries.region import STEPS, Box

WHOLE: Final = Box(0, 0, STEPS, STEPS)
MOST_TILES: Final = 256
"""Of a record that says more, nothing is believed."""


def grid(side: int, number: int) -> tuple[Box, ...]:
    """Square parts of one side in so many rows and columns, evenly spaced from edge to edge, row by row.

    Args:
        side: In thousandths of the image's sides.
        number: Of rows, and of columns.

    Example:
        >>> [box.word for box in grid(600, 2)]
        ['0,0,600,600', '400,0,1000,600', '0,400,600,1000', '400,400,1000,1000']
    """
    starts = [round(at * (STEPS - side) / max(number - 1, 1)) for at in range(number)]
    return tuple(Box(left, top, left + side, top + side) for top in starts for left in starts)


TILES: Final = (WHOLE, *grid(500, 3))
"""The boxes of today: the whole image, and nine parts of half its sides, which overlap by half. Why these is said, with
figures, in ``docs/regions.md``."""


def boxes_in(facts: Mapping[str, Any], *, tiles: int) -> tuple[Box, ...]:
    """The boxes that were recorded of tiles.

    Args:
        facts: What was recorded; ``boxes`` has each as its word.
        tiles: How many vectors an image has.

    Raises:
        CollectionError: It says no such boxes, or the first is not the whole image.

    Example:
        >>> boxes_in({"boxes": ["0,0,1000,1000", "0,0,500,500"]}, tiles=2)[1].word
        '0,0,500,500'
    """
    words = facts.get("boxes")
    boxes: tuple[Box, ...] = ()
    if isinstance(words, list) and len(words) <= MOST_TILES:
        with suppress(QueryError):
            boxes = tuple(Box.of(str(word)) for word in words)
    if len(boxes) != tiles or boxes[:1] != (WHOLE,):
        raise CollectionError(
            f"Expected the boxes of {tiles:,} regions in the encoder's record, but it says others. Embed the regions "
            "anew."
        )
    return boxes


def found_said(box: Box) -> str:
    """Where something was found in an image, in words: of the picture, because a patient's left is often its right.

    Example:
        >>> found_said(Box(0, 0, 600, 600)), found_said(WHOLE)
        ('found here: upper left of the picture', 'found in the whole image')
    """
    return "found in the whole image" if box == WHOLE else f"found here: {place_said(box)} of the picture"


def place_said(box: Box) -> str:
    """Where a box lies in an image, in words: its middle among thirds.

    Example:
        >>> [place_said(Box.of(word)) for word in ("0,0,600,600", "200,200,800,800", "400,200,1000,800")]
        ['upper left', 'middle', 'right']
    """
    if box == WHOLE:
        return "whole image"
    across, down = (box.left + box.right) / 2 / STEPS, (box.top + box.bottom) / 2 / STEPS
    words = ["" if 0.4 <= down <= 0.6 else "upper" if down < 0.5 else "lower"]
    words.append("" if 0.4 <= across <= 0.6 else "left" if across < 0.5 else "right")
    return " ".join(filter(None, words)) or "middle"
