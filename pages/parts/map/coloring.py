"""Which color and sign each point of the map has.

Owns the sorting of images into the few categories that can be told apart, and what is said of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pages.parts.frame import palette
from pages.parts.frame.figures import NO_SIGN, SYMBOLS, Group
from radcbir_core.collections.manifest import Codes
from radcbir_core.wording import counted

MOST: Final = 12
"""So many categories have a color and a sign of their own; the rest are "other"."""

COLUMNS: Final = {
    "anatomy": "Anatomy",
    "pathologies": "Pathology",
    "modality": "Modality",
    "dataset": "Dataset",
    "split": "Split",
}
"""What the map can be colored by, and what it is called."""

SEEN: Final = "seen"
SEEN_TITLE: Final = "Seen in training"
SEEN_FILE: Final = "seen in training"
SEEN_NEAR: Final = "near-duplicate seen"

_OTHERS: Final = "#A8A8A8"
_SEVERAL: Final = "#D5DCE6"


@dataclass(frozen=True)
class Members:
    """A column whose rows may have several values, as the pairs of row and value that occur.

    Attributes:
        values: The distinct values, sorted.
        rows: ``(M,)`` int64, ascending.
        codes: ``(M,)`` int32, positions in ``values``.
        size: Number of rows of the collection.
    """

    values: tuple[str, ...]
    rows: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]
    size: int

    @classmethod
    def of(cls, codes: Codes) -> Members:
        """A column with at most one value a row."""
        rows = np.flatnonzero(codes.codes >= 0)
        return cls(codes.values, rows, codes.codes[rows], len(codes.codes))

    def counts(self, chosen: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.int64]:
        """How many rows (of those chosen, ``(N,)`` bool) have each value; a row with several counts for each."""
        codes = self.codes if chosen is None else self.codes[chosen[self.rows]]
        return np.bincount(codes, minlength=len(self.values)).astype(np.int64)

    def single(self) -> npt.NDArray[np.int32]:
        """``(N,)`` the value of each row, -1 where it has none, -2 where it has several."""
        one = np.full(self.size, -1, dtype=np.int32)
        one[self.rows] = self.codes
        one[np.bincount(self.rows, minlength=self.size) > 1] = -2
        return one


def no_value(column: str) -> str:
    """What is said of an image without a value in a column.

    >>> no_value("pathologies"), no_value("split")
    ('not labeled', 'no split')
    """
    return "not labeled" if column == "pathologies" else f"no {COLUMNS[column].lower()}"


def groups_of_seen(files: npt.NDArray[np.bool_], near: npt.NDArray[np.bool_]) -> list[Group]:
    """Points by whether the encoder has seen them in training; those with at least one point.

    Args:
        files: ``(P,)`` whether their very files were seen.
        near: ``(P,)`` whether a near-duplicate alone was.
    """
    groups = [
        Group(SEEN_FILE, np.flatnonzero(files), palette.HUES[1], SYMBOLS[1]),
        Group("not seen", np.flatnonzero(~files & ~near), palette.HUES[0], SYMBOLS[0]),
        Group(SEEN_NEAR, np.flatnonzero(near), palette.HUES[2], SYMBOLS[2]),  # the fewest, and so on top
    ]
    return [group for group in groups if len(group.members)]


def groups_of(column: str, members: Members, rows: npt.NDArray[np.int64]) -> tuple[list[Group], str]:
    """Sort points into groups that look alike: the most frequent values, the others, several values, and none.

    Frequent means in the whole collection, so that colors and signs stay what they are under a filter.

    Args:
        column: Of :data:`COLUMNS`.
        members: Its values.
        rows: ``(P,)`` row of each point.

    Returns:
        The groups with at least one point, in the order of the legend, and a sentence on the values that have no color
        of their own, empty where all have one.
    """
    frequency = members.counts()
    order = np.lexsort((np.arange(len(frequency)), -frequency))
    order = order[frequency[order] > 0]
    # One value more would have needed no "other".
    own = order if len(order) <= MOST else order[:MOST]
    fixed = palette.colors_of(column, members.values) if column in ("modality", "anatomy") else {}
    codes = members.single()[rows]
    groups = [
        Group(
            name=members.values[code],
            members=np.flatnonzero(codes == code),
            color=fixed.get(members.values[code], palette.HUES[rank % len(palette.HUES)]),
            symbol=SYMBOLS[rank],
        )
        for rank, code in enumerate(own)
    ]
    rest = order[len(own) :]
    # A single value that is left over has a sign to itself: its name takes no more room than "1 other".
    others = members.values[rest[0]] if len(rest) == 1 else f"{len(rest)} others"
    groups += [
        Group(others, np.flatnonzero(np.isin(codes, rest)), _OTHERS, "circle", known=False),
        Group("several at once", np.flatnonzero(codes == -2), _SEVERAL, "diamond-open", known=False),
        Group(no_value(column), np.flatnonzero(codes == -1), palette.NO_VALUE, NO_SIGN, known=False),
    ]
    said = ""
    if len(rest) > 1:
        said = (
            f"The {MOST} most frequent of {counted(len(order), 'value')} have a color and a sign of their own; "
            "the others share one, and hovering names them."
        )
    return [group for group in groups if len(group.members)], said
