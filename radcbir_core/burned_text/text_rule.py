"""When a picture is said to have text burned in: from the places that were read in it.

Owns the rule and its numbers. Which places there are is the detector's to say.

The network that finds text also takes bright streaks of tissue for it, and a radiograph has a letter on purpose: the
marker of its side. So each place is read, and of the reading only two numbers are looked at: how many symbols it has,
and how sure the network is of them. Text is a place of several symbols, of a height that text has. One symbol is a
mark, which is told apart because a single letter names nobody. In a picture with text whatever else may be a line is
taken for one: a word that could not be read is still a word. The numbers were chosen on a part of the images of
``benchmarks/burned_text.py``, and measured on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from radcbir_core.collections.text_boxes import MARK, NOTHING, TEXT
from radcbir_core.images.blackout import THOUSAND, Boxes, no_boxes

RULE: Final = 1
"""To be raised when images are judged otherwise: they are looked at again then."""
LEAST_SYMBOLS: Final = 2
LEAST_SURE: Final = 0.7
"""The mean of the network's probabilities of the symbols that it reads."""
LEAST_SURE_OF_TWO: Final = 0.9
"""The same where there are two symbols only, which a rib beside a marker is read as."""
LEAST_WIDTH: Final = 0.28
"""Of a symbol, of the height of its line: many symbols in little room are a texture that was read."""
LARGEST_HEIGHT: Final = 0.12
"""Of the picture's shorter side: what is higher is no line of text, but a structure."""
LEAST_SURE_OF_A_MARK: Final = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere that something was read.

    Attributes:
        box: Left, top, right and bottom, from 0 to 1 of the picture's width and height.
        height: Of a line there, of the picture's shorter side.
        long: How many times its height a line is long.
        symbols: How many.
        sure: The mean probability of these, from 0 to 1.
    """

    box: tuple[float, float, float, float]
    height: float
    long: float
    symbols: int
    sure: float


def judged(places: Sequence[Place]) -> tuple[int, Boxes]:
    """Whether text seems burned in, and the boxes of what was read.

    Returns:
        :data:`~radcbir_core.collections.text_boxes.TEXT`, ``MARK`` or ``NOTHING``; and ``(B, 4)`` boxes, rounded
        outwards.

    Example:
        >>> line = Place((0.1, 0.9, 0.4, 0.95), height=0.05, long=6, symbols=8, sure=0.95)
        >>> judged([line])[0] == TEXT, judged([line])[1].tolist()
        (True, [[100, 900, 400, 950]])
        >>> judged([Place((0, 0, 0.1, 0.1), height=0.1, long=1, symbols=1, sure=0.9)])[0] == MARK
        True
    """
    texts = [place for place in places if is_text(place)]
    others = [place for place in places if place not in texts and place.height <= LARGEST_HEIGHT]
    if not texts:  # where there is a line of text, whatever else may be one is hidden with it
        others = [place for place in others if _is_mark(place)]
    state = TEXT if texts else MARK if others else NOTHING
    boxes = [_outwards(place.box) for place in (*texts, *others)]
    return state, np.array(boxes, np.int16) if boxes else no_boxes()


def is_text(place: Place) -> bool:
    """Whether a place holds a line of text."""
    least_sure = LEAST_SURE_OF_TWO if place.symbols == LEAST_SYMBOLS else LEAST_SURE
    is_line = place.height <= LARGEST_HEIGHT and place.long >= LEAST_WIDTH * place.symbols
    return is_line and place.symbols >= LEAST_SYMBOLS and place.sure >= least_sure


def _is_mark(place: Place) -> bool:
    return place.symbols >= 1 and place.sure >= LEAST_SURE_OF_A_MARK


def _outwards(box: tuple[float, float, float, float]) -> list[int]:
    left, top, right, bottom = (value * THOUSAND for value in box)
    outer = (np.floor(left + 1e-6), np.floor(top + 1e-6), np.ceil(right - 1e-6), np.ceil(bottom - 1e-6))
    return [int(min(max(value, 0), THOUSAND)) for value in outer]
