"""Which color each image has on the map, by a column or by what was seen in training.

Owns the sorting of images into categories, which of them are told apart, and what is said of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pages.parts.frame import palette
from pages.parts.map.point_colors import MOST_ENTRIES, CategoryColors, Entry, ValueColors
from radcbir_core.collections.manifests.manifest import Codes, ListCodes
from radcbir_core.wording import counted

MOST: Final = 12
"""So many categories have a color and a sign of their own at most; the rest are "other"."""

COLUMNS: Final = {
    "anatomy": "Anatomy",
    "pathologies": "Pathology",
    "modality": "Modality",
    "dataset": "Data set",
    "split": "Split",
}
"""What the map can be colored by, and what it is called."""

SEEN: Final = "seen"
SEEN_TITLE: Final = "Seen in training"
SEEN_FILE: Final = "seen in training"
SEEN_NEAR: Final = "near-duplicate seen"

MOST_NAMED: Final = MOST_ENTRIES - 3
"""So many categories have a name in the legend; rarer ones share one."""

_REST_CODE, _SEVERAL_CODE, _NONE_CODE = MOST_ENTRIES - 3, MOST_ENTRIES - 2, MOST_ENTRIES - 1
_APART: Final = 0.01
"""The share of the numbers, at each end, that a scale may leave out."""
_WORTH: Final = 1.5
"""It leaves them out only where it would be longer by this factor with them."""
OTHERS: Final = "#A8A8A8"
"""Of what is folded."""
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

    @classmethod
    def of_lists(cls, lists: ListCodes) -> Members:
        """A column of lists; each value of a list once, however often it says it.

        >>> members = Members.of_lists(ListCodes(("a", "b"), np.array([1, 0, 1, -1, 0]), np.array([3, 0, 2])))
        >>> members.rows.tolist(), members.codes.tolist(), members.size
        ([0, 0, 2], [0, 1, 0], 3)
        """
        known = lists.codes >= 0
        rows, codes = lists.rows[known], lists.codes[known]
        if (np.diff(rows) == 0).any():
            rows, own = np.divmod(np.unique(rows * len(lists.values) + codes), len(lists.values))
            codes = own.astype(np.int32)
        return cls(lists.values, rows, codes, len(lists.lengths))

    def counts(self, chosen: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.int64]:
        """How many rows (of those chosen, ``(N,)`` bool) have each value; a row with several counts for each."""
        codes = self.codes if chosen is None else self.codes[chosen[self.rows]]
        return np.bincount(codes, minlength=len(self.values)).astype(np.int64)

    def single(self) -> npt.NDArray[np.int32]:
        """``(N,)`` the value of each row, -1 where it has none, -2 where it has several."""
        one = np.full(self.size, -1, dtype=np.int32)
        one[self.rows] = self.codes
        one[self.rows[1:][np.diff(self.rows) == 0]] = -2
        return one


def title_of(column: str) -> str:
    """What a column is called.

    >>> title_of("pathologies"), title_of("lesion_size_mm")
    ('Pathology', 'Lesion size mm')
    """
    words = column.replace("_", " ").strip() or column
    return COLUMNS.get(column) or words[0].upper() + words[1:]


def no_value(column: str) -> str:
    """What is said of an image without a value in a column.

    >>> no_value("pathologies"), no_value("split"), no_value("patient_id")
    ('not labeled', 'no split', 'no patient id')
    """
    title = title_of(column)
    return "not labeled" if column == "pathologies" else f"no {title[0].lower()}{title[1:]}"


def categories_of_seen(files: npt.NDArray[np.bool_], near: npt.NDArray[np.bool_], *, said: str = "") -> CategoryColors:
    """Images by whether the encoder has seen them in training.

    Args:
        files: ``(N,)`` whether their very files were seen.
        near: ``(N,)`` whether a near-duplicate alone was.
        said: What there is to say of it.
    """
    codes = np.where(files, 0, np.where(near, 2, 1)).astype(np.uint8)
    counts = np.bincount(codes, minlength=3).tolist()
    names = (SEEN_FILE, "not seen", SEEN_NEAR)
    hues = (palette.HUES[1], palette.HUES[0], palette.HUES[2])
    legend = [Entry(name, hue, count) for name, hue, count in zip(names, hues, counts, strict=True)]
    return CategoryColors(SEEN_TITLE, codes, tuple(legend), said)


def categories_of(column: str, members: Members) -> CategoryColors:
    """The values of a column as categories: the most frequent, the others folded, several values, and none.

    Frequent means in the whole collection, so that colors stay what they are under a filter, and as an image's only
    value: where an image has several, none of them colors it. A value is folded where a more frequent one has its
    color already, so that no color on the map means two things; called back in the legend, it has that color, too.

    Args:
        column: Of the manifest.
        members: Its values.
    """
    frequency, single = members.counts(), members.single()
    alone = np.bincount(single + 2, minlength=len(frequency) + 2)[2:]
    order = np.lexsort((-frequency, -alone))
    order = order[frequency[order] > 0]
    own, colors = _told_apart(column, members.values, order[:MOST_NAMED])
    order = np.concatenate([order[:MOST_NAMED][own], order[:MOST_NAMED][~own], order[MOST_NAMED:]])
    position = np.full(len(members.values) + 2, _SEVERAL_CODE, dtype=np.uint8)
    position[-1] = _NONE_CODE
    named = order[:MOST_NAMED]
    position[named] = np.arange(len(named))
    position[order[MOST_NAMED:]] = _REST_CODE
    codes = position.take(single)  # -1: none, -2: several
    counts = np.bincount(codes, minlength=MOST_ENTRIES).tolist()
    number = int(own.sum())
    legend = [
        Entry(name=members.values[code], color=colors[code], count=counts[rank], folded=rank >= number)
        for rank, code in enumerate(named.tolist())
    ]
    further = [
        (_REST_CODE, Entry(f"{len(order) - len(named):,} rarer", OTHERS, counts[_REST_CODE], folded=True)),
        (_SEVERAL_CODE, Entry("several at once", _SEVERAL, counts[_SEVERAL_CODE], known=False)),
        (_NONE_CODE, Entry(no_value(column), palette.NO_VALUE, counts[_NONE_CODE], known=False)),
    ]
    final = np.arange(MOST_ENTRIES, dtype=np.uint8)
    for code, entry in further:
        if entry.count:
            final[code] = len(legend)
            legend.append(entry)
    said = (
        f"{number} of {counted(len(order), 'value')} have a color and a sign of their own, the most frequent ones; the "
        "others share one, and the legend calls them back."
        if len(order) > number
        else ""
    )
    return CategoryColors(title_of(column), final.take(codes), tuple(legend), said)


def scale_of(title: str, numbers: npt.NDArray[np.float64]) -> ValueColors:
    """Numbers as a scale, from the least to the largest; where few are far from the others, without these.

    Args:
        title: Of the scale.
        numbers: ``(N,)``; NaN where there is none; at least two of them differ.

    >>> colors = scale_of("Age", np.array([20.0, 60.0, np.nan, 90.0]))
    >>> (colors.low, colors.high), colors.codes.tolist(), colors.said
    ((20.0, 90.0), [0, 145, 255, 254], '')
    """
    known = numbers[np.isfinite(numbers)]
    low, high = float(known.min()), float(known.max())
    inner_low, inner_high = np.quantile(known, [_APART, 1 - _APART]).tolist()
    said = ""
    if inner_high > inner_low and high - low > _WORTH * (inner_high - inner_low):
        beyond = int(np.count_nonzero((known < inner_low) | (known > inner_high)))
        low, high = inner_low, inner_high
        has = "has" if beyond == 1 else "have"
        said = f"{counted(beyond, 'image')} beyond the scale of {title} {has} the color of its end."
    return ValueColors.of(title, numbers, low=low, high=high, said=said)


def _told_apart(
    column: str, values: tuple[str, ...], order: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.bool_], dict[int, str]]:
    """Which of the values in this order have a color that none before them has, and the color of each code."""
    fixed = palette.colors_of(column, values) if column in ("modality", "anatomy") else {}
    colors = {
        code: fixed.get(values[code], palette.HUES[rank % len(palette.HUES)])
        for rank, code in enumerate(order.tolist())
    }
    own = np.zeros(len(order), dtype=bool)
    taken: set[str] = set()
    for rank, code in enumerate(order.tolist()):
        own[rank] = colors[code] not in taken and len(taken) < MOST
        taken.add(colors[code])
    return own, colors
