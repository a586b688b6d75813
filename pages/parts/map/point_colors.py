"""What the map is colored by, as the browser gets it: one byte an image, and what the bytes mean.

Owns the two forms that colors have between those who choose them (coloring.py) and those who draw them (the canvas):
categories with a legend, and numbers with a scale. There are as many codes as the collection has images, whatever the
filter, so that one column is sent once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

MOST_ENTRIES: Final = 256
"""A legend has at most so many entries: what one byte tells apart."""

NO_NUMBER: Final = 255
"""The code of an image that has no number."""

_LAST_STEP: Final = 254


@dataclass(frozen=True)
class Entry:
    """A line of a legend.

    Attributes:
        name: The category in words; never empty.
        color: Hex, ``#RRGGBB``.
        count: How many of the N images have it.
        folded: Whether it is drawn as "other" until somebody calls it back.
        known: Whether it is a value of the column; false for what stands for several values, or for none. These lie
            below the rest.
    """

    name: str
    color: str
    count: int
    folded: bool = False
    known: bool = True


@dataclass(frozen=True)
class CategoryColors:
    """Colors by category.

    Attributes:
        title: Of the legend.
        codes: ``(N,)`` uint8, the position of each image's entry in the legend.
        legend: At most :data:`MOST_ENTRIES`, in the order to show; its counts add up to N.
        said: What the legend leaves out, one or more sentences; empty where it leaves out nothing.
    """

    title: str
    codes: npt.NDArray[np.uint8]
    legend: tuple[Entry, ...]
    said: str = ""

    def __post_init__(self) -> None:
        counts = np.bincount(self.codes, minlength=len(self.legend)).tolist()
        if self.codes.dtype != np.uint8 or len(self.legend) > MOST_ENTRIES:
            raise ValueError(
                f"Expected uint8 codes and at most {MOST_ENTRIES} entries, but codes = {self.codes.dtype} and the "
                f"legend has {len(self.legend)}. Fold the rarest into one."
            )
        if counts != [entry.count for entry in self.legend]:
            raise ValueError(
                f"Expected as many images with each code as the legend says, but counts = {counts[:10]}. "
                "Count all images, filtered or not."
            )


@dataclass(frozen=True)
class ValueColors:
    """Colors by a number.

    Attributes:
        title: Of the scale.
        codes: ``(N,)`` uint8: 0 to 254 from ``low`` to ``high`` in equal steps, :data:`NO_NUMBER` where there is none.
        low: The number at the lower end of the scale.
        high: At its upper end.
        note: A line below the title; empty for none.
        said: What the scale leaves out, one or more sentences.
    """

    title: str
    codes: npt.NDArray[np.uint8]
    low: float
    high: float
    note: str = ""
    said: str = ""

    @classmethod
    def of(
        cls,
        title: str,
        values: npt.NDArray[np.floating],
        *,
        low: float = 0.0,
        high: float = 1.0,
        note: str = "",
        said: str = "",
    ) -> ValueColors:
        """Colors by numbers; those beyond the scale have the color of its end.

        Args:
            title: Of the scale.
            values: ``(N,)``; NaN where there is none.
            low: At the lower end.
            high: At the upper end, above ``low``.
            note: A line below the title.
            said: What the scale leaves out.

        >>> ValueColors.of("P@1", np.array([0.0, 0.5, 1.0, np.nan])).codes.tolist()
        [0, 127, 254, 255]
        """
        if not high > low:
            raise ValueError(f"Expected a scale from low to high, but low = {low} and high = {high}. Widen it.")
        known = np.isfinite(values)
        steps = np.clip((np.where(known, values, low) - low) / (high - low), 0, 1) * _LAST_STEP
        codes = np.where(known, np.rint(steps), NO_NUMBER).astype(np.uint8)
        return cls(title, codes, float(low), float(high), note, said)


PointColors = CategoryColors | ValueColors
